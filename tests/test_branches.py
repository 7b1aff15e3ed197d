"""Networks that branch: wires, joins, and what every method makes of them."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest

from nnlite import Network, load
from nnlite.decision_based import (
    deconvnet,
    deeplift,
    excitation_backpropagation,
    grad_cam,
    gradient_times_input,
    integrated_gradients,
    lrp,
    occlusion,
    registry,
)
from nnlite.decision_based.lrp import elementwise_joins
from nnlite.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Branches,
    Concat,
    Constant,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Multiply,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
)
from nnlite.layers.layer import Layer
from nnlite.model_based.tiles import sight
from nnlite.training import OneCycle, fit, gradient_check, parameter_gradients
from nnlite.walk import gradient_rule, walk

r = np.random.default_rng(5)


def conv(k, c, size=3, **options):
    return Conv2d(r.normal(size=(k, c, size, size)) * 0.4, r.normal(size=k) * 0.1, padding=size // 2, **options)


def dense(j, k):
    return Dense(r.normal(size=(j, k)) * 0.4, r.normal(size=k) * 0.1)


def batchnorm(c):
    return BatchNorm(r.uniform(0.5, 2, c), r.normal(size=c), r.normal(size=c), r.uniform(0.5, 2, c))


def residual(*gate):
    """Everything that meets: skips, a projection, an Inception block of three paths, and where given a gate."""
    return Network(
        [
            conv(4, 1), ReLU(),
            Residual([conv(4, 4), batchnorm(4), ReLU(), conv(4, 4), batchnorm(4)]), ReLU(),
            Branches([[conv(2, 4, 1)], [conv(2, 4), ReLU(), conv(3, 2)], []], Concat()), MaxPool2d(2),
            Residual([conv(5, 9)], [conv(5, 9, 1)]), *gate, ReLU(), Flatten(), dense(45, 3),
        ],
        input_shape=(1, 6, 6),
    )  # fmt: skip


SQUEEZE = Branches([[], [GlobalAvgPool(), conv(5, 5, 1), Sigmoid()]], Multiply())
PLAIN = residual()
GATED = residual(SQUEEZE)
X = r.uniform(0.1, 1, size=(3, 1, 6, 6))


# ------------------------------------------------------------------------------------------------- wires and names


def test_blocks_expand_into_a_flat_row_with_paths_as_names():
    network = Network([Dense(np.eye(2)), Residual([ReLU(), Residual([Dense(np.eye(2))])]), ReLU()])
    assert network.names == (
        "dense1",
        "block1.relu1",
        "block1.block1.dense1",
        "block1.block1.add",
        "block1.add",
        "relu1",
    )
    assert network.wires == ((0,), (1,), (2,), (2, 3), (1, 4), (5,))


def test_wires_by_name_say_the_same_as_a_block():
    layers = [Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 2))), Add()]
    named = Network(layers, ["a", "b", "c", "sum"], wires={"sum": ("a", "c")})
    assert named.wires == Network([layers[0], Residual(layers[1:3])]).wires


def test_a_network_with_wires_within_another_keeps_them():
    inner = Network([Residual([Dense(np.eye(2))]), ReLU()])
    assert Network([Dense(np.eye(2)), inner, inner]).wires == ((0,), (1,), (1, 2), (3,), (4,), (4, 5), (6,))


def test_summary_plan_and_drawing_show_the_wires():
    network = Network([Residual([Dense(np.eye(2))])], input_shape=(2,))
    assert "input, block1.dense1" in network.summary()
    assert "input, block1.dense1" in network.plan((1, 2))
    assert "0 --> 2" in network.draw()
    assert "reads" not in Network([ReLU()]).summary()


IDENTITY = Dense(np.eye(2))


def within_itself():
    path = [IDENTITY]
    path.append(Residual(path))
    return path[1]


BAD_GRAPHS = {
    "a cycle": (lambda: Network([IDENTITY, ReLU(), Add()], wires={"dense1": "add1", "add1": ("input", "relu1")}),
                r"dense1 reads add1, which depends on dense1: the cycle dense1 -> relu1 -> add1 -> dense1"),
    "a wire up": (lambda: Network([Add(), ReLU()], wires={"add1": ("input", "relu1"), "relu1": "input"}),
                  "add1 reads relu1, which stands above it; a layer reads what stands below. Put relu1"),
    "no such layer": (lambda: Network([ReLU(), ReLU()], wires={"relu2": "relu3"}), "'relu3' is no layer"),
    "a wire of no layer": (lambda: Network([ReLU()], wires={"add": "relu1"}), "'add' is no layer of this network"),
    "wires into x": (lambda: Network([ReLU()], wires={"input": "relu1"}), "'input' is no layer, it is x"),
    "wires of a number": (lambda: Network([ReLU()], wires={"relu1": 3}), "expected the names of what a layer reads"),
    "no mapping": (lambda: Network([ReLU()], wires=[("relu1", "input")]), "expected a dict"),
    "a dead end": (lambda: Network([IDENTITY, Dense(np.eye(2))], wires={"dense2": "input"}), "Nothing reads dense1"),
    "x unread": (lambda: Network([Constant([[1.0]])]), "Nothing reads input"),
    "two into one": (lambda: Network([IDENTITY, ReLU()], wires={"relu1": ("input", "dense1")}),
                     r"relu1: ReLU\(\) reads one activation, and is wired to input, dense1. Let them meet"),
    "one factor": (lambda: Network([Multiply()]), r"Multiply\(\) reads 2 activations, and is wired to input"),
    "shapes that do not add": (lambda: Network([Residual([Dense(np.ones((2, 3)))])], input_shape=(2,)),
                               r"layer block1.add: Add\(\) takes branches of one shape, got \(\(1, 2"),
    "shapes that do not join": (lambda: Network([Branches([[], [MaxPool2d(2)]], Concat())], input_shape=(1, 4, 4)),
                                "branches whose shapes differ along axis 1 alone"),
    "a gate of another size": (lambda: Network([Branches([[], [MaxPool2d(2)]], Multiply())], input_shape=(1, 4, 4)),
                               "of one shape, or with a 1 where the other has more"),
    "two names": (lambda: Network([IDENTITY, ReLU()], ["a", "a"]), "expected 2 different names"),
    "a slice through a skip": (lambda: PLAIN[:4],
                               r"before block1.relu1 there are block1.batchnorm1 -> block1.relu1, relu1 -> block1.add"),
    "a position of no layer": (lambda: Network([ReLU()], wires=((2,),)),
                               r"for each layer the activations that it reads, integers from 0 to 1, got \(2,\)"),
    "a position below x": (lambda: Network([ReLU()], wires=((-1,),)), "integers from 0 to 1"),
    "a position that is a name": (lambda: Network([ReLU()], wires=(("input",),)), "integers from 0 to 1"),
    "a position that is no list": (lambda: Network([ReLU()], wires=(0,)), "integers from 0 to 1, got 0"),
    "a layer called input": (lambda: Network([ReLU(), Add()], ["input", "add"], wires={"add": ("input", "input")}),
                             '"input" is x where layers branch, and one is called so'),
    "a path of one layer": (lambda: Network([Residual(IDENTITY)]),
                            r"block1: expected a sequence of layers, blocks and networks, got Dense"),
    "a join that is none": (lambda: Network([Branches([[], []], Add)]), "consists of nnlite.layers, blocks and"),
    "a block within itself": (lambda: Network([within_itself()]), "Blocks stand in blocks too deep, or one within"),
    "what x plays no part in": (lambda: Network([Branches([[], [Constant([[1.0]]), ReLU()]], Add())]).up_to(
                                "branches1.relu1"), "relu1 is made of a Constant alone"),
    "no layer at all": (lambda: Network([Residual([np.tanh])]), "consists of nnlite.layers, blocks and"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_GRAPHS)
def test_a_graph_that_makes_no_sense_is_one_clear_error(name):
    make, message = BAD_GRAPHS[name]
    with pytest.raises((ValueError, TypeError), match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("first", ["layer0", "layer2999"], ids=["a long row", "a cycle through all"])
def test_thousands_of_layers_are_laid_and_cut_without_a_long_error(first):
    names, wires = [f"layer{l}" for l in range(3000)], {"layer1": first}
    if first == "layer0":
        assert len(Network([ReLU()] * 3000, names, wires=wires).up_to("layer2999")) == 3000
    else:
        with pytest.raises(ValueError, match=r"layer1 -> layer2 -> .* -> \.\.\. -> .*layer2999 -> layer1\.") as error:
            Network([ReLU()] * 3000, names, wires=wires)
        assert len(str(error.value)) < 500


def test_wires_by_position_become_tuples_of_integers():
    network = Network([IDENTITY, Add()], wires=([np.int64(0)], [0, np.int32(1)]))
    assert network.wires == ((0,), (0, 1))
    assert all(type(i) is int for each in network.wires for i in each)


def test_a_drawing_shows_a_name_and_never_obeys_it():
    assert '1["a#quot;]; click 1 #35;"]' in Network([ReLU()], ['a"]; click 1 #']).draw()


def test_a_slice_is_cut_where_one_wire_crosses():
    whole = PLAIN.output(X)
    for cut in (0, 1, 2, 8, 9, 14, len(PLAIN)):
        assert np.array_equal(PLAIN[cut:].output(PLAIN[:cut].output(X)), whole)


@pytest.mark.parametrize("name", GATED.names)
def test_up_to_a_layer_are_those_that_it_depends_on(name):
    a = GATED.forward(X)
    assert np.array_equal(GATED.up_to(name).output(X), a[GATED.index(name) + 1])
    assert np.array_equal(GATED.compile().up_to(name).output(X).round(9), a[GATED.index(name) + 1].round(9))


def test_a_constant_is_told_the_number_of_samples_and_is_trained():
    network = Network([Branches([[], [Constant([[1.0, 2.0]])]], Add()), Dense(np.eye(2))])
    assert network.output(np.zeros((3, 2))).tolist() == [[1, 2]] * 3
    x = np.ones((3, 2))
    gradient = parameter_gradients(network, network.forward(x), np.ones((3, 2)))["branches1.constant1.value"]
    assert gradient.tolist() == [[3, 3]]
    assert gradient_check(network, x) < 1e-6
    entry = lrp.ledger(network, x, 0, rules=lrp.zero()).entries[0]
    assert (entry.layer, entry.rule, entry.bias.tolist()) == ("branches1.constant1", "absorbs", [1.0] * 3)


def test_wires_are_kept_in_a_file_and_a_row_is_written_as_before(tmp_path):
    GATED.save(tmp_path / "net.npz")
    back = load(tmp_path / "net.npz")
    assert (back.wires, back.names) == (GATED.wires, GATED.names)
    assert back.output(X).tobytes() == GATED.output(X).tobytes()
    with np.load(tmp_path / "net.npz") as file:
        assert b'"version": 2' in file["header.json"].tobytes()
    Network([ReLU()]).save(tmp_path / "row.npz")
    with np.load(tmp_path / "row.npz") as file:
        header = file["header.json"].tobytes()
    assert b'"version": 1' in header
    assert b"wires" not in header


def test_copies_and_pickles_keep_the_wires():
    for again in (copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))):
        assert again(GATED).wires == GATED.wires
        assert np.array_equal(again(GATED.compile()).output(X), GATED.compile().output(X))


# ------------------------------------------------------------------------------------- exact passes, up and down


@pytest.mark.parametrize("network", [PLAIN, GATED], ids=["plain", "gated"])
def test_gradients_agree_with_finite_differences(network):
    assert gradient_check(network, X[:1], elements=20) < 1e-6


@pytest.mark.parametrize("join", [Add(), Concat(), Multiply()], ids=repr)
def test_the_way_back_through_a_join_is_the_adjoint(join):
    a, v = tuple(r.normal(size=(2, 2, 3, 4, 4))), tuple(r.normal(size=(2, 2, 3, 4, 4)))
    dz = r.normal(size=join.forward(a).shape)
    h = 1e-6
    moved = [join.forward(tuple(x + sign * h * d for x, d in zip(a, v, strict=True))) for sign in (1, -1)]
    forward = ((moved[0] - moved[1]) / (2 * h) * dz).sum()
    backward = sum((d * g).sum() for d, g in zip(v, join.backward(a, dz), strict=True))
    assert np.isclose(forward, backward, rtol=1e-7)


def test_what_a_join_makes_of_little_is_asked_for_first():
    x, g = np.ones((1, 10**5, 1)), np.ones((1, 1, 10**5))
    with pytest.raises(ValueError, match=r"Multiply.* needs 74.5G of memory"):
        Multiply().forward((x, g))
    empty = np.ones((2, 0)), np.ones((2, 1))
    assert Multiply().output_shape(((2, 0), (2, 1))) == Multiply().forward(empty).shape == (2, 0)


def test_joins_check_what_they_are_given():
    x, y = np.ones((2, 3)), np.ones((2, 3), np.float32)
    with pytest.raises(TypeError, match=r"takes a tuple of arrays, one for each branch that meets in it, got \(2, 3\)"):
        Add().forward(x)
    with pytest.raises(ValueError, match="arrays of one dtype"):
        Add().forward((x, y))
    with pytest.raises(ValueError, match=r"the signal above must be \(2, 3\) float64, got \(3, 3\)"):
        Add().backward((x, x), np.ones((3, 3)))
    with pytest.raises(ValueError, match="axis takes an integer from 1"):
        Concat(0)
    with pytest.raises(TypeError, match="reads nothing and takes the number of samples"):
        Constant([[1.0]]).forward(x)


@pytest.mark.parametrize("network", [PLAIN, GATED], ids=["plain", "gated"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_it_is_the_same_network(network, dtype):
    network, x, close = network.astype(dtype), X.astype(dtype), {np.float64: 1e-9, np.float32: 2e-4}[dtype]
    fast, rules = network.compile(), [gradient_rule] * len(network)
    walks = [walk(each, x, np.ones_like, rules, keep=True) for each in (network, fast)]
    for one, other in zip(*walks, strict=True):
        for values, expected in zip(other, one, strict=True):
            np.testing.assert_allclose(values, expected, rtol=0, atol=close * max(1, np.abs(expected).max()))
            assert values.dtype == dtype
    R = occlusion(network, x, size=3, stride=3).map
    np.testing.assert_allclose(occlusion(fast, x, size=3, stride=3).map, R, atol=close * np.abs(R).max())


@pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="rows are of the Numba backend")
def test_a_row_ends_at_a_fork_and_at_a_join():
    network = Network([conv(2, 1), ReLU(), Residual([conv(2, 2), ReLU(), conv(2, 2)]), ReLU(), Flatten(), dense(72, 2)])
    lines = network.compile().plan(X.shape).splitlines()
    assert [line.split("  row ")[1][0] if "  row " in line else "" for line in lines] == [*"11222", "", *"333"]


def test_a_branching_network_learns():
    x, labels = np.random.default_rng(1).normal(size=(60, 4)), np.arange(60) % 3
    x[np.arange(60), labels] += 3
    network = Network(
        [dense(4, 8), ReLU(), Residual([dense(8, 8), ReLU(), dense(8, 8)]), dense(8, 3)], input_shape=(4,)
    )
    done = fit(network, x, labels, epochs=40, batch_size=20, schedule=OneCycle(0.05), progress=False)
    assert done.network.wires == network.wires
    assert (done.network.predict(x) == labels).mean() > 0.9


# --------------------------------------------------------------------------------------------- LRP where they meet

x1, x2, z = np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]]), np.array([[1.0, 4.0]])

SHARES = {
    "proportional": (lrp.proportional(), [1, 4], [2, 1], [-1, 3]),
    "proportional, a negative": (lrp.proportional(), [1, -4], [2, -1], [-1, -3]),
    "absolute": (lrp.absolute(), [1, 4], [2 / 3, 1], [1 / 3, 3]),
    "positive": (lrp.positive(), [1, 4], [1, 1], [0, 3]),
    "equal": (lrp.equal(), [1, 4], [0.5, 2], [0.5, 2]),
    "only": (lrp.only(1), [1, 4], [0, 0], [1, 4]),
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_at_an_add_by_hand(name):
    rule, R, first, second = SHARES[name]
    shares = rule(Add(), (x1, x2), z, np.array([R], float))
    np.testing.assert_allclose(shares, [[first], [second]], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "rule",
    [lrp.proportional(), lrp.proportional(0.1), lrp.proportional(lrp.relative(0.25)), lrp.positive(), lrp.positive(0.1),
     lrp.absolute(), lrp.equal(), lrp.only(2)],
    ids=repr,
)  # fmt: skip
def test_the_rules_of_an_add_are_their_loops(rule):
    x = tuple(r.normal(size=(3, 2, 4)))
    x[0][0, 0] = x[1][0, 0] = x[2][0, 0] = 0
    z, R = sum(x), r.normal(size=(2, 4))
    step, expected = rule.step(Add(), x, z, R), elementwise_joins.relevance(rule, x, R)
    np.testing.assert_allclose(step.below, expected, rtol=0, atol=1e-10 * np.abs(R).sum())
    books = step.given + step.bias + step.stabilizer + step.dropped
    np.testing.assert_allclose(books, R.sum(axis=1), atol=1e-12)
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_signal_takes_all_or_both_factors_take_half():
    x, g = np.array([[[[2.0, 1.0]]]]), np.array([[[[0.5]]]])
    z, R = x * g, np.array([[[[1.0, 3.0]]]])
    assert [share.ravel().tolist() for share in lrp.signal()(Multiply(), (x, g), z, R)] == [[1, 3], [0]]
    assert [share.ravel().tolist() for share in lrp.signal(1)(Multiply(), (x, g), z, R)] == [[0, 0], [4]]
    assert [share.ravel().tolist() for share in lrp.uniform()(Multiply(), (x, g), z, R)] == [[0.5, 1.5], [2]]
    assert lrp.by_gate()(Multiply(), (g, x), z, R)[0].tolist() == [[[[0]]]]
    with pytest.raises(ValueError, match="the branches 0 and 1, got b = 2"):
        lrp.signal(2)


def test_the_gate_is_found_by_its_sigmoid_and_by_its_shape():
    spread = Network([Branches([[], [GlobalAvgPool()]], Multiply())])
    sigmoid = Network([Branches([[Dense(np.eye(2)), Sigmoid()], [Dense(np.eye(2))]], Multiply())])
    none = Network([Branches([[Dense(np.eye(2))], [Dense(np.eye(2))]], Multiply())])
    found = [lrp.LRP(network, lrp.zero()).rules[-1] for network in (spread, sigmoid, none)]
    assert found == [lrp.by_gate(), lrp.signal(1), lrp.by_gate()]
    assert lrp.LRP(none, lrp.Composite(dense=lrp.zero(), multiply=lrp.signal(0))).rules[-1] == lrp.signal(0)


@pytest.mark.parametrize("rule", [lrp.z_bounds(), lrp.gamma(), lrp.flat(), lrp.z_plus()], ids=repr)
def test_a_rule_of_weights_does_not_fit_a_join(rule):
    with pytest.raises(TypeError, match="Add"):
        rule(Add(), (x1, x2), z, z)


def test_lrp_0_is_gradient_times_input_through_skips_and_not_through_a_product():
    R, expected = lrp.relevance(PLAIN, X, rules=lrp.zero()), gradient_times_input(PLAIN, X)
    np.testing.assert_allclose(R, expected, rtol=0, atol=1e-10 * np.abs(R).sum())
    square = Network([Branches([[Dense(np.eye(2))], [Dense(np.eye(2))]], Multiply()), Dense(np.ones((2, 1)))])
    x = np.array([[1.0, 2.0]])
    assert lrp.relevance(square, x, rules=lrp.zero()).tolist() == [[1, 4]]
    assert gradient_times_input(square, x).tolist() == [[2, 8]]  # each factor takes all


W = np.array([[1.0, -1.0], [-2.0, 2.0]])


def test_a_residual_dense_is_the_dense_with_1_added_under_lrp_0_and_not_under_others():
    skip, one = Network([Residual([Dense(W)])]), Network([Dense(W + np.eye(2))])
    x, R = np.array([[1.0, 2.0]]), np.array([[-2.0, 5.0]])
    np.testing.assert_array_equal(skip.output(x), R)
    np.testing.assert_array_equal(one.output(x), R)

    def below(network, rules):
        prepared = lrp.LRP(network, rules)
        return network.walk_back(network.forward(x), R, prepared.rules)[0]

    np.testing.assert_allclose(below(skip, lrp.zero()), [[1, 2]], atol=1e-12)
    np.testing.assert_allclose(below(one, lrp.zero()), [[1, 2]], atol=1e-12)
    np.testing.assert_allclose(below(skip, lrp.epsilon(1.0)), [[0.542, 2.167]], atol=5e-4)
    np.testing.assert_allclose(below(one, lrp.epsilon(1.0)), [[0.5, 2.333]], atol=5e-4)


def test_a_residual_dense_by_hand():
    W, b = np.array([[1.0, -1.0], [0.5, 2.0]]), np.array([0.5, -1.0])
    network, x = Network([Residual([Dense(W, b)])]), np.array([[1.0, 2.0]])
    assert network.output(x).tolist() == [[3.5, 4]]
    for c, R, bias in ((0, [2, 1], 0.5), (1, [-1, 6], -1)):
        ledger = lrp.ledger(network, x, c, rules=lrp.zero())
        np.testing.assert_allclose(ledger.relevances[0], [R], atol=1e-12)
        np.testing.assert_allclose(ledger.total("bias"), [bias], atol=1e-12)


def test_a_branch_of_zeros_gets_nothing_and_the_order_of_branches_changes_nothing():
    path = [conv(2, 2), ReLU()]
    nothing = [Conv2d(np.zeros((2, 2, 1, 1)))]
    x = r.uniform(size=(2, 2, 4, 4))
    three = Network([Branches([[], path, nothing], Add()), Flatten(), dense(32, 2)])
    ledger = lrp.ledger(three, x, 0, rules=lrp.epsilon(0.01))
    zero = next(entry for entry in ledger if entry.layer == "branches1.add").branches[2]
    assert zero.R.tolist() == [0, 0]
    two = [Network([Branches(paths, Add()), *three.layers[-2:]]) for paths in ([[], path], [path, []])]
    R = [lrp.relevance(network, x, 0, rules=lrp.epsilon(0.01)) for network in two]
    np.testing.assert_allclose(R[0], R[1], atol=1e-12)


def test_forgetting_the_join_doubles_the_relevance():
    network = Network([Residual([Dense(W)]), Residual([Dense(np.eye(2) + W * 0.1)])])
    x = np.array([[1.0, 2.0]])
    rules = [lambda layer, a, z, R: (R, R) if isinstance(layer, Add) else lrp.zero()(layer, a, z, R)] * len(network)
    top = network.output(x)
    assert np.isclose(network.walk_back(network.forward(x), top, rules)[0].sum(), 4 * top.sum())


COMPOSITES = {
    "0": lrp.zero(), "epsilon": lrp.epsilon(0.1), "generalized gamma": lrp.generalized_gamma(0.25),
    "positive": lrp.Composite(lrp.z_bounds(), convolution=lrp.alpha_beta(1, 0), dense=lrp.zero(), add=lrp.positive()),
    "absolute": lrp.Composite(
        convolution=lrp.alpha_beta(2, 1), dense=lrp.epsilon(), add=lrp.absolute(), multiply=lrp.uniform()
    ),
    "plus flat": lrp.EpsilonPlusFlat(), "box": lrp.EpsilonGammaBox(),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSITES)
@pytest.mark.parametrize("network", [PLAIN, GATED], ids=["plain", "gated"])
def test_the_books_close_at_every_join(network, name, form):
    ledger = lrp.ledger(form(network), X, rules=COMPOSITES[name])
    assert ledger.error < 1e-9
    totals = sum(ledger.total(column) for column in ("bias", "stabilizer", "dropped"))
    score = network.scores(X).max(axis=1)
    np.testing.assert_allclose(
        ledger.relevances[0].sum(axis=(1, 2, 3)) + totals, score, atol=1e-9 * np.abs(score).max()
    )
    np.testing.assert_allclose(lrp.relevance(network, X, rules=COMPOSITES[name]), ledger.relevances[0], atol=1e-9)


def test_the_ledger_says_what_each_branch_carried():
    ledger = lrp.ledger(GATED, X, rules=lrp.epsilon(0.01))
    add = next(entry for entry in ledger if entry.layer == "block1.add")
    assert [branch.layer for branch in add.branches] == ["relu1", "block1.batchnorm2"]
    np.testing.assert_allclose(sum(branch.R for branch in add.branches), add.below)
    assert all((branch.largest >= 0).all() for branch in add.branches)
    gate = next(entry for entry in ledger if entry.layer == "branches2.multiply")
    assert gate.branches[1].R.tolist() == [0, 0, 0]
    text = ledger.table(1)
    assert "  block1.batchnorm2" in text
    assert "|x/z| up to" in text


def test_every_weighted_layer_that_reads_x_is_first():
    network = Network([Branches([[conv(1, 1)], [conv(1, 1), conv(1, 1)]], Add()), Flatten(), dense(16, 2)])
    composite = lrp.Composite(first=lrp.flat(), convolution=lrp.epsilon(), dense=lrp.epsilon(), last=lrp.zero())
    names = [rule.name for rule in lrp.LRP(network, composite).rules if isinstance(rule, lrp.Rule)]
    assert names == ["flat", "flat", "epsilon", "proportional", "zero"]


def test_batchnorm_is_merged_only_where_nobody_else_reads_what_is_below():
    network = Network([conv(2, 1), Residual([batchnorm(2)]), conv(2, 2), batchnorm(2), ReLU()])
    merged = network.merged()
    assert [repr(layer)[:9] for layer in merged] == [
        "Conv2d(W[",
        "BatchNorm",
        "Add()",
        "Conv2d(W[",
        "Identity(",
        "ReLU()",
    ]
    np.testing.assert_allclose(merged.output(X), network.output(X), atol=1e-12)
    np.testing.assert_allclose(GATED.merged().output(X), GATED.output(X), atol=1e-12)


def test_merged_and_unmerged_agree_under_lrp_0_alone():
    network = Network([conv(2, 1), ReLU(), Residual([conv(2, 2), batchnorm(2)]), Flatten(), dense(72, 2)])
    plain = [lrp.LRP(network, lrp.zero())]
    same = network.walk_back(
        network.forward(X), network.output(X),
        [lrp.epsilon(0.0) if layer.linear and layer.reads == 1 and not layer.reshapes else rule
         for layer, rule in zip(network, plain[0].rules, strict=True)],
    )[0]  # fmt: skip
    merged = plain[0].network
    R = merged.walk_back(merged.forward(X), merged.output(X), plain[0].rules)[0]
    np.testing.assert_allclose(same, R, atol=1e-10)


# ---------------------------------------------------------------------------------------------- the other methods


@pytest.mark.parametrize("rule", ["rescale", "reveal-cancel"])
@pytest.mark.parametrize("network", [PLAIN, GATED], ids=["plain", "gated"])
def test_deeplift_is_complete_through_every_join(network, rule):
    reference = r.uniform(size=(1, 6, 6))
    R = deeplift(network, X, 1, reference=reference, rule=rule)
    difference = (network.scores(X) - network.scores(reference[None]))[:, 1]
    np.testing.assert_allclose(
        R.sum(axis=(1, 2, 3)), difference, rtol=0, atol=1e-12 * np.abs(network.scores(X)).max() * 10
    )


def test_deeplift_is_complete_where_x_itself_meets_a_branch():
    network, x = Network([Residual([Dense(W)]), ReLU(), Dense(np.ones((2, 1)))]), np.array([[1.0, -3.0], [0.5, 2.0]])
    R = deeplift(network, x, reference=0.25, rule="reveal-cancel")
    np.testing.assert_allclose(R.sum(axis=1), (network(x) - network(np.full((1, 2), 0.25)))[:, 0], atol=1e-12)


def test_deeplift_at_a_product_is_shapley_of_the_two_factors():
    network = Network([Branches([[Dense([[1.0], [0.0]])], [Dense([[0.0], [1.0]])]], Multiply())])
    R = deeplift(network, np.array([[3.0, 0.5]]), reference=np.array([1.0, 0.25]))
    np.testing.assert_allclose(R, [[0.75, 0.5]], atol=1e-12)


def test_the_linear_rule_takes_skips():
    network = Network([Residual([Dense(W)]), Branches([[], [Dense(W)]], Concat()), Dense(np.ones((4, 1)))])
    x = np.array([[1.0, 3.0]])
    np.testing.assert_allclose(deeplift(network, x, rule="linear").sum(), network.output(x).sum(), atol=1e-12)


def test_integrated_gradients_are_complete():
    R = integrated_gradients(GATED, X, 2, steps=400)
    difference = (GATED.scores(X) - GATED.scores(np.zeros_like(X)))[:, 2]
    np.testing.assert_allclose(R.sum(axis=(1, 2, 3)), difference, atol=2e-2 * np.abs(difference).max())


def test_excitation_backpropagation_stays_a_probability_through_a_skip():
    network = Network([conv(3, 1), ReLU(), Residual([conv(3, 3), ReLU()]), Flatten(), dense(108, 3)])
    P = excitation_backpropagation(network, X, 1)
    assert (P >= 0).all()
    assert (P.sum(axis=(1, 2, 3)) <= 1 + 1e-12).all()
    contrastive = excitation_backpropagation(network, X, 1, contrastive=True)
    assert np.isfinite(contrastive).all()


def test_contrastive_excitation_of_a_neuron_does_not_see_the_other_branches():
    paths = [[conv(2, 3), ReLU()], [conv(4, 3), ReLU(), conv(3, 4), ReLU()]]
    network, target = Network([conv(3, 1), ReLU(), Branches(paths, Concat())]), ("branches1.conv3", (1, 2, 2))
    P = [excitation_backpropagation(each, X, target, contrastive=True) for each in (network, network.up_to(target[0]))]
    np.testing.assert_array_equal(*P)


def test_occlusion_of_windows_below_vectors_that_branch(form):
    network = Network([conv(4, 1), ReLU(), conv(2, 4), Flatten(), dense(200, 4), Residual([dense(4, 4)]), dense(4, 2)])
    x = r.uniform(size=(2, 1, 10, 10))
    expected = occlusion(network, x, 1, size=2, stride=2).map
    R = occlusion(form(network), x, 1, size=2, stride=2).map
    np.testing.assert_allclose(R, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_excitation_at_an_add_is_divided_by_what_is_positive():
    network = Network([Residual([Dense(np.array([[-0.25, 0.0], [0.0, 2.0]]))]), Dense(np.array([[1.0], [1.0]]))])
    P = excitation_backpropagation(network, np.array([[4.0, 1.0]]))
    np.testing.assert_allclose(P, [[0.5, 0.5]])  # of (3, 3): 4⁺ and (−1)⁺ share the first half, 1⁺ and 2⁺ the second
    network = Network([Residual([Dense(np.array([[0.0, -0.25], [0.0, 2.0]]))]), Dense(np.array([[1.0], [1.0]]))])
    P = [excitation_backpropagation(network, np.array([[4.0, 1.0]]), sum=how) for how in ("positive", "norm")]
    np.testing.assert_allclose(P, [[[2 / 3, 1 / 3]], [[2 / 3, 1 / 3]]])  # x⁺ alone: nothing is negative at z = (4, 2)
    with pytest.raises(ValueError, match="sum takes one of 'positive', 'norm', got 'proportional'"):
        excitation_backpropagation(network, np.array([[4.0, 1.0]]), sum="proportional")


def test_a_rule_without_a_module_takes_part():
    made = {}
    exec("def rule(layer, a, z, R): return layer.backward(a, R)", {"__name__": None}, made)
    assert np.isfinite(lrp.relevance(Network([Dense(W)]), np.array([[1.0, 2.0]]), rules=made["rule"])).all()


def test_deconvnet_and_guided_copy_the_signal_to_both_branches():
    network, x = (
        Network([Residual([Dense(np.eye(2)), ReLU()]), ReLU(), Dense(np.ones((2, 1)))]),
        np.array([[1.0, -2.0]]),
    )
    assert registry.explain(network, x, "guided-backpropagation").tolist() == [[2, 0]]
    assert deconvnet(PLAIN, X, layer="block2.conv1").shape[-2:] == (6, 6)


def test_grad_cam_takes_the_end_of_the_last_block():
    f = GATED.forward(X)
    by_default, named = grad_cam(GATED, X, 0), grad_cam(GATED, X, 0, layer="relu3")
    np.testing.assert_array_equal(by_default, named)
    assert by_default.shape[1:] == f[GATED.index("relu3") + 1].shape[2:]


@pytest.mark.parametrize("at", ["relu1", "block1.relu1", "branches1.conv2", "block2.conv2"])
def test_a_method_stops_at_a_layer_within_a_branch(at, form):
    """There the other branches are held: gradient × activation at all branches of a cut sums as at a layer alone."""
    network = form(GATED)
    g = registry.explain(network, X, "gradient", target=1, at=at)
    a = GATED.forward(X)
    position = GATED.index(at) + 1
    top = np.eye(3)[[1] * len(X)]
    expected = GATED.walk_back(a, top, [gradient_rule] * len(GATED))[position]
    np.testing.assert_allclose(g, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    R = registry.explain(network, X, "occlusion", target=1, at=at, size=2, stride=2)
    assert R.shape == (3, *a[position].shape[2:])


def test_what_is_held_beside_a_layer_takes_a_free_name():
    network = Network([Residual([IDENTITY, ReLU()]), IDENTITY], ["b" * 255, "held1", "held.input", "d"])
    assert registry.explain(network, np.ones((1, 2)), "gradient", at="b" * 255).tolist() == [[1, 0]]


def test_a_neuron_within_a_branch_is_explained(form):
    target = ("block2.conv1", (2, 1, 1))
    R = lrp.relevance(form(GATED), X, target, rules=lrp.zero())
    np.testing.assert_allclose(R, gradient_times_input(GATED, X, target), rtol=0, atol=1e-10 * np.abs(R).sum())


def test_a_draw_masks_every_branch():
    network = Network([Residual([Dense(np.eye(4)), Dropout(0.5)]), Dense(np.eye(4))])
    draw = network.sample(0, (2, 4))
    assert draw.wires == network.wires
    assert not np.array_equal(draw.output(np.ones((2, 4))), network.output(np.ones((2, 4))))


def test_what_branches_see_together():
    network = Network([conv(1, 1), Residual([conv(1, 1, 5)]), MaxPool2d(2)])
    assert sight(network) == ((8, 8), (2, 2), (-3, -3))
    for paths, join in (([[], [Constant(np.ones((1, 1, 4, 4)))]], Add()), ([[], []], Concat(2))):
        with pytest.raises(ValueError, match="does not see one window at each place"):
            sight(Network([Branches(paths, join)]))


# ----------------------------------------------------------------------------------------------- a layer of one's own


class Mean(Layer):
    """z = the mean of the branches."""

    reads = None
    linear = True

    def forward(self, a):
        return sum(a) / len(a)

    def backward(self, a, dz):
        return tuple(dz / len(a) for _ in a)

    def output_shape(self, shape):
        return shape[0]


def test_a_join_of_ones_own_takes_part(form):
    network = form(
        Network([Branches([[conv(1, 1)], []], Mean()), ReLU(), AvgPool2d(2), Flatten(), dense(9, 2), Softmax()])
    )
    g = registry.explain(network, X, "gradient")
    assert g.shape == X.shape
    rules = [None] * 6
    rules[0], rules[1], rules[5] = lrp.epsilon(), lrp.proportional(), lrp.epsilon()
    R = lrp.relevance(network, X, rules=rules)
    assert np.isfinite(R).all()
    for rule in ("rescale", "reveal-cancel"):
        total = deeplift(network, X, 0, rule=rule).sum(axis=(1, 2, 3))
        z = network.to_scores().output(np.concatenate([X, np.zeros_like(X)]))[:, 0]
        np.testing.assert_allclose(total, z[:3] - z[3:], atol=1e-12)
