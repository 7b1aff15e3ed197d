"""Activation maximization: an input that the network is sure of, in the slides' three forms.

    general        max_x  log p(ω_c | x) − λ ‖x‖²                  general
    with expert    max_x  log p(ω_c | x) + weight · log p(x)       with_expert
    in code space  max_z  log p(ω_c | g(z)) − λ ‖z‖²               in_code_space

They differ in what is summed, and in what stands before the network: nothing, or a generator g. The gradient is the
walk back of the decision-based methods; the search is `ascent.ascend`, with Adam.
"""

from typing import Any

import numpy as np

from ..decision_based.method import takes_network
from ..layers.arguments import generator as as_generator
from ..network import Network
from .ascent import ascend
from .generators import Generator
from .objectives import Objective, SquaredDistance, Through, squared_norm, weighted
from .prototype import Prototype, blurred_box, chosen_classes, from_zero, prototype, says
from .starts import Images, started, started_codes


@takes_network
def general(
    network: Network,
    classes: Any = "all",
    *,
    start: Any = "noise",
    weight: float = 0.001,
    objective: str = "log_probability",
    steps: int = 200,
    rate: float = 0.05,
    low: float = 0.0,
    high: float = 1.0,
    jitter: int = 0,
    blur: float = 0.0,
    images: Images | None = None,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Prototype:
    """max_x log p(ω_c | x) − λ ‖x‖², from the mean image x̄ of the class: − λ ‖x − x̄‖².

    Nothing here knows what a digit looks like: the network becomes sure of pictures that look like nothing.

    network: a classifier that knows its input_shape; a Softmax at its end is left out.
    classes: a class, several of them, or "all": they are searched side by side.
    start: "noise", "image" (a random one of the class), "mean" (the class's mean image), or an array; see `starts`.
    weight: λ, from 0.
    objective: "log_probability" as the slides write it; its gradient is 0 where p is 1 to rounding. "score" climbs
        f_c(x) in its place.
    steps, rate: of Adam.
    low, high: the box that x is brought back to.
    jitter: in each step x is moved by up to so many pixels.
    blur: the standard deviation in pixels of a Gaussian that x is smoothed with, at the start and after each step.
    images: where "image" and "mean" are taken from, (x, labels); by default stroke digits.
    rng, keep, progress: as in `ascend`; rng is for noise, image and jitter.

    Raises ValueError: an argument is not what is expected: an unknown class, λ below 0, images of another size;
    FloatingPointError: the search diverged.
    Source: Simonyan et al. 2013, "Deep inside convolutional networks", sec. 2 (on the score); Montavon et al. 2018,
    "Methods for interpreting and understanding deep neural networks", sec. 3.1; slides, "Activation maximization".

    >>> from nnlite.layers import Dense, Flatten
    >>> W = np.array([[4.0, 0.0], [0.0, 4.0], [0.0, 0.0]])       # the first pixel speaks for 0, the second for 1
    >>> net = Network([Flatten(), Dense(W)], input_shape=(1, 1, 3))
    >>> found = general(net, start="noise")
    >>> found.x.round(1).tolist(), found.probability.round(2)
    ([[[[1.0, 0.0, 0.0]]], [[[0.0, 1.0, 0.0]]]], array([0.98, 0.98]))
    """
    classes, rng = chosen_classes(network, classes), as_generator("general", "rng", rng)
    project = blurred_box(low, high, blur, network)
    x0 = started(start, classes, network, rng, images=images, low=low, high=high)
    size = SquaredDistance(x0) if isinstance(start, str) and start == "mean" else squared_norm
    f = weighted((1, says(network, classes, objective, jitter)), (-from_zero("weight", weight), size))
    found = ascend(f, x0, steps=steps, rate=rate, project=project, rng=rng, keep=keep, progress=progress)
    return prototype(network, classes, found)


@takes_network
def with_expert(
    network: Network,
    classes: Any,
    expert: Objective,
    *,
    start: Any = "mean",
    weight: float = 1.0,
    objective: str = "log_probability",
    steps: int = 200,
    rate: float = 0.05,
    low: float = 0.0,
    high: float = 1.0,
    jitter: int = 0,
    blur: float = 0.0,
    images: Images | None = None,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Prototype:
    """max_x log p(ω_c | x) + weight · log p(x).

    The expert knows which inputs are likely, the network which say the class. The density of an image is a sum over
    hundreds of pixels and outweighs one log p(ω_c | x): with weight 1, as the slides write it, the network may stay
    unsure; 0.01 to 0.1 lets it be heard. (lenet with PPCA, all classes from their mean images: p is at least 0.82 at
    weight 1, 0.96 at 0.1, 0.98 at 0.03.)

    expert: log p(x) up to a constant: x -> (values (N,), gradient like x), such as `experts.fitted("ppca")`.
    All others: as in `general`.

    Raises TypeError or ValueError: as in `general`; or the expert is no function, or was fit to inputs of another size;
    FloatingPointError: the search diverged.
    Source: Montavon et al. 2018, sec. 3.2; slides, "Activation maximization with an expert".

    >>> from nnlite.layers import Dense, Flatten
    >>> W = np.array([[4.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    >>> net = Network([Flatten(), Dense(W)], input_shape=(1, 1, 3))
    >>> expert = weighted((-0.5, SquaredDistance(np.array([0.0, 0.0, 0.7]))))  # a Gaussian: the third pixel is at 0.7
    >>> with_expert(net, 0, expert, start="noise", weight=0.1).x.round(1).tolist()
    [[[[0.9, 0.0, 0.7]]]]
    """
    classes, rng = chosen_classes(network, classes), as_generator("with_expert", "rng", rng)
    project = blurred_box(low, high, blur, network)
    x0 = started(start, classes, network, rng, images=images, low=low, high=high)
    f = weighted((1, says(network, classes, objective, jitter)), (from_zero("weight", weight), expert))
    found = ascend(f, x0, steps=steps, rate=rate, project=project, rng=rng, keep=keep, progress=progress)
    return prototype(network, classes, found)


@takes_network
def in_code_space(
    network: Network,
    classes: Any,
    generator: Generator,
    *,
    start: Any = "mean",
    weight: float = 0.2,
    objective: str = "score",
    steps: int = 200,
    rate: float = 0.05,
    jitter: int = 0,
    images: Images | None = None,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Prototype:
    """max_z log p(ω_c | g(z)) − λ ‖z‖²,   x = g(z).

    Every g(z) looks like what the generator was trained on. `start` in the result is g(z_0): what the generator knew
    before the search.

    generator: one of `generators.load`; its decoder is g.
    start: "mean" (the mean code of the class), "noise" (a code from N(0, 1)), "image" (the code of a random image of
        the class, by the generator's encoder), or codes: see `starts`.
    objective: "score" by default: log p(ω_c | g(z)), which the slides write, is soon 0, and the penalty then pulls z to
        0. (lenet with the VAE, all classes from their mean codes: p is at least 0.996 at the start, 0.951 after
        climbing log p, 0.998 after climbing the score.)
    All others: as in `general`. The trajectory is that of g(z).

    Raises TypeError or ValueError: as in `general`; or it is not a Generator, or g(z) does not fit the network;
    FloatingPointError: the search diverged.
    Source: Montavon et al. 2018, sec. 3.3; Nguyen et al. 2016, "Synthesizing the preferred inputs for neurons in neural
    networks via deep generator networks"; slides, "Activation maximization in code space".
    """
    classes, rng = chosen_classes(network, classes), as_generator("in_code_space", "rng", rng)
    if not isinstance(generator, Generator):
        raise TypeError(f'generator takes a Generator, such as generators.load("vae"), got {generator!r}.')
    made = generator.decoder.output_shape((1, generator.size))[1:]
    if made != network.input_shape:
        raise ValueError(
            f"The generator makes images of {made}, and the network takes {network.input_shape}; load one that was "
            "trained on such images."
        )
    generator = generator.astype(network.dtype)
    z0 = started_codes(start, classes, generator, rng, images=images)
    f = weighted(
        (1, Through(generator.decoder, says(network, classes, objective, jitter))),
        (-from_zero("weight", weight), squared_norm),
    )
    found = ascend(f, z0, steps=steps, rate=rate, rng=rng, keep=keep, progress=progress)
    return prototype(network, classes, found, generator)
