"""Configurations of other versions of Keras: their argument names and what they have besides.

A name of Keras 1 is translated where the class does not know it but knows its new name, so one
table serves all layers. Arguments of Keras 3 that are off (None or false) are dropped where the
class does not know them; those that are on stay, and the class refuses them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

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
}
_EMBEDDING_1 = {
    "init": "embeddings_initializer",
    "W_regularizer": "embeddings_regularizer",
    "W_constraint": "embeddings_constraint",
}
_PRELU_1 = {"init": "alpha_initializer"}
# Keras 3's numbers that say something only beside a switch that is off.
_BESIDE_SWITCHES = ("renorm_momentum", "lora_alpha")
# Keras 1's that are off at these values: BatchNormalization's mode, Embedding's dropout.
_OFF_AT_ZERO = ("mode", "dropout")


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
    known = _known_arguments(cls)
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]  # TensorFlow's Keras writes BatchNormalization's axis as [3]
        new = next((t[key] for t in (_EMBEDDING_1, _PRELU_1, KERAS_1) if t.get(key) in known), key)
        if key in known:
            found[key] = value
        elif new in known:
            found[new] = value
        elif not _is_off(key, value):
            found[key] = value
    return found


@functools.cache
def _known_arguments(cls: Any) -> frozenset[str]:
    return frozenset([*inspect.signature(cls.__init__).parameters, *COMMON_ARGUMENTS])


def _is_off(key: str, value: Any) -> bool:
    if value is None or value is False or key in _BESIDE_SWITCHES:
        return True
    return key in _OFF_AT_ZERO and value == 0
