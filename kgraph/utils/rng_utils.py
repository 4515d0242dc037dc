"""One call that makes a program draw the same random numbers each time."""

from __future__ import annotations

import random

import numpy as np

from kgraph.errors import explain


def set_random_seed(seed: int) -> None:
    """Seeds Python's and NumPy's global generators, from which kgraph draws all its seeds.

    Call it before the model is built: initial weights and the keys of dropout are drawn then.

    Args:
        seed: from 0 to 2**32 - 1.

    Raises:
        ValueError: `seed` is no such integer.

    Example:
        >>> set_random_seed(1)
        >>> first = np.random.rand()
        >>> set_random_seed(1)
        >>> first == np.random.rand()
        True
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(
            explain(
                "set_random_seed: bad `seed`",
                expected="an integer from 0 to 2**32 - 1",
                got=f"{seed!r} of type {type(seed).__name__}",
            )
        )
    random.seed(seed)
    np.random.seed(seed)
