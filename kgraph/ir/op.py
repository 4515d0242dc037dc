"""What an op is: its name, type rule, kernel and gradient, declared in one place.

Called on arrays an op runs at once; called on nodes it builds a node. Constant folding, the
interpreter and the compiled plan all call the same `kernel`, so an op has one numeric meaning.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from kgraph.errors import InferenceError, ParseError, did_you_mean, explain
from kgraph.ir.attributes import Constant
from kgraph.ir.dim import Dim
from kgraph.ir.node import API, Node, build
from kgraph.ir.types import FLOATS, TensorType, canonical_dtype, promote

# Name -> op. Files name ops by these names and nothing else.
OPS: dict[str, Op] = {}

_FLOATS = frozenset(FLOATS)

# NumPy integers that the IR lacks -> the one that holds all their values.
_WIDER = {"i1": "int32", "i2": "int32", "u2": "int32", "u4": "int64"}


@dataclass(frozen=True)
class Sample:
    """Inputs on which the test harness runs an op.

    Args:
        inputs: arrays, or functions of a `numpy.random.Generator` that return one.
        attrs: the op's attributes.
        differentiable: whether the gradient is checked at these inputs.
    """

    inputs: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    differentiable: bool = True


class Op:
    """Base of all ops; a subclass overrides what is special about it.

    Attributes:
        name: NumPy's name where there is one; unique.
        reuse: operands whose buffer the output may take when they have its shape and dtype.
        pure: whether equal operands always give equal bits.
        stages: names of the stages in which a graph may hold the op.
    """

    name: str = ""
    doc: str = ""
    reuse: tuple[int, ...] = ()
    pure: bool = True
    stages: ClassVar[tuple[str, ...]] = ("LAYERS", "CORE", "FUSED")

    # -- the parts that an op declares ---------------------------------------------------------
    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        """Completes attributes and gives them one spelling, such as axis -1 -> 2."""
        return attrs

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType | tuple[TensorType, ...]:
        """The output types, or `InferenceError` saying what is required."""
        raise NotImplementedError(self.name)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        """Computes the output; writes it to `out` (a tuple for several outputs) when given.

        An op that declares `scratch` also takes `work`, buffers of those types or None.
        """
        raise NotImplementedError(self.name)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        """Cotangents of the inputs from the output's; None where there is no gradient."""
        raise NotImplementedError(self.name)

    # The same meaning in simpler ops: test oracle, and the gradient when there is no `vjp`.
    reference: Callable[..., Any] | None = None

    # array -> a NumPy view that holds the output, or None when a copy is needed.
    view: Callable[..., np.ndarray | None] | None = None

    # The same meaning as an expression of C, where it gives the kernel's very bits: operands are
    # `{0}`, `{1}`, ..., floats, doubles or bools; `{t}` is the output's type, and `{f}` ends the
    # names of its math functions. "" where there is none.
    c: str = ""

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        """Buffers that the kernel needs while it runs."""
        return ()

    def reuses(self, output: int, attrs: Mapping[str, Any]) -> tuple[int, ...]:
        """Operands whose buffer an output may take: the kernel has read them when it writes it.

        That holds for operands of exactly the output's shape, dtype and place.
        """
        return self.reuse if output == 0 else ()

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        """Floating-point operations and bytes moved, as sizes that may be symbolic."""
        flops = sum((t.size for t in outputs), start=0)  # type: ignore[misc]
        moved = [*inputs, *outputs]
        return flops, sum((t.nbytes for t in moved), start=0)  # type: ignore[misc]

    def samples(self) -> Iterable[Sample]:
        """Inputs for the test harness; an op without any fails the suite."""
        return ()

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        """A function of (*inputs, *outputs, *scratch) with the attributes built in."""
        n, m = len(inputs), len(outputs)
        kernel, frozen = self.kernel, dict(attrs)
        has_work = bool(self.scratch(*inputs, **frozen))

        def call(*buffers: np.ndarray) -> None:
            out = buffers[n] if m == 1 else buffers[n : n + m]
            if has_work:
                kernel(*buffers[:n], out=out, work=buffers[n + m :], **frozen)
            else:
                kernel(*buffers[:n], out=out, **frozen)

        return call

    # -- what every op can do ------------------------------------------------------------------
    @property
    def has_vjp(self) -> bool:
        """Whether the op states its gradient itself."""
        return type(self).vjp is not Op.vjp

    @property
    def has_scratch(self) -> bool:
        """Whether the op's kernel may ask for scratch buffers."""
        return type(self).scratch is not Op.scratch

    def infer_node(
        self, inputs: tuple[Node, ...], attrs: Mapping[str, Any]
    ) -> tuple[TensorType, ...]:
        """`infer` on the types of nodes, always as a tuple."""
        # `Node.type` would say which node has several outputs, in twice the time.
        operands = [n.types[0] if len(n.types) == 1 else n.type for n in inputs]
        types = self.infer(*operands, **attrs)
        return types if isinstance(types, tuple) else (types,)

    def __call__(self, *operands: Any, **attrs: Any) -> Any:
        return self.apply(operands, **attrs)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        """Turns the operands of a call into nodes; families promote dtypes here."""
        return tuple(as_node(x) for x in operands)

    def apply(self, operands: Sequence[Any], **attrs: Any) -> Any:
        """Builds on nodes, runs at once on arrays."""
        for operand in operands:
            if isinstance(operand, Node):
                break
        else:
            return self.run(operands, attrs)
        node = build(self, self.lift(operands), attrs)
        if len(node.types) == 1:
            return node
        return tuple(build(OPS["item"], (node,), {"index": i}) for i in range(len(node.types)))

    def run(self, operands: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
        """Computes on arrays, with the checks and promotions of the symbolic call."""
        nodes = self.lift(operands)
        frozen = build(self, nodes, attrs).attrs
        with np.errstate(all="ignore"):
            return self.kernel(*[_value(n) for n in nodes], **frozen)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return find_op, (self.name,)


def register(op: Op) -> Op:
    """Enters an op under its name, for files, operators and NumPy functions to find."""
    if not op.name or op.name in OPS:
        raise ValueError(f"An op needs a name of its own. Got: {op.name!r}")
    OPS[op.name] = op
    API[op.name] = op
    return op


def find_op(name: str) -> Op:
    """The registered op of that name.

    Args:
        name: an op's name.

    Returns:
        The op.

    Raises:
        ParseError: there is none.

    Example:
        >>> from kgraph import ops
        >>> find_op("tanh") is ops.tanh
        True
    """
    if name not in OPS:
        raise ParseError(explain(f"unknown op: {name!r}", hint=did_you_mean(name, OPS)))
    return OPS[name]


def as_array(value: Any, like: str | None = None) -> np.ndarray:
    """Turns what a caller passes into an array of a dtype that the IR has.

    Args:
        value: an array or (nested lists of) Python numbers.
        like: dtype that Python numbers take; default float32, int32 or bool by their kind.

    Returns:
        An array of a dtype that kgraph has.

    Example:
        >>> str(as_array([1, 2]).dtype), str(as_array(0.5).dtype)
        ('int32', 'float32')
    """
    if isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, float):
        array = np.asarray(value)
        wider = _WIDER.get(array.dtype.str[1:])
        return array.astype(wider or canonical_dtype(array.dtype), copy=False)
    array = np.asarray(value)
    if array.dtype.kind not in "bif":
        raise InferenceError(f"not a tensor: {type(value).__name__} {value!r}"[:200])
    if like is not None and _fits(array.dtype.kind, like):
        return array.astype(like)
    natural = {"b": "bool", "f": "float32"}.get(array.dtype.kind, "int32")
    limits = np.iinfo("int32")
    if natural == "int32" and array.size and (array.max() > limits.max or array.min() < limits.min):
        natural = "int64"
    return array.astype(natural)


def _fits(kind: str, dtype: str) -> bool:
    """Whether a Python number of this kind may take the dtype: bool < integer < float."""
    return kind == "b" or dtype.startswith("float") or (kind == "i" and dtype != "bool")


def as_node(value: Any, like: str | None = None) -> Node:
    """Returns nodes as they are and makes constants of everything else.

    Args:
        value: a node, what a constant can hold, or a symbolic size.
        like: dtype that Python numbers take.

    Returns:
        A node.

    Example:
        >>> as_node(2.0).op.name
        'const'
    """
    if isinstance(value, Node):
        return value
    if type(value) in (bool, int, float):
        return _scalar(value, repr(value), like)
    if isinstance(value, Dim):
        return build(OPS["size"], (), {"dim": value})
    return build(OPS["const"], (), {"value": Constant(as_array(value, like))})


@functools.lru_cache(maxsize=1024, typed=True)
def _scalar(value: bool | int | float, text: str, like: str | None) -> Node:
    """Constants of Python numbers; `text` keeps 0.0 and -0.0 apart."""
    return build(OPS["const"], (), {"value": Constant(as_array(value, like))})


def cast_to(node: Node, dtype: str) -> Node:
    """Casts a node unless it has the dtype already.

    Args:
        node: a node.
        dtype: NumPy's name.

    Returns:
        The node itself, if it has that dtype.

    Example:
        >>> from kgraph import ops
        >>> print(cast_to(as_node(2.0), "float64").type)
        f64[]
    """
    return node if node.dtype == dtype else build(OPS["cast"], (node,), {"dtype": dtype})


def promote_operands(operands: Sequence[Any], floating: bool = False) -> tuple[Node, ...]:
    """Casts operands to one dtype by the promotion table.

    Python numbers take the dtype of the tensors beside them (a float beside ints gives float32).

    Args:
        operands: nodes, arrays and Python numbers.
        floating: whether ints become float32, as for `exp`.
    """
    present = {x.dtype if isinstance(x, Node) else "" for x in operands}
    if len(present) == 1 and (present <= _FLOATS or not (floating or "" in present)):
        return tuple(operands)
    nodes = [as_node(x) if _is_tensor(x) else x for x in operands]
    tensors = [n.dtype for n in nodes if isinstance(n, Node)]
    beside = promote(*tensors) if tensors else None
    nodes = [as_node(x, beside) for x in nodes]
    dtype = promote(*[n.dtype for n in nodes])
    if floating and dtype not in FLOATS:
        dtype = "float32"
    return tuple([n if n.dtype == dtype else cast_to(n, dtype) for n in nodes])


def _is_tensor(value: Any) -> bool:
    # numpy.float64 is a Python float: sqrt(2) from NumPy must not turn a model into float64.
    return isinstance(value, Node) or (
        isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, float)
    )


def _value(node: Node) -> np.ndarray:
    """The array of a constant, or of the cast of one."""
    if node.op.name == "const":
        return node.attrs["value"].array
    return node.op.kernel(*[_value(n) for n in node.inputs], **node.attrs)
