"""Nodes: interned, immutable values of the graph.

Building the same (op, inputs, attributes) twice gives the same object, so common subexpressions
never exist twice, equality is `is`, and a dictionary may be keyed by nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kgraph.errors import InferenceError, KGraphError, explain
from kgraph.ir.attributes import attribute_key, freeze_attributes
from kgraph.ir.dim import Dim
from kgraph.ir.intern import Interner
from kgraph.ir.origin import Origin, here
from kgraph.ir.types import Shape, TensorType

if TYPE_CHECKING:
    from kgraph.ir.op import Op

_TABLE = Interner()
_LAYERS = ("LAYERS",)  # the stage of ops that carry what a layer did

# Name -> the public function of that name; filled by `kgraph.ops`. Operators, indexing and NumPy
# functions on nodes look their meaning up here.
API: dict[str, Callable[..., Any]] = {}

NO_VALUE = (
    "A symbolic tensor has no value{what}: it stands for what the graph will compute. "
    "Use kgraph.ops functions on it, or run a Model or kgraph.function on arrays."
)


def _operator(name: str, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Node, other: Any) -> Any:
        return API[name](other, self) if swapped else API[name](self, other)

    return method


def _unary(name: str) -> Callable[..., Any]:
    return lambda self: API[name](self)


def _method(name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: API[name](self, *args, **kwargs)


class Node:
    """One value of a graph.

    Attributes:
        op: what computes it.
        inputs: the nodes it is computed from.
        attrs: the op's static arguments, frozen.
        types: one `TensorType` an output.
        origin: name, layer path, source line, lineage; never part of the identity.
        named: the attributes as a hashable, by which the table of nodes compares them.
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "named", "op", "origin", "types")

    op: Op
    inputs: tuple[Node, ...]
    attrs: Mapping[str, Any]
    types: tuple[TensorType, ...]
    origin: Origin
    named: tuple[Any, ...]

    @property
    def type(self) -> TensorType:
        """The type of a node with one output."""
        types = self.types
        if len(types) == 1:
            return types[0]
        raise KGraphError(f"{self.op.name} has {len(types)} outputs: use item(node, i)")

    @property
    def shape(self) -> Shape:
        """Sizes, symbolic ones as `Dim`."""
        types = self.types
        return types[0].shape if len(types) == 1 else self.type.shape

    @property
    def dtype(self) -> str:
        """NumPy's name of the element type."""
        types = self.types
        return types[0].dtype if len(types) == 1 else self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int | Dim:
        """Number of elements."""
        return self.type.size

    @property
    def name(self) -> str:
        """What the user called the tensor, or its op's name."""
        return str(self.attrs.get("name") or self.origin.name or self.op.name)

    @property
    def T(self) -> Any:
        """The tensor with its axes reversed."""
        return API["transpose"](self)

    @property
    def _keras_shape(self) -> tuple[int | None, ...]:
        return tuple(d if isinstance(d, int) else None for d in self.shape)

    @property
    def _keras_history(self) -> tuple[object, int, int] | None:
        return self.origin.history

    def __repr__(self) -> str:
        types = ", ".join(map(str, self.types))
        return (
            f"<{self.name}: {types}>"
            if self.name == self.op.name
            else (f"<{self.name} = {self.op.name}: {types}>")
        )

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self

    __add__, __radd__ = _operator("add"), _operator("add", swapped=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", swapped=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", swapped=True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", swapped=True)
    __floordiv__ = _operator("floor_divide")
    __rfloordiv__ = _operator("floor_divide", swapped=True)
    __mod__, __rmod__ = _operator("mod"), _operator("mod", swapped=True)
    __pow__, __rpow__ = _operator("power"), _operator("power", swapped=True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", swapped=True)
    __and__, __rand__ = _operator("logical_and"), _operator("logical_and", swapped=True)
    __or__, __ror__ = _operator("logical_or"), _operator("logical_or", swapped=True)
    __xor__, __rxor__ = _operator("logical_xor"), _operator("logical_xor", swapped=True)
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __neg__, __abs__, __invert__ = _unary("negative"), _unary("abs"), _unary("logical_not")

    # Methods of NumPy's arrays, so that plain functions of arrays can be traced.
    sum, mean, prod, std, var = map(_method, ("sum", "mean", "prod", "std", "var"))
    max, min, argmax, argmin = map(_method, ("max", "min", "argmax", "argmin"))
    all, any, cumsum, clip = map(_method, ("all", "any", "cumsum", "clip"))
    squeeze, swapaxes, repeat, take = map(_method, ("squeeze", "swapaxes", "repeat", "take"))
    astype, round = _method("cast"), _method("round")

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape, given as one tuple or one by one."""
        return API["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, given as one tuple or one by one, reversed by default."""
        return API["transpose"](self, axes[0] if len(axes) == 1 else axes or None)

    def __getitem__(self, key: Any) -> Any:
        return API["getitem"](self, key)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        name = {"absolute": "abs", "remainder": "mod"}.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or kwargs or name not in API:
            raise TypeError(NO_VALUE.format(what=f" for np.{ufunc.__name__}"))
        return API[name](*args)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ not in API:
            raise TypeError(NO_VALUE.format(what=f" for np.{function.__name__}"))
        return API[function.__name__](*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(NO_VALUE.format(what=" to make an array of"))

    def __bool__(self) -> bool:
        raise TypeError(NO_VALUE.format(what=", so `if` and `and` cannot branch on it"))

    def __float__(self) -> float:
        raise TypeError(NO_VALUE.format(what=""))

    __int__ = __index__ = __float__  # type: ignore[assignment]

    def __len__(self) -> int:
        raise TypeError(NO_VALUE.format(what=", so its length is its .shape[0]"))

    def __iter__(self) -> Any:
        raise TypeError("Iterating over a symbolic tensor is not allowed: index it, or unstack it.")


def build(
    op: Op,
    inputs: tuple[Node, ...] = (),
    attrs: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
) -> Node:
    """Makes the node, or finds the one that exists already.

    Args:
        op: the op.
        inputs: its operands.
        attrs: its attributes; `op.normalize` completes them.
        origin: the label of a node that is new; default the caller's.

    Returns:
        The interned node.

    Raises:
        InferenceError: the op refuses these operands or attributes.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import const
        >>> build(ops.tanh, (const(1.0),), {}) is ops.tanh(const(1.0))
        True
    """
    try:
        frozen = freeze_attributes(op.normalize(inputs, dict(attrs) if attrs else {}))
        named = tuple([(k, attribute_key(v)) for k, v in frozen.items()]) if frozen else ()
        # Numbers instead of the operands: a key that held them would keep a layer's calls alive for
        # ever, for the layer holds the nodes that it made. An entry goes before its operands can.
        key = (op, tuple(map(id, inputs)), named)
        found = _TABLE.get(key)
        if found is not None:
            return found
        types = op.infer_node(inputs, frozen)
    except InferenceError as error:
        raise _refusal(op, inputs, error, origin) from None
    node = Node.__new__(Node)
    fill(node, op, inputs, frozen, types, origin, named)
    return _TABLE.add(key, node)


def fill(
    node: Node,
    op: Op,
    inputs: tuple[Node, ...],
    attrs: Mapping[str, Any],
    types: tuple[TensorType, ...],
    origin: Origin | None,
    named: tuple[Any, ...] = (),
) -> None:
    """Sets the fields of a node that is being made; nothing else may assign them."""
    node.op, node.inputs, node.attrs, node.types, node.named = op, inputs, attrs, types, named
    node.origin = origin if origin is not None else here()


def rebuild(node: Node, inputs: tuple[Node, ...], origin: Origin | None = None) -> Node:
    """The same op with other operands; the label goes along unless there is another one."""
    if inputs == node.inputs:
        return node
    origin = origin or node.origin
    # Operands of the same types leave nothing to normalize or to infer, except around layers.
    types = [n.types for n in inputs]
    if types != [n.types for n in node.inputs] or node.op.stages == _LAYERS:
        return build(node.op, inputs, node.attrs, origin)
    key = (node.op, tuple(map(id, inputs)), node.named)
    found = _TABLE.get(key)
    if found is not None:
        return found
    made = Node.__new__(Node)
    fill(made, node.op, inputs, node.attrs, node.types, origin, node.named)
    return _TABLE.add(key, made)


def _refusal(
    op: Op, inputs: tuple[Node, ...], error: InferenceError, origin: Origin | None
) -> InferenceError:
    place = (origin or here()).where
    operands = ", ".join(" ".join(map(str, n.types)) for n in inputs)
    return InferenceError(explain(f"{op.name}: {error}", got=operands, where=place))
