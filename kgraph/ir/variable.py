"""State that lives between runs: weights, optimizer slots, moving statistics, metric totals.

A `Variable` is a leaf of the graph and at once the array that it stands for. The array is written
in place, never replaced, so that compiled plans may hold on to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.attributes import freeze_attributes
from kgraph.ir.leaves import Leaf, fresh_uid
from kgraph.ir.node import Node, fill
from kgraph.ir.op import as_array, register
from kgraph.ir.types import TensorType, canonical_dtype


class StateOp(Leaf):
    """A variable's value at the start of the run."""

    name = "state"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return attrs["type"]


STATE = register(StateOp())


class Variable(Node):
    """A named array that graphs read and update.

    Args:
        value: initial value; Python numbers become float32 or int32.
        name: path such as `dense_1/kernel`.
        dtype: element type; default the value's.
        trainable: whether an optimizer may change it.
        regularizer: penalty on it, a function of a tensor that returns a scalar, or None.
        constraint: projection after each update, a function of a tensor, or None.

    Example:
        >>> v = Variable([1.0, 2.0], name="v")
        >>> v.assign([3, 4]).numpy()
        array([3., 4.], dtype=float32)
        >>> float(Variable(0.5, name="rate"))
        0.5
    """

    __slots__ = ("constraint", "regularizer", "trainable", "value")

    value: np.ndarray
    trainable: bool

    def __init__(
        self,
        value: Any,
        name: str = "variable",
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any], Any] | None = None,
    ) -> None:
        array = as_array(value, dtype)
        self.value = np.array(array, dtype=dtype or array.dtype, order="C", copy=True)
        self.trainable, self.regularizer, self.constraint = trainable, regularizer, constraint
        type_ = TensorType(self.value.shape, canonical_dtype(self.value.dtype))
        attrs = freeze_attributes({"name": name, "type": type_, "uid": fresh_uid()})
        fill(self, STATE, (), attrs, (type_,), None)

    def numpy(self) -> np.ndarray:
        """A copy of the present value."""
        return self.value.copy()

    def assign(self, value: Any) -> Variable:
        """Writes a new value of the same shape in place.

        Raises:
            ValueError: the shapes differ.
            TypeError: it is a symbolic tensor, which has no value, or not numeric.
        """
        self.value[...] = self.fitting(value)
        return self

    def fitting(self, value: Any) -> np.ndarray:
        """What `assign` would write: the value as an array of the variable's shape and dtype.

        Raises:
            ValueError: the shapes differ.
            TypeError: it is a symbolic tensor, which has no value, or not numeric.
        """
        if isinstance(value, Node) and not isinstance(value, Variable):
            raise TypeError(
                explain(
                    f"Cannot assign a symbolic tensor to variable {self.name}",
                    got=value,
                    hint="compute with numbers: `variable.assign(float(variable) * 0.5)`",
                )
            )
        array = np.asarray(value)
        if array.shape != self.value.shape:
            raise ValueError(
                explain(
                    f"Cannot assign to variable {self.name}",
                    expected=self.value.shape,
                    got=array.shape,
                )
            )
        if array.dtype.kind not in "biufO":
            raise TypeError(
                explain(
                    f"Cannot assign to variable {self.name}", expected=self.type, got=array.dtype
                )
            )
        return array.astype(self.value.dtype, copy=False)

    def __float__(self) -> float:
        """The present value of a variable of one element; inside a traced function, a constant."""
        return float(self._scalar())

    def __int__(self) -> int:
        """The present value of a variable of one element; inside a traced function, a constant."""
        return int(self._scalar())

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """A copy of the present value, for the array changes with every training step."""
        del copy
        return np.array(self.value, dtype=dtype)

    def _scalar(self) -> Any:
        if self.value.size != 1:
            raise TypeError(
                explain(
                    f"Variable {self.name} is no number",
                    expected="a variable of one element",
                    got=str(self.type),
                    hint="numpy() returns its array",
                )
            )
        return self.value.item()

    def __repr__(self) -> str:
        return f"<Variable {self.name}: {self.type}>"


def assign_all(pairs: Iterable[tuple[Variable, Any]]) -> None:
    """Writes values to variables, all of them or, where one does not fit, none.

    Args:
        pairs: variables, each with a value of its shape.

    Raises:
        ValueError: shapes differ.
        TypeError: a value is symbolic, or not numeric.

    Example:
        >>> a, b = Variable(1.0), Variable(2.0)
        >>> assign_all([(a, 3.0), (b, 4.0)])
        >>> float(a), float(b)
        (3.0, 4.0)
    """
    fitting = [(variable, variable.fitting(value)) for variable, value in pairs]
    for variable, array in fitting:
        variable.value[...] = array


@contextlib.contextmanager
def keeping(variables: Iterable[Variable]) -> Iterator[dict[Variable, np.ndarray]]:
    """Gives variables the values back that they had, however the block ends.

    Args:
        variables: those that the block may write.

    Returns:
        Each with a copy of its value.

    Example:
        >>> v = Variable(1.0)
        >>> with keeping([v]) as before:
        ...     _ = v.assign(2.0)
        >>> float(v), float(before[v])
        (1.0, 1.0)
    """
    kept = {variable: variable.numpy() for variable in variables}
    try:
        yield kept
    finally:
        for variable, value in kept.items():
            variable.assign(value)
