"""Random valid graphs for differential tests of plans: ops of all families, states, aliases.

Values are either exact (small whole numbers, whose sums and products no rounding touches) or rough.
Ops that jump (floor, comparisons, sorting, casts to integers) take exact operands only, so two
orders of the same arithmetic differ by rounding and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kgraph import ops
from kgraph.errors import KGraphError
from kgraph.ir import Dim, Graph, Variable, build, const, input_node, items, size
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import Node
from kgraph.ir.op import find_op
from kgraph.runtime.autodiff import grad

BATCH = Dim.symbol("batch")
LIMIT = 8.0  # what inputs and states stay below
LARGEST = 1e4  # exact values above this are clipped, so that float32 holds them exactly


@dataclass(frozen=True)
class Value:
    """A node, whether its values are exact, and a bound on them."""

    node: Node
    exact: bool
    bound: float

    @property
    def kind(self) -> str:
        """What tables the value draws from: float, int or bool."""
        return (
            "float" if self.node.type.is_float else "bool" if self.node.dtype == "bool" else "int"
        )


def whole(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Whole numbers from -4 to 4."""
    return rng.integers(-4, 5, shape).astype(dtype)


def make_states(rng: np.random.Generator) -> list[Value]:
    """Two square exact states, a rough one, a counter, a flag."""

    def state(name: str, shape: tuple[int, ...], dtype: str, exact: bool = True) -> Value:
        array = whole(rng, shape, dtype) if exact else rng.normal(size=shape)
        return Value(Variable(array, name, dtype), exact, LIMIT)

    return [
        state("a", (3, 3), "float32"),
        state("b", (3, 3), "float32"),
        state("rough", (3, 3), "float32", exact=False),
        state("count", (), "int64"),
        state("flag", (3,), "bool"),
    ]


def make_inputs() -> list[Value]:
    """Inputs of every dtype; all share the symbolic batch."""
    nodes = (
        input_node((BATCH, 3), name="x"),
        input_node((BATCH, 3), "float64", "wide"),
        input_node((BATCH,), "int32", "ids"),
        input_node((3, 3), "float32", "square"),
        input_node((BATCH, 3), "bool", "mask"),
        input_node((2, 3), "float16", "half"),
    )
    return [Value(n, True, LIMIT) for n in nodes]


def make_arrays(inputs: list[Value], batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One array an input; ids are valid indices of three rows."""
    arrays = []
    for value in inputs:
        shape = tuple(d if isinstance(d, int) else batch for d in value.node.shape)
        if value.node.name == "ids":
            arrays.append(rng.integers(0, 3, shape).astype("int32"))
        else:
            arrays.append(whole(rng, shape, value.node.dtype))
    return arrays


# -- steps: each takes a drawing function and a pool, and gives new values ---------------------

Draw = Callable[..., Any]

SMOOTH = ("tanh", "sigmoid", "sin", "cos", "erf", "arctan", "softsign")
GROWING = ("softplus", "gelu", "silu", "elu", "selu", "mish", "leaky_relu", "hard_sigmoid")
TAMED = (
    "exp",
    "expm1",
    "sinh",
    "cosh",
    "arcsinh",
    "square",
    "reciprocal",
    "rsqrt",
    "log1p",
    "sqrt",
    "log",
    "log2",
    "log10",
)
EXACT_FLOAT = ("negative", "abs", "relu", "square", "relu6", "identity", "stop_gradient")
JUMPING = ("sign", "floor", "ceil", "round", "isnan", "isfinite")
BINARY = {
    "float": ("add", "subtract", "multiply", "maximum", "minimum"),
    "int": ("add", "subtract", "multiply", "maximum", "minimum"),
    "bool": ("logical_and", "logical_or", "logical_xor"),
}
COMPARE = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def pick(draw: Draw, pool: list[Value], test: Callable[[Value], bool]) -> Value | None:
    """One of the values that pass, half the time one of the youngest, for depth."""
    fitting = [v for v in pool if test(v)][::-1]
    young = fitting[:4] if draw(st.booleans()) else fitting
    return draw(st.sampled_from(young)) if fitting else None


def choose(draw: Draw, pool: list[Value]) -> Value:
    """Any of the values, as `pick` does."""
    value = pick(draw, pool, lambda v: True)
    assert value is not None
    return value


def is_float(value: Value) -> bool:
    """Whether the value holds floats."""
    return value.kind == "float"


def unary(draw: Draw, pool: list[Value]) -> list[Value]:
    """Elementwise ops of one operand."""
    x = choose(draw, pool)
    if x.kind == "bool":
        return [Value(ops.logical_not(x.node), x.exact, 1.0)]
    if x.kind == "int":
        name = draw(st.sampled_from(("negative", "abs")))
        return [Value(getattr(ops, name)(x.node), x.exact, x.bound)]
    name = draw(st.sampled_from(SMOOTH + GROWING + TAMED + EXACT_FLOAT + JUMPING))
    if name in JUMPING:
        return [Value(getattr(ops, name)(x.node), True, x.bound)] if x.exact else []
    if name in EXACT_FLOAT:
        return [Value(getattr(ops, name)(x.node), x.exact, max(x.bound, x.bound**2))]
    if name in TAMED:
        safe = 1.5 + ops.sin(x.node)
        return [Value(getattr(ops, name)(safe), False, 13.0)]
    return [Value(getattr(ops, name)(x.node), False, 2.0 * x.bound + 1.0)]


def binary(draw: Draw, pool: list[Value]) -> list[Value]:
    """Elementwise ops of two operands, broadcasting where the shapes allow."""
    a = choose(draw, pool)
    b = pick(draw, pool, lambda v: v.node.dtype == a.node.dtype) or a
    name = draw(st.sampled_from(BINARY[a.kind]))
    bound = max(a.bound * b.bound, a.bound + b.bound)
    return [Value(getattr(ops, name)(a.node, b.node), a.exact and b.exact, bound)]


def twist(draw: Draw, pool: list[Value]) -> list[Value]:
    """A value with itself seen another way: its buffer dies where two windows on it are read."""
    v = pick(draw, pool, lambda o: o.kind == "float" and o.node.ndim == 2)
    if v is None:
        return []
    fresh = ops.negative(v.node)
    views = [ops.flip(fresh), fresh[::-1], fresh[:, ::-1]]
    views += [ops.transpose(fresh)] * 3 if fresh.shape == ops.transpose(fresh).shape else []
    other = draw(st.sampled_from(views))
    pair = (fresh, other) if draw(st.booleans()) else (other, fresh)
    return [Value(ops.add(*pair), v.exact, 2 * v.bound)]


def compare(draw: Draw, pool: list[Value]) -> list[Value]:
    """Comparisons and choices."""
    a = pick(draw, pool, lambda v: v.exact and v.kind != "bool")
    if a is None:
        return []
    b = pick(draw, pool, lambda v: v.exact and v.node.dtype == a.node.dtype) or a
    test = getattr(ops, draw(st.sampled_from(COMPARE)))(a.node, b.node)
    chosen = ops.where(test, a.node, b.node)
    return [Value(test, True, 1.0), Value(chosen, True, max(a.bound, b.bound))]


def move(draw: Draw, pool: list[Value]) -> list[Value]:
    """Views, and reshapes that need a copy."""
    v = choose(draw, pool)
    x, n = v.node, v.node.ndim
    moves = [
        lambda: ops.expand_dims(x, draw(st.integers(0, n))),
        lambda: ops.reshape(x, (-1,)),
        lambda: ops.squeeze(x),
        lambda: ops.flip(x),
    ]
    if n:
        axis = draw(st.integers(0, n - 1))
        others = [slice(None)] * axis
        moves += [
            lambda: ops.transpose(x, draw(st.permutations(range(n)))),
            lambda: x[::-1],
            lambda: x[(*others, slice(None, None, 2))],
            lambda: x[(*others, slice(1, None))],
            lambda: x[(*others, slice(0, 1))],
            lambda: ops.broadcast_to(x, (2, *x.shape)),
            lambda: ops.reshape(ops.transpose(x), (-1, x.shape[0])),
            lambda: ops.reshape(x, (*x.shape[1:], x.shape[0])),
        ]
    return [Value(draw(st.sampled_from(moves))(), v.exact, v.bound)]


def reduce(draw: Draw, pool: list[Value]) -> list[Value]:
    """Reductions over one axis or all."""
    v = choose(draw, pool)
    x = v.node
    if not x.ndim:
        return []
    axis = draw(st.sampled_from([None, *range(x.ndim)]))
    keep = draw(st.booleans())
    if v.kind == "bool":
        name = draw(st.sampled_from(("any", "all")))
        return [Value(getattr(ops, name)(x, axis=axis, keepdims=keep), v.exact, 1.0)]
    sizes = [d if isinstance(d, int) else 5 for d in x.shape]
    grown = v.bound * math.prod(sizes)
    found = [Value(ops.sum(x, axis=axis, keepdims=keep), v.exact, grown)]
    # No extreme of nothing: the axis must not be empty for any batch.
    if axis is not None and isinstance(x.shape[axis], int) and x.shape[axis]:
        found.append(Value(ops.max(x, axis=axis, keepdims=keep), v.exact, v.bound))
        if v.exact:
            found.append(Value(ops.argmax(x, axis=axis), True, 128.0))
        if v.kind == "float":
            found.append(Value(ops.mean(x, axis=axis, keepdims=keep), False, v.bound))
            spread = ops.logsumexp(ops.sin(x), axis=axis, keepdims=keep)
            found.append(Value(spread, False, 8.0))
    if v.kind == "float" and axis is not None:
        found.append(Value(ops.cumsum(x, axis=axis), v.exact, grown))
    return [draw(st.sampled_from(found))]


def multiply(draw: Draw, pool: list[Value]) -> list[Value]:
    """Matrix products of operands as they lie, transposed ones included."""
    a = pick(draw, pool, lambda v: is_float(v) and v.node.ndim >= 2)
    if a is None:
        return []
    flip = draw(st.booleans())
    b = pick(draw, pool, lambda v: v.node.dtype == a.node.dtype and v.node.ndim >= 2)
    if b is None:
        return []
    right = ops.swapaxes(b.node, -1, -2) if flip else b.node
    return [Value(ops.matmul(a.node, right), a.exact and b.exact, 16 * a.bound * b.bound)]


def join(draw: Draw, pool: list[Value]) -> list[Value]:
    """Concatenation, stacking, padding, splitting."""
    v = choose(draw, pool)
    x = v.node
    if not x.ndim:
        return [Value(ops.stack([x, x]), v.exact, v.bound)]
    other = pick(draw, pool, lambda o: o.node.type == x.type) or v
    joins = [
        lambda: ops.concatenate([x, other.node, x], axis=draw(st.integers(0, x.ndim - 1))),
        lambda: ops.stack([x, other.node], axis=draw(st.integers(0, x.ndim))),
        lambda: ops.pad(x, [(1, 2)] * x.ndim),
        lambda: ops.tile(x, (2,) * x.ndim),
        lambda: ops.repeat(x, 2, axis=0),
        lambda: ops.split(ops.concatenate([x, other.node], axis=0), 2, axis=0)[1],
    ]
    joined = draw(st.sampled_from(joins))()
    return [Value(joined, v.exact and other.exact, max(v.bound, other.bound))]


def index(draw: Draw, pool: list[Value]) -> list[Value]:
    """Rows taken by ids, added by ids, one-hot rows."""
    ids = next(v.node for v in pool if v.node.name == "ids")
    v = pick(draw, pool, lambda o: is_float(o) and o.node.shape == (3, 3))
    rows = pick(draw, pool, lambda o: o.node.shape == (BATCH, 3) and o.node.dtype == "float32")
    if v is None or rows is None or v.node.dtype != "float32":
        return []
    x = v.node
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return [Value(ops.take(x, ids, axis=draw(st.integers(0, 1))), v.exact, v.bound)]
    if kind == 1:
        bound = v.bound + 5 * rows.bound
        return [Value(ops.scatter_add(x, ids, rows.node), v.exact and rows.exact, bound)]
    if kind == 2:
        return [Value(ops.one_hot(ids, 3), True, 1.0)]
    places = ops.expand_dims(ids, 1)
    return [Value(ops.take_along_axis(rows.node, places, axis=1), rows.exact, rows.bound)]


def order(draw: Draw, pool: list[Value]) -> list[Value]:
    """Sorting; `top_k` has two outputs, of which both, one or none is used."""
    v = pick(draw, pool, lambda o: is_float(o) and o.exact and o.node.ndim > 0)
    if v is None or not isinstance(v.node.shape[-1], int) or v.node.shape[-1] < 2:
        return []
    if draw(st.booleans()):
        return [Value(ops.sort(v.node), True, v.bound), Value(ops.argsort(v.node), True, 128.0)]
    best, places = ops.top_k(v.node, 2)
    return [Value(best, True, v.bound), Value(places, True, 128.0)][draw(st.integers(0, 1)) :]


def normalize(draw: Draw, pool: list[Value]) -> list[Value]:
    """Softmax and the cross-entropies, plain and as composites with two outputs."""
    v = pick(draw, pool, lambda o: is_float(o) and o.node.ndim > 0 and o.bound < 100)
    if v is None or v.node.shape[-1] in (0, BATCH):
        return []
    x = v.node
    target = ops.softmax(ops.sin(x))
    kind = draw(st.integers(0, 6))
    if kind == 0:
        return [Value(ops.softmax(x), False, 1.0)]
    if kind == 1:
        return [Value(ops.log_softmax(x), False, 2 * v.bound + 8)]
    if kind == 2:
        return [Value(y, False, 2 * v.bound + 8) for y in ops.softmax_cross_entropy(x, target)]
    if kind == 3:
        # Small logits: the plain form clips tiny probabilities, the stabilized one need not.
        loss = ops.categorical_crossentropy(target, ops.softmax(ops.cos(x)))
        return [Value(loss, False, 20.0)]
    if kind == 4:
        return [Value(ops.binary_crossentropy(target, ops.sigmoid(ops.cos(x))), False, 20.0)]
    if kind == 5:
        return [Value(ops.sigmoid_cross_entropy(x, target), False, v.bound + 8)]
    if x.shape != (BATCH, 3):
        return []
    ids = next(o.node for o in pool if o.node.name == "ids")
    return [Value(y, False, 100.0) for y in ops.sparse_softmax_cross_entropy(x, ids)]


def convert(draw: Draw, pool: list[Value]) -> list[Value]:
    """Casts, sizes, constants."""
    v = choose(draw, pool)
    kind = draw(st.integers(0, 3))
    if v.node.dtype == "float16" and not v.exact:
        return []  # its rounding errors are not those of a wider dtype
    if kind == 0:
        return [Value(size(BATCH), True, 5.0)]
    if kind == 1:
        return [Value(const(np.arange(9.0).reshape(3, 3) - 4, "float32"), True, 4.0)]
    dtypes = ["float32", "float64"]
    dtypes += ["int32", "int64", "bool"] if v.exact and v.kind != "bool" else []
    return [Value(ops.cast(v.node, draw(st.sampled_from(dtypes))), v.exact, max(v.bound, 1.0))]


def chance(draw: Draw, pool: list[Value]) -> list[Value]:
    """Random numbers keyed by the run's number."""
    name = draw(st.sampled_from(("uniform", "normal", "bernoulli")))
    op = find_op(f"random_{name}")
    shape = draw(st.sampled_from([(3, 3), (BATCH, 3)]))
    site = draw(st.integers(0, 2))
    return [Value(op(build(RNG_STEP), shape, seed=7, site=site), False, 8.0)]


def differentiate(draw: Draw, pool: list[Value]) -> list[Value]:
    """The gradient of a bounded loss by some leaf, forward and backward in one graph."""
    loss = pick(draw, pool, lambda v: is_float(v) and v.bound < 1000)
    leaf = pick(draw, pool, lambda v: is_float(v) and not v.node.inputs)
    if loss is None or leaf is None:
        return []
    (slope,) = grad(ops.sin(loss.node), [leaf.node])
    return [] if slope is None else [Value(ops.tanh(slope * 0.01), False, 1.0)]


STEPS = (
    unary, unary, twist, binary, binary, compare, move, move, move, reduce, multiply, join, index,
    order, normalize, convert, chance, differentiate,
)  # fmt: skip


def clip(value: Value) -> Value:
    """The value between -LIMIT and LIMIT."""
    low, high = (-LIMIT, LIMIT) if value.kind == "float" else (int(-LIMIT), int(LIMIT))
    return Value(ops.clip(value.node, low, high), value.exact, LIMIT)


def tame(value: Value) -> Value:
    """The value, clipped when its bound has grown too large."""
    largest = 1000.0 if value.node.dtype == "float16" else LARGEST
    return value if value.kind == "bool" or value.bound <= largest else clip(value)


def fits(state: Value, value: Value) -> bool:
    """Whether the value may be the state's next one, run after run."""
    exact = value.exact or not state.exact
    return exact and value.node.type == state.node.type and value.bound <= LIMIT


@st.composite
def programs(draw: Draw, most: int = 25) -> tuple[Graph, list[Value]]:
    """A graph of some steps with several outputs and updates, and its inputs."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    inputs, states = make_inputs(), make_states(rng)
    pool = [*inputs, *states]
    for _ in range(draw(st.integers(1, most))):
        step = draw(st.sampled_from(STEPS))
        try:
            made = step(draw, pool)
        except (KGraphError, ValueError, TypeError):
            continue  # the shapes do not go together
        pool += [tame(v) for v in made if len(items(v.node)) == 1]
    for state in states:
        pool += [
            clip(v)
            for v in pool
            if v.kind != "bool" and v.bound > LIMIT and v.node.type == state.node.type
        ]
    used = {i for v in pool for i in v.node.inputs}
    ends = [v for v in pool if v.node.inputs and v.node not in used]
    outputs = ends[: draw(st.integers(0, 8))]
    outputs += draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4))
    updates = []
    for state in states:
        fitting = [v for v in pool if fits(state, v)]
        if draw(st.integers(0, 3)):
            updates.append((state.node, draw(st.sampled_from(fitting[::-1])).node))
    named = tuple((f"y{i}", v.node) for i, v in enumerate(outputs))
    return Graph(tuple(v.node for v in inputs), named, tuple(updates)), inputs
