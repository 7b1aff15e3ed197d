"""VGG-16's architecture at 224 × 224 with seeded random weights: does it hold on a network of that size?

In float32 any two orders of summation differ, and winners of ReLU and pooling flip; so torch is also compared with
itself, with its weights in another memory layout (channels_last). Time and memory of both are printed.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..layers import Conv2d, Dense, Dropout, Flatten, Layer, MaxPool2d, ReLU
from ..layers.arguments import frozen
from ..network import Network
from .case import Case
from .families import gradients, lrp_zennit, maps
from .libraries import load, missing
from .table import Comparison, differences

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""The filters of each convolution; 0 is a max-pooling. Source: Simonyan and Zisserman 2014, table 1, D."""

SHOWN = (
    ("gradient", "torch", "autograd"),
    ("grad-cam", "captum", "relu)"),
    ("lrp-epsilon", "zennit", "Epsilon(1e-6)"),
    ("lrp-epsilon-plus", "zennit", "EpsilonPlus"),
    ("lrp-epsilon-gamma-box", "zennit", "EpsilonGammaBox"),
)

TOLERANCE_FLOAT64, TOLERANCE_FLOAT32 = 1e-8, 5e-3
"""Relative to max |theirs|, and in the L2 norm."""


def vgg16(seed: int = 0) -> Network:
    """VGG-16 with random weights (variance 2 / inputs) and small random biases, in float32."""
    rng = np.random.default_rng(seed)

    def random(*shape: int, inputs: int) -> np.ndarray:
        values = rng.standard_normal(shape, np.float32)
        values *= np.float32(np.sqrt(2 / inputs))
        return frozen(values)

    layers: list[Layer] = []
    channels = 3
    for width in WIDTHS:
        if width == 0:
            layers.append(MaxPool2d(2))
            continue
        W = random(width, channels, 3, 3, inputs=9 * channels)
        layers += [Conv2d(W, random(width, inputs=800), padding=1), ReLU()]
        channels = width
    layers.append(Flatten())
    for inputs, outputs in ((25088, 4096), (4096, 4096), (4096, 1000)):
        layers.append(Dense(random(inputs, outputs, inputs=inputs), random(outputs, inputs=800)))
        layers += [ReLU(), Dropout(0.5)] if outputs > 1000 else []
    return Network(layers, input_shape=(3, 224, 224))


@dataclass(frozen=True)
class Measured:
    """A comparison on VGG-16: differences, those of torch with itself, seconds and bytes of both."""

    method: str
    convention: str
    dtype: str
    relative: float
    l2: float
    itself_relative: float
    itself_l2: float
    seconds: tuple[float, float]
    bytes: tuple[int, int]

    @property
    def expected(self) -> bool:
        """Whether it is within the tolerance of its dtype."""
        return self.relative <= TOLERANCE_FLOAT64 if self.dtype == "float64" else self.l2 <= TOLERANCE_FLOAT32

    def __str__(self) -> str:
        verdict = "agrees" if self.expected else "!! differs"
        theirs, ours = self.bytes
        return (
            f"{self.method:<24} {self.dtype}  {self.relative:8.1e} {self.l2:8.1e}   {self.itself_relative:8.1e} "
            f"{self.itself_l2:8.1e}   {self.seconds[0]:6.1f} {self.seconds[1]:6.1f}   {theirs / 2**20:6.0f} "
            f"{ours / 2**20:6.0f}   {verdict:<10}  {self.convention}"
        )


HEAD = (
    f"{'method':<24} {'dtype':<8} relative       L2   torch itself:  L2   s theirs   ours  MB theirs   ours   verdict"
    "     convention"
)


def measure(dtype: str, *, network: Network | None = None) -> Iterator[Measured]:
    """The comparisons, one after the other; `network` instead of VGG-16."""
    for library in ("captum", "zennit"):
        if (install := missing(library)) is not None:
            raise ValueError(f"This is compared with torch, captum and zennit; {library} is missing: {install}.")
    torch = load("torch")
    network = (vgg16() if network is None else network).astype(dtype)
    shape = network.input_shape or ()
    x = np.random.default_rng(1).random((1, *shape)).astype(dtype)
    case, itself = Case.of("large", network, x), Case.of("large", network, x)
    itself.module.to(memory_format=torch.channels_last)
    for ours, again in zip(_chosen(case), _chosen(itself), strict=True):
        here, mine, my_bytes = _timed(ours.ours)
        there, seconds, their_bytes = _timed(ours.theirs)
        other, _, _ = _timed(again.theirs)
        _, relative, l2 = differences(here, there)
        _, itself_relative, itself_l2 = differences(other, there)
        yield Measured(
            ours.method, ours.convention, dtype, relative, l2, itself_relative, itself_l2, (seconds, mine),
            (their_bytes, my_bytes),
        )  # fmt: skip


def _chosen(case: Case) -> list[Comparison]:
    """Those of SHOWN; where a library is known to differ, under its convention."""
    every = [*gradients.comparisons(case), *maps.comparisons(case), *lrp_zennit.comparisons(case)]
    found = []
    for method, library, part in SHOWN:
        one = next(c for c in every if c.method == method and c.library == library and part in c.convention)
        while one.under is not None:
            one = one.under
        found.append(one)
    return found


def _timed(compute: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, int]:
    """The result, the seconds, and how much the memory rose above what was held before."""
    gc.collect()
    before = _reset_peak()
    started = time.perf_counter()
    result = compute()
    seconds = time.perf_counter() - started
    return result, seconds, max(0, _status("VmHWM") - before)


def _reset_peak() -> int:
    """Forget the highest memory of this process, where the system lets one; what it holds now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
