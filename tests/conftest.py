"""What the tests share."""

import gc
import os
import shutil
import sys
from pathlib import Path

# One thread for matrix products, in each worker and in what it starts: they are small, and the threads of two workers
# would wait for each other for most of the time. (BLAS reads the number when NumPy is imported.)
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

# One nnlite, this checkout's, in each worker and in what it starts. (Where it is installed as well, some would take
# the one and some the other, and Numba would compile both. What is installed has its own tests: test_install.py.)
ROOT = str(Path(__file__).parents[1])
sys.path.insert(0, ROOT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# A first example may compile a loop or import SciPy: how long one takes says nothing.
settings.register_profile("nnlite", deadline=None)
settings.load_profile("nnlite")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="all cases of tests/fuzz, and not the first few of each kind")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Fourteen thousand tests are no garbage: nobody looks for any while they are collected, nor among them later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


COMPILING = {f"test_{name}.py" for name in ("kernels", "rows", "incremental", "compiled", "chunks", "benchmarks")}
"""The files that compile the most."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """On an empty Numba cache the first worker begins with what compiles most, and the last with what compiles least.

    xdist gives each worker an equal part of the row of tests, and what is idle takes from the end of the others' parts.
    The last part begins with the lessons and the files that are the same on either backend: while they run, another
    worker compiles what all need; and they hold the longest tests, for which nobody should wait at the end.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    once = {item.path.name for item in items if item.get_closest_marker("once")}
    names = once - COMPILING | {"test_lessons.py"}
    short = [item for item in items if item.path.name not in names]
    short.sort(key=lambda item: item.path.name not in COMPILING)
    long = [item for item in items if item.path.name in names]
    last = len(items) - len(items) // workers
    items[:] = short[:last] + long + short[last:]


FORMS = {"plain": lambda network: network, "compiled": lambda network: network.compile()}


@pytest.fixture(params=FORMS)
def form(request):
    """form(network): the network as it is, or compiled. What holds, holds for both."""
    return FORMS[request.param]


@pytest.fixture(autouse=True)
def the_backend_stays():
    """A test may change the backend: kernels.use("numpy")."""
    from nnlite import kernels

    with kernels.use(kernels.backend()):
        yield


@pytest.fixture(autouse=True)
def said_on_a_warm_cache(monkeypatch):
    """Commands say nothing of how long compiling took, which depends on what ran before."""
    monkeypatch.setattr("nnlite.commands.compiling.WORTH_A_LINE", float("inf"))


@pytest.fixture
def missing():
    """missing(reason): skip for want of a tool, a browser or a network, but fail in continuous integration."""
    return pytest.fail if os.environ.get("CI") == "true" else pytest.skip


@pytest.fixture(scope="module")
def launched():
    """A browser, or the reason why there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield "playwright is not installed (pip install playwright)"
        return
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        yield "there is no chromium (apt-get install chromium)"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browse(launched, missing):
    """browse(address, ...): the page in a tab; at the end nothing was fetched from outside and no error was said."""
    if isinstance(launched, str):
        missing(launched)
    said, asked, contexts = [], [], []

    def open_tab(address, width=1280, scheme="light"):
        contexts.append(launched.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
