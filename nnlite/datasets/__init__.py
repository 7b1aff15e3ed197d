"""Digits to learn from: drawn here (strokes), scanned and small (uci), or the classic set (mnist). Coloured textures.
Letters, which no network for digits has seen. Sequences of tokens, with the position that decides.

Each but the last gives images (N, C, H, W) float32 in [0, 1] and labels (N,) int64; C is 1, and 3 for textures.
"""

from .fetch import fetch_mnist
from .folders import data_folder
from .hand import CLEAN_HAND, Hand
from .letters import LETTERS, letters
from .mnist import mnist
from .sequences import Sequences, sequences
from .strokes import strokes
from .textures import TEXTURE_NAMES, textures
from .uci import uci

__all__ = [
    "CLEAN_HAND", "LETTERS", "TEXTURE_NAMES", "Hand", "Sequences", "data_folder", "fetch_mnist", "letters", "mnist",
    "sequences", "strokes", "textures", "uci",
]  # fmt: skip
