"""Formulas as MathML, which browsers show by themselves: nothing is fetched, nothing runs."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

ACCENT = re.compile(
    r"<munderover>\s*(<mi>[^<]*</mi>)\s*(.*?)\s*"
    r'(<mo (?:stretchy="false"|accent="true")>[^<]*</mo>)\s*</munderover>',
    re.S,
)
BAR = re.compile(r'<mo(?: class="mathopen"| stretchy="false")?>([|‖])</mo>')


def mathml(tex: str, as_block: bool) -> str:
    """docutils' MathML, with five things mended.

    It sets the index of an accented letter below the letter, the accent too close to it, no space beside a function
    such as log, space between max and its bracket and inside |a|, and the two bars of a norm in two sizes.
    """
    text = ACCENT.sub(r"<msub><mover>\1\3</mover>\2</msub>", tex2mathml(tex, as_block=as_block))
    text = text.replace('<mover accent="true">', "<mover>")
    text = BAR.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', text)
    text = re.sub(r"<mo>(max|min)</mo>(?=\s*<mo[^>]*>\()", r'<mo lspace="0.17em" rspace="0">\1</mo>', text)
    text = re.sub(r"<mi>(\w+)</mi>\s*<mo>&ApplyFunction;</mo>(?=\s*<mo[^>]*>[(\[])", r'<mo rspace="0">\1</mo>', text)
    return re.sub(r"<mi>(\w+)</mi>\s*<mo>&ApplyFunction;</mo>", r'<mo lspace="0.17em" rspace="0.17em">\1</mo>', text)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
