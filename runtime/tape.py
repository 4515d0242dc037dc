"""GradientTape: gradients in the words of TensorFlow; nothing is recorded, the graph is there."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.structure import flatten
from kgraph.runtime.function import gradients


class GradientTape:
    """Differentiates what is traced: inside of `train_step`, or of a function under `jit`.

    Args:
        persistent: accepted; every tape is.
        watch_accessed_variables: accepted; any variable or tensor may be differentiated by.

    Example:
        >>> import kgraph
        >>> def slope(x):
        ...     with GradientTape() as tape:
        ...         y = x * x
        ...     return tape.gradient(y, x)
        >>> float(kgraph.jit(slope)(3.0))
        6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        del persistent, watch_accessed_variables

    def __enter__(self) -> GradientTape:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing ends: gradients may be asked for inside of the block or after it."""

    def watch(self, tensor: Any) -> None:
        """Nothing to do: every tensor is watched."""

    def gradient(self, target: Any, sources: Any) -> Any:
        """The gradient of the sum of all elements of the target.

        Args:
            target: a tensor, or several in a list.
            sources: variables or tensors in any structure.

        Returns:
            Tensors in the structure of `sources`; None where the target does not depend on one.

        Raises:
            TypeError: the target is an array: it was not computed inside of a trace.
        """
        targets: Sequence[Any] = target if isinstance(target, (list, tuple)) else [target]
        for value in targets:
            if not isinstance(value, Node):
                raise TypeError(
                    explain(
                        "GradientTape cannot differentiate an array: nobody knows where it is from",
                        got=f"{type(value).__name__} {value!r}"[:200],
                        hint="use the tape inside of train_step or of a function under kgraph.jit",
                    )
                )
        leaves, structure = flatten(sources)
        return structure.pack(gradients(targets, leaves))
