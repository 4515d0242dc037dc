"""Calls of `kgraph.ops` by Keras's names, for `test_like_keras_ops.py`: one row a name.

A call is a tuple of arguments, the last of which may be a dictionary of further ones. Arrays are
tensors, everything else is static. Arrays with a first size of 3 get a symbolic one too.
"""

import numpy as np

RNG = np.random.default_rng(3)


def floats(*shape, low=-2.0, high=2.0):
    """Floats that no test rounds across a bound."""
    return RNG.uniform(low, high, shape).astype("float32")


def words(text):
    """The names in a text."""
    return text.split()


X, Y, Z = floats(3, 4), floats(3, 4), floats(3, 4, 5)
POSITIVE, UNIT = floats(3, 4, low=0.3), floats(3, 4, low=-0.9, high=0.9)
PROBABILITY = floats(3, 4, low=0.1, high=0.9)
V, W = floats(4), floats(4)
SQUARE, TALL, THREES = floats(3, 4, 4), floats(4, 2), floats(3, 3)
INTS = RNG.integers(-5, 6, (3, 4)).astype("int32")
MORE = RNG.integers(1, 6, (3, 4)).astype("int32")
BOOLS, OTHERS = RNG.random((3, 4)) < 0.5, RNG.random((3, 4)) < 0.5
WITH_NAN = np.where(RNG.random((3, 4)) < 0.3, np.nan, X).astype("float32")
WITH_NAN[0] = [np.nan, 1.0, 2.0, np.nan]
ENDS = np.array([np.inf, -np.inf, np.nan, 1.5], "float32")
ZEROS = np.array([[0.0, 2.0, 3.0, 0.0], [1.5, 0.0, 0.5, 2.0], [1.0, 2.0, 3.0, 4.0]], "float32")
IDS = np.array([2, 0, 2], "int32")
SORTED = np.array([-1.0, 0.0, 0.0, 1.5], "float32")
LAST = {"axis": -1}

ARITHMETIC = {
    **{name: [(X,)] for name in words(
        "abs absolute fabs negative sign square exp exp2 expm1 floor ceil round trunc sin cos tan "
        "sinh cosh tanh arcsinh arctan deg2rad rad2deg sinc i0 isnan isinf isfinite isposinf "
        "isneginf isreal real imag conj conjugate angle signbit sigmoid erf erfc copy"
    )},
    **{name: [(POSITIVE,)] for name in words("sqrt rsqrt log log1p log2 log10 reciprocal cbrt")},
    **{name: [(UNIT,)] for name in words("arcsin arccos arctanh erfinv")},
    "arccosh": [(POSITIVE + 1,)],
    **{name: [(X, Y), (X, V), (X, 2.0)] for name in words(
        "add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2 hypot heaviside"
    )},
    **{name: [(X, POSITIVE)] for name in words(
        "divide true_divide divide_no_nan floor_divide mod fmod arctan2"
    )},
    "power": [(POSITIVE, Y)],
    "nextafter": [(X, Y)],
    "ldexp": [(X, INTS)],
    **{name: [(INTS, MORE)] for name in words(
        "bitwise_and bitwise_or bitwise_xor gcd lcm"
    )},
    **{name: [(MORE, MORE % 3)] for name in words(
        "left_shift right_shift bitwise_left_shift bitwise_right_shift"
    )},
    **{name: [(INTS,)] for name in words("bitwise_not bitwise_invert")},
    **{name: [(INTS, MORE - 3), (X, 0.5)] for name in words(
        "equal not_equal less less_equal greater greater_equal"
    )},
    **{name: [(BOOLS, OTHERS)] for name in words("logical_and logical_or logical_xor")},
    "logical_not": [(BOOLS,)],
    "clip": [(X, -1.0, 0.5), (X, V - 2, V + 2)],
    "nan_to_num": [(ENDS,), (ENDS, {"nan": 1.0, "posinf": 2.0, "neginf": 3.0})],
    "isclose": [(X, X + 1e-6), (ENDS, ENDS), (ENDS, ENDS, {"equal_nan": True})],
    "allclose": [(X, X + 1e-7), (X, Y)],
    "isin": [(INTS, MORE), (INTS, MORE, {"invert": True})],
    "select": [([BOOLS, OTHERS], [X, Y], 0.5)],
    "where": [(BOOLS, X, Y), (BOOLS, X, 0.0)],
    "cast": [(X, "int32"), (INTS, "float32"), (X, "bool")],
    "saturate_cast": [(200 * X, "uint8"), (INTS, "uint8")],
    "unravel_index": [(MORE, (5, 6))],
    "stop_gradient": [(X,)],
}  # fmt: skip
ARRANGING = {
    "reshape": [(X, (2, 6))],
    "ravel": [(X,)],
    "transpose": [(Z,), (Z, (1, 0, 2))],
    "swapaxes": [(Z, 0, 2)],
    "moveaxis": [(Z, 0, -1), (Z, (0, 1), (-1, 0))],
    "expand_dims": [(X, 1)],
    "squeeze": [(X[:, None], 1)],
    "broadcast_to": [(V, (2, 4))],
    "concatenate": [([X, Y], {"axis": 1})],
    "stack": [([X, Y], {"axis": 1})],
    "unstack": [(X, {"axis": 1})],
    "split": [(X, 2, {"axis": 1}), (X, [1, 3], 1)],
    "array_split": [(X, 3, {"axis": 1})],
    "hsplit": [(X, 2)],
    "vsplit": [(floats(4, 2), 2)],
    "dsplit": [(floats(2, 3, 4), 2)],
    "append": [(X, Y), (X, Y, 1)],
    "hstack": [([X, Y],), ([V, W],)],
    "vstack": [([X, Y],), ([V, W],)],
    "dstack": [([X, Y],), ([V, W],), ([Z, Z],)],
    "tile": [(X, (2, 1)), (X, 2)],
    "repeat": [(X, 2), (X, 2, 1)],
    "pad": [
        (X, ((1, 0), (2, 1))), (X, 1, "constant", 2.0), (X, ((0, 0), (2, 1)), "reflect"),
        (X, ((0, 0), (2, 1)), "symmetric"),
    ],
    "flip": [(X,), (X, 1)],
    "fliplr": [(X,)],
    "flipud": [(X,)],
    "rot90": [(X,), (X, 2), (Z, -1, (1, 2))],
    "roll": [(X, 1), (X, 2, 1), (X, -1, 0), (X, (1, 2), (0, 1))],
    "get_item": [(X, (slice(None), 1))],
    "diag": [(V,), (V, 1), (V, -2), (SQUARE[0],), (X, 1)],
    "diagflat": [(V,), (V, -1)],
    "diagonal": [(SQUARE, {"axis1": 1, "axis2": 2}), (SQUARE[0], -1), (Z, 1, 1, 2)],
    "trace": [(SQUARE, {"axis1": 1, "axis2": 2}), (SQUARE[0], 1)],
    "tril": [(Z,), (X, 1), (X, -1)],
    "triu": [(Z,), (X, 1), (X, -1)],
    "meshgrid": [(V, W), (V, W, {"indexing": "ij"}), (V, floats(2), floats(3))],
    "vander": [(V, 3), (V, 3, True)],
}  # fmt: skip
CREATION = {
    "arange": [(5,), (1, 7, 2), (0.0, 1.0, 0.25), (3, {"dtype": "float32"})],
    "linspace": [
        (0.0, 1.0, 5), (0, 1, 4, False), (X, Y, 3), (X, Y, 3, {"axis": 1}),
        (0.0, 1.0, 5, True, True),
    ],
    "logspace": [(0.0, 2.0, 4), (0.0, 2.0, 4, True, 2)],
    "geomspace": [(1.0, 8.0, 4), (POSITIVE, POSITIVE + 1, 3)],
    "eye": [(3,), (3, 4, 1), (3, 2, -1)],
    "identity": [(3,)],
    "tri": [(3,), (3, 4, 1)],
    "ones": [((2, 3),), ((2,), "int32")],
    "zeros": [((2, 3),)],
    "full": [((2, 3), 1.5)],
    "full_like": [(X, 2.0)],
    "ones_like": [(X,), (X, "int32")],
    "zeros_like": [(INTS,)],
    "array": [([1.0, 2.0],)],
    "convert_to_tensor": [([1, 2],), (X, "int32")],
    "bartlett": [(5,)],
    "blackman": [(5,)],
    "hamming": [(5,)],
    "hanning": [(5,)],
    "kaiser": [(5, 3.0)],
}  # fmt: skip
REDUCTIONS = {
    **{name: [(X,), (X, 1), (Z, (0, 2), True)] for name in words(
        "sum mean prod max min amax amin var std ptp median logsumexp nansum nanmean nanmax "
        "nanmin nanprod nanvar nanstd nanmedian"
    )},
    **{name: [(BOOLS,), (BOOLS, 1, True)] for name in ("all", "any")},
    **{name: [(X,), (X, 1), (X, 0, True)] for name in ("argmax", "argmin")},
    **{name: [(WITH_NAN, 1), (X,)] for name in ("nanargmax", "nanargmin")},
    "cumsum": [(X,), (X, 1), (INTS, 0)],
    "cumprod": [(X,), (X, 1), (ZEROS, 1)],
    "nancumsum": [(WITH_NAN, 1)],
    "nancumprod": [(WITH_NAN, 1)],
    "count_nonzero": [(INTS,), (INTS, 1)],
    "average": [(X,), (X, 1, V), (X, None, POSITIVE)],
    "quantile": [(X, 0.3), (X, [0.25, 0.5], 1), (Z, 0.4, (1, 2), "linear", True)]
    + [(X, 0.4, 1, method) for method in ("lower", "higher", "midpoint", "nearest")],
    "percentile": [(X, 30), (X, [25.0, 50.0], 1)],
    "nanquantile": [(WITH_NAN, [0.25, 0.6], 1), (WITH_NAN, 0.4, 1, "lower", True)],
    "nanpercentile": [(WITH_NAN, 30, 1)],
    "diff": [(X,), (X, 2), (X, 1, 0), (INTS,)],
    "trapezoid": [(X,), (X, V), (X, {"dx": 0.5})],
    "corrcoef": [(X,)],
    "moments": [(X, 1), (Z, (0, 2), True)],
    "sort": [(X,), (X, 0)],
    "argsort": [(X,), (X, 0)],
    "argpartition": [(np.sort(X), 2)],
    "top_k": [(X, 2)],
    "searchsorted": [(SORTED, V), (SORTED, SORTED, "right")],
    "digitize": [(V, SORTED)],
    "histogram": [(V, 4), (V, 3, (-1.0, 1.0))],
    "take": [(X, IDS, 1), (X, IDS)],
    "take_along_axis": [(X, MORE % 4, 1)],
}  # fmt: skip
PRODUCTS = {
    "matmul": [(X, TALL), (SQUARE, V)],
    "dot": [(X, TALL), (V, W), (Z, floats(2, 5, 3)), (X, 2.0)],
    "inner": [(X, Y), (Z, floats(2, 5))],
    "outer": [(X, V)],
    "vdot": [(X, Y)],
    "tensordot": [(Z, floats(4, 5, 2)), (Z, floats(5, 4), ((2,), (0,))), (Z, Z, ((0, 1), (0, 1)))],
    "kron": [(X, TALL), (V, X)],
    "cross": [(floats(4, 3), floats(4, 3)), (floats(2), floats(2)), (floats(4, 2), floats(4, 3))],
    "correlate": [(V, W[:2], mode) for mode in ("valid", "same", "full")] + [(W[:2], V, "full")],
    "einsum": [("ij,jk->ik", X, TALL)],
}
ROWS = {**ARITHMETIC, **ARRANGING, **CREATION, **REDUCTIONS, **PRODUCTS}
