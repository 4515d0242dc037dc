"""Configurations of other versions of Keras: their argument names and what they have besides.

A name of Keras 1 is translated where the class does not know it but knows its new name, so one
table serves all layers. Arguments of Keras 3 that are off (None or false) are dropped where the
class does not know them; those that are on stay, and the class refuses them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.layers.configurable import COMMON_ARGUMENTS

KERAS_1 = {
    "output_dim": "units",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "p": "rate",
    "sigma": "stddev",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "pool_length": "pool_size",
    "stride": "strides",
    "length": "size",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "forget_bias_init": "unit_forget_bias",
    "consume_less": "implementation",
    "atrous_rate": "dilation_rate",
}
# Keras 1's numbers that became one tuple, and its words for the order of axes.
_KERNEL_SIZES_1 = ("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")
_DATA_FORMATS_1 = {"tf": "channels_last", "th": "channels_first", "default": None}
_EMBEDDING_1 = {
    "init": "embeddings_initializer",
    "W_regularizer": "embeddings_regularizer",
    "W_constraint": "embeddings_constraint",
}
_PRELU_1 = {"init": "alpha_initializer"}
_DEPTHWISE_1 = {"init": "depthwise_initializer"}
_TABLES_1 = (_EMBEDDING_1, _PRELU_1, _DEPTHWISE_1, KERAS_1)
# What became something else than one argument of another name.
_TOGETHER_1 = {
    **{name: "kernel_size" for names in _KERNEL_SIZES_1 for name in names},
    "dim_ordering": "data_format",
}
# Classes of Keras 2 that are another class here with these arguments.
RENAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "CuDNNLSTM": ("LSTM", {"recurrent_activation": "sigmoid"}),
    "CuDNNGRU": ("GRU", {"recurrent_activation": "sigmoid", "reset_after": True}),
}
# Values that are spelled otherwise under the new name: `forget_bias_init` was an initializer.
_VALUES = {
    "forget_bias_init": {"one": True, "zero": False},
}
# Keras 3's numbers that say something only beside a switch that is off.
_BESIDE_SWITCHES = ("renorm_momentum", "lora_alpha")
# Keras 1's that are off at these values: BatchNormalization's mode, Embedding's dropout.
_OFF_AT_ZERO = {
    "mode": "Keras 2 has mode 0 only: statistics of channels, moving ones outside of training",
    "dropout": "Keras 2 has a SpatialDropout1D layer after the Embedding instead",
}
# TensorFlow's Keras writes these of layers that have no choice.
_OFF_AT_ONE = ("groups", "implementation", "dilation_rate")
# What layers with two kernels inherit and do not use.
_OF_ONE_KERNEL = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")


def renamed(name: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The class and the configuration that stand for a class of another version.

    Example:
        >>> renamed("CuDNNLSTM", {"units": 3})
        ('LSTM', {'recurrent_activation': 'sigmoid', 'units': 3})
    """
    if name not in RENAMED:
        return name, config
    new, fixed = RENAMED[name]
    return new, {**fixed, **config}


def translate(cls: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration in the argument names of `cls`.

    Args:
        cls: class of a layer.
        config: its configuration in the layout of any version.

    Example:
        >>> from kgraph.layers import Dropout
        >>> translate(Dropout, {"p": 0.5, "name": "drop", "lora_rank": None})
        {'rate': 0.5, 'name': 'drop'}
    """
    known = known_arguments(cls)
    found: dict[str, Any] = {}
    for key, value in _renamed_windows(known, config).items():
        if key == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]  # TensorFlow's Keras writes BatchNormalization's axis as [3]
        if key in _VALUES and isinstance(value, str):
            value = _VALUES[key].get(value, value)
        new = _renamed_argument(key, known)
        if new in known or not _is_off(key, value, known):
            found[new] = value
    return found


def old_arguments(known: frozenset[str], given: Iterable[str]) -> dict[str, str]:
    """The names of Keras 1 among `given` -> what they are called now.

    A name that means nothing any more is its own new name.

    Args:
        known: what the class takes.
        given: names of arguments.

    Example:
        >>> old_arguments(frozenset(["units", "name"]), ["output_dim", "name", "activaton"])
        {'output_dim': 'units'}
    """
    found = {}
    for name in given:
        new = _renamed_argument(name, known, (*_TABLES_1, _TOGETHER_1))
        if name not in known and (new != name or name in _OFF_AT_ZERO):
            found[name] = new
    return found


def refuse_lost(cls: Any, given: Mapping[str, Any]) -> None:
    """Refuses arguments of Keras 1 that have no successor and are not off.

    Args:
        cls: the class that is called, for the message.
        given: arguments of Keras 1 by their old names.

    Raises:
        TypeError: there is one.
    """
    for name, value in given.items():
        if name in _OFF_AT_ZERO and not (value is None or value == 0):
            raise TypeError(
                explain(
                    f"{cls.__name__}: Keras 1's argument {name} is not offered",
                    got=f"{name}={value!r}",
                    hint=_OFF_AT_ZERO[name],
                )
            )


def _renamed_argument(
    name: str, known: frozenset[str], tables: Sequence[Mapping[str, str]] = _TABLES_1
) -> str:
    """What a class with these arguments calls `name`; the name itself if there is no other."""
    if name in known:
        return name
    return next((t[name] for t in tables if t.get(name) in known), name)


def _renamed_windows(known: frozenset[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """Keras 1's spatial arguments: numbers of one tuple, and the order of axes in other words."""
    found = dict(config)
    for names in _KERNEL_SIZES_1:
        if "kernel_size" in known and all(n in found for n in names):
            found["kernel_size"] = tuple(found.pop(n) for n in names)
    if "data_format" in known and "dim_ordering" in found:
        order = found.pop("dim_ordering")
        found["data_format"] = _DATA_FORMATS_1.get(order, order)
    return found


@functools.cache
def known_arguments(cls: Any) -> frozenset[str]:
    """The names of the arguments that a class of layers takes."""
    return frozenset([*inspect.signature(cls.__init__).parameters, *COMMON_ARGUMENTS])


def _is_off(key: str, value: Any, known: frozenset[str]) -> bool:
    if value is None or value is False or key in _BESIDE_SWITCHES:
        return True
    if key in _OF_ONE_KERNEL and "depthwise_initializer" in known:
        return True
    if key in _OFF_AT_ONE:
        return all(v == 1 for v in (value if isinstance(value, (list, tuple)) else (value,)))
    return key in _OFF_AT_ZERO and value == 0
