"""The tour's report: one self-contained page. The pictures are coloured arrays, embedded; nothing is fetched."""

import html
from collections.abc import Sequence

import numpy as np

from .. import pictures
from ..decision_based.masking import Confusion
from ..decision_based.registry import MEANINGS, METHODS
from .digits import Blocks, Digit, Explanation, Filters, Why
from .page import PIXELS, document, encoded, enlarged, figure, grey, typeset


def page(
    digits: Sequence[Digit],
    by_cam: Sequence[Digit],
    questions: Sequence[Why],
    case: Confusion | None = None,
    grids: Sequence[Filters] = (),
    blocks: Blocks | None = None,
) -> str:
    """The whole page as HTML: `digits` by every method, `by_cam` by the network that has class activation maps."""
    body = _BODY.format(
        legend=_png(np.linspace(-1, 1, 224)[None].repeat(16, axis=0), 224),
        why="".join(map(_why, questions)),
        case="" if case is None else _confusion(case),
        filters="".join(map(_filters, grids)),
        blocks="" if blocks is None else _blocks(blocks),
        methods="".join(map(_methods, MEANINGS)),
        by_cam="".join(map(_beside, by_cam)),
        digits="".join(map(_digit, digits)),
    )
    return document("nnlite tour: twenty digits explained", body)


def _methods(meaning: str) -> str:
    rows = "".join(
        f"<tr><td><code>{m.name}</code></td><td>{typeset(m.formula)}</td></tr>"
        for m in METHODS.values()
        if m.meaning == meaning
    )
    return f"<tr><th colspan=2>{meaning}: its map is {typeset(MEANINGS[meaning])}</th></tr>{rows}"


def _filters(f: Filters) -> str:
    width = 8 * PIXELS
    return (
        f"<p>Layer <code>{f.layer}</code>{'' if f.position is None else ', only its strongest place'}:</p>"
        f'<img class=grid src="{_png(f.grid, width)}" alt="all filters of {f.layer}" width={width}>'
    )


def _blocks(b: Blocks) -> str:
    figures = "".join(
        figure(_png(part, PIXELS, b.x), f"factor {i + 1}", f"factor {i + 1}<br>{share:+.2f}")
        for i, (part, share) in enumerate(zip(b.maps, b.shares, strict=True))
    )
    return (
        f"<h2>Building blocks</h2><p>The 16 feature maps of <code>{b.layer}</code> on twenty-one 4s, taken apart into "
        f"{len(b.maps)} non-negative factors: patterns that occur together. Each picture shows where in the open 4 a "
        f"factor is active, and its number is its share by gradient × activation in the score of {b.score:.2f}.</p>"
        f"<div class=row>{figures}</div>"
    )


def _confusion(case: Confusion) -> str:
    """The slides' "Label 1; predicted 6"."""
    before, after = case.masked.score_before[0], case.masked.score[0]
    digit, left = case.masked.whole[0, 0], case.masked.x[0, 0]
    figures = [
        figure(grey(digit), "the digit", f"label {case.label}, predicted {case.label}", "large"),
        figure(
            _png(pictures.plane(case.R[0]), PIXELS, digit),
            "its relevance",
            f"why {case.label}? score {before:.2f}",
            "large",
        ),
        figure(grey(left), "pixels erased", f"label {case.label}; predicted {case.becomes}", "large"),
        figure(
            _png(pictures.plane(case.R_after[0]), PIXELS, left),
            "why now",
            f"why {case.becomes}? {case.label} is at {after:.2f}",
            "large",
        ),
    ]
    return (
        f"<h2>Label {case.label}; predicted {case.becomes}</h2>"
        f"<p>Is the map right? Erase the {case.pixels} most relevant pixels and ask the network again. "
        f"<code>strokes:{case.number}</code> was found by a search: a {case.label} that the network gets right, and "
        f"takes for a {case.becomes} afterwards. The last map shows what speaks for {case.becomes} in what is left.</p>"
        f"<div class=row>{''.join(figures)}</div>"
    )


def _why(q: Why) -> str:
    c, r = q.predicted, q.rival
    digit = q.x[0, 0]
    limit = float(max(np.abs(q.R_predicted).max(), np.abs(q.R_rival).max())) or None
    figures = [figure(grey(digit), f"the digit {q.name}", f"what the network saw: <code>{q.name}</code>", "large")]
    for R, scale, caption in (
        (q.R_predicted, limit, f"Why {c}?<br>score {q.scores[c]:.2f}"),
        (q.R_rival, limit, f"Why {r}?<br>score {q.scores[r]:.2f}"),
        (q.R_predicted - q.R_rival, None, f"Why {c} and not {r}?<br>{q.scores[c] - q.scores[r]:.2f} ahead"),
    ):
        figures.append(
            figure(_png(pictures.plane(R), PIXELS, digit, scale), caption.replace("<br>", " "), caption, "large")
        )
    return f"<div class=row>{''.join(figures)}</div>"


def _beside(digit: Digit) -> str:
    """A digit and its maps, without more words."""
    figures = "".join(_explained(digit, e) for e in digit.explanations)
    return figure(grey(digit.x[0, 0]), "the digit", f"a {digit.predicted}") + figures


def _digit(digit: Digit) -> str:
    image = digit.x[0, 0]
    right = "" if digit.predicted == digit.label else f" <b>It is labelled {digit.label}.</b>"
    others = ", ".join(f"{k}: {digit.scores[k]:.2f}" for k in np.argsort(-digit.scores)[1:4])
    figures = "".join(_explained(digit, e) for e in digit.explanations)
    return (
        f"<section><h3>{digit.source}:{digit.number} is a {digit.predicted} to <code>{digit.model}</code></h3>"
        f"<p>Score {digit.scores[digit.predicted]:.4f}; then {others}.{right}</p>"
        f"<div class=row>{figure(grey(image), 'the digit', 'the digit')}{figures}</div>{_books(digit)}</section>"
    )


def _explained(digit: Digit, e: Explanation) -> str:
    picture = _png(pictures.plane(e.R), PIXELS, digit.x[0, 0])
    alt = f"{e.method.name} of {digit.source}:{digit.number}, {e.sum}"
    note = f"<br>{html.escape(e.note)}" if e.note else ""
    return figure(picture, alt, f"<code>{e.method.name}</code><br>{e.sum}{note}")


def _books(digit: Digit) -> str:
    """The balance of every LRP method: score = pixels + bias + ε + dropped."""
    rows = []
    for e in digit.explanations:
        if e.ledger is not None:
            parts = (e.ledger.total(column)[0] for column in ("bias", "stabilizer", "dropped"))
            numbers = (digit.scores[digit.predicted], e.ledger.entries[0].below[0], *parts)
            cells = "".join(f"<td>{round(number, 4) + 0.0:.4f}</td>" for number in numbers)  # no −0.0000
            rows.append(f"<tr><td><code>{e.method.name}</code></td>{cells}<td>{e.ledger.error:.0e}</td></tr>")
    return (
        "<details><summary>The books: score = pixels + bias + ε + dropped</summary><div class=scroll><table>"
        "<tr><th>method<th>score<th>pixels<th>bias<th>ε<th>dropped<th>closes to</tr>" + "".join(rows)
        + "</table></div></details>"
    )  # fmt: skip


def _png(R: np.ndarray, width: int, digit: np.ndarray | None = None, limit: float | None = None) -> str:
    """A map as an embedded picture, with the outline of the digit drawn over it."""
    pixels = enlarged(pictures.colours(R, limit), width)
    if digit is not None:
        ink = enlarged(digit > 0.5, width)
        edge = np.zeros_like(ink)
        edge[1:] |= ink[1:] != ink[:-1]
        edge[:, 1:] |= ink[:, 1:] != ink[:, :-1]
        pixels[edge] = (pixels[edge] * 0.55).astype(np.uint8)
    return encoded(pixels)


_BODY = """<h1>Twenty digits, explained</h1>
<p>Ten digits drawn by nnlite's stroke generator and ten real handwritten ones (UCI), none of them seen in training.
Three networks that come with nnlite decide; every method of nnlite says why.</p>
<div class=legend-row><span>lowers the score</span><img class=legend src="{legend}" alt="colour scale"
width=224 height=16><span>raises the score</span></div>
<p>White is zero. The thin outline is the digit. Each map has its own scale, from its largest |R| down to its negative;
only the first two maps of a row of "Why?" share one. Not every map divides the score: below each one stands its sum and
what that is held against, or in a word how it is to be read. The table of the methods explains the words.</p>
<h2>Why is a 4 a 4, and not a 9?</h2>
<p>Each row is a held-out digit and three maps: the score of its class divided among the pixels, that of its nearest
rival, and the difference of the two, which tells the classes apart.</p>
{why}
<p>An open 4 has two arms and nothing between them: there the difference is red, on the ink and on the empty paper
beside it. Where the top is closed, the closing stroke is blue: it speaks for a 9. (LRP as in Montavon et al. 2019:
z<sup>B</sup> on the pixels, so that black paper counts too, then γ, ε and 0.)</p>
{case}
<h2>What every filter sees</h2>
<p>DeConvNet on the open 4: each picture goes back from one feature map of <code>lenet</code> alone, and shows what in
the digit has lit it. Each is scaled to its own strongest pixel.</p>
{filters}
{blocks}
<h2>The methods</h2>
<p>f<sub>c</sub>: the score of the explained class c, here the predicted one. a<sub>j</sub>: activations below a layer,
z<sub>k</sub>: above it, w<sub>jk</sub>: weights, R: relevance, Σ: the sum of the numerators (and the bias).
p⁺ = max(p, 0), p⁻ = min(p, 0), p<sub>jk</sub> = a<sub>j</sub> w<sub>jk</sub>; Σ⁺ and Σ⁻ sum the positive and the
negative ones. A<sub>k</sub>: the feature maps of a late layer, α<sub>kc</sub> and w<sub>kc</sub>: their weights for c.
x′: the reference, black. x̃: a root of f<sub>c</sub>. m: a multiplier. η: noise. Everything in float32.</p>
<div class=scroll><table>{methods}</table></div>
<h2>The digits</h2>
<p>The books under each digit say for every LRP map what reached the pixels and where the rest of the score went. On
<code>tiny</code>, which has no convolutions, several composites are the same rule, and a flat rule on its dense first
layer spreads evenly.</p>
{digits}
<section><h3>The stroke digits by <code>cam_net</code></h3>
<p>Class activation maps need a network that ends in the mean of its feature maps and one dense layer. There Grad-CAM is
CAM without what is negative. On <code>lenet</code>, where dense layers weigh every place of a feature map by itself,
the spatial mean of the gradient that Grad-CAM takes forgets the place, and its maps above say little.</p>
<div class=row>{by_cam}</div></section>
"""
