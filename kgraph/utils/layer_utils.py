"""Small questions about models, under Keras 2's names: their sources, sizes and summaries."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from kgraph.ir.graph import toposort
from kgraph.ir.leaves import INPUT
from kgraph.ir.node import Node
from kgraph.layers.naming import reset_uids
from kgraph.models.summary import print_summary

__all__ = [
    "clear_session",
    "count_params",
    "get_source_inputs",
    "multi_gpu_model",
    "print_summary",
]


def get_source_inputs(tensor: Node, layer: Any = None, node_index: int | None = None) -> list[Node]:
    """The `Input` tensors that a tensor is computed from, each once.

    Args:
        tensor: of a model.
        layer: accepted for Keras 2, where it said which layer made the tensor.
        node_index: accepted for Keras 2.

    Returns:
        A list of tensors.

    Example:
        >>> from kgraph.layers import Dense, Input, add
        >>> a, b = Input((2,), name="a"), Input((2,), name="b")
        >>> [x.name for x in get_source_inputs(Dense(1)(add([a, b])))]
        ['a', 'b']
    """
    del layer, node_index
    return [node for node in toposort([tensor]) if node.op is INPUT]


def count_params(weights: Iterable[Any]) -> int:
    """The number of elements of weights, each weight counted once.

    Args:
        weights: such as `layer.trainable_weights`.

    Returns:
        An int.

    Example:
        >>> from kgraph.layers import Dense, Input
        >>> layer = Dense(3)
        >>> _ = layer(Input((2,)))
        >>> count_params(layer.weights)
        9
    """
    return sum(math.prod(weight.shape) for weight in dict.fromkeys(weights))


def multi_gpu_model(
    model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False
) -> Any:
    """The model itself: kgraph runs on the processor, which has the whole batch to itself.

    A script that asks for several devices trains the same network with the same batches.

    Args:
        model: any model.
        gpus: ignored, like the rest, as there are none.
        cpu_merge: ignored.
        cpu_relocation: ignored.

    Returns:
        The model.

    Example:
        >>> from kgraph.models import Sequential
        >>> model = Sequential()
        >>> multi_gpu_model(model, gpus=2) is model
        True
    """
    del gpus, cpu_merge, cpu_relocation
    return model


def clear_session(free_memory: bool = True) -> None:
    """Starts the automatic names again from `dense_1`; there is no other state to clear.

    Args:
        free_memory: accepted for Keras 3; memory is freed when its last user is gone.

    Example:
        >>> from kgraph.layers import Flatten
        >>> clear_session()
        >>> Flatten().name
        'flatten_1'
    """
    del free_memory
    reset_uids()
