"""Every op: on arrays it runs at once, on nodes it builds; names and arguments are NumPy's."""

from typing import Any

from kgraph.ops import composite, random
from kgraph.ops.along_axis import (
    add_along_axis,
    take_along_axis,
)
from kgraph.ops.average_pool import (
    average_pool,
    average_pool_grad,
    sum_pool,
    sum_pool_grad,
)
from kgraph.ops.bits import (
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    gcd,
    lcm,
    left_shift,
    nextafter,
    right_shift,
    signbit,
)
from kgraph.ops.brackets import (
    getitem,
)
from kgraph.ops.comparison import (
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from kgraph.ops.composite import *  # noqa: F403
from kgraph.ops.convolution import (
    conv,
    conv_filter_grad,
    conv_input_grad,
    convolve,
)
from kgraph.ops.crossentropy import (
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    sparse_softmax_cross_entropy,
)
from kgraph.ops.cumulative import (
    cumprod,
    cumsum,
)
from kgraph.ops.draws import (
    random_bernoulli,
    random_normal,
    random_truncated_normal,
    random_uniform,
)
from kgraph.ops.einsum import (
    einsum,
)
from kgraph.ops.elementwise import (
    abs,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cbrt,
    ceil,
    cos,
    cosh,
    divide,
    exp,
    exp2,
    expm1,
    floor,
    floor_divide,
    fmod,
    hypot,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    mod,
    multiply,
    negative,
    power,
    reciprocal,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
)
from kgraph.ops.ensure_shape import (
    ensure_shape,
)
from kgraph.ops.erf import (
    erf,
)
from kgraph.ops.erfinv import (
    erfc,
    erfinv,
)
from kgraph.ops.extremes import (
    clip,
    maximum,
    minimum,
)
from kgraph.ops.fused import (
    fused,
)
from kgraph.ops.gradients import (
    stop_gradient,
)
from kgraph.ops.indexing import (
    scatter_add,
    take,
)
from kgraph.ops.joining import (
    concatenate,
    pad,
    repeat,
    split,
    stack,
    tile,
    unstack,
)
from kgraph.ops.lacking import refusal
from kgraph.ops.likelihood import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from kgraph.ops.linalg import (
    matmul,
)
from kgraph.ops.logsumexp import (
    logsumexp,
)
from kgraph.ops.masking import (
    masked_scale,
)
from kgraph.ops.matrices import (
    cholesky_factor,
    det,
    inv,
    logabsdet,
    solve,
)
from kgraph.ops.max_pool import (
    max_pool,
    max_pool_grad,
    max_pool_select,
)
from kgraph.ops.nn import (
    elu,
    gelu,
    mish,
    selu,
    silu,
    softplus,
    softsign,
)
from kgraph.ops.one_hot import (
    one_hot,
    subtract_one_hot,
)
from kgraph.ops.recompute import (
    recompute,
)
from kgraph.ops.reductions import (
    all,
    any,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from kgraph.ops.relu import (
    leaky_relu,
    relu,
    relu6,
    relu_grad,
)
from kgraph.ops.resizing import (
    resize,
)
from kgraph.ops.scan import (
    scan,
)
from kgraph.ops.scatters import (
    scatter_max,
    scatter_min,
    scatter_multiply,
    scatter_set,
)
from kgraph.ops.searching import (
    searchsorted,
)
from kgraph.ops.select import (
    cast,
    where,
)
from kgraph.ops.shapes import (
    broadcast_to,
    expand_dims,
    flip,
    full,
    full_like,
    moveaxis,
    ones_like,
    reshape,
    squeeze,
    swapaxes,
    transpose,
    zeros_like,
)
from kgraph.ops.shapes import (
    shape_of as shape,
)
from kgraph.ops.slicing import (
    slice_add,
    slice_grad,
)
from kgraph.ops.slicing import (
    slice_op as slice,
)
from kgraph.ops.softmax import (
    l2_normalize,
    log_softmax,
    softmax,
)
from kgraph.ops.sorting import (
    argmax,
    argmin,
    argsort,
    sort,
    top_k,
)

__all__ = [
    "abs",
    "add",
    "add_along_axis",
    "all",
    "any",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "average_pool",
    "average_pool_grad",
    "binary_crossentropy",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "broadcast_to",
    "cast",
    "categorical_crossentropy",
    "cbrt",
    "ceil",
    "cholesky_factor",
    "clip",
    "concatenate",
    "conv",
    "conv_filter_grad",
    "conv_input_grad",
    "convolve",
    "cos",
    "cosh",
    "cumprod",
    "cumsum",
    "det",
    "divide",
    "einsum",
    "elu",
    "ensure_shape",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "floor_divide",
    "fmod",
    "full",
    "full_like",
    "fused",
    "gcd",
    "gelu",
    "getitem",
    "greater",
    "greater_equal",
    "hypot",
    "inv",
    "isfinite",
    "isinf",
    "isnan",
    "l2_normalize",
    "lcm",
    "leaky_relu",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logabsdet",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "masked_scale",
    "matmul",
    "max",
    "max_pool",
    "max_pool_grad",
    "max_pool_select",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "mod",
    "moveaxis",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "one_hot",
    "ones_like",
    "pad",
    "power",
    "prod",
    "random",
    "random_bernoulli",
    "random_normal",
    "random_truncated_normal",
    "random_uniform",
    "reciprocal",
    "recompute",
    "relu",
    "relu6",
    "relu_grad",
    "repeat",
    "reshape",
    "resize",
    "right_shift",
    "round",
    "rsqrt",
    "scan",
    "scatter_add",
    "scatter_max",
    "scatter_min",
    "scatter_multiply",
    "scatter_set",
    "searchsorted",
    "selu",
    "shape",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sign",
    "signbit",
    "silu",
    "sin",
    "sinh",
    "slice",
    "slice_add",
    "slice_grad",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
    "solve",
    "sort",
    "sparse_categorical_crossentropy",
    "sparse_softmax_cross_entropy",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "subtract_one_hot",
    "sum",
    "sum_pool",
    "sum_pool_grad",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tile",
    "top_k",
    "transpose",
    "trunc",
    "unstack",
    "var",
    "where",
    "zeros_like",
]

__all__ += composite.__all__


def __getattr__(name: str) -> Any:
    raise refusal(name, __all__)
