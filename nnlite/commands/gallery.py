"""What has the network learned of each digit? The general form, from three starts; with an expert; through a generator.
The table is printed; gallery.html is one page that holds the pictures, each with its start, with how sure the network
of the search is, and with what a second network says that had no part in it.

example:
  nnlite gallery --out gallery
"""

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import storage
from ..templates import filled, text
from . import checks
from .options import declare
from .page import PIXELS, document, grey, typeset
from .prototypes import JUDGES, SEARCHED, FormResult, rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    declare(parser, "--no-compile")
    declare(parser, "--out", default=Path("nnlite-gallery"), help="the folder for gallery.html")


def run(options: argparse.Namespace) -> None:
    """Search, print the table, write the page."""
    written = checks.folder(options.out, "gallery.html")
    print(f"{'form':<27} {'smallest p':>10}  {'the judges agree, of 10':<44} {'seconds':>7}")
    found, started = [], time.perf_counter()
    for row in rows(options.compile):
        found.append(row)
        agree = "  ".join(f"{judge}: {row.agreeing(judge)}" for judge in JUDGES)
        seconds, started = time.perf_counter() - started, time.perf_counter()
        print(f"{row.form.name:<27} {row.found.probability.min():>10.4f}  {agree:<44} {seconds:>7.1f}", flush=True)
    storage.write_bytes(written, page(found).encode())
    print(f"Open {written} in a browser.")


def page(found: Sequence[FormResult]) -> str:
    """The whole page as HTML."""
    summary = "".join(
        f"<tr><td><a href='#{_anchor(row)}'>{row.form.name}</a></td><td>{row.found.probability.min():.4f}</td>"
        + "".join(f"<td>{row.agreeing(judge)}</td>" for judge in JUDGES)
        + "</tr>"
        for row in found
    )
    judges = "".join(f"<th>{judge}</th>" for judge in JUDGES)
    body = filled(
        __package__,
        "pages/gallery.html",
        searched=SEARCHED,
        judge=JUDGES[0],
        judges=judges,
        summary=summary,
        forms="".join(map(_section, found)),
    )
    return document(
        "nnlite gallery: ten digits, every form of activation maximization",
        body,
        text(__package__, "pages/gallery.css"),
    )


def _anchor(row: FormResult) -> str:
    return re.sub(r"\W+", "-", row.form.name)


def _section(row: FormResult) -> str:
    figures = "".join(_pair(row, n) for n in range(len(row.found.classes)))
    return (
        f"<section id='{_anchor(row)}'><h2>{row.form.name}</h2><p>{typeset(row.form.formula)}<br>"
        f"{row.form.lesson}</p><div class=row>{figures}</div></section>"
    )


def _pair(row: FormResult, n: int) -> str:
    """The start, small, and the result of one class."""
    found, c, verdict = row.found, row.found.classes[n], row.verdicts[JUDGES[0]][n]
    says = f"{JUDGES[0]}: {verdict}" if verdict.predicted == c else f"<b>{JUDGES[0]}: {verdict}</b>"
    before = _picture(found.start[n, 0], f"{row.form.name}, {c}: the start", PIXELS // 2, "start")
    after = _picture(found.x[n, 0], f"{row.form.name}, {c}: the result", PIXELS, "result")
    return (
        f"<figure class=pair><div>{before}{after}</div><figcaption><b>{c}</b>&ensp;"
        f"p {found.start_probability[n]:.3f} → {found.probability[n]:.3f}<br>{says}"
        "</figcaption></figure>"
    )


def _picture(image: np.ndarray, alt: str, width: int, kind: str) -> str:
    return f'<img class={kind} src="{grey(image)}" alt="{alt}" width={width} height={width}>'
