"""Process-wide settings; the only place that reads environment variables.

Keras's globals are functions (`floatx()`, `set_floatx(...)`). The compiler's switches are module
variables, read each time they matter: `kgraph.config.numerics = "strict"`.
"""

from __future__ import annotations

import os

# Which rewrite rules may fire: "strict" exact ones, "safe" also stabilising and rounding ones,
# "fast" also identities that hold for real numbers only.
numerics: str = os.environ.get("KGRAPH_NUMERICS", "safe")

# Stop after this many rule firings, None for no limit: bisection of a wrong rewrite.
fuel: int | None = int(os.environ["KGRAPH_FUEL"]) if os.environ.get("KGRAPH_FUEL") else None

# The default pipeline as one line, such as "simplify,finish", or what to leave out of it, such as
# "-fuse,-rule:mul-one"; see kgraph/passes/README.md.
passes: str = os.environ.get("KGRAPH_PASSES", "")

# Verify the graph after every pass.
verify: bool = os.environ.get("KGRAPH_VERIFY", "1") != "0"

# "values": run the graph before and after every pass on drawn inputs, and blame the rule that
# changed what it must not; "" for no such check.
check: str = os.environ.get("KGRAPH_CHECK", "")

# Measure the time of every rule; what rules looked at and fired is counted anyway.
stats: bool = os.environ.get("KGRAPH_STATS", "0") != "0"

# Whether two numbers after a layer's `filters` are the rows and columns of a kernel, as Keras 1 and
# 2 read them; otherwise they are a kernel and a stride. `kgraph.compat.install` sets it.
rows_and_columns: bool = False

# The folder that downloads are kept in, and Keras's, whose files are used where they are there.
home: str = os.environ.get("KGRAPH_HOME", "~/.kgraph")
keras_home: str = os.environ.get("KERAS_HOME", "~/.keras")

# Keras's learning phase, which layers that are called take for good: 0, 1, or None for the phase of
# the model that they end up in. `kgraph.backend.set_learning_phase` sets it.
learning_phase: int | None = None

# The C compiler that makes one loop of each large fused update; "" leaves all of it to NumPy, which
# gives the same bits.
compiler: str = os.environ.get("KGRAPH_CC", "cc")

# Plans kept per executable and executables kept per traced function.
plan_cache_size: int = 16

_FLOATX, _EPSILON, _DATA_FORMAT = "float32", 1e-7, "channels_last"


def floatx() -> str:
    """Default dtype of weights and inputs.

    Returns:
        The dtype's name.

    Example:
        >>> floatx()
        'float32'
    """
    return _FLOATX


def set_floatx(value: str) -> None:
    """Sets the default dtype: float16, float32 or float64.

    Args:
        value: "float16", "float32" or "float64".

    Example:
        >>> set_floatx("float64"); floatx()
        'float64'
        >>> set_floatx("float32")
    """
    global _FLOATX
    if value not in ("float16", "float32", "float64"):
        raise ValueError(f"Unknown floatx type: {value}. Expected float16, float32 or float64.")
    _FLOATX = value


def epsilon() -> float:
    """The fuzz factor of losses and optimizers.

    Returns:
        A small float.

    Example:
        >>> epsilon()
        1e-07
    """
    return _EPSILON


def set_epsilon(value: float) -> None:
    """Sets the fuzz factor.

    Args:
        value: a small float.

    Example:
        >>> set_epsilon(1e-5); epsilon()
        1e-05
        >>> set_epsilon(1e-7)
    """
    global _EPSILON
    _EPSILON = float(value)


def image_data_format() -> str:
    """Default axis order of images: channels_last or channels_first.

    Returns:
        Its name.

    Example:
        >>> image_data_format()
        'channels_last'
    """
    return _DATA_FORMAT


def set_image_data_format(value: str) -> None:
    """Sets the default axis order of images.

    Args:
        value: "channels_last" or "channels_first".

    Example:
        >>> set_image_data_format("channels_first"); image_data_format()
        'channels_first'
        >>> set_image_data_format("channels_last")
    """
    global _DATA_FORMAT
    if value not in ("channels_last", "channels_first"):
        raise ValueError(f"Unknown data_format: {value}. Expected channels_last or channels_first.")
    _DATA_FORMAT = value
