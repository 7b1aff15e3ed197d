"""A compiled network cuts a batch in chunks: the same bits whatever the number of threads, and the same errors."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import gradient, gradient_times_input, guided_backpropagation, lrp, saliency, sensitivity
from nnlite.engine import chunks
from nnlite.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, LeakyReLU, MaxPool2d, ReLU, Sigmoid, Softmax, Tanh

pytestmark = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="chunks are of the Numba backend")

N = 200


def network(*between, softmax=True, dtype=np.float32):
    """Convolution, pooling and dense layers, with `between` after the convolution."""
    rng = np.random.default_rng(0)
    W = [rng.normal(size=shape).astype(dtype) / 4 for shape in ((6, 1, 5, 5), (6 * 144, 20), (20, 4))]
    layers = [Conv2d(W[0]), ReLU(), *between, MaxPool2d(2), Flatten(), Dense(W[1]), ReLU(), Dense(W[2])]
    return Network([*layers, Softmax()] if softmax else layers).compile()


def plain(fast):
    """The same network, layer by layer and in one piece."""
    return Network(fast.layers, fast.names)


def batch(n=N, dtype=np.float32):
    return np.random.default_rng(1).random((n, 1, 28, 28), dtype)


NETWORKS = {
    "a row": network(),
    "layers that run alone": network(Tanh(), Sigmoid()),
    "batchnorm": network(BatchNorm(*np.abs(np.random.default_rng(2).normal(size=(4, 6))).astype(np.float32) + 0.5)),
    "a dropout that is not drawn": network(Dropout(0.5)),
}
TARGETS = {
    "predicted": None,
    "a class": 2,
    "a class as an array": np.array(2),
    "a class each": np.arange(N) % 4,
    "a list": [i % 4 for i in range(N)],
    "a neuron": ("relu2", 3),
    "a place": ("conv1", (2, 5, 5)),
}
METHODS = {
    "gradient": gradient,
    "saliency": saliency,
    "sensitivity": sensitivity,
    "gradient_times_input": gradient_times_input,
    "guided_backpropagation": guided_backpropagation,
    "lrp": lrp.relevance,
    "lrp alpha-beta": lambda net, x, target=None: lrp.relevance(net, x, target, rules=lrp.alpha_beta()),
}


@pytest.fixture(params=["1", "2", "3"])
def at_once(request, monkeypatch):
    monkeypatch.setenv("NNLITE_THREADS", request.param)
    return request.param


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_whatever_the_number_of_threads(method, kind, monkeypatch):
    x, net, compute = batch(), NETWORKS[kind], METHODS[method]
    assert len(chunks.slices(net, x)) > 1
    maps = []
    for threads in ("1", "2", "3", "2"):
        monkeypatch.setenv("NNLITE_THREADS", threads)
        maps.append(compute(net, x))
    assert len({R.tobytes() for R in maps}) == 1
    uncut = compute(plain(net), x)
    assert (maps[0].shape, maps[0].dtype) == (uncut.shape, uncut.dtype)
    np.testing.assert_allclose(maps[0], uncut, rtol=0, atol=1e-5 * np.abs(uncut).max())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["gradient", "lrp"])
def test_every_kind_of_target_is_cut_with_the_batch(method, target, at_once):
    x, net = batch(), NETWORKS["a row"]
    R = METHODS[method](net, x, TARGETS[target])
    uncut = METHODS[method](plain(net), x, TARGETS[target])
    np.testing.assert_allclose(R, uncut, rtol=0, atol=1e-5 * np.abs(uncut).max())


def test_scores_are_the_same_bits_and_those_of_the_whole(at_once):
    net, x = NETWORKS["layers that run alone"], batch()
    z = net.scores(x)
    assert z.tobytes() == net.scores(x).tobytes()
    np.testing.assert_allclose(z, plain(net).scores(x), rtol=0, atol=1e-5 * np.abs(z).max())
    assert (net.predict(x) == z.argmax(axis=1)).all()


def test_a_batch_is_cut_by_shapes_alone_into_chunks_of_about_the_same_size(monkeypatch):
    net = network()
    cuts = []
    for threads in ("1", "7"):
        monkeypatch.setenv("NNLITE_THREADS", threads)
        cuts.append(chunks.slices(net, batch(1000)))
    assert cuts[0] == cuts[1]
    sizes = [part.stop - part.start for part in cuts[0]]
    assert sum(sizes) == 1000
    assert max(sizes) - min(sizes) <= 1
    assert [part.start for part in cuts[0][1:]] == [part.stop for part in cuts[0][:-1]]


class Own(ReLU):
    """A layer of one's own."""


def test_what_may_not_be_cut_stays_whole():
    x = batch()
    draw = network(Dropout(0.5)).sample(np.random.default_rng(0), x.shape)
    shared = network(Dropout(0.5)).sample(np.random.default_rng(0), (1, *x.shape[1:]))
    assert len(chunks.slices(draw, x)) == len(chunks.slices(network(Own()), x)) == 1
    assert len(chunks.slices(shared, x)) > 1
    assert len(chunks.slices(network(), x[:8])) == 1
    large = Network([Conv2d(np.ones((64, 3, 3, 3), np.float32)), ReLU()]).compile()
    assert len(chunks.slices(large, np.zeros((64, 3, 64, 64), np.float32))) == 1
    assert gradient(draw, x).shape == x.shape


def test_a_rule_of_ones_own_sees_the_whole_batch():
    seen = []

    def rule(layer, a, z, R):
        seen.append(len(a))
        return lrp.epsilon()(layer, a, z, R)

    lrp.relevance(network(), batch(), rules=rule)
    assert set(seen) == {N}


BAD = {
    "a NaN": (lambda x: x.__setitem__((150, 0, 3, 4), np.nan), None, r"x\[150, 0, 3, 4\] is nan"),
    "too few classes": (lambda x: None, np.zeros(100, int), "200 integers"),
    "a class for each of a chunk": (lambda x: None, [0] * 40, "200 integers"),
    "no such class": (lambda x: None, np.where(np.arange(N) == 180, 9, 0), "classes from 0 to 3"),
    "no such layer": (lambda x: None, ("conv9", 1), "There is no layer 'conv9'"),
    "no such neuron": (lambda x: None, ("conv1", 99), "an index below 6"),
}


@pytest.mark.parametrize("bad", BAD)
def test_an_error_in_a_chunk_is_that_of_the_whole_batch(bad, at_once):
    spoil, target, message = BAD[bad]
    x = batch()
    spoil(x)
    for method in (gradient, lrp.relevance):
        with pytest.raises(ValueError, match=message):
            method(network(), x, target)


def test_an_input_that_does_not_fit_is_the_error_of_the_layer(at_once):
    with pytest.raises(ValueError, match="layer conv1"):
        network().scores(np.zeros((N, 3, 28, 28), np.float32))
    with pytest.raises(ValueError, match="layer conv1"):
        network().scores(batch()[:, 0, 0, 0])
    with pytest.raises(TypeError, match="x takes a NumPy array"):
        gradient(network(), [[1.0]] * N)


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", " 2", "²"])
def test_threads_are_a_whole_number_above_0(value, monkeypatch):
    monkeypatch.setenv("NNLITE_THREADS", value)
    with pytest.raises(ValueError, match=r"NNLITE_THREADS is .*; set it to a whole number above 0"):
        saliency(network(), batch(N))


def test_numpys_error_state_holds_in_the_chunks(at_once):
    net = Network([LeakyReLU(1e30), Flatten(), Dense(np.ones((784, 2), np.float32))]).compile()
    x = -1e30 * batch(4000)
    assert len(chunks.slices(net, x)) > 1
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        net.scores(x)


def test_the_same_bits_in_fresh_processes():
    code = """
import hashlib, json, numpy as np
from nnlite import models
from nnlite.decision_based import lrp, saliency
net, x = models.load("lenet").compile(), np.random.default_rng(0).random((256, 1, 28, 28), np.float32)
print(json.dumps([hashlib.sha256(method(net, x).tobytes()).hexdigest() for method in (saliency, lrp.relevance)]))
"""
    found = set()
    for threads in ("1", "2"):
        environment = os.environ | {"NNLITE_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        found.add(tuple(json.loads(done.stdout)))
    assert len(found) == 1
