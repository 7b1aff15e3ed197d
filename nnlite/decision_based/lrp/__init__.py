"""Layer-wise relevance propagation: the explained score, divided among the pixels.

relevance.py    the walk from the score to the pixels
ledger.py       the same walk with its books: where the score went
rules.py        the rules, one function each
form.py         the one form behind them: z, s, c, R
composites.py   which rule for which layer
presets.py      composites by name
elementwise.py  every rule again in plain loops: what the tests hold the others to
"""

from . import elementwise
from .composites import Composite, everywhere
from .form import Group, Part, Relative, Rule, Step, Term
from .ledger import Entry, Ledger, ledger
from .presets import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    deep_taylor,
    montavon2019,
)
from .relevance import relevance
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
    "Composite",
    "Entry",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Group",
    "Ledger",
    "Part",
    "Relative",
    "Rule",
    "Step",
    "Term",
    "alpha_beta",
    "deep_taylor",
    "elementwise",
    "epsilon",
    "everywhere",
    "flat",
    "gamma",
    "generalized_gamma",
    "ledger",
    "montavon2019",
    "relative",
    "relevance",
    "w_squared",
    "z_bounds",
    "z_plus",
    "zero",
]
