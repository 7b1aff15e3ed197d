"""Layer-wise relevance propagation: the explained score, divided among the pixels.

relevance.py    the walk from the score to the pixels, and its books
ledger.py       the books: where the score went
rules.py        the rules, one function each
rule.py         the words that they are written in: a rule is data
joins.py        the rules where branches meet
passing.py      the rules of layers that divide nothing
form.py         the four steps that evaluate it: z, s, c, R
composites.py   which rule for which layer
presets.py      composites by name
elementwise.py  every rule again in plain loops: what the tests hold the others to
"""

from . import elementwise, rules
from .composites import Composite, everywhere
from .form import Part, Step
from .joins import absolute, by_gate, equal, only, positive, proportional, signal, uniform
from .ledger import Carried, Entry, Ledger
from .passing import Share
from .presets import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    attn_lrp,
    cp_lrp,
    deep_taylor,
    montavon2019,
)
from .relevance import LRP, ledger, relevance
from .rule import (
    A_MINUS,
    A_PLUS,
    ABSOLUTE,
    NEGATIVE,
    ONE,
    ONES,
    POSITIVE,
    SAME,
    SQUARE,
    A,
    Box,
    Branch,
    Change,
    Group,
    Input,
    NonNegative,
    Relative,
    Rule,
    Term,
    favour,
    minus,
    where_negative,
    where_positive,
)
from .rules import (
    alpha_beta,
    epsilon,
    flat,
    gamma,
    generalized_gamma,
    relative,
    w_squared,
    z_bounds,
    z_plus,
    zero,
)

__all__ = [
    "ABSOLUTE",
    "A_MINUS",
    "A_PLUS",
    "LRP",
    "NEGATIVE",
    "ONE",
    "ONES",
    "POSITIVE",
    "SAME",
    "SQUARE",
    "A",
    "Box",
    "Branch",
    "Carried",
    "Change",
    "Composite",
    "Entry",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Group",
    "Input",
    "Ledger",
    "NonNegative",
    "Part",
    "Relative",
    "Rule",
    "Share",
    "Step",
    "Term",
    "absolute",
    "alpha_beta",
    "attn_lrp",
    "by_gate",
    "cp_lrp",
    "deep_taylor",
    "elementwise",
    "epsilon",
    "equal",
    "everywhere",
    "favour",
    "flat",
    "gamma",
    "generalized_gamma",
    "ledger",
    "minus",
    "montavon2019",
    "only",
    "positive",
    "proportional",
    "relative",
    "relevance",
    "rules",
    "signal",
    "uniform",
    "w_squared",
    "where_negative",
    "where_positive",
    "z_bounds",
    "z_plus",
    "zero",
]
