"""Somebody else's map beside ours: do they agree, where do they part, and which convention explains it?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..decision_based import lrp
from ..decision_based.target import explained
from ..walk import gradient_rule
from .case import Case
from .table import differences
from .variants import AFTERWARDS, CHANNELS, Variant, names, variants

AGREE = {"float64": 1e-9, "float32": 1e-4}
"""Two maps agree if they differ by less, relative to max |theirs|; by the dtype of theirs."""

ROUNDING = 1e-13
"""Conventions that are nearer than this are equally near; then the one with less done to its map comes first."""


@dataclass(frozen=True)
class Finding:
    """What came of it.

    method: the method that the map is said to be of.
    absolute, relative: the difference from ours; infinite where the shapes differ.
    worst: where it is largest, theirs and ours there; None where the shapes differ.
    agrees: whether the maps agree as they are.
    explanations: the conventions that reproduce theirs, and how far each is off; the nearest first.
    nearest: where none does: the one that comes nearest.
    layers: (layer, relative difference, agrees), from the scores down, where their maps of the layers were given.
    parted: where the maps of the layers first differ, in words.
    shapes: of theirs and of ours.
    """

    method: str
    absolute: float
    relative: float
    worst: tuple[tuple[int, ...], float, float] | None
    agrees: bool
    explanations: tuple[tuple[str, float], ...] = ()
    nearest: tuple[str, float] | None = None
    layers: tuple[tuple[str, float, bool], ...] = ()
    parted: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()

    def text(self) -> str:
        """The finding in words."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"method     {self.method}"
        if self.worst is None:
            yield f"shapes     theirs {self.shapes[0]}, ours {self.shapes[1]}"
        else:
            yield f"max |Δ|    {self.absolute:.3g}, relative to max |theirs| {self.relative:.3g}"
        if self.worst is not None and not self.agrees:
            where, theirs, ours = self.worst
            yield f"largest    at {list(where)}: theirs {theirs:.9g}, ours {ours:.9g}"
        for name, relative, agrees in self.layers:
            yield f"layer      {name:<12} {relative:8.1e}  {'agrees' if agrees else 'differs'}"
        if self.parted:
            yield f"parted     {self.parted}"
        if self.agrees:
            yield "verdict    agrees"
            return
        for words, relative in self.explanations:
            yield f"explained  {words}  ({relative:.1e})"
        if self.explanations:
            yield "verdict    differs by convention: " + self.explanations[0][0]
        else:
            yield "verdict    differs; none of the conventions tried reproduces it" + (
                f"; the nearest is: {self.nearest[0]} ({self.nearest[1]:.1e})" if self.nearest else ""
            )


def examine(case: Case, method: str, theirs: np.ndarray, layers: Mapping[str, np.ndarray] | None = None) -> Finding:
    """Compare a map with ours, and try the conventions of variants.py where they differ.

    case: the network, in float64 at best, and the inputs.
    method: the method that the map is said to be of, by its name here.
    theirs: (N, ...) in the shape of ours, or without channels (N, H, W), or without the batch axis where N = 1.
    layers: their relevance (for the gradient: their gradient) above each layer by the layer's name, and "input".

    Raises ValueError: there is no such method; theirs has another shape or is not finite; a layer does not exist.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> case = Case.of("two", Network([Dense(np.array([[3.0], [-1.0]]), np.array([2.0]))]), np.array([[2.0, 1.0]]))
    >>> examine(case, "lrp-epsilon", np.array([[6.0, -1.0]]) / 7).explanations[0][0]
    'ε = 0, start one'
    """
    tolerance = AGREE["float32" if theirs.dtype == np.float32 else "float64"]
    every = variants(case, method)
    own = next(every)
    ours = own.compute().astype(np.float64)
    theirs = _checked(theirs, ours, case)
    absolute, relative, _ = differences(ours, theirs)
    worst = None
    if ours.shape == theirs.shape:
        place = np.unravel_index(np.abs(ours - theirs).argmax(), ours.shape)
        worst = tuple(int(i) for i in place), float(theirs[place]), float(ours[place])
    agrees = relative <= tolerance
    tried = (
        []
        if agrees
        else sorted(_tried([own, *every], theirs, tolerance), key=lambda one: (max(one[1], ROUNDING), one[2]))
    )
    found = tuple((words, off) for words, off, _ in tried if off <= tolerance)[:5]
    by_layer = () if layers is None else tuple(_layers(case, method, own, layers, tolerance))
    nearest = tried[0][:2] if tried and not found else None
    shapes = theirs.shape, ours.shape
    parted = _parted(case, by_layer)
    return Finding(method, absolute, relative, worst, agrees, found, nearest, by_layer, parted, shapes)


def _parted(case: Case, layers: tuple[tuple[str, float, bool], ...]) -> str:
    """In words: below which layer the maps part."""
    first = next((name for name, _, agrees in layers if not agrees), None)
    if first is None:
        return ""
    names = ("input", *case.network.names)
    above = names.index(first) + 1
    if above == len(names):
        return f"at the top already, {first}: another start, or another class"
    known = [name for name, _, _ in layers]
    if names[above] in known:
        return f"below {names[above]}: what that layer does with the signal differs"
    return f"above {first}; give the maps of more layers to see where"


def _tried(every: list[Variant], theirs: np.ndarray, tolerance: float) -> Iterator[tuple[str, float, bool]]:
    """Every convention, what may be done to its map afterwards (until it is theirs), and how far off that is; whether
    anything was done.
    """
    for variant in every:
        try:
            R = variant.compute().astype(np.float64)
        except (ValueError, TypeError):  # a convention that this network cannot have
            continue
        maps = {"": R} if R.shape == theirs.shape else {}
        if R.ndim == 4 and theirs.ndim == 3:
            maps = {words: reduce(R) for words, reduce in CHANNELS.items()}
        elif R.ndim == 3 and theirs.ndim == 4:
            maps = {"repeated over the channels": np.repeat(R[:, None], theirs.shape[1], axis=1)}
        for channels, one in maps.items():
            for words, afterwards in AFTERWARDS.items():
                made = afterwards(one)
                if made.shape == theirs.shape:
                    relative = differences(made, theirs)[1]
                    yield ", ".join(filter(None, [variant.words, channels, words])), relative, bool(words)
                    if relative <= tolerance:
                        break


def _checked(theirs: np.ndarray, ours: np.ndarray, case: Case) -> np.ndarray:
    """Their map in float64, with its batch axis; ValueError for one that cannot be compared."""
    shapes = {ours.shape, case.x.shape, case.x.shape[:1] + case.x.shape[2:]}
    if len(ours) == 1 and theirs.shape in {shape[1:] for shape in shapes}:
        theirs = theirs[None]
    if theirs.shape not in shapes:
        expected = " or ".join(map(str, sorted(shapes, key=len, reverse=True)))
        raise ValueError(f"Their map has the shape {theirs.shape}; expected {expected}.")
    if not np.isfinite(theirs).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(theirs))[0])
        raise ValueError(f"Their map must be finite, and at {list(where)} it is {theirs[where]}.")
    return theirs.astype(np.float64)


def _layers(
    case: Case, method: str, own: Variant, layers: Mapping[str, np.ndarray], tolerance: float
) -> Iterator[tuple[str, float, bool]]:
    ours = _walk(case, method, own)
    if not layers:
        raise ValueError(f"Their maps of layers hold none; expected some of {', '.join(ours)}.")
    unknown = sorted(set(layers) - set(ours))
    if unknown:
        raise ValueError(f"There are no layers {', '.join(unknown)}; the names are {', '.join(ours)}.")
    for name, R in ours.items():
        if name in layers:
            found = layers[name]
            if found.shape != R.shape:
                raise ValueError(f"Their map of {name} has the shape {found.shape}; expected {R.shape}.")
            if not np.isfinite(found).all():
                raise ValueError(f"Their map of {name} must be finite, got a NaN or an infinity.")
            relative = differences(R, found.astype(np.float64))[1]
            yield name, relative, relative <= tolerance


def _walk(case: Case, method: str, own: Variant) -> dict[str, np.ndarray]:
    """Our signal above each layer, by its name, from the scores down to the input."""
    if own.rules is not None:
        signals = lrp.relevance(case.network, case.x, case.target, rules=own.rules, start=own.start, all_layers=True)
    elif method == "gradient":
        f = explained(case.network, case.x, case.target)
        signals = f.network.walk_back(f.a, f.ones, [gradient_rule] * len(f.network))
    else:
        fitting = [name for name in names() if name.startswith("lrp-")]
        raise ValueError(f"{method} has no maps of layers to compare; these have: gradient, {', '.join(fitting)}.")
    above = dict(zip(("input", *case.network.names), signals, strict=True))
    return dict(reversed(above.items()))
