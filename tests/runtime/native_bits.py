"""When C and NumPy agree."""

import numpy as np


def bits(array):
    """The bits of an array, those of NaN made one, for hardware may choose among two payloads."""
    if array.dtype.kind != "f":
        return array.tobytes()
    return np.where(np.isnan(array), array.dtype.type(np.nan), array).tobytes()
