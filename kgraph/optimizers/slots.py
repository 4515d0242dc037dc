"""Slots: the arrays that an optimizer keeps for each weight, one vector for many small weights.

A step on a few thousand numbers costs the calls, not the arithmetic. So small weights of one dtype
share their slots: their gradients are joined into one vector, the formula runs once over it, and
the change is cut apart again. Every element sees the same operations in the same order as it would
alone. The slot of a single weight is a window on the vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Node, Variable

# Elements up to which joining (one more copy) is cheaper than a formula of its own (~8 calls).
SMALL = 4096
# Elements of one joined vector: its gradients are alive at one time, and it is to fit the cache.
JOINED = 1 << 15

Slots = dict[str, Variable]


@dataclass(frozen=True)
class Group:
    """Weights that one application of the formula updates.

    Args:
        weights: one weight of any size, or several small ones.
        slots: of the weight's shape, or vectors over all the weights.
        windows: for each weight its part of the slots, in its shape.
    """

    weights: tuple[Variable, ...]
    slots: Slots
    windows: dict[Variable, Slots]

    def join(self, gradients: Sequence[Node]) -> Node:
        """The gradients as one tensor of the slots' shape."""
        if len(gradients) == 1:
            return gradients[0]
        return ops.concatenate([_flat(g) for g in gradients], axis=0)

    def cut(self, change: Node) -> list[Node]:
        """One tensor for each weight from one of the slots' shape."""
        if len(self.weights) == 1:
            return [change]
        ends = np.cumsum([w.value.size for w in self.weights]).tolist()
        parts = ops.split(change, ends[:-1])
        return [
            p if w.ndim == 1 else ops.reshape(p, w.shape)
            for p, w in zip(parts, self.weights, strict=True)
        ]


def _flat(tensor: Node) -> Node:
    return tensor if tensor.ndim == 1 else ops.reshape(tensor, (-1,))


def make_groups(
    variables: Sequence[Variable],
    names: Sequence[str],
    prefix: str,
    known: Mapping[Variable, Slots],
    starts: Mapping[str, float] | None = None,
) -> list[Group]:
    """Groups the weights and makes their slots.

    Args:
        variables: the weights to train.
        names: the optimizer's slots; without any, joining would save nothing.
        prefix: of the slots' names.
        known: slots from before, whose values go on.
        starts: values that slots start with where it is not 0.
    """
    begin = {name: (starts or {}).get(name, 0.0) for name in names}
    small: dict[str, list[list[Variable]]] = {}
    for weight in variables:
        if names and weight.value.size <= SMALL:
            groups = small.setdefault(weight.dtype, [[]])
            if sum(w.value.size for w in (*groups[-1], weight)) > JOINED:
                groups.append([])
            groups[-1].append(weight)
    joined = [tuple(group) for groups in small.values() for group in groups if len(group) > 1]
    inside = {weight for group in joined for weight in group}
    alone = [(weight,) for weight in variables if weight not in inside]
    return [_make_group(weights, begin, prefix, known) for weights in (*alone, *joined)]


def _make_group(
    weights: tuple[Variable, ...],
    starts: Mapping[str, float],
    prefix: str,
    known: Mapping[Variable, Slots],
) -> Group:
    first, several = weights[0], len(weights) > 1
    shape = (sum(w.value.size for w in weights),) if several else first.value.shape
    path = f"{prefix}/joined" if several else f"{prefix}/{first.name}"
    slots = {n: _filled(shape, v, first.dtype, f"{path}/{n}") for n, v in starts.items()}
    windows: dict[Variable, Slots] = {}
    start = 0
    for weight in weights:
        stop = start + weight.value.size
        windows[weight] = own = {}
        for name, slot in slots.items():
            own[name] = slot
            if several:
                own[name] = _filled(
                    weight.value.shape, 0.0, weight.dtype, f"{prefix}/{weight.name}/{name}"
                )
                own[name].value = slot.value[start:stop].reshape(weight.value.shape)
            if weight in known:
                own[name].assign(known[weight][name].value)
        start = stop
    return Group(weights, slots, windows)


def _filled(shape: tuple[Any, ...], value: float, dtype: str, name: str) -> Variable:
    return Variable(np.full(shape, value, dtype), name, dtype, trainable=False)
