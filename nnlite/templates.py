"""What the pages are made of: files of HTML and CSS beside the code that fills them, with $placeholders."""

from importlib.resources import files
from string import Template


def text(package: str, name: str) -> str:
    """A file of a package, as text."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def filled(package: str, name: str, /, **parts: object) -> str:
    """A template of a package with every $placeholder replaced; KeyError for one that is missing."""
    return Template(text(package, name)).substitute(parts)
