"""The lessons: every fence runs, every printed number is as the lesson says, and nnlite's code in them is nnlite's."""

import ast
import importlib
import re
import textwrap
from pathlib import Path

import pytest

LESSONS = Path(__file__).parents[1] / "lessons"
FILES = sorted(LESSONS.glob("[0-9][0-9]-*.md"))
ROOT = LESSONS.parent

every_lesson = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture
def executed(missing, monkeypatch):
    """The module that runs lessons."""
    monkeypatch.syspath_prepend(str(LESSONS))
    try:
        return importlib.import_module("executed")
    except ModuleNotFoundError as error:
        return missing(f"{error.name} is needed to run the lessons")


def fences(text: str) -> list[tuple[int, str, bool]]:
    """The line, the code, and whether it is nnlite's own, of every python fence."""
    found = []
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        before = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        found.append((text[: match.start(1)].count("\n") + 1, match[1], before.startswith("<!-- source:")))
    return found


@every_lesson
def test_a_lesson_runs_and_prints_what_it_says(path, executed):
    text = path.read_text()
    code = [(line, code) for line, code, own in fences(text) if not own]
    assert code, f"{path.name} has no code"
    try:
        notebook = executed.read(text)
    except Exception as error:
        raise AssertionError(place_of(error, path, code)) from None
    seconds = notebook.metadata["seconds"]
    assert 0 < seconds < 60, f"{path.name} took {seconds:.0f} s of computing"
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) == len(code)
    for (line, source), cell in zip(code, cells, strict=True):
        said = executed.comments_of_prints(source)
        if said:
            printed = "".join(out["text"] for out in cell.outputs if out.get("name") == "stdout")
            assert printed.split() == " ".join(said).split(), f"{path.name}:{line}: the fence printed\n{printed}"
        echoes = [out["data"]["text/plain"] for out in cell.outputs if out.output_type == "execute_result"]
        assert not echoes, f"{path.name}:{line}: the last line of the fence shows what it returns: {echoes}"
        warned = "".join(out["text"] for out in cell.outputs if out.get("name") == "stderr")
        assert not warned, f"{path.name}:{line}: the fence wrote to the standard error\n{warned}"


@every_lesson
def test_a_lesson_in_jupyter_runs_its_own_code_and_no_other(path, executed):
    text = path.read_text()
    notebook = executed.for_jupyter(text)
    code = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [fence.strip() for _, fence, own in fences(text) if not own]
    shown = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert shown.count("```python\n") == text.count("<!-- source:")


def place_of(error: Exception, path: Path, code: list[tuple[int, str]]) -> str:
    """What went wrong, and the line of the lesson that it went wrong in."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    for line, source in code:
        if source.strip() in said:
            inside = re.search(r"^-+> (\d+) ", said, re.M)
            return f"{path}:{line + int(inside[1]) - 1 if inside else line}: {said.strip().splitlines()[-1]}\n{said}"
    return f"{path}: {said}"


@every_lesson
def test_the_code_that_a_lesson_shows_as_nnlites_is_nnlites(path):
    text = path.read_text()
    shown = re.findall(r"^<!-- source: (\S+):(\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S)
    assert len(shown) == text.count("<!-- source:"), "a source comment stands right above its fence"
    for file, name, code in shown:
        assert without_docstring(code) == definition(ROOT / file, name), f"{path.name}: {file}:{name} has changed"


def definition(file: Path, name: str) -> str:
    """The code of a function, a class or a method, without its docstring; an exercise without its cases."""
    source = file.read_text()
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        node = next(child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == part)
    decorators = [one for one in node.decorator_list if not ast.unparse(one).startswith("exercise(")]
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    lines = source.splitlines()[first - 1 : node.end_lineno]
    return without_docstring(textwrap.dedent("\n".join(lines)))


def without_docstring(code: str) -> str:
    code = textwrap.dedent(code).strip()
    node = ast.parse(code).body[0]
    lines = code.splitlines()
    if ast.get_docstring(node) is not None:
        string = node.body[0]
        del lines[string.lineno - 1 : string.end_lineno]
    return "\n".join(line.rstrip() for line in lines if line.strip())


@every_lesson
def test_a_lesson_has_its_parts(path):
    text = path.read_text()
    number = path.name[:2]
    assert re.match(rf"# {number} · \S", text)
    for part in ("**You need**", "**You get**", "## The question", "## What goes wrong", "*Slides"):
        assert part in text, f"{path.name} lacks {part}"
    exercises = re.findall(rf"\*\*Exercise {int(number)}\.(\d+)\.?\*\*", text)
    assert exercises == [str(i + 1) for i in range(len(exercises))]
    assert 3 <= len(exercises) <= 5
    links = re.findall(r"\]\((\d\d-[\w-]+\.md)\)", text.splitlines()[-1])
    place = FILES.index(path)
    neighbours = [FILES[i].name for i in (place - 1, place + 1) if 0 <= i < len(FILES)]
    assert links == neighbours, "the last line links to the lessons before and after"


@pytest.mark.parametrize("path", [*FILES, LESSONS / "README.md"], ids=lambda path: path.stem)
def test_every_link_and_every_file_named_exists(path):
    text = path.read_text()
    for name in re.findall(r"\]\((?!http|#)([^)#]+)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        assert (LESSONS / name).exists(), f"{path.name} links to {name}"
    for name in re.findall(r"`((?:nnlite|data|tests|scripts|lessons)/[\w/.-]+\.\w+)`", text):
        assert (ROOT / name).exists(), f"{path.name} names {name}"


@every_lesson
def test_every_slide_that_a_lesson_names_stands_in_the_table(path):
    table = (LESSONS / "README.md").read_text().partition("## From the slides to the lessons")[2].lower()
    slides = re.search(r"^\*Slides: (.+?)\. Papers", path.read_text(), re.M)[1]
    for title in re.findall(r'"([^"]+)"', slides):
        assert title.lower() in table, f"{path.name} names the slide {title!r}"


TEX = {
    *re.findall(r"[a-zA-Z]+", """
        sum prod int frac sqrt partial nabla max min arg log exp text mathrm mathbf mathcal mathbb operatorname
        cdot cdots ldots times odot oslash top mid in to mapsto leftarrow rightarrow approx neq le ge ll gg sim pm infty
        propto quad qquad left right lVert rVert lvert rvert lfloor rfloor lceil rceil underbrace overline
        alpha beta gamma delta epsilon varepsilon lambda mu nu omega Omega phi pi rho sigma Sigma tau theta eta kappa
        Delta Gamma begin end ell prime ast forall subset cup cap
    """),
    *"{},;!\\|",
}  # fmt: skip
"""The TeX commands that have been looked at on the page: docutils renders others wrongly, or not at all."""


@every_lesson
def test_formulas_keep_to_the_tex_that_renders(path):
    from docutils.utils.math.latex2mathml import tex2mathml

    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.S)
    formulas = re.findall(r"\$\$(.+?)\$\$", text, re.S) + re.findall(r"(?<![\$\\])\$([^\$\n]+)\$", text)
    for formula in formulas:
        unknown = set(re.findall(r"\\([a-zA-Z]+|.)", formula)) - TEX
        assert not unknown, f"{path.name}: {unknown} in {formula}"
        tex2mathml(formula)
