"""Attention: its layers against loops, its blocks, tokens, and LRP through it in both forms, with worked numbers."""

import math

import numpy as np
import pytest

import nnlite
from nnlite import Network
from nnlite.decision_based import METHODS, attention, attention_rollout, chefer_gradient, chefer_lrp, lrp
from nnlite.decision_based.attention_maps import CHEFER
from nnlite.decision_based.deeplift import deeplift
from nnlite.decision_based.gradient import gradient, gradient_times_input, saliency, sensitivity
from nnlite.decision_based.integrated_gradients import integrated_gradients
from nnlite.decision_based.smoothgrad import smoothgrad
from nnlite.layers import (
    GELU,
    Add,
    AttentionMask,
    Branches,
    Constant,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    MatMul,
    Multiply,
    Reshape,
    RMSNorm,
    Rotary,
    SelfAttention,
    Sigmoid,
    SiLU,
    Softmax,
    SplitHeads,
    Take,
    TransformerBlock,
)
from nnlite.training import gradient_check

D, T = 8, 5


def weights(seed):
    r = np.random.default_rng(seed)
    return lambda *shape, scale=0.6: r.normal(scale=scale, size=shape)


def self_attention(seed=0, biases=True, width=D, **options):
    w = weights(seed)
    kv = width // options.get("heads", 2) * options.get("key_heads", options.get("heads", 2))
    dense = [Dense(w(width, k), w(k) if biases else None) for k in (width, kv, kv, width)]
    return SelfAttention(*dense, **({"heads": 2} | options))


def mlp(seed, biases=True):
    w = weights(seed)
    return [Dense(w(D, 12), w(12) if biases else None), GELU(), Dense(w(12, D), w(D) if biases else None)]


def gated(seed):
    w = weights(seed)
    return [Branches([[Dense(w(D, 6)), SiLU()], [Dense(w(D, 6))]], Multiply()), Dense(w(6, D))]


def transformer(seed=0, end=-1, biases=True, **options):
    """Two blocks on embeddings (T, D), three classes read from one token."""
    w = weights(seed + 100)
    norm = LayerNorm(w(D) + 1, w(D) if biases else np.zeros(D), 1e-3)
    return Network(
        [
            TransformerBlock(self_attention(seed, biases, **options), mlp(seed + 1, biases), norms=(norm, norm)),
            TransformerBlock(self_attention(seed + 2, biases, **options), mlp(seed + 3, biases)),
            norm,
            Take(end),
            Dense(w(D, 3), w(3) if biases else None),
        ]
    )


VARIANTS = {
    "plain": transformer(),
    "causal": transformer(1, mask=AttentionMask(causal=True)),
    "grouped keys": transformer(2, heads=4, key_heads=2),
    "rotary": transformer(3, rotary=Rotary(), mask=AttentionMask(np.tri(T))),
    "norm last": Network(
        [TransformerBlock(self_attention(4), mlp(5), norm_first=False), Take(0), Dense(weights(6)(D, 3), weights(7)(3))]
    ),
    "RMSNorm and a gated MLP": Network(
        [
            TransformerBlock(
                self_attention(8, False), gated(9), norms=[RMSNorm(weights(s)(D) + 1, 1e-3) for s in (10, 11)]
            ),
            Take(-1),
            Dense(weights(12)(D, 3)),
        ]
    ),
}
each_variant = pytest.mark.parametrize("name", VARIANTS)


def sequence(seed=0, n=2):
    return np.random.default_rng(seed).normal(size=(n, T, D))


def total(R):
    return R.sum(axis=tuple(range(1, R.ndim)))


# -------------------------------------------------------------------------------------------------- layers and blocks


def attention_by_loops(x, Q, K, V, O, heads, allowed):
    """One head, one query, one key after the other, in plain Python."""
    n, t, width = *x.shape[:2], Q.shape[1] // heads
    context = np.zeros((n, t, Q.shape[1]))
    for s in range(n):
        for h in range(heads):
            part = slice(h * width, (h + 1) * width)
            q, k, v = x[s] @ Q[:, part], x[s] @ K[:, part], x[s] @ V[:, part]
            for i in range(t):
                raised = {j: math.exp(sum(q[i] * k[j]) / math.sqrt(width)) for j in range(t) if allowed(i, j)}
                for j, e in raised.items():
                    context[s, i, part] += e / sum(raised.values()) * v[j]
    return context @ O


@pytest.mark.parametrize(
    ("mask", "allowed"), [(None, lambda i, j: True), (AttentionMask(causal=True), lambda i, j: j <= i)]
)
def test_self_attention_is_its_definition_in_loops(mask, allowed):
    w, x = weights(3), sequence()
    W = [w(D, D) for _ in range(4)]
    network = Network([SelfAttention(*W, heads=2, mask=mask)])
    np.testing.assert_allclose(network(x), attention_by_loops(x, *W, 2, allowed), rtol=0, atol=1e-12)
    probabilities = network.forward(x)[network.index("attention1.probabilities") + 1]
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-12)
    assert mask is None or not np.triu(probabilities, 1).any()  # exactly 0


def test_queries_that_share_keys_are_as_if_the_keys_stood_there_twice():
    shared = self_attention(heads=4, key_heads=2)
    twice = [Dense(np.repeat(d.W.reshape(D, 2, 2), 2, axis=1).reshape(D, D), np.repeat(d.b.reshape(2, 2), 2, 0).ravel())
             for d in (shared.W_k, shared.W_v)]  # fmt: skip
    whole = SelfAttention(shared.W_q, *twice, shared.W_o, heads=4)
    np.testing.assert_allclose(Network([shared])(sequence()), Network([whole])(sequence()), atol=1e-12)


@pytest.mark.parametrize("halves", [False, True])
def test_a_product_of_turned_queries_and_keys_depends_on_their_distance_alone(halves):
    q, k = np.random.default_rng(0).normal(size=(2, 1, 1, 1, 6))
    turned = [Rotary(100.0, halves=halves).forward(np.repeat(v, 9, axis=2))[0, 0] for v in (q, k)]
    products = turned[0] @ turned[1].T
    for distance in range(-8, 9):
        along = np.diagonal(products, distance)
        np.testing.assert_allclose(along, along[0], atol=1e-12)
    assert np.ptp(products) > 0.1
    np.testing.assert_array_equal(Rotary(width=4).forward(q)[..., 4:], q[..., 4:])


def test_blocks_of_a_transformer_have_names_as_paths():
    names = VARIANTS["rotary"].names
    inner = ("query", "query_heads", "rotary_query", "key", "key_heads", "rotary_key", "value", "value_heads")
    after = ("products", "scores", "masked", "probabilities", "context", "merged", "output")
    assert names[:17] == ("block1.norm1", *(f"block1.attention.{name}" for name in inner + after), "block1.add1")
    assert names[17:22] == ("block1.norm2", "block1.mlp.dense1", "block1.mlp.gelu1", "block1.mlp.dense2", "block1.add2")
    assert VARIANTS["norm last"].names[12:14] == ("block1.add1", "block1.norm1")


@each_variant
def test_a_transformer_has_exact_gradients_and_comes_back_from_a_file(name, tmp_path):
    network, x = VARIANTS[name], sequence()
    v, h = np.random.default_rng(1).normal(size=x.shape), 1e-6
    slope = (network(x + h * v) - network(x - h * v))[:, 1] / (2 * h)
    np.testing.assert_allclose(total(gradient(network, x, 1) * v), slope, rtol=1e-6, atol=1e-8)
    assert gradient_check(network, x[:1], elements=60) < 1e-6
    network.save(tmp_path / "net.npz")
    assert nnlite.load(tmp_path / "net.npz")(x).tobytes() == network(x).tobytes()
    if name == "rotary":  # one is enough: what a row does not take runs plainly inside
        np.testing.assert_allclose(network.compile()(x), network(x), atol=1e-12)


BAD = {
    "heads that do not divide": (lambda: Network([self_attention(heads=3)]), "heads=3 must divide the 8 features"),
    "key heads that do not divide": (
        lambda: Network([SelfAttention(*[np.eye(8)] * 4, heads=4, key_heads=3)]), "key_heads=3 the heads"),
    "no norms": (lambda: Network([TransformerBlock([Dense(np.eye(2))], [])]), "give `norms`, two layers"),
    "a row of the mask that allows nothing": (lambda: AttentionMask([[1, 0], [0, 0]]), "a 1 at least in each row"),
    "a mask of other tokens": (
        lambda: AttentionMask(np.tri(3)).output_shape((1, 2, 4, 4)), r"scores \(N, heads, T, T\) that \[3, 3\] fits"),
    "an odd width": (lambda: Rotary(width=3), "an even width or None"),
    "features that are odd": (lambda: Rotary().output_shape((1, 2, 4, 3)), "with an even d"),
    "a token that is not there": (lambda: Take(5).output_shape((1, 5, 3)), r"\(N, T, ...\) with a token 5"),
    "tokens outside the vocabulary": (lambda: Embedding(np.eye(3)).forward(np.array([[3]])), "from 0 to 2, got 3"),
    "numbers as tokens": (lambda: Embedding(np.eye(3)).forward(np.array([[1.0]])), r"takes integers \(N, T\), got"),
    "a softmax over the batch": (lambda: Softmax(0), r"axis takes an integer, not 0 \(the batch\)"),
    "matrices that do not fit": (
        lambda: MatMul().output_shape(((1, 2, 3), (1, 2, 3))), r"\(N, ..., T, J\) and \(N, ..., J, K\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_sense_is_one_clear_error(name):
    make, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message) as error:
        make()
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------------ LRP: worked by hand


def test_relevance_through_a_layer_norm_by_hand():
    a, norm = np.array([[4.0, 1.0, 1.0]]), LayerNorm([2.0, 1.0, 1.0], [1.0, 0.0, 0.0], 1e-300)
    R = np.array([[norm.forward(a)[0, 0], 0.0, 0.0]])
    step = lrp.epsilon(0).step(norm, a, norm.forward(a), R)
    np.testing.assert_allclose(step.below, [[3.771236, -0.471405, -0.471405]], atol=1e-6)
    np.testing.assert_allclose(step.bias, [1], atol=1e-12)  # β takes 1
    two = LayerNorm([1.0, 1.0], [0.0, 0.0], 1e-300)
    a = np.array([[3.0, 1.0]])
    np.testing.assert_allclose(lrp.epsilon(0)(two, a, two.forward(a), np.array([[1.0, 0.0]])), [[1.5, -0.5]])
    rms = RMSNorm([1.0, 1.0], 1e-300)
    a, R = np.array([[3.0, 4.0]]), np.array([[0.848528, 0.0]])
    np.testing.assert_allclose(lrp.epsilon(0)(rms, a, rms.forward(a), R), R)  # the identity


ONE_HEAD = Network(
    [SelfAttention(np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [1.0], [0.0]]),
                   np.array([[0.0], [0.0], [1.0]]), np.array([[1.0]]), heads=1), Take(0)]
)  # fmt: skip
TOKENS = np.array([[[1.0, math.log(3), 4.0], [0.0, 0.0, -8.0]]])  # q = 1, k = (ln 3, 0), v = (4, −8)


def at(network, x, name, **options):
    R = lrp.relevance(network, x, 0, all_layers=True, **options)
    return R[network.index(f"attention1.{name}") + 1].ravel()


def test_one_head_by_hand():
    """P = (¾, ¼), O = 3 − 2 = 1."""
    np.testing.assert_allclose(ONE_HEAD(TOKENS), [[1.0]])
    cp, attn = {"rules": lrp.cp_lrp(0)}, {"rules": lrp.attn_lrp(0)}
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "value", **cp), [3, -2])
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "value", **attn), [1.5, -1])
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "probabilities", **attn)[:2], [1.5, -1])
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "scores", **attn)[:2], [1.235939, 0], atol=1e-6)
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "query", **attn), [0.617969, 0], atol=1e-6)
    np.testing.assert_allclose(at(ONE_HEAD, TOKENS, "key", **attn), [0.617969, 0], atol=1e-6)
    assert lrp.relevance(ONE_HEAD, TOKENS, 0, **attn).sum() == pytest.approx(1.735939, abs=1e-6)
    books = {entry.layer: entry for entry in lrp.ledger(ONE_HEAD, TOKENS, 0, **attn)}
    assert books["attention1.probabilities"].bias[0] == pytest.approx(-0.735939, abs=1e-6)
    assert gradient_times_input(ONE_HEAD, TOKENS, 0).sum() == pytest.approx(5.943755, abs=1e-6)
    for options in (cp, attn):
        for name in ("value", "probabilities", "scores", "query", "key"):  # the gradient form, inside attention too
            np.testing.assert_allclose(
                at(ONE_HEAD, TOKENS, name, gradient_form=True, **options), at(ONE_HEAD, TOKENS, name, **options),
                atol=1e-12)  # fmt: skip


def test_the_softmax_rule_changes_with_a_shift_that_changes_nothing_else():
    S, R = np.array([[math.log(3), 0.0]]), np.array([[1.5, -1.0]])
    layer = Softmax(-1)
    for shift, expected in ((0, [1.235939, 0]), (10, [12.485939, -11.25])):
        a = S + shift
        given = lrp.Composite().softmax(layer, a, layer.forward(a), R)
        np.testing.assert_allclose(given[0], expected, atol=1e-6)


def test_one_token_alone_loses_half_under_attn_lrp_and_nothing_under_cp_lrp():
    x = TOKENS[:, :1]
    assert ONE_HEAD(x)[0, 0] == 4
    assert lrp.relevance(ONE_HEAD, x, 0, rules=lrp.cp_lrp(0)).sum() == pytest.approx(4)
    assert lrp.relevance(ONE_HEAD, x, 0, rules=lrp.attn_lrp(0)).sum() == pytest.approx(2)


# ---------------------------------------------------------------------------------------------------------- laws


@each_variant
@pytest.mark.parametrize("rules", [lrp.attn_lrp(0), lrp.cp_lrp(0)], ids=["AttnLRP", "CP-LRP"])
def test_the_gradient_form_gives_the_same_at_every_layer(name, rules):
    network, x = VARIANTS[name], sequence()
    explicit = lrp.relevance(network, x, 1, rules=rules, all_layers=True)
    form = lrp.relevance(network, x, 1, rules=rules, all_layers=True, gradient_form=True)
    for R, of_gradient in zip(explicit, form, strict=True):
        np.testing.assert_allclose(of_gradient, R, rtol=0, atol=1e-10 * np.abs(R).max(initial=0))
    assert np.abs(explicit[0]).max() > 1e-3


@each_variant
@pytest.mark.parametrize("rules", [lrp.attn_lrp(), lrp.cp_lrp(), lrp.epsilon(0.1)], ids=["AttnLRP", "CP-LRP", "ε"])
def test_the_books_close_through_attention(name, rules):
    ledger = lrp.ledger(VARIANTS[name], sequence(), rules=rules)
    assert ledger.error < 1e-9
    products = [entry for entry in ledger if entry.layer.endswith(("products", "context"))]
    assert all(len(entry.branches) == 2 for entry in products)


def test_without_biases_cp_lrp_keeps_the_whole_score():
    network = transformer(20, biases=False)
    x = sequence(4)
    R = lrp.relevance(network, x, rules=lrp.cp_lrp(0))
    np.testing.assert_allclose(total(R), network(x).max(axis=1), rtol=1e-12)


def test_values_and_probabilities_get_half_each_for_every_query_and_head():
    network = VARIANTS["plain"]
    R = dict(
        zip(network.names, lrp.relevance(network, sequence(), rules=lrp.attn_lrp(0), all_layers=True)[1:], strict=True)
    )
    context = R["block1.attention.context"].sum(axis=-1)
    np.testing.assert_allclose(R["block1.attention.probabilities"].sum(axis=-1), context / 2, atol=1e-12)
    of_values = R["block1.attention.value_heads"].sum(axis=(2, 3))
    np.testing.assert_allclose(of_values, context.sum(axis=2) / 2, atol=1e-12)


@pytest.mark.parametrize("eps", [1e-300, 0.3])
def test_gradient_times_input_through_a_norm_sums_to_what_eps_leaves(eps):
    a, gamma = sequence()[0], weights(0)(D)
    layer_norm, rms = LayerNorm(gamma, weights(1)(D), eps), RMSNorm(gamma, eps)
    for i in range(D):
        dz = np.zeros_like(a)
        dz[:, i] = 1
        n = (layer_norm.forward(a) - layer_norm.beta)[:, i]  # γ n
        v, ms = a.var(axis=1), (a**2).mean(axis=1)
        np.testing.assert_allclose((a * layer_norm.backward(a, dz)).sum(axis=1), n * eps / (v + eps), atol=1e-12)
        np.testing.assert_allclose(
            (a * rms.backward(a, dz)).sum(axis=1), rms.forward(a)[:, i] * eps / (ms + eps), atol=1e-12
        )


@pytest.mark.parametrize("rules", [lrp.attn_lrp(0), lrp.cp_lrp(0)], ids=["AttnLRP", "CP-LRP"])
def test_without_positions_the_relevance_moves_with_the_tokens(rules):
    network, x = transformer(end=1), sequence()
    order = [2, 1, 4, 0, 3]  # token 1, which is read, stays
    R = lrp.relevance(network, x, 1, rules=rules)
    np.testing.assert_allclose(lrp.relevance(network, x[:, order], 1, rules=rules), R[:, order], atol=1e-12)


@pytest.mark.parametrize("rules", [lrp.attn_lrp(), lrp.cp_lrp()], ids=["AttnLRP", "CP-LRP"])
def test_a_token_that_nobody_may_look_at_gets_exactly_nothing(rules):
    padding = AttentionMask(np.array([1.0, 1, 1, 0, 1])[None, None, None])
    network = transformer(5, mask=padding)
    R = lrp.relevance(network, sequence(n=1), rules=rules)
    assert not R[:, 3].any()
    assert R[:, [0, 1, 2, 4]].all()
    assert not gradient(network, sequence(n=1))[:, 3].any()


def test_cp_lrp_is_lrp_0_with_the_probabilities_as_a_fixed_dense():
    network, x = Network([self_attention(), Take(2), Dense(weights(5)(D, 2))]), sequence(n=1)
    W = self_attention()
    P = network.forward(x)[network.index("attention1.probabilities") + 1][0]
    held = Branches([[W.W_v, *(_fixed(P[h, 2], h) for h in (0,))], [W.W_v, _fixed(P[1, 2], 1)]], Add())
    by_hand = Network([held, W.W_o, Dense(weights(5)(D, 2))])
    np.testing.assert_allclose(by_hand(x), network(x), atol=1e-12)
    expected = lrp.relevance(by_hand, x, 0, rules=lrp.zero())
    np.testing.assert_allclose(lrp.relevance(network, x, 0, rules=lrp.cp_lrp(0)), expected, atol=1e-10)


def _fixed(p, head):
    """Σ_t p_t v_t of one head's half of the features, as Flatten and one Dense would compute it."""
    W = np.zeros((T, D, D))
    for t in range(T):
        for d in range(head * D // 2, (head + 1) * D // 2):
            W[t, d, d] = p[t]
    return Network([Flatten(), Dense(W.reshape(T * D, D))])


def test_gates_are_found_by_what_they_leave():
    network = VARIANTS["RMSNorm and a gated MLP"]
    plan = lrp.LRP(network, lrp.cp_lrp()).plan()
    assert "block1.mlp.branches1.multiply   signal(b=1)" in plan  # the branch that left a SiLU gets nothing
    assert "block1.attention.context        signal(b=1, stabilizer=1e-06)" in plan
    assert lrp.LRP(network, lrp.attn_lrp()).plan().count("uniform(stabilizer=1e-06)") == 3


def test_the_gradient_form_refuses_what_it_cannot_say():
    network, x = Network([Dense(np.eye(2)), Sigmoid(), Dense(np.eye(2))]), np.ones((1, 2))
    with pytest.raises(TypeError, match=r"needs f\(0\) = 0, and layer sigmoid1 is Sigmoid"):
        lrp.relevance(network, x, rules=lrp.attn_lrp(), gradient_form=True)
    with pytest.raises(TypeError, match=r"gamma\(gamma=0.25\) of layer dense1 changes inputs or weights"):
        lrp.relevance(network[:1], x, rules=lrp.gamma(), gradient_form=True)
    with pytest.raises(ValueError, match='use start="score"'):
        lrp.relevance(network, x, start="one", gradient_form=True)
    with pytest.raises(TypeError, match="divides nothing"):
        lrp.LRP(network[:1], gradient_form=True).ledger(x)


def test_the_gradient_form_has_the_limit_where_an_activation_is_zero():
    network = Network([Dense(np.zeros((1, 1))), GELU(), Dense(np.ones((1, 1)))])
    g = lrp.LRP(network, lrp.zero(), gradient_form=True)
    assert g(np.ones((1, 1))).tolist() == [[0]]
    assert np.isfinite(g.layers(np.ones((1, 1)))[1]).all()


# --------------------------------------------------------------------------------------------------------- tokens

VOCABULARY = 7


def on_tokens(seed=0):
    E = weights(seed)(VOCABULARY, D)
    return Network([Embedding(E), Branches([[], [Constant(weights(1)(1, T, D))]], Add()), transformer(seed)])


IDS = np.array([[3, 1, 4, 1, 5], [0, 6, 2, 2, 3]])


def test_tokens_are_explained_by_what_their_embeddings_get():
    network = on_tokens()
    above, e = network[1:], network[0].forward(IDS)
    assert network(IDS).tobytes() == above(e).tobytes()
    assert network.predict(IDS).shape == (2,)
    for method in (gradient_times_input, integrated_gradients, lrp.relevance):  # shares: summed
        np.testing.assert_array_equal(method(network, IDS, 1), method(above, e, 1).sum(axis=2))
    np.testing.assert_array_equal(gradient(network, IDS, 1), np.linalg.norm(gradient(above, e, 1), axis=2))
    np.testing.assert_array_equal(saliency(network, x=IDS, target=1), gradient(network, IDS, 1))
    np.testing.assert_allclose(sensitivity(network, IDS, 1), gradient(network, IDS, 1) ** 2)
    assert smoothgrad(network, IDS, rng=0).shape == IDS.shape
    R = lrp.relevance(network, IDS, rules=lrp.cp_lrp(), all_layers=True)
    assert [r.shape for r in R[:2]] == [(2, T), (2, T, D)]
    assert len(R) == len(network) + 1
    for method in ("gradient", "lrp-epsilon", "integrated-gradients"):
        assert nnlite.explain(network, IDS, method).shape == (2, T)
        assert nnlite.explain(network, IDS, method, at="embedding1").shape == (2, T, D)
    assert lrp.ledger(network, IDS).error < 1e-9


def test_an_embedding_is_the_dense_of_one_hot_vectors():
    E = weights(0)(VOCABULARY, D)
    one_hot, rest = np.eye(VOCABULARY)[IDS], transformer()
    R = lrp.relevance(Network([Dense(E), rest]), one_hot, 1, rules=lrp.attn_lrp(0))
    tokens = lrp.relevance(Network([Embedding(E), rest]), IDS, 1, rules=lrp.attn_lrp(0))
    np.testing.assert_allclose(tokens, R.sum(axis=2), atol=1e-12)
    a, dz = np.array([[1, 1]]), weights(1)(1, 2, D)
    np.testing.assert_allclose(Embedding(E).gradients(a, dz)["E"], np.eye(VOCABULARY)[a][0].T @ dz[0], atol=1e-12)
    np.testing.assert_allclose(Embedding(E).backward(a, dz), Dense(E).backward(np.eye(VOCABULARY)[a], dz), atol=1e-12)


@pytest.mark.parametrize(("x", "message"), [
    (IDS.astype(float), r"takes integers \(N, T\), got \(2, 5\) float64"),
    (IDS + 4, "takes tokens from 0 to 6, got 4 to 10"),
    (IDS[0], r"Add the batch axis: x\[None\]"),
    (IDS[:, :3], r"layer branches1.add: Add\(\) takes branches of one shape"),
])  # fmt: skip
def test_tokens_that_do_not_fit_are_one_clear_error(x, message):
    for call in (lrp.relevance, gradient, lambda network, x: network(x)):
        with pytest.raises((ValueError, TypeError), match=message):
            call(on_tokens(), x)


# ---------------------------------------------------------------------------------------------- maps of attention


def probabilities(network, x):
    a = network.forward(x)
    return [a[l + 1] for l, name in enumerate(network.names) if name.endswith("probabilities")]


def test_attention_and_rollout_by_hand():
    network, x = VARIANTS["causal"], sequence(n=1)
    first, last = (P[0].mean(axis=0) for P in probabilities(network, x))
    np.testing.assert_allclose(attention(network, x)[0], last[-1])
    np.testing.assert_allclose(attention(network, x, layer="block1.attention.probabilities")[0], first[-1])
    np.testing.assert_allclose(
        attention_rollout(network, x)[0], ((last + np.eye(T)) / 2 @ ((first + np.eye(T)) / 2))[-1]
    )
    np.testing.assert_allclose(attention(network, x, position=1)[0], last[1])
    np.testing.assert_allclose(attention_rollout(VARIANTS["plain"], x).sum(), 1)


def test_chefer_with_gradients_by_hand():
    network, x = VARIANTS["plain"], sequence(n=1)
    names = [f"block{b}.attention.probabilities" for b in (1, 2)]
    R = np.eye(T)
    for name, P in zip(names, probabilities(network, x), strict=True):
        above = network.index(name) + 1
        slope = np.zeros_like(P)
        for place in np.ndindex(P.shape):  # ∂f / ∂P by differences, everything below held
            h = np.zeros_like(P)
            h[place] = 1e-6
            slope[place] = (_with(network, x, above, P + h) - _with(network, x, above, P - h)) / 2e-6
        R = R + np.maximum(slope * P, 0)[0].mean(axis=0) @ R
    np.testing.assert_allclose(chefer_gradient(network, x, 1)[0], R[-1], rtol=1e-5)


def _with(network, x, i, value):
    """The score of class 1 with activation i set to a value."""
    a = [x]
    for l, layer in enumerate(network):
        a.append(layer.forward(network.read(l, a)))
        if l + 1 == i:
            a[-1] = value
    return a[-1][0, 1]


def test_chefer_with_lrp_by_hand_on_one_head():
    """∂P = (4, −8), R_P = ½ P v = (1.5, −1) for query 0: their products are (6, 8)."""
    both = np.eye(2) + np.array([[6, 8], [0, 0]])
    np.testing.assert_allclose(chefer_lrp(ONE_HEAD, TOKENS, 0)[0], both[0])


def test_a_sum_in_chefers_rules_is_rescaled_by_totals_of_its_sample():
    """x_1 = (2, 1), x_2 = (−1, 3), R = (1, −4): the sign of the skip has flipped."""
    x, z = (np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]])), np.array([[1.0, 4.0]])
    given = CHEFER.add(Add(), x, z, np.array([[1.0, -4.0]]))
    np.testing.assert_allclose(given, [[[-1.2, 0.6]], [[-0.6, -1.8]]])


@each_variant
def test_maps_of_attention_are_in_the_registry_and_alone_as_in_a_batch(name):
    network, x = VARIANTS[name], sequence(n=3)
    for method in ("attention", "attention-rollout", "chefer-lrp", "chefer-gradient"):
        R = nnlite.explain(network, x, method, 1)
        assert R.shape == (3, T)
        assert np.isfinite(R).all()
        np.testing.assert_allclose(nnlite.explain(network, x[1:2], method, 1), R[1:2], atol=1e-12)
    assert METHODS["lrp-attn"].fits(network)
    assert not METHODS["attention"].fits(Network([Dense(np.eye(2))]))
    assert nnlite.explain(on_tokens(), IDS, "attention-rollout").shape == IDS.shape


def test_a_picture_that_no_convolution_cuts_has_a_map_of_its_tokens():
    network = Network([Reshape((T, D)), self_attention(), Take(0), Dense(np.ones((D, 2)))])
    x = sequence().reshape(2, 1, T, D)
    np.testing.assert_array_equal(nnlite.explain(network, x, "attention"), attention(network, x))
    assert attention(network, x).shape == (2, T)


def test_maps_of_attention_say_what_is_missing():
    with pytest.raises(ValueError, match="needs a layer with attention probabilities"):
        attention(Network([Dense(np.eye(2))]), np.ones((1, 2)))
    with pytest.raises(ValueError, match="position takes a token from 0 to 4, got 5"):
        attention_rollout(VARIANTS["plain"], sequence(), position=5)
    with pytest.raises(ValueError, match="layer takes one with attention probabilities, got 'take1'"):
        attention(VARIANTS["plain"], sequence(), layer="take1")


def test_deeplift_takes_products_and_refuses_a_softmax_with_the_reason():
    softmax = Network([self_attention(), Take(0), Dense(np.eye(D))])
    with pytest.raises(ValueError, match=r"layer attention1.probabilities, a Softmax.*: each of its outputs"):
        deeplift(softmax, sequence())
    with pytest.raises(ValueError, match=r"layer block1.norm1, a LayerNorm.*: each of its outputs"):
        deeplift(VARIANTS["plain"], sequence())
    w = weights(3)
    products = Network([Branches([[Dense(w(D, 6)), SplitHeads(2)], [Dense(w(D, 6)), SplitHeads(2)]],
                                 MatMul(transposed=True)), Flatten(), Dense(w(2 * T * T, 2))])  # fmt: skip
    x = sequence()
    R = deeplift(products, x, 1, reference=0.5)
    np.testing.assert_allclose(total(R), (products(x) - products(np.full_like(x, 0.5)))[:, 1], atol=1e-12)
