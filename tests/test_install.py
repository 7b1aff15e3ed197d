"""The package as a user gets it: a wheel built from a copy, installed in a fresh environment in another folder."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import nnlite

pytestmark = pytest.mark.once  # see setup.cfg

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the project without what git ignores: no stale build reaches the wheel."""
    copy = tmp_path_factory.mktemp("source") / "nnlite"
    ignored = (ROOT / ".gitignore").read_text().split()
    ignore = shutil.ignore_patterns(".git", *(name.strip("/") for name in ignored))
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignore)
    return copy


def environment_at(folder):
    """A fresh environment without pip, which takes a while to come: `pip --python` installs into it."""
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def link_what_it_needs(environment):
    """What the installed package says that it needs, and what that needs, and nothing else: from here, where it is
    installed already."""
    (packages,) = environment.glob("lib/python*/site-packages")
    (nnlite_xai,) = importlib.metadata.distributions(name="nnlite-xai", path=[str(packages)])
    packages_to_ask, linked = [nnlite_xai], set()
    while packages_to_ask:
        for requirement in map(Requirement, packages_to_ask.pop().requires or ()):
            if requirement.name in linked or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            found = importlib.metadata.distribution(requirement.name)
            assert requirement.specifier.contains(found.version, prereleases=True), requirement
            for name in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
                if not (packages / name).exists():
                    (packages / name).symlink_to(found.locate_file(name))
            linked.add(requirement.name)
            packages_to_ask.append(found)
    assert {"numpy", "scipy", "matplotlib", "numba"} <= linked


def test_wheel_runs_the_tour_in_a_fresh_environment(source, tmp_path, missing):
    built = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, source, cwd=tmp_path)
    if built.returncode:
        missing(f"pip could not build the wheel (no network?): {built.stderr[-500:]}")
    (wheel,) = tmp_path.glob("nnlite_xai-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()}
    assert {f"nnlite/{name}" for name in shipped} <= set(names)
    assert {
        p.relative_to(source).as_posix() for p in (source / "nnlite").rglob("*") if p.suffix not in ("", ".pyc")
    } <= set(names)
    assert not [name for name in names if name.startswith(("tests", "scripts", "lessons"))]

    environment = tmp_path / "elsewhere" / "venv"
    python = environment_at(environment)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile", "--no-deps")
    installed = run(*pip, wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    link_what_it_needs(environment)
    tour = (environment / "bin" / "nnlite", "tour", "--out", "out")
    toured = run(*tour, cwd=environment.parent, NNLITE_BACKEND="numpy")  # compiling takes longer than the tour
    assert toured.returncode == 0, toured.stderr
    assert (environment.parent / "out" / "report.html").stat().st_size > 100_000
    where = run(python, "-c", "import nnlite; print(nnlite.__file__)", cwd=environment.parent).stdout
    assert Path(where.strip()).is_relative_to(environment)


def test_editable_install_runs_from_the_checkout(source, tmp_path, missing):
    environment = tmp_path / "venv"
    python = environment_at(environment)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps")
    built = run(*pip, "-e", source, cwd=tmp_path)
    if built.returncode:
        missing(f"pip could not install the checkout (no network?): {built.stderr[-500:]}")
    link_what_it_needs(environment)
    explain = ("explain", "uci:17", "--model", "tiny", "--out", "R.npy")
    explained = run(environment / "bin" / "nnlite", *explain, cwd=tmp_path, NNLITE_BACKEND="numpy")
    assert explained.returncode == 0, explained.stderr
    assert np.load(tmp_path / "R.npy").shape == (1, 1, 8, 8)
    where = run(python, "-c", "import nnlite; print(nnlite.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(source)


def test_checkout_runs_without_being_installed(tmp_path):
    result = run(
        sys.executable, "-m", "nnlite", "explain", "uci:17", "--model", "tiny", "--out", tmp_path / "R.npy", cwd=ROOT
    )
    assert result.returncode == 0, result.stderr


def test_version_is_one_and_the_same(tmp_path):
    said = run(sys.executable, "-m", "nnlite", "--version", cwd=ROOT).stdout.strip()
    assert said == f"nnlite {nnlite.__version__}"
    try:
        assert importlib.metadata.version("nnlite-xai") == nnlite.__version__
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nnlite runs from a checkout that is not installed")
