"""Digits to learn from: drawn here (strokes), scanned and small (uci), or the classic set (mnist).

Each gives images (N, 1, H, W) float32 in [0, 1] and labels (N,) int64.
"""

from .fetch import fetch_mnist
from .folders import data_folder
from .hand import CLEAN_HAND, Hand
from .mnist import mnist
from .strokes import strokes
from .uci import uci

__all__ = ["CLEAN_HAND", "Hand", "data_folder", "fetch_mnist", "mnist", "strokes", "uci"]
