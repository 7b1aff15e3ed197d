"""A lesson as an executed notebook. It runs once; the site and the tests share the result.

A lesson is plain Markdown. Its `python` fences are code and run in order, in one Python process, in an empty folder. A
fence under `<!-- source: file:name -->` is nnlite's own code: it is shown, and not run again. The result lies in
.executed/ under a name made of the lesson's code and of nnlite's, so that neither can change without a new run.

`python lessons/executed.py lessons/03-saliency-maps.md` writes a lesson as a notebook for Jupyter, not run.
"""

import ast
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

HERE = Path(__file__).parent
FOLDER = HERE / ".executed"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
SOURCE = re.compile(r"^<!-- source: (\S+):(\S+) -->\n```python\n(.*?)^```$", re.M | re.S)
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread for matrix products: a lesson prints the same on any number of cores, and its small products gain nothing
by more. On a busy machine the threads would wait for each other for most of the time."""


def read(text: str) -> nbformat.NotebookNode:
    """The notebook of a lesson, with its outputs. The error of a cell that fails is raised as it is."""
    notebook = unexecuted(text)
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        return notebook
    place = FOLDER / f"{_key(notebook)}.ipynb"
    FOLDER.mkdir(exist_ok=True)
    with _alone(place.with_suffix(".lock")):  # whoever asks while it runs waits for it
        if not place.exists():
            _execute(notebook)
            beside = place.with_suffix(f".{os.getpid()}")
            nbformat.write(notebook, beside)
            beside.replace(place)
    return nbformat.read(place, as_version=4)


def page(text: str) -> nbformat.NotebookNode:
    """The notebook for the site: what a comment behind a print says already is not shown a second time."""
    notebook = read(text)
    for cell in notebook.cells:
        if cell.cell_type == "code" and comments_of_prints(cell.source):
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    return notebook


def comments_of_prints(source: str) -> list[str]:
    """What stands in the comments behind the prints of a fence, those on the lines after included."""
    lines, said = source.splitlines(), []
    ends = [
        node.end_lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "print"
    ]
    for end in sorted(ends):
        comment = re.search(r"\)\s*# ?(.*)$", lines[end - 1])
        if comment:
            said.append(comment[1])
        for line in lines[end:]:
            if not re.match(r"\s*#", line):
                break
            said.append(line.strip().removeprefix("#"))
    return said


def for_jupyter(text: str) -> nbformat.NotebookNode:
    """The notebook of a lesson, not run, to work in. Read by jupytext alone it would run nnlite's own code too."""
    notebook = unexecuted(text)
    for cell in notebook.cells:
        cell.source = cell.source.replace("```{code-block} python", "```python")
    return notebook


def unexecuted(text: str) -> nbformat.NotebookNode:
    """The notebook of a lesson: a code cell for each fence that runs."""
    shown = SOURCE.sub(lambda match: f"```{{code-block}} python\n{match[3]}```\n*From `{match[1]}`.*", text)
    notebook = jupytext.reads(shown, fmt="md")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # by default they are random
    return notebook


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time (where the system has locks)."""
    with open(lock, "w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _execute(notebook: nbformat.NotebookNode) -> None:
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute(env=os.environ | ONE)
    after = os.times()  # those of processes that have ended: how busy the machine was plays no part
    notebook.metadata["seconds"] = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def _key(notebook: nbformat.NotebookNode) -> str:
    digest = hashlib.sha256(_nnlite().encode())
    for cell in notebook.cells:
        digest.update(f"{cell.cell_type}\n{cell.source}\n".encode())
    return digest.hexdigest()[:24]


@lru_cache(maxsize=1)
def _nnlite() -> str:
    """A fingerprint of nnlite's code and data."""
    digest = hashlib.sha256()
    for folder, kind in (("nnlite", "*.py"), ("data", "*.*")):
        for path in sorted((HERE.parent / folder).rglob(kind)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    for lesson in map(Path, sys.argv[1:]):
        nbformat.write(for_jupyter(lesson.read_text()), lesson.with_suffix(".ipynb"))
