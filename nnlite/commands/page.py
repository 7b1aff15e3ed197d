"""What the pages share: one self-contained file of HTML. The pictures are arrays, embedded; nothing is fetched."""

import base64
import html
import io
import re

import numpy as np

PIXELS = 112  # the size of a picture on the page, before the browser scales it


def document(title: str, body: str, style: str = "") -> str:
    """The whole page, light or dark as the reader has it; `style` comes after what all pages share."""
    return _DOCUMENT.format(title=html.escape(title), style=_STYLE + style, body=body)


def typeset(formula: str) -> str:
    """w_jk with its indices below, z^B with its letter above."""
    raised = re.sub(r"\^(\w)", r"<sup>\1</sup>", html.escape(formula))
    return re.sub(r"_([a-z]+)", r"<sub>\1</sub>", raised)


def figure(picture: str, alt: str, caption: str, kind: str = "") -> str:
    """A picture with words below it."""
    return (
        f'<figure class="{kind}"><img src="{picture}" alt="{html.escape(alt)}" width={PIXELS} height={PIXELS}>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def grey(image: np.ndarray) -> str:
    """A grey image (H, W) in [0, 1] as an embedded picture."""
    levels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return encoded(enlarged(np.repeat(levels[..., None], 3, axis=2), PIXELS))


def enlarged(pixels: np.ndarray, width: int) -> np.ndarray:
    """Every pixel as a square, so that the picture is about `width` wide."""
    times = max(1, width // pixels.shape[1])
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def encoded(pixels: np.ndarray) -> str:
    """Pixels (H, W, 3) uint8 as the address of a picture that holds them."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1b; --faint: #6a6a6a; --line: #ddd; }
@media (prefers-color-scheme: dark) { :root { --paper: #17181a; --ink: #e6e6e6; --faint: #a0a0a0; --line: #3a3a3a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 74rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0; } h2 { margin: 2rem 0 .5rem; } h3 { margin: 1.6rem 0 .2rem; }
section { border-top: 1px solid var(--line); }
p { max-width: 46rem; } code { font-size: .85em; }
.row { display: flex; flex-wrap: wrap; gap: .9rem .7rem; margin: .9rem 0; }
figure { margin: 0; width: 7.6rem; } figure.large { width: min(15rem, 43vw); }
img { width: 7rem; height: 7rem; image-rendering: pixelated; border: 1px solid var(--line); }
figure.large img { width: min(14rem, 42vw); height: min(14rem, 42vw); }
img.legend { width: 14rem; height: 1rem; } img.grid { width: 100%; max-width: 56rem; height: auto; }
figcaption { font-size: .78rem; line-height: 1.3; color: var(--faint); overflow-wrap: anywhere; }
figure.large figcaption { font-size: 1rem; color: var(--ink); }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; border-bottom: 1px solid var(--line); }
details td:not(:first-child), details th:not(:first-child) { text-align: right; }
summary { cursor: pointer; margin: .6rem 0; } .scroll { overflow-x: auto; }
.legend-row { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; }
"""

_DOCUMENT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head><body>
{body}</body></html>
"""
