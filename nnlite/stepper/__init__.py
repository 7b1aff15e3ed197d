"""The stepper: a method's walk, one formula and one number at a time.

expressions.py     one tree a step, evaluated here and in the page, and printed as the formula
geometry.py        which inputs feed which outputs
lrp_words.py       the words of an LRP rule as formulas; lrp_steps.py: its z, s, c and R
gradient_steps.py  the step of every layer in the other walks; deeplift_steps.py: with differences to a reference
walks.py           which methods are one walk
sources.py         the code that computes a step, found by inspect
record.py          the method runs as always, and every layer's numbers are kept
terminal.py        the trace as text
html.py            the trace as one page, which computes every number again (page.html, page.css, *.js)
"""

from .html import page
from .record import record
from .terminal import comparison, text
from .trace import Books, Formula, Frame, Trace
from .walks import BEGIN

WALKS = tuple(BEGIN)
"""The registered methods that can be stepped through."""

__all__ = ["WALKS", "Books", "Formula", "Frame", "Trace", "comparison", "page", "record", "text"]
