"""Layer-wise relevance propagation: the explained score, divided among the pixels.

relevance.py    the walk, and the ledger that shows where the score went
rules.py        the rules, one function each
form.py         the one form behind them: z, s, c, R
composites.py   which rule for which layer
elementwise.py  every rule again in plain loops: what the tests hold the others to
"""

from . import elementwise
from .composites import (
    Composite,
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    everywhere,
    montavon2019,
)
from .form import Group, Relative, Rule, Step, Term
from .relevance import Entry, Ledger, ledger, relevance
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
    "Relative",
    "Rule",
    "Step",
    "Term",
    "alpha_beta",
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
