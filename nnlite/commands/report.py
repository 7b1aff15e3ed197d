"""The tour's report: one self-contained page. The pictures are coloured arrays, embedded; nothing is fetched."""

import html
from collections.abc import Sequence

import numpy as np

from .. import pictures
from ..decision_based.masking import Confusion
from ..decision_based.registry import MEANINGS, METHODS
from ..templates import filled
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
    body = filled(
        __package__,
        "pages/tour.html",
        legend=_png(np.linspace(-1, 1, 224)[None].repeat(16, axis=0), 224),
        why="".join(map(_why, questions)),
        case="" if case is None else _confusion(case),
        filters="".join(map(_filters, grids)),
        blocks="" if blocks is None else _blocks(blocks),
        methods="".join(_methods(meaning, [*digits, *by_cam]) for meaning in MEANINGS),
        by_cam="".join(map(_beside, by_cam)),
        digits="".join(map(_digit, digits)),
    )
    return document("nnlite tour: twenty digits explained", body)


def _part(name: str, /, **parts: object) -> str:
    """A part of the page, from its template."""
    return filled(__package__, f"pages/tour_{name}.html", **parts).rstrip("\n")


def _methods(meaning: str, digits: Sequence[Digit]) -> str:
    shown = {e.method.name for digit in digits for e in digit.explanations}
    rows = "".join(
        f"<tr><td><code>{m.name}</code></td><td>{typeset(m.formula)}</td></tr>"
        for m in METHODS.values()
        if m.meaning == meaning and m.name in shown
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
    return _part("blocks", layer=b.layer, count=len(b.maps), score=f"{b.score:.2f}", figures=figures)


def _confusion(case: Confusion) -> str:
    """The slides' "Label 1; predicted 6"."""
    before, after = case.masked.score_before[0], case.masked.score[0]
    digit, left = case.masked.whole[0, 0], case.masked.x[0, 0]
    shown = (
        (grey(digit), "the digit", f"label {case.label}, predicted {case.label}"),
        (_map(case.R[0], digit), "its relevance", f"why {case.label}? score {before:.2f}"),
        (grey(left), "pixels erased", f"label {case.label}; predicted {case.becomes}"),
        (_map(case.R_after[0], left), "why now", f"why {case.becomes}? {case.label} is at {after:.2f}"),
    )
    figures = "".join(figure(*one, "large") for one in shown)
    facts = {name: getattr(case, name) for name in ("label", "becomes", "pixels", "number")}
    return _part("confusion", **facts, figures=figures)


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
        figures.append(figure(_map(R, digit, scale), caption.replace("<br>", " "), caption, "large"))
    return f"<div class=row>{''.join(figures)}</div>"


def _beside(digit: Digit) -> str:
    """A digit and its maps, without more words."""
    figures = "".join(_explained(digit, e) for e in digit.explanations)
    return figure(grey(digit.x[0, 0]), "the digit", f"a {digit.predicted}") + figures


def _digit(digit: Digit) -> str:
    image = digit.x[0, 0]
    right = "" if digit.predicted == digit.label else f" <b>It is labelled {digit.label}.</b>"
    others = ", ".join(f"{k}: {digit.scores[k]:.2f}" for k in np.argsort(-digit.scores)[1:4])
    return _part(
        "digit",
        name=f"{digit.source}:{digit.number}",
        predicted=digit.predicted,
        model=digit.model,
        score=f"{digit.scores[digit.predicted]:.4f}",
        others=others,
        right=right,
        figures=figure(grey(image), "the digit", "the digit")
        + "".join(_explained(digit, e) for e in digit.explanations),
        books=_books(digit),
    )


def _explained(digit: Digit, e: Explanation) -> str:
    picture = _map(e.R, digit.x[0, 0])
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
    return _part("books", rows="".join(rows))


def _map(R: np.ndarray, digit: np.ndarray, limit: float | None = None) -> str:
    return _png(pictures.plane(R), PIXELS, digit, limit)


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
