"""Laws that hold in any network, on random graphs: forks of one to three, nested blocks, an activation read twice."""

from __future__ import annotations

import numpy as np
import pytest

from nnlite import Network, load
from nnlite.decision_based import (
    deeplift,
    excitation_backpropagation,
    gradient,
    gradient_times_input,
    lrp,
    occlusion,
    registry,
)
from nnlite.layers import (
    GELU,
    Add,
    BatchNorm,
    Branches,
    Concat,
    Constant,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    MaxPool2d,
    Multiply,
    ReLU,
    Residual,
    Sigmoid,
)
from nnlite.walk import gradient_rule


class Graph:
    """Random layers that keep the size of the maps; every second seed a network of vectors."""

    def __init__(self, seed, piecewise):
        self.r, self.maps, self.piecewise = np.random.default_rng(seed), seed % 2 == 0, piecewise
        self.shape = (2, 4, 4) if self.maps else (3,)
        self.channels = self.shape[0]
        row = self.row(2, 3)
        tail = [MaxPool2d(2), Flatten()] if self.maps else []
        last = self.linear(self.channels * 4 if self.maps else self.channels, 3, maps=False)
        self.network = Network([*row, *tail, last], input_shape=self.shape)

    def linear(self, j, k, size=1, maps=None):
        b = None if self.piecewise else self.r.normal(size=k) * 0.1
        if self.maps if maps is None else maps:
            return Conv2d(self.r.normal(size=(k, j, size, size)) * 0.4, b, padding=size // 2)
        return Dense(self.r.normal(size=(j, k)) * 0.4, b)

    def path(self, depth, back_to=None):
        """A row from the channels that there are, and from it as many again; its channels are the new ones or those."""
        before = self.channels
        found = self.row(depth, int(self.r.integers(0, 3)))
        if back_to is not None and self.channels != back_to:
            found.append(self.linear(self.channels, back_to))
        ends, self.channels = back_to or self.channels, before
        return found, ends

    def row(self, depth, length):
        return [self.item(depth) for _ in range(length)]

    def item(self, depth):
        c, r = self.channels, self.r
        kinds = ["relu", "linear", *["residual", "branches", "concat"] * (depth > 0)]
        kinds += (
            [] if self.piecewise else ["batchnorm", "groupnorm", "gelu", "dropout", *["gate", "square", "constant"]]
        )
        match kinds[r.integers(len(kinds))]:
            case "relu":
                return ReLU()
            case "linear":
                return self.linear(c, c, 3)
            case "batchnorm":
                return BatchNorm(r.uniform(0.5, 2, c), *r.normal(size=(2, c)), r.uniform(0.5, 2, c))
            case "groupnorm":
                return GroupNorm(1, r.uniform(0.5, 2, c), r.normal(size=c), eps=0.1)
            case "gelu":
                return GELU()
            case "dropout":
                return Dropout(0.3)
            case "residual":
                path, ends = self.path(depth - 1)
                self.channels = ends
                return Residual(path, [] if c == ends else [self.linear(c, ends)])
            case "branches":
                return Branches([self.path(depth - 1, c)[0] for _ in range(r.integers(1, 4))], Add())
            case "concat":
                paths, ends = zip(*(self.path(depth - 1, 2) for _ in range(r.integers(1, 4))), strict=True)
                self.channels = sum(ends)
                return Branches(paths, Concat())
            case "gate":
                gate = [*[GlobalAvgPool()] * self.maps, self.linear(c, c), Sigmoid()]
                return Branches([[], gate] if r.integers(2) else [gate, []], Multiply())
            case "square":
                return Branches([[], []], Multiply())
            case "constant":
                value = Constant(r.normal(size=(1, c, *self.shape[1:])))
                return Branches([[], [value, *[self.linear(c, c), ReLU()] * int(r.integers(2))]], Add())


def equal(value, expected, tolerance=1e-10, size=1e-9):
    """To the tolerance, of the largest number (or of `size`, where it is larger)."""
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance * max(size, np.abs(expected).max()))


def total(R):
    return R.reshape(len(R), -1).sum(axis=1)


@pytest.mark.parametrize("seed", range(16))
def test_laws_of_any_graph(seed, tmp_path):
    graph = Graph(seed, piecewise=False)
    network, r = graph.network, graph.r
    x, v = r.uniform(0.1, 1, size=(3, *graph.shape)), r.normal(size=(3, *graph.shape))
    a, c, h = network.forward(x), seed % 3, 1e-6
    size = max(np.abs(each).max() for each in a)
    g = gradient(network, x, c)
    equal(total(g * v), (network(x + h * v) - network(x - h * v))[:, c] / (2 * h), 1e-5)  # finite differences
    for l in r.integers(len(network) - 1, size=2):
        expected = network.walk_back(a, np.eye(3)[[c] * 3], [gradient_rule] * len(network))[l + 1]
        equal(registry.explain(network, x, "gradient", c, at=network.names[l]), expected)
    network.save(tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").output(x).tobytes() == network.output(x).tobytes()
    equal(network.merged().output(x), a[-1], size=size)
    fast = network.compile()
    equal(fast.output(x), a[-1], size=size)
    equal(gradient(fast, x, c), g)
    if graph.maps:
        equal(occlusion(fast, x, c, size=2, stride=2).map, occlusion(network, x, c, size=2, stride=2).map, size=size)
    for rules in (
        lrp.epsilon(0.1),
        lrp.Composite(convolution=lrp.alpha_beta(2, 1), dense=lrp.zero(), add=lrp.absolute()),
    ):
        ledger = lrp.ledger(network, x, c, rules=rules)
        assert ledger.error < 1e-9
        equal(lrp.relevance(fast, x, c, rules=rules), ledger.relevances[0], 1e-8)
    if not any(isinstance(layer, GroupNorm) for layer in network):
        for rule in ("rescale", "reveal-cancel"):
            R = deeplift(network, x, c, rule=rule, reference=0.5)
            difference = (network(x) - network(np.full_like(x, 0.5)))[:, c]
            equal(total(R), difference, 1e-12, size=max(size, np.abs(R).sum()))
    y = x.copy()
    y[1] *= -5
    assert gradient(network, y, c)[::2].tobytes() == g[::2].tobytes()  # a sample leaves the bits of the others alone
    equal(gradient(network, x[:1], c), g[:1])


@pytest.mark.parametrize("seed", range(14))
def test_laws_of_a_piecewise_linear_graph(seed):
    graph = Graph(seed, piecewise=True)
    network, x = graph.network, graph.r.uniform(0.1, 1, size=(2, *graph.shape))
    R = lrp.relevance(network, x, rules=lrp.zero())
    equal(R, gradient_times_input(network, x), 1e-9, size=np.abs(R).sum())
    equal(total(R), network(x).max(axis=1), 1e-9, size=np.abs(R).sum())
    for name in [name for name, layer in zip(network.names, network, strict=True) if layer.weighted][-3:]:
        maps = []
        for each in (network, network.up_to(name)):
            try:
                maps.append(excitation_backpropagation(each, x, (name, 0), contrastive=True))
            except ValueError:  # an input below is negative
                maps.append(np.zeros(1))
        equal(*maps)
