"""Evidential networks: the Dirichlet, its loss against PyTorch, SciPy, integration and differences, its training."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nnlite import Network, datasets, models, storage
from nnlite.layers import Dense, Identity, Softmax
from nnlite.training import AdamW, ConstantRate, fit
from nnlite.uncertainty import Evidence, EvidentialLoss, evidence, evidential_loss

GOLDEN = Path(__file__).parent / "golden" / "evidential" / "loss.npz"

# ---------------------------------------------------------------------------------------------------- the loss


def test_the_loss_is_what_pytorch_computes() -> None:
    """The gradient to 1e-9 only: PyTorch's trigamma is off by up to 7e-10 (SciPy's is not)."""
    header, arrays = storage.read(GOLDEN, "golden")
    assert len(header["cases"]) == 27
    for i, case in enumerate(header["cases"]):
        scores, labels, gradient = (arrays[f"{i}/{name}"] for name in ("scores", "labels", "gradient"))
        loss, dscores = evidential_loss(scores, labels, case["weight"])
        assert loss == pytest.approx(case["loss"], rel=1e-12)
        assert np.abs(dscores - gradient).max() <= 1e-9


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 4),
    k=st.integers(1, 6),
    scale=st.sampled_from([0.3, 3.0, 30.0]),
    weight=st.sampled_from([0.0, 0.4, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_gradient_is_the_derivative(seed: int, n: int, k: int, scale: float, weight: float) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = scale * rng.standard_normal((n, k)), rng.integers(0, k, n)
    scores[abs(scores) < 1e-3] = 0.5  # away from the kink
    _, dscores = evidential_loss(scores, labels, weight)
    h = 1e-5
    for index in np.ndindex(n, k):
        step = np.zeros((n, k))
        step[index] = h
        up, down = (evidential_loss(scores + sign * step, labels, weight)[0] for sign in (1, -1))
        assert dscores[index] == pytest.approx((up - down) / (2 * h), abs=1e-7)


BERNOULLI = [Fraction(*b) for b in ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510))]


def gammas(x: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """log Γ(x) − log(2π) / 2, ψ(x) and ψ'(x) to twenty digits behind the point: Stirling's series from x = 30."""
    product, psi, dpsi = Decimal(1), Decimal(0), Decimal(0)
    while x < 30:
        product, psi, dpsi, x = product * x, psi - 1 / x, dpsi + 1 / (x * x), x + 1
    log_gamma = (x - Decimal("0.5")) * x.ln() - x - product.ln()
    psi, dpsi = psi + x.ln() - 1 / (2 * x), dpsi + 1 / x + 1 / (2 * x * x)
    for k, b in enumerate(BERNOULLI, start=1):
        B = Decimal(b.numerator) / b.denominator
        log_gamma += B / (2 * k * (2 * k - 1) * x ** (2 * k - 1))
        psi -= B / (2 * k * x ** (2 * k))
        dpsi += B / x ** (2 * k + 1)
    return log_gamma, psi, dpsi


def exactly(scores: np.ndarray, label: int) -> tuple[float, list[float]]:
    """The loss of one sample and its gradient as the paper writes them, in 350 digits."""
    with localcontext() as context:
        context.prec = 350
        K, constant = len(scores), -gammas(Decimal(1))[0]
        y = [Decimal(int(k == label)) for k in range(K)]
        a = [max(Decimal(0), Decimal(float(f))) + 1 for f in scores]
        S = sum(a)
        p = [a_k / S for a_k in a]
        error = sum((y_k - q) ** 2 + q * (1 - q) / (S + 1) for y_k, q in zip(y, p, strict=True))
        dp = [-2 * (y_k - q) + (1 - 2 * q) / (S + 1) for y_k, q in zip(y, p, strict=True)]
        mean = sum(d * q for d, q in zip(dp, p, strict=True))
        derror = [(d - mean) / S - sum(q * (1 - q) for q in p) / (S + 1) ** 2 for d in dp]
        wrong = [Decimal(1) if k == label else a_k for k, a_k in enumerate(a)]
        S = sum(wrong)
        log_gamma, psi, dpsi = zip(*map(gammas, wrong), strict=True)
        of_S, of_K = gammas(S), gammas(Decimal(K))
        # as often with + log(2π) / 2 as with −, but for the K classes
        divergence = of_S[0] - of_K[0] - sum(log_gamma) - K * constant
        divergence += sum((w - 1) * (psi_k - of_S[1]) for w, psi_k in zip(wrong, psi, strict=True))
        d = [(w - 1) * dpsi_k - (S - K) * of_S[2] for w, dpsi_k in zip(wrong, dpsi, strict=True)]
        gradient = [g + (1 - y_k) * h if f > 0 else 0 for g, y_k, h, f in zip(derror, y, d, scores, strict=True)]
        return float(error + divergence), [float(g) for g in gradient]


@given(
    exponents=st.lists(st.floats(-3, 300) | st.floats(-3, 20), min_size=2, max_size=6),
    equal=st.booleans(),
    label=st.integers(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_evidence_of_any_size_has_its_loss_and_its_gradient(exponents: list[float], equal: bool, label: int) -> None:
    """The terms of the divergence grow as α log α, the divergence as log α: in 16 digits it was lost from α = 1e14."""
    scores = 10.0 ** np.array([exponents[0]] * len(exponents) if equal else exponents)
    loss, dscores = evidential_loss(scores[None], np.array([label]))
    expected, gradient = exactly(scores, label)
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-12)
    for k, (found, right) in enumerate(zip(dscores[0], gradient, strict=True)):
        # beside the divergence's, the error's own gradient is a difference of numbers of the size 1 / S
        assert found == pytest.approx(right, rel=1e-9, abs=1e-14 / (1 + scores.sum())), k


def test_the_loss_where_two_wrong_classes_have_all_evidence() -> None:
    assert evidential_loss(np.array([[0.0, 1e16, 1e16]]), np.array([0]))[0] == pytest.approx(55.38282446949, abs=1e-9)
    right = np.array([[1e16, 0.0, 0.0]])
    assert evidential_loss(right, np.array([0]))[0] == pytest.approx(0, abs=1e-15)


def test_the_error_is_the_mean_over_the_dirichlet() -> None:
    """E ‖y − p‖² for p ~ Dir(α), here over 400,000 draws of p."""
    scores, label = np.array([[2.5, 0.7, -1.0]]), np.array([1])
    p = np.random.default_rng(0).dirichlet(np.maximum(0, scores[0]) + 1, 400_000)
    squared = ((np.eye(3)[1] - p) ** 2).sum(axis=1)
    assert evidential_loss(scores, label, 0)[0] == pytest.approx(squared.mean(), abs=5 * squared.std() / 400_000**0.5)


@pytest.mark.parametrize("wrong", [0.01, 0.8, 7.0, 60.0])
def test_the_divergence_is_the_integral(wrong: float) -> None:
    """Two classes: Dir(1, α) is Beta(1, α), and KL(Beta ‖ uniform) = ∫ q log q. Right evidence is free."""
    beta = stats.beta(1, wrong + 1)
    integral, _ = integrate.quad(lambda p: beta.pdf(p) * beta.logpdf(p), 0, 1, epsabs=1e-12, limit=200)
    for right in (0.0, 3.0, 100.0):
        scores, label = np.array([[right, wrong]]), np.array([0])
        divergence = evidential_loss(scores, label, 1)[0] - evidential_loss(scores, label, 0)[0]
        assert divergence == pytest.approx(integral, abs=1e-9)


def test_the_divergence_is_minus_the_entropy_of_scipys_dirichlet_plus_that_of_the_uniform() -> None:
    scores, label = np.array([[4.0, 0.2, 9.0, 1.3]]), np.array([2])
    divergence = evidential_loss(scores, label, 1)[0] - evidential_loss(scores, label, 0)[0]
    removed = np.array([5.0, 1.2, 1.0, 2.3])
    assert divergence == pytest.approx(stats.dirichlet(np.ones(4)).entropy() - stats.dirichlet(removed).entropy())


def test_no_evidence_is_no_gradient() -> None:
    """At and below 0 a score gets none, as for every ReLU: a class that is there for all samples no longer learns."""
    _, dscores = evidential_loss(np.array([[0.0, -3.0, 2.0]]), np.array([0]))
    assert dscores[0, :2].tolist() == [0, 0]
    assert dscores[0, 2] > 0


def test_the_loss_anneals() -> None:
    scores, labels = np.array([[1.0, 4.0], [0.5, 0.1]]), np.array([0, 1])
    loss = EvidentialLoss(4)
    for epoch, weight in ((0, 0), (1, 0.25), (3, 0.75), (4, 1), (9, 1)):
        assert loss.at(epoch)(scores, labels)[0] == evidential_loss(scores, labels, weight)[0]
    assert loss(scores, labels)[0] == loss.at(4)(scores, labels)[0]
    assert EvidentialLoss() == EvidentialLoss(10)
    assert repr(loss) == "EvidentialLoss(annealing=4)"  # a checkpoint knows the loss by it


def test_the_loss_keeps_the_dtype_and_huge_scores_are_finite() -> None:
    scores = np.array([[1e6, 0.0, 1e6], [0.0, 0.0, 0.0]], np.float32)
    loss, dscores = evidential_loss(scores, np.array([0, 1]))
    assert type(loss) is float
    assert np.isfinite(loss)
    assert dscores.dtype == np.float32
    assert np.isfinite(dscores).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evidential_loss(np.zeros(3), np.zeros(3, int)), r"scores takes .*\(N, K\).*got \(3,\) float64"),
        (lambda: evidential_loss(np.zeros((2, 3)), np.array([0, 3])), r"classes from 0 to 2.*labels\[1\] is 3"),
        (lambda: evidential_loss(np.zeros((2, 3)), np.array([0.0, 1.0])), "one integer for each of the 2 samples"),
        (lambda: evidential_loss(np.zeros((1, 3)), np.array([0]), -0.1), "weight must be at least 0, got -0.1"),
        (lambda: evidential_loss(np.zeros((1, 3)), np.array([0]), np.nan), "weight must be a finite number"),
        (lambda: EvidentialLoss(0), "annealing takes epochs, a number above 0, got 0"),
        (lambda: EvidentialLoss("ten"), "annealing must be a finite number, got 'ten'"),  # type: ignore[arg-type]
        (lambda: Evidence(np.zeros((2, 3))), r"alpha takes .* numbers from 1, got \(2, 3\) float64"),
        (lambda: Evidence(np.full((2, 3), np.nan)), "numbers from 1"),
        (lambda: Evidence([[1.0, 1.0]]), "got list"),  # type: ignore[arg-type]
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# -------------------------------------------------------------------------------------------------- the Dirichlet


def test_what_follows_from_alpha() -> None:
    alpha = 1 + np.random.default_rng(0).exponential(3, (20, 5))
    found = Evidence(alpha)
    for n in range(20):
        dirichlet = stats.dirichlet(alpha[n])
        assert found.probabilities[n] == pytest.approx(dirichlet.mean())
        assert found.uncertainty[n] == pytest.approx(5 / sum(alpha[n]))
        assert found.belief[n].sum() + found.uncertainty[n] == pytest.approx(1)
        assert found.belief[n] == pytest.approx([(a - 1) / sum(alpha[n]) for a in alpha[n]])


def test_evidence_of_a_network() -> None:
    x = np.array([[3.0, -1.0], [-1.0, -2.0]], np.float32)
    network = Network([Identity(), Softmax()])  # the softmax is left out
    found = evidence(network, x)
    assert found.alpha.tolist() == [[4, 1], [1, 1]]
    assert found.uncertainty.tolist() == pytest.approx([0.4, 1])
    assert found.probabilities.dtype == found.belief.dtype == found.uncertainty.dtype == np.float32
    with pytest.raises(ValueError, match="one sample or more"):
        evidence(network, x[:0])
    with pytest.raises(ValueError, match="must be finite"):
        evidence(network, np.array([[np.nan, 0]], np.float32))


# ---------------------------------------------------------------------------------------------------- its training


def test_a_network_trained_with_it_knows_what_it_has_not_seen() -> None:
    """Two clouds on a line: evidence beside them, none between; the annealed loss runs in `fit`."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    x = np.stack([rng.normal(8 * labels - 4, 0.5), np.ones(400)], axis=1)
    start = Network([Dense(np.array([[-0.1, 0.1], [1.0, 1.0]]))])
    trained = fit(start, x, labels, epochs=20, optimizer=AdamW(weight_decay=0.0), schedule=ConstantRate(0.05),
                  loss=EvidentialLoss(5), progress=False)  # fmt: skip
    assert trained.history[-1].accuracy == 1
    assert trained.history[-1].loss < trained.history[0].loss
    u = evidence(trained.network, np.array([[-4.0, 1.0], [0.0, 1.0], [4.0, 1.0]])).uncertainty
    assert u[1] > 1.2 * max(u[0], u[2])


def test_the_shipped_network_says_where_it_does_not_know() -> None:
    """Of 10,000 held-out digits it has evidence for 92 %, and is right on 98 % of these."""
    x, labels = datasets.strokes(1000, seed=models.HELD_OUT_SEED)
    found = evidence(models.load("lenet_evidential"), x)
    right, known = found.probabilities.argmax(axis=1) == labels, found.uncertainty < 1
    assert 0.88 < known.mean() < 0.96
    assert right[known].mean() > 0.965
    assert found.uncertainty[known & ~right].mean() > 2 * found.uncertainty[known & right].mean()
    noise = np.random.default_rng(0).random((200, 1, 28, 28), np.float32)
    assert evidence(models.load("lenet_evidential"), noise).uncertainty.mean() > 2 * found.uncertainty.mean()


def test_evidence_without_end_is_none() -> None:
    with pytest.raises(ValueError, match="finite numbers from 1"):
        Evidence(np.full((1, 2), np.inf))
