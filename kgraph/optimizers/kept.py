"""What an optimizer keeps beside its slots: one variable of the shape of each weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgraph.ir import Node, Variable

Updates = list[tuple[Variable, Node]]


class Kept:
    """One variable a weight, made when the weight is first trained.

    Args:
        word: the last part of the variables' names.

    Example:
        >>> kept, w = Kept("sum"), Variable([1.0], "w")
        >>> kept.build([w], "sgd")
        >>> kept.kept_for(w)
        <Variable sgd/w/sum: f32[1]>
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self._of: dict[Variable, Variable] = {}

    @property
    def variables(self) -> list[Variable]:
        """What is kept, in the order of the weights."""
        return list(self._of.values())

    def kept_for(self, weight: Variable) -> Variable | None:
        """What is kept for a weight, None if nothing is."""
        return self._of.get(weight)

    def build(self, weights: Sequence[Variable], prefix: str) -> None:
        """Makes the variables of weights that have none yet."""
        for weight in weights:
            if weight not in self._of:
                name = f"{prefix}/{weight.name}/{self._word}"
                self._of[weight] = Variable(self.start(weight), name, weight.dtype, trainable=False)

    def start(self, weight: Variable) -> np.ndarray:
        """What a weight's variable starts with: zeros."""
        return np.zeros(weight.value.shape, weight.dtype)
