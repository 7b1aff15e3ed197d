"""The API pages: a page for each room of nnlite, made of the docstrings as they stand.

A docstring here is written to be read as it is, formulas and all; so it is shown as it is, and not as markup.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

import nnlite

FOLDER = Path(__file__).parent / "library"


def pages() -> dict[str, str]:
    """The text of every page by its name: one a room, and the index."""
    rooms = sorted(name for _, name, _ in pkgutil.iter_modules(nnlite.__path__) if not name.startswith("_"))
    found = {name: _room(f"nnlite.{name}") for name in rooms if name not in ("cli", "commands")}
    toc = "\n".join(found)
    index = "# The library\n\nEvery public function with its formula, shapes, errors and source.\n\n"
    return {**found, "index": f"{index}```{{toctree}}\n:maxdepth: 2\n\n{toc}\n```\n"}


def _room(name: str) -> str:
    module = importlib.import_module(name)
    text = [f"# {name}\n", _block(module.__doc__ or "")]
    alone = not hasattr(module, "__path__")  # a file's functions are one level below its title, a folder's two
    for member in _modules(module):
        public = [
            (key, value)
            for key, value in vars(member).items()
            if not key.startswith("_")
            and (inspect.isfunction(value) or inspect.isclass(value))
            and value.__module__ == member.__name__
            and value.__doc__
        ]
        if not public:
            continue
        if not alone:
            text += [f"## {member.__name__.removeprefix('nnlite.')}\n", _block(member.__doc__ or "")]
        for key, value in public:
            text += [
                f"{'##' if alone else '###'} {key}\n",
                _block(f"{key}{_signature(value)}\n\n{inspect.getdoc(value)}"),
            ]
    return "\n".join(text)


def _modules(module: ModuleType) -> list[ModuleType]:
    names = [module.__name__]
    if hasattr(module, "__path__"):
        names += [info.name for info in pkgutil.walk_packages(module.__path__, f"{module.__name__}.")]
    return [importlib.import_module(name) for name in names]


def _signature(value: object) -> str:
    try:
        return str(inspect.signature(value))  # type: ignore[arg-type]
    except ValueError:
        return ""


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n" if text.strip() else ""


def write(app: Sphinx) -> None:
    """Write the pages before Sphinx looks for its sources; a page that has not changed is left alone."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        place = FOLDER / f"{name}.md"
        if not place.exists() or place.read_text() != text:
            place.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
