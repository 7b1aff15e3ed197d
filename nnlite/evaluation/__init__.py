"""Is the explanation any good? Each test asks one question; none of them asks whether a picture looks right.

flipping.py            erase pixels by their relevance: does the score follow? Insertion, deletion, AOPC, selectivity
infidelity.py          do the shares say what a change of the input does?
completeness.py        do the shares add up to what they say they divide?
randomization.py       does the map change when the network does?
rank_correlation.py    how alike two maps order the pixels
stability.py           how far does the map move when the input moves a little? Continuity, max-sensitivity
ground_truth.py        is the relevance where it is known to belong? Mass and rank accuracy, erased pen strokes
maps.py                a map of any method, on pixels; a method by name or as a function
"""

from .completeness import Completeness, completeness
from .flipping import Flipping, pixel_flipping
from .ground_truth import Erased, erase_strokes, margin, mass_accuracy, rank_accuracy
from .infidelity import infidelity
from .randomization import Randomization, randomization, randomized
from .rank_correlation import rank_correlation
from .stability import continuity, max_sensitivity

__all__ = [
    "Completeness", "Erased", "Flipping", "Randomization", "completeness", "continuity", "erase_strokes", "infidelity",
    "margin", "mass_accuracy", "max_sensitivity", "pixel_flipping", "randomization", "randomized", "rank_accuracy",
    "rank_correlation",
]  # fmt: skip
