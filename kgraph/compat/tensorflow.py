"""The little of TensorFlow around `tensorflow.keras` that kgraph can really do."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from kgraph.compat.face import Face

# The first TensorFlow whose Keras is that of 2.3.
VERSION = "2.0.0"

_SAME = "abs ceil cos exp floor log maximum minimum round sigmoid sign sin sqrt square tanh"
_NN = "elu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign tanh"
_REDUCTIONS = "all any max mean min prod sum"
_OPS = {
    **{name: f"kgraph.ops:{name}" for name in _SAME.split()},
    **{f"reduce_{name}": f"kgraph.ops:{name}" for name in _REDUCTIONS.split()},
}
_MATHS = {
    **_OPS,
    "add": "kgraph.ops:add",
    "divide": "kgraph.ops:divide",
    "multiply": "kgraph.ops:multiply",
    "subtract": "kgraph.ops:subtract",
}
_DTYPES = "bool float16 float32 float64 int32 int64 uint8"

# Module -> name -> where kgraph has it.
MODULES: dict[str, dict[str, str]] = {
    "tensorflow": {
        **_MATHS,
        "cast": "kgraph.ops:cast",
        "expand_dims": "kgraph.ops:expand_dims",
        "matmul": "kgraph.ops:matmul",
        "ones_like": "kgraph.ops:ones_like",
        "reshape": "kgraph.ops:reshape",
        "set_random_seed": "kgraph.utils.rng_utils:set_random_seed",
        "transpose": "kgraph.ops:transpose",
        "where": "kgraph.ops:where",
        "zeros_like": "kgraph.ops:zeros_like",
    },
    "tensorflow.config": {"list_physical_devices": f"{__name__}:list_physical_devices"},
    "tensorflow.math": _MATHS,
    "tensorflow.nn": {name: f"kgraph.ops:{name}" for name in _NN.split()},
    "tensorflow.python": {},
    "tensorflow.random": {"set_seed": "kgraph.utils.rng_utils:set_random_seed"},
}
_INNER = {
    "tensorflow": ("config", "keras", "math", "nn", "python", "random"),
    "tensorflow.python": ("keras",),
}


def make_face(
    name: str, below: Callable[[str], ModuleType], hint: Callable[[str], str | None]
) -> Face:
    """The module `tensorflow`, or one below it that is not Keras's.

    Args:
        name: a key of `MODULES`.
        below: dotted name -> a module below this one.
        hint: name -> what to use instead of one that is missing.
    """
    doc = f"The part of `{name}` that kgraph can run."
    face = Face(name, doc, (), MODULES[name], _INNER.get(name, ()), below, hint)
    if name == "tensorflow":
        vars(face).update({dtype: dtype for dtype in _DTYPES.split()}, __version__=VERSION)
    return face


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """The devices that kgraph runs on: one processor.

    Args:
        device_type: "CPU", "GPU", or None for all.

    Example:
        >>> list_physical_devices("GPU"), list_physical_devices()
        ([], ['/physical_device:CPU:0'])
    """
    return ["/physical_device:CPU:0"] if device_type in (None, "CPU") else []
