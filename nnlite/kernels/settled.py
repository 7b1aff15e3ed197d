"""Whether an array can still change: what is kept for it may be used again only if it cannot."""

import numpy as np


def is_settled(array: np.ndarray) -> bool:
    """Whether neither the array nor one that it is a view of can be written.

    >>> a = np.zeros(3)
    >>> a.flags.writeable = False
    >>> is_settled(a), is_settled(np.zeros(3))
    (True, False)
    """
    owner: object = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return owner is None or isinstance(owner, bytes)
