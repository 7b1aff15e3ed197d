"""How the libraries are imported, without any of them: a module that imports what zennit imports stands for it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ZENNIT = """
import torchvision
from torchvision.models.resnet import BasicBlock, Bottleneck

kinds = BasicBlock, Bottleneck, torchvision.ops.FrozenBatchNorm2d
"""

PROGRAM = """
import sys
from nnlite.verify.libraries import load

assert issubclass(load("zennit").kinds[2], object)
print([name for name in sys.modules if name.startswith("torchvision")])
"""


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed: nothing stands in for it")
def test_the_stand_in_for_torchvision_has_what_zennit_imports_and_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "zennit.py").write_text(ZENNIT)
    places = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": places}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
