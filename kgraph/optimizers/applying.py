"""`apply`: one step of an optimizer in a loop of the user's own, on arrays or on what is traced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir import Node, Variable
from kgraph.ir.context import note_updates
from kgraph.ir.op import as_node
from kgraph.optimizers.eager import compile_updates


class Applying:
    """The part of an optimizer that takes gradients which somebody else has computed."""

    def __init__(self) -> None:
        self._appliers: dict[tuple[Variable, ...], Any] = {}
        self._applied: tuple[Variable, ...] = ()

    def get_updates(
        self, gradients: Sequence[Node], variables: Sequence[Variable]
    ) -> list[tuple[Variable, Node]]:
        """Builds one step: the new values of the weights and of the optimizer's state."""
        raise NotImplementedError

    def apply(
        self,
        gradients: Sequence[Any],
        trainable_variables: Sequence[Variable] | None = None,
    ) -> None:
        """One step with gradients that somebody has computed.

        Args:
            gradients: one a variable: arrays, which change the variables at once, or tensors inside
                of `jit` or of a model's `train_step`, which change them whenever that runs. A
                variable with None stays as it is.
            trainable_variables: the variables to change; default those of the last call.

        Raises:
            ValueError: there is no gradient, or their number is not that of the variables.

        Example:
            >>> import numpy as np
            >>> from kgraph.optimizers import SGD
            >>> w = Variable([1.0], name="w")
            >>> SGD(0.5).apply([np.array([1.0])], [w])
            >>> w.numpy()
            array([0.5], dtype=float32)
        """
        given = self._applied if trainable_variables is None else tuple(trainable_variables)
        if len(gradients) != len(given):
            what = f"{len(gradients)} gradients for {len(given)} variables"
            raise ValueError(f"apply() must be given one gradient a variable. Received: {what}")
        self._applied = given
        pairs = [(g, w) for g, w in zip(gradients, given, strict=True) if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        slopes, weights = [g for g, _ in pairs], tuple([w for _, w in pairs])
        if any(isinstance(g, Node) for g in slopes):
            if not note_updates(self.get_updates([as_node(g) for g in slopes], weights)):
                raise ValueError(
                    explain(
                        "apply() was given symbolic gradients, but nothing is being traced",
                        expected="arrays, or a call inside of kgraph.jit or of train_step",
                        got=slopes[0],
                    )
                )
            return
        if weights not in self._appliers:
            self._appliers[weights] = compile_updates(self, weights)
        self._appliers[weights](*slopes)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """`apply` for pairs, as from `zip(gradients, variables)`.

        Args:
            grads_and_vars: (gradient, variable) pairs.
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
