"""Matrix products that cost less in another form: other orders, sums first, factors last.

Chains of products are reassociated (`chains.py`), einsums become matmuls (`einsum_order.py`), sums
of products become products of sums, and a scalar factor goes to the operand that is smaller than
the product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from kgraph import ops
from kgraph.ir.dim import evaluate
from kgraph.ir.node import Node, build
from kgraph.passes.chains import plan_chains
from kgraph.passes.einsum_order import EINSUM
from kgraph.passes.planned import PlannedRewrite, PlannedRule
from kgraph.passes.products import CALL, ELEMENT, GAIN, bindings, is_product, product_time
from kgraph.passes.rules import FunctionRule, Rule, at
from kgraph.passes.values import TOO_SHORT, shaped, symbols_of

# At the ends of a symbolic size, where a sum of a product is as good as the product of sums.
TIE = 1.1
# The batches at which pushing a scalar factor down must save work.
BATCHES = (32, 128)

Found = tuple[Callable[[], Node], tuple[Node, ...]]


# -- sums and factors --------------------------------------------------------------------------
def sum_of_product(node: Node) -> Found | str | None:
    """sum(x @ w, axis) is the product of sums over the axes that are summed."""
    whole = node.inputs[0]
    if not is_product(whole):
        return None
    if node.dtype == "float16":
        return TOO_SHORT
    x, w = whole.inputs
    inner = x.shape[1]
    if node.op is ops.mean and not (isinstance(inner, int) and inner > 0):
        return "the mean of no rows is NaN, the product over no elements is 0"
    axes = node.attrs["axis"]
    if not _sum_pays(x, w, axes):
        return "summing first does not pay at every size"
    return partial(_product_of_sums, node, x, w, axes), (whole,)


def _sum_pays(x: Node, w: Node, axes: tuple[int, ...]) -> bool:
    wanted = GAIN
    for binding in bindings((*x.shape, *w.shape)):
        rows, inner, columns = (evaluate(d, binding) for d in (*x.shape, w.shape[1]))
        old = product_time(rows, inner, columns) + ELEMENT * rows * columns + CALL
        new = product_time(1 if 0 in axes else rows, inner, 1 if 1 in axes else columns)
        new += (ELEMENT * rows * inner + CALL) * (0 in axes)
        new += (ELEMENT * inner * columns + CALL) * (1 in axes)
        if wanted * new > old:
            return False
        wanted = 1 / TIE
    return True


def _product_of_sums(node: Node, x: Node, w: Node, axes: tuple[int, ...]) -> Node:
    left = node.op(x, axis=0) if 0 in axes else x
    right = node.op(w, axis=1) if 1 in axes else w
    return shaped(ops.matmul(left, right), node.type)


def scale_product(node: Node) -> Found | str | None:
    """c * (a @ b) is a @ (c * b) for a scalar c; it pays where b has fewer elements than a @ b."""
    for factor, whole in _scaled(node):
        if is_product(whole):
            if node.dtype == "float16":
                return TOO_SHORT
            target = _smaller_operand(whole)
            if target is None:
                return "no operand has fewer elements than the product"
            return partial(_scale_operand, node, factor, whole, target), (whole,)
    return None


def _scaled(node: Node) -> list[tuple[Node, Node]]:
    """(scalar, tensor) of a multiplication or division."""
    a, b = node.inputs
    pairs = [(b, a)] if node.op is ops.divide else [(b, a), (a, b)]
    return [(c, t) for c, t in pairs if c.ndim == 0]


def _smaller_operand(whole: Node) -> int | None:
    """The operand that is smaller than the product for each batch, the smallest first."""
    counts, names = [], symbols_of((*whole.inputs, whole))
    for number in BATCHES:
        binding = dict.fromkeys(names, number)
        counts.append([evaluate(n.size, binding) for n in (*whole.inputs, whole)])
    fits = [i for i in (0, 1) if all(c[i] < c[2] for c in counts)]
    return min(fits, key=lambda i: counts[0][i]) if fits else None


def _scale_operand(node: Node, factor: Node, whole: Node, target: int) -> Node:
    operands = list(whole.inputs)
    source = operands[target]
    flipped = source.op is ops.transpose  # scaled as it lies in memory
    scaled = build(node.op, (source.inputs[0] if flipped else source, factor))
    operands[target] = ops.transpose(scaled) if flipped else scaled
    return ops.matmul(*operands)


def outer_product(node: Node) -> Callable[[], Node] | None:
    """Many small products over an axis of size 1 are one multiplication.

    A single one is faster as a product: 1.0 against 2.0 us for (32, 1) @ (1, 64).
    """
    a, b = node.inputs
    if min(a.ndim, b.ndim) < 2 or b.ndim == 2 or a.shape[-1] != 1:
        return None
    return partial(ops.multiply, a, b)


CONTRACT: tuple[Rule, ...] = (
    *EINSUM,
    FunctionRule("outer-product", outer_product, at(ops.matmul), "rounding"),
    FunctionRule("sum-of-product", sum_of_product, at(ops.sum, ops.mean), "rounding", users=1),
    FunctionRule("scale-product", scale_product, at(ops.multiply, ops.divide), "rounding",
                 users=1),
    PlannedRule("matmul-chain", plan_chains, "rounding"),
)  # fmt: skip


@dataclass(frozen=True)
class Contract(PlannedRewrite):
    """Orders products by their cost and sums before multiplying.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> a, b = input_node((64, 64), name="a"), input_node((64, 64), name="b")
        >>> v = input_node((64,), name="v")
        >>> graph = Contract().run(Graph((a, b, v), (("y", (a @ b) @ v),)))
        >>> graph.outputs[0][1].inputs[1].op
        <op matmul>
    """

    rules: tuple[Rule, ...] = field(default=CONTRACT, repr=False)
