"""The values at which rewrites and kernels go wrong, and arrays full of them."""

from __future__ import annotations

import functools

import numpy as np

# Where the naive forms are at their limits: exp overflows float32 above 88.7, float64 above 709.
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-8, -1e-8, 88.7, -88.7, 710.0, -710.0)


@functools.lru_cache(maxsize=16)
def special_values(dtype: str) -> np.ndarray:
    """Zeros of both signs, ones, the ends of the dtype, infinities, NaN, limits of exp.

    Args:
        dtype: NumPy's name.

    Returns:
        A read-only vector of that dtype; harmless values come first.

    Example:
        >>> special_values("bool").tolist(), int(special_values("uint8")[-1])
        ([False, True], 255)
    """
    found = _special(dtype)
    found.flags.writeable = False
    return found


def _special(dtype: str) -> np.ndarray:
    if dtype == "bool":
        return np.array([False, True])
    if dtype.startswith("float"):
        info = np.finfo(dtype)
        ends = (info.max, info.tiny, info.smallest_subnormal, info.eps, np.inf)
        with np.errstate(over="ignore"):
            return np.array([*EDGES, *ends, *(-e for e in ends), np.nan]).astype(dtype)
    limits = np.iinfo(dtype)
    least = [-1] if limits.min else []
    values = [0, 1, 2, 3, 7, *least, limits.min, limits.max // 2 + 1, limits.max]
    return np.array(list(dict.fromkeys(values)), dtype)
