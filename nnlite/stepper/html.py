"""A trace as one page: what it needs lies inside, and every number that it shows it computes again."""

import base64
import html
import json
from typing import Any

import numpy as np

from .. import pictures
from ..templates import filled, text
from .sources import Source
from .terminal import check_comparable, choices
from .trace import Frame, Trace

SCRIPTS = ("evaluate.js", "formula.js", "cells.js", "place.js", "arrays.js", "page.js")
"""The page's program, in the order in which it is read."""


def page(
    trace: Trace,
    other: Trace | None = None,
    *,
    title: str = "",
    layer: str | None = None,
    j: int | None = None,
    k: int | None = None,
) -> str:
    """The page, as HTML: nothing is fetched from outside.

    trace: what is stepped through.
    other: another method on the same input, to change over to and to compare with.
    title: the network and the input in words, such as "tiny on uci:17".
    layer, j, k: where the page opens; by default on the path of the strongest signal, at the top.

    Raises ValueError: the traces differ in input or target; there is no such layer or element.
    """
    pool = _Pool()
    traces = [trace] if other is None else [trace, other]
    check_comparable(trace, traces[-1])
    described = [_trace(one, pool) for one in traces]
    opens = choices(trace, j, k, layer)
    first = layer if layer is not None else next(iter(opens), "")
    start = {"l": trace.layers.index(first) if first else 0, "s": 0, "j": 0, "k": 0, "m": 0}
    if first:
        start |= opens[first]._asdict()
    data = {
        "title": str(title),
        "explained": trace.explained,
        "score": trace.score,
        "predicted": trace.predicted,
        "x": {"id": pool.array(trace.x[0]), "shape": trace.x.shape[1:]},
        "colours": pictures.COLOURS,
        "traces": described,
        "start": start,
        "sources": pool.sources,
        "pool": pool.arrays,
    }
    heading = " against ".join(one.method for one in traces)
    return filled(
        __package__,
        "page.html",
        title=html.escape(f"{heading}, step by step" + (f": {title}" if title else "")),
        style=text(__package__, "page.css"),
        script="\n".join(text(__package__, name) for name in SCRIPTS),
        data=_json(data),
    )


def _json(data: Any) -> str:
    """JSON for inside a page: without a <, no name can end the script that holds it, nor begin a comment in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


class _Pool:
    """Arrays and pieces of code, each kept once."""

    def __init__(self) -> None:
        self.arrays: list[tuple[str, str]] = []
        self.sources: list[dict[str, Any]] = []
        self._known: dict[Any, int] = {}

    def array(self, values: np.ndarray) -> int:
        """The number of an array: base64 of its little-endian float64, or float32 where that loses nothing."""
        with np.errstate(over="ignore"):
            single = values.astype("<f4")
        exact = bool((single == values).all())
        content = (single if exact else values.astype("<f8")).tobytes()
        key = ("f4" if exact else "f8", content)
        if key not in self._known:
            self._known[key] = len(self.arrays)
            self.arrays.append((key[0], base64.b64encode(content).decode()))
        return self._known[key]

    def source(self, code: Source) -> int:
        """The number of a piece of code."""
        if code not in self._known:
            self._known[code] = len(self.sources)
            self.sources.append(code._asdict())
        return self._known[code]


def _trace(trace: Trace, pool: _Pool) -> dict[str, Any]:
    return {
        "method": trace.method,
        "formula": trace.formula,
        "R": {"id": pool.array(trace.R[0]), "shape": trace.R.shape[1:]},
        "frames": [_frame(frame, pool) for frame in trace.frames],
    }


def _frame(frame: Frame, pool: _Pool) -> dict[str, Any]:
    return vars(frame) | {
        "geometry": vars(frame.geometry),
        "books": None if frame.books is None else frame.books._asdict(),
        "branches": [each._asdict() for each in frame.branches],
        "arrays": {name: pool.array(np.asarray(values)) for name, values in frame.arrays.items()},
        "steps": [
            vars(step) | {"name": step.name, "sources": [pool.source(code) for code in step.sources]}
            for step in frame.steps
        ],
    }
