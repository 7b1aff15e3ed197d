"""What the gallery shows: every class by every form of activation maximization, and what the judges say of it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .. import Network, models
from ..model_based import experts, generators
from ..model_based.activation_maximization import general, in_code_space, with_expert
from ..model_based.prototype import Prototype
from ..training import softmax

SEARCHED, JUDGES = models.MEMBERS[0], models.MEMBERS[1:]
"""The network of the search, and those without a part in it: the same architecture, trained from other seeds."""

EXPERT_WEIGHT = 0.03
"""Of log p(x): at 1, as the slides write it, the expert outweighs the network."""


@dataclass(frozen=True)
class Judgement:
    """What a network takes an image for, and how sure it is."""

    predicted: int
    probability: float

    def __str__(self) -> str:
        return f"{self.predicted} ({self.probability:.2f})"


def judged(judge: Network, x: np.ndarray) -> list[Judgement]:
    """What a judge says of each image."""
    return [Judgement(int(p.argmax()), float(p.max())) for p in softmax(judge.scores(x.astype(judge.dtype)))]


@dataclass(frozen=True)
class Form:
    """A way to search: its name, what is climbed, what there is to see, and the search for all classes at once."""

    name: str
    formula: str
    lesson: str
    search: Callable[[Network], Prototype]


@dataclass(frozen=True, eq=False)
class FormResult:
    """All classes by one form, and the verdicts of each judge."""

    form: Form
    found: Prototype
    verdicts: dict[str, list[Judgement]]

    def agreeing(self, judge: str) -> int:
        """For how many classes the judge says the class that was searched for."""
        return sum(verdict.predicted == c for verdict, c in zip(self.verdicts[judge], self.found.classes, strict=True))


def _general(start: str, lesson: str) -> Form:
    formula = f"log p(ω_c | x) − 0.001 ‖x{' − mean' if start == 'mean' else ''}‖²"
    return Form(f"general, from {start}", formula, lesson, lambda net: general(net, "all", start=start))


def _expert(name: str, lesson: str) -> Form:
    def search(net: Network) -> Prototype:
        expert = experts.fitted(name, progress=sys.stderr.isatty())
        return with_expert(net, "all", expert, start="mean", weight=EXPERT_WEIGHT)

    return Form(f"expert {name}, from mean", f"log p(ω_c | x) + {EXPERT_WEIGHT} log p(x)", lesson, search)


def _code(name: str, start: str, lesson: str) -> Form:
    def search(net: Network) -> Prototype:
        return in_code_space(net, "all", generators.load(name), start=start)

    return Form(f"code space {name}, from {start}", "f_c(g(z)) − 0.2 ‖z‖²", lesson, search)


FORMS = (
    _general("noise", "From random noise: the network is sure, and there is nothing to see."),
    _general("image", "From an image of the class, which fades: the network needs little of it."),
    _general("mean", "From the mean image. What looks like a digit is the start; the search adds specks."),
    _expert("ppca", "One Gaussian for all digits (PPCA, 60 directions): soft, and all of a piece."),
    _expert("mixture", "A mixture of 60 such Gaussians, of 10 directions each: strokes with an edge."),
    _expert("rbm", "A Gaussian-RBM of 256 hidden units, each a piece of a stroke: bold, with a few specks."),
    _code("vae", "noise", "Through the decoder of a variational autoencoder, from a random code: any digit, or none."),
    _code("vae", "mean", "From the mean code of the class, which convinces the network already: it becomes bolder."),
    _code("gan", "mean", "Through such a decoder, trained on against a discriminator."),
    _code("dcgan", "mean", "Through a generator of transposed convolutions."),
)
"""Every form, from what knows nothing of digits to what has learned to write them."""


def rows(compile: bool = True) -> Iterator[FormResult]:
    """All forms, one after the other."""
    network, judges = models.load(SEARCHED), {name: models.load(name) for name in JUDGES}
    network = network.compile() if compile else network
    for form in FORMS:
        found = form.search(network)
        yield FormResult(form, found, {name: judged(judge, found.x) for name, judge in judges.items()})
