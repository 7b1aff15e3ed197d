"""The libraries that nnlite is compared with: whether they are there, their versions, and how they are imported."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

INSTALL = {
    "torch": "pip install torch==2.13.0",
    "captum": "pip install torch==2.13.0 && pip install captum",
    "zennit": "pip install torch==2.13.0 && pip install --no-deps zennit",
    "lxt": "pip install torch==2.13.0 && pip install --no-deps lxt",
}
"""The libraries, and how to install each."""

STAND_IN = {
    "torchvision": (),
    "torchvision.models": (),
    "torchvision.models.resnet": ("Bottleneck", "BasicBlock"),
    "torchvision.ops": ("FrozenBatchNorm2d",),
}
"""The modules of torchvision that zennit imports, and the classes that it wants of each (the last from 1.0 on)."""


def missing(library: str) -> str | None:
    """How to install `library`, or None where it is there (the others need torch too)."""
    needed = {"torch", library}
    return INSTALL[library] if any(importlib.util.find_spec(name) is None for name in needed) else None


def version_of(library: str) -> str:
    """The version of an installed library, "" where it is not there."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def load(name: str) -> Any:
    """The module of this name, such as "captum.attr".

    zennit imports torchvision for three classes that are of no use here; where there is no torchvision, a stand-in
    serves while zennit is imported, and is taken away again.
    """
    if name.partition(".")[0] == "zennit" and "zennit" not in sys.modules:
        with _torchvision():
            importlib.import_module("zennit")
    return importlib.import_module(name)


def zennit_merges_exactly() -> bool:
    """Whether this zennit leaves an identity of a BatchNorm that it merges (before 1.0 it divides by √(1 + eps))."""
    if missing("zennit") is not None:
        return False
    torch = load("torch")
    linear, norm = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1), torch.nn.BatchNorm1d(1, eps=1.0).eval()
    load("zennit.canonizers").SequentialMergeBatchNorm().apply(torch.nn.Sequential(linear, norm))
    return bool(norm(torch.ones(1, 1)) == 1)


@contextmanager
def _torchvision() -> Iterator[None]:
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    modules = {name: ModuleType(name) for name in STAND_IN}
    for name, module in modules.items():
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
        for kind in STAND_IN[name]:
            setattr(module, kind, type(kind, (), {}))
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
