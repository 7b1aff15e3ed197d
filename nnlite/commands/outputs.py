"""What the subcommands write: numbers, figures and films, each all at once or not at all."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import storage


def array(path: Path, values: np.ndarray) -> None:
    """Numbers as an .npy."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    storage.write_bytes(path, buffer.getvalue())


def figure(path: Path, drawn: Any) -> None:
    """A Matplotlib figure as a .png, .pdf or .svg; it is closed."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    drawn.savefig(buffer, format=path.suffix[1:].lower(), dpi=150)
    plt.close(drawn)
    storage.write_bytes(path, buffer.getvalue())


def figure_or_array(path: Path, values: np.ndarray, drawn: Callable[[], Any]) -> None:
    """The numbers where the path ends in .npy, else the figure that is drawn of them; and say so."""
    if path.suffix.lower() == ".npy":
        array(path, values)
    else:
        figure(path, drawn())
    print(f"written    {path}")


WIDTH = 560
"""Of a film, about: in pixels."""

MILLISECONDS, REST = 60, 1500
"""How long a frame of a film stands, and the last one."""


def film(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Grey pictures (H, W) in [0, 1] as a .gif that runs again and again; the last one rests."""
    from PIL import Image

    times = max(1, WIDTH // frames[0].shape[1])
    grey = [(np.clip(frame, 0, 1) * 255).round().astype(np.uint8) for frame in frames]
    first, *others = (Image.fromarray(one.repeat(times, axis=0).repeat(times, axis=1)) for one in grey)
    durations = [MILLISECONDS] * (len(frames) - 1) + [REST]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    storage.write_bytes(path, buffer.getvalue())
