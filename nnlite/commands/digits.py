"""What the tour shows: digits explained by every method, and three questions put to single ones."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .. import Network, datasets, models
from ..decision_based import all_filters, factors, filters_grid, lrp, masking, upsampled
from ..decision_based.registry import METHODS, Method, divided

OPEN_FOUR, CLOSED_FOUR = 74, 54
"""Two held-out stroke digits: a clear 4, and one whose closed top makes it nearly a 9."""

SEARCHED = 3000
"""Among how many held-out stroke digits a 1 is looked for that becomes a 6."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """One digit explained by one method: the map, what its sum is held against, and for LRP the ledger."""

    method: Method
    R: np.ndarray
    whole: float | None
    note: str
    ledger: lrp.Ledger | None
    milliseconds: float

    @property
    def sum(self) -> str:
        """Σ R, and what it is held against; what the map is where it has no sum."""
        if self.whole is None:
            return self.method.meaning
        whole = "f(x) − f(0) = " if self.method.meaning == "difference" else ""
        return f"Σ R = {self.R.sum():.4g} of {whole}{self.whole:.4g}"


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit, what the network made of it, and why."""

    source: str
    number: int
    model: str
    x: np.ndarray
    label: int
    scores: np.ndarray
    explanations: tuple[Explanation, ...]

    @property
    def predicted(self) -> int:
        """The class with the highest score."""
        return int(self.scores.argmax())


def explained_digits() -> Iterator[Digit]:
    """Ten stroke digits by lenet, then ten UCI digits by tiny: the first of each class among the held-out ones."""
    for source, model in (("strokes", "lenet"), ("uci", "tiny")):
        methods = [method for method in METHODS.values() if method.fits(models.load(model))]
        yield from _explained(source, model, methods)


def explained_by_cam() -> Iterator[Digit]:
    """The same ten stroke digits by cam_net, with CAM, which needs its architecture, and Grad-CAM beside it."""
    yield from _explained("strokes", "cam_net", [METHODS["cam"], METHODS["grad-cam"]])


def _explained(source: str, model: str, methods: Sequence[Method]) -> Iterator[Digit]:
    network = models.load(model)
    images, labels = _held_out(source)
    numbers = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
    for method in methods:  # once untimed: Numba compiles at the first call
        method.compute(network, images[:1], None)
    for number in numbers:
        x = images[number : number + 1]
        explanations = tuple(_explain(network, x, method) for method in methods)
        yield Digit(source, number, model, x, int(labels[number]), network.scores(x)[0], explanations)


def _held_out(source: str) -> tuple[np.ndarray, ...]:
    """Held-out digits with every class among them; of the strokes, which must be drawn, no more than it takes."""
    return datasets.strokes(10, seed=models.HELD_OUT_SEED) if source == "strokes" else models.digits(source, "test")


def _explain(network: Network, x: np.ndarray, method: Method) -> Explanation:
    started = time.perf_counter()
    R = method.compute(network, x, None)
    milliseconds = (time.perf_counter() - started) * 1e3
    ledger = None if method.rules is None else lrp.ledger(network, x, rules=method.rules)
    whole = divided(method.meaning, network, x)
    note = "" if method.note is None else method.note(network, x, None)[0]
    return Explanation(method, R, None if whole is None else float(whole[0]), note, ledger, milliseconds)


@dataclass(frozen=True, eq=False)
class Why:
    """Why this class and not its nearest rival: the same digit explained for both."""

    name: str
    x: np.ndarray
    predicted: int
    rival: int
    scores: np.ndarray
    R_predicted: np.ndarray
    R_rival: np.ndarray


def why(number: int) -> Why:
    """LRP (Montavon et al. 2019) of a held-out stroke digit for the predicted class and for the next one."""
    network = models.load("lenet")
    x, _ = datasets.strokes(1, seed=models.HELD_OUT_SEED, start=number)
    scores = network.scores(x)[0]
    rival, predicted = (int(k) for k in np.argsort(scores)[-2:])
    maps = (lrp.relevance(network, x, target, rules=lrp.montavon2019())[0] for target in (predicted, rival))
    return Why(f"strokes:{number}", x, predicted, rival, scores, *maps)


@dataclass(frozen=True, eq=False)
class Filters:
    """What each filter of a layer sees in a digit, as one picture."""

    layer: str
    position: str | None
    grid: np.ndarray


def filters(layer: str, position: str | None = None) -> Filters:
    """DeConvNet from every single filter of a layer of lenet, on the clear 4."""
    x, _ = datasets.strokes(1, seed=models.HELD_OUT_SEED, start=OPEN_FOUR)
    maps = all_filters(models.load("lenet"), x, layer, position=position)[0]
    return Filters(layer, position, filters_grid(maps, columns=8))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The building blocks of one decision: factors of a layer's activations, and the share of each in the score."""

    layer: str
    x: np.ndarray
    maps: np.ndarray
    shares: np.ndarray
    score: float


def building_blocks(layer: str, n: int) -> Blocks:
    """Non-negative factors of a layer of lenet, common to the clear 4 and twenty others, shown on the clear one."""
    network = models.load("lenet")
    fours = datasets.strokes(20, seed=models.HELD_OUT_SEED, labels=4)[0]
    x = np.concatenate([datasets.strokes(1, seed=models.HELD_OUT_SEED, start=OPEN_FOUR)[0], fours])
    parts = factors(network, x, 4, layer=layer, n=n)
    maps = upsampled(parts.maps[0], x.shape[2:])
    return Blocks(layer, x[0, 0], maps, parts.shares[0], float(network.scores(x[:1])[0, 4]))


def one_that_becomes_six() -> masking.Confusion | None:
    """The slides' "Label 1; predicted 6", searched for among the held-out stroke digits."""
    images, labels = datasets.strokes(SEARCHED, seed=models.HELD_OUT_SEED)
    return masking.find_confusion(models.load("lenet"), images, labels, 1, 6)
