"""What the pages share: one self-contained file of HTML. The pictures are arrays, embedded; nothing is fetched."""

import base64
import html
import io
import re

import numpy as np

from ..templates import filled, text

PIXELS = 112  # the size of a picture on the page, before the browser scales it


def document(title: str, body: str, style: str = "") -> str:
    """The whole page, light or dark as the reader has it; `style` comes after what all pages share."""
    style = text(__package__, "pages/document.css") + style
    return filled(__package__, "pages/document.html", title=html.escape(title), style=style, body=body)


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
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) or (H, W) uint8 as the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
