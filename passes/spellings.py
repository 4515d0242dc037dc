"""Stable functions as people write them by hand: shifted, in halves, or with axes put back later.

`stop_gradient` around the maximum that is taken off does not matter to softmax, whose derivative
does not depend on the shift. What is taken off and put back again must have it both times or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from kgraph import ops
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ops.base import reduced_shape
from kgraph.ops.gradients import identity
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rules import FunctionRule, Rule, at, rule
from kgraph.passes.values import uniform_value

x, p, q = unknowns("x p q")

# Ops that change where axes of size 1 stand, or nothing at all.
_RELABELING = frozenset(
    [ops.reshape, ops.squeeze, ops.expand_dims, ops.stop_gradient, identity]
)  # fmt: skip
_LN2 = math.log(2)


def _stripped(node: Node) -> Node:
    """What a node is but for axes of size 1."""
    while node.op in _RELABELING:
        node = node.inputs[0]
    return node


def _is_stopped(node: Node) -> bool:
    while node.op in _RELABELING and node.op is not ops.stop_gradient:
        node = node.inputs[0]
    return node.op is ops.stop_gradient


def _is_max(node: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """Whether a node is the maximum of x over these axes, whatever it did with them."""
    found = _stripped(node)
    return found.op is ops.max and found.inputs[0] is x and tuple(found.attrs["axis"]) == axes


def _kept(x: Node, axes: tuple[int, ...]) -> tuple[object, ...]:
    return reduced_shape(x.shape, axes, True)


def _shifted(function: Op) -> Callable[[Node], Callable[[], Node] | str | None]:
    """f(x - max(x)) is f(x) where f does not change with a shift of the row."""

    def find(node: Node) -> Callable[[], Node] | str | None:
        x, shift = node.inputs[0].inputs
        axis = node.attrs["axis"]
        largest = _stripped(shift)
        if largest.op is not ops.max or largest.inputs[0] is not x:
            return None
        axes = tuple(largest.attrs["axis"])
        if axes != (axis,) or shift.shape != _kept(x, axes):
            return "the maximum is over another axis"
        return lambda: function(x, axis=axis)

    return find


def _logsumexp_shifted(node: Node) -> Callable[[], Node] | str | None:
    """log(sum(exp(x - m))) + m is logsumexp(x), with m the maximum of x."""
    for total, back in (node.inputs, node.inputs[::-1]):
        if total.op is not ops.logsumexp or total.inputs[0].op is not ops.subtract:
            continue
        x, shift = total.inputs[0].inputs
        axes = tuple(total.attrs["axis"])
        whole = shift.shape == _kept(x, axes) and back.shape == node.shape == total.shape
        if whole and _is_max(shift, x, axes) and _is_max(back, x, axes):
            if _is_stopped(shift) != _is_stopped(back):
                return "only one of the two maxima stops the gradient"
            return partial(ops.logsumexp, x, **total.attrs)
    return None


def _softmax_reshaped(node: Node) -> Callable[[], Node] | None:
    """exp(x) / s, where s is the row sum of exp(x) with its axis put back by a reshape."""
    top, bottom = node.inputs
    total = _stripped(bottom)
    if total.op is not ops.sum or total.inputs[0] is not top or len(total.attrs["axis"]) != 1:
        return None
    (axis,) = total.attrs["axis"]
    if bottom.shape != _kept(top, (axis,)):
        return None
    return lambda: ops.softmax(top.inputs[0], axis=axis)


def _softmax_product(node: Node) -> Callable[[], Node] | None:
    """exp(x) * (1 / s) is softmax too, as derivatives of log(s) write it."""
    for top, factor in (node.inputs, node.inputs[::-1]):
        inverse = _stripped(factor)
        if inverse.op is ops.reciprocal:
            total = _stripped(inverse.inputs[0])
        elif inverse.op is ops.divide and uniform_value(inverse.inputs[0]) == 1:
            total = _stripped(inverse.inputs[1])
        else:
            continue
        axes = tuple(total.attrs.get("axis", ())) if total.op is ops.sum else ()
        same = len(axes) == 1 and top.op is ops.exp and total.inputs[0] is top
        if same and factor.shape == _kept(top, axes):
            return partial(ops.softmax, top.inputs[0], axis=axes[0])
    return None


def _multiplies_exp(op: Op, operands: Sequence[Op]) -> bool:
    return op is ops.multiply and ops.exp in operands


def _log_softmax_reshaped(node: Node) -> Callable[[], Node] | None:
    """x - s, where s is the logsumexp of x with its axis put back by a reshape."""
    x, bottom = node.inputs
    total = _stripped(bottom)
    if total.op is not ops.logsumexp or total.inputs[0] is not x or len(total.attrs["axis"]) != 1:
        return None
    (axis,) = total.attrs["axis"]
    if bottom.shape != _kept(x, (axis,)):
        return None
    return lambda: ops.log_softmax(x, axis=axis)


def _not_split(x: Node) -> bool:
    """Whether x is not one half of what `_log_one_minus_exp` makes."""
    return x.op not in (ops.maximum, ops.minimum) or uniform_value(x.inputs[1]) is None


def _log_one_minus_exp(x: Node) -> Node:
    """log(1 - exp(x)) for negative x: near 0 by expm1, far below by log1p.

    Each half sees only the numbers that it is good for, so that its slope is finite elsewhere.
    """
    near = ops.log(-ops.expm1(ops.maximum(x, -_LN2)))
    far = ops.log1p(-ops.exp(ops.minimum(x, -_LN2)))
    return ops.where(ops.greater(x, -_LN2), near, far)


def _operands(outer: Op, inner: Op) -> Callable[[Op, Sequence[Op]], bool]:
    return lambda op, operands: op is outer and operands[0] is inner


SPELLINGS: tuple[Rule, ...] = (
    FunctionRule("softmax-shifted", _shifted(ops.softmax), _operands(ops.softmax, ops.subtract),
                 kind="stable"),
    FunctionRule("log-softmax-shifted", _shifted(ops.log_softmax),
                 _operands(ops.log_softmax, ops.subtract), kind="stable"),
    FunctionRule("logsumexp-shifted", _logsumexp_shifted, at(ops.add), kind="stable"),
    FunctionRule("softmax-reshaped", _softmax_reshaped, _operands(ops.divide, ops.exp),
                 kind="stable"),
    FunctionRule("log-softmax-reshaped", _log_softmax_reshaped, at(ops.subtract), kind="stable"),
    FunctionRule("softmax-product", _softmax_product, _multiplies_exp, kind="stable"),
    # What the derivative of log(1 + exp(x)) comes to.
    rule("sigmoid-product", P.exp(x) * P.sigmoid(-x), lambda x: ops.sigmoid(x), kind="stable"),
    rule("one-minus-exp", 1 - P.exp(x), lambda x: -ops.expm1(x), kind="stable"),
    rule("log-minus-expm1", P.log(-P.expm1(x)), _log_one_minus_exp, kind="stable",
         where=_not_split),
    rule("log1p-minus-exp", P.log1p(-P.exp(x)), _log_one_minus_exp, kind="stable",
         where=_not_split),
    # With another user of the sigmoid this would cost an exponential more.
    rule("one-minus-sigmoid", 1 - P.sigmoid(x), lambda x: ops.sigmoid(-x), kind="stable", users=1),
    rule("softplus-halves", P.maximum(x, 0) + P.softplus(-P.abs(x)), lambda x: ops.softplus(x),
         kind="rounding"),
    rule("softplus-relu", P.relu(x) + P.softplus(-P.abs(x)), lambda x: ops.softplus(x),
         kind="rounding"),
    rule("softplus-minus", P.softplus(x) - x, lambda x: ops.softplus(-x), kind="stable"),
    rule("minus-softplus", x - P.softplus(x), lambda x: -ops.softplus(-x), kind="stable"),
    # E[x^2] - E[x]^2 cancels where the mean is large.
    rule("variance",
         P.mean(P.square(x), axis=p, keepdims=q) - P.square(P.mean(x, axis=p, keepdims=q)),
         lambda x, p, q: ops.mean(ops.square(x - ops.mean(x, axis=p, keepdims=True)), p, q),
         kind="stable"),
    rule("mul-same", x * x, lambda x: ops.square(x)),
)  # fmt: skip
