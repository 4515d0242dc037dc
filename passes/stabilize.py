"""Stabilizing rewrites: what overflows or cancels as written becomes one op that does not.

Run it on the loss *before* gradients are taken, for then the gradients are stable too; the pipeline
runs it once more on everything. A form hidden under a reshape, slice or gather is found; one that
the user made safe in another way (`log(p + 1e-9)`, an explicit `clip`) is left as written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kgraph import ops
from kgraph.ir.node import Node, rebuild
from kgraph.ir.op import Op
from kgraph.passes.pattern import Call, P, Pattern, unknowns
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule, at, rule
from kgraph.passes.spellings import SPELLINGS
from kgraph.passes.values import shaped

x, y, z, p, q, r = unknowns("x y z p q r")

# Keras clips probabilities into [1e-7, 1 - 1e-7] because its losses cannot see the logits. Another
# epsilon was chosen by the user, who wants that clipping.
CLIP = 1e-7
# Ops that move elements of their first operand and compute nothing.
MOVES = frozenset(
    [
        "reshape",
        "transpose",
        "expand_dims",
        "squeeze",
        "broadcast_to",
        "slice",
        "flip",
        "take",
        "take_along_axis",
    ]
)
# Those of them that may keep the classes of a row together.
_ARRANGING = frozenset(["transpose", "reshape", "expand_dims", "squeeze"])


def _one_axis(x: Node, p: tuple[int, ...]) -> bool | str:
    return len(p) == 1 or "several axes at once"


def _has_elements(x: Node, p: tuple[int, ...]) -> bool | str:
    return all(x.shape[axis] != 0 for axis in p) or "the sum has no terms"


def _through(root: Node, moves: frozenset[str]) -> tuple[list[Node], Node]:
    """The moving ops above a node's source, outermost first, and the source."""
    chain, node = [], root
    while node.op.name in moves:
        chain.append(node)
        node = node.inputs[0]
    return chain, node


def _replay(chain: Sequence[Node], source: Node) -> Node:
    """The same moves of another source."""
    for move in reversed(chain):
        source = rebuild(move, (source, *move.inputs[1:]))
    return source


def _log_moved(inner: Op, log_of: Callable[[Node], Node]) -> Callable[[Node], object]:
    """log(moves(inner(x))) is moves(log_of(inner(x)))."""

    def find(node: Node) -> Callable[[], Node] | None:
        chain, source = _through(node.inputs[0], MOVES)
        if not chain or source.op is not inner:
            return None
        return lambda: _replay(chain, log_of(source))

    return find


def _log_moved_sum(node: Node) -> Callable[[], Node] | None:
    """log(moves(sum(exp(x)))) is moves(logsumexp(x))."""
    chain, source = _through(node.inputs[0], MOVES)
    if not chain or source.op is not ops.sum or source.inputs[0].op is not ops.exp:
        return None
    x = source.inputs[0].inputs[0]
    if _has_elements(x, source.attrs["axis"]) is not True:
        return None
    return lambda: _replay(chain, ops.logsumexp(x, **source.attrs))


LOGARITHMS: tuple[Rule, ...] = (
    rule("log-softmax", P.log(P.softmax(x, axis=p)), lambda x, p: ops.log_softmax(x, axis=p),
         kind="stable"),
    FunctionRule("log-moved-softmax",
                 _log_moved(ops.softmax, lambda s: ops.log_softmax(s.inputs[0], **s.attrs)),
                 at(ops.log), kind="stable"),
    rule("log-sigmoid", P.log(P.sigmoid(x)), lambda x: -ops.softplus(-x), kind="stable"),
    FunctionRule("log-moved-sigmoid",
                 _log_moved(ops.sigmoid, lambda s: -ops.softplus(-s.inputs[0])),
                 at(ops.log), kind="stable"),
    rule("log-sum-exp", P.log(P.sum(P.exp(x), axis=p, keepdims=q)),
         lambda x, p, q: ops.logsumexp(x, axis=p, keepdims=q), kind="stable", where=_has_elements),
    FunctionRule("log-moved-sum-exp", _log_moved_sum, at(ops.log), kind="stable"),
    rule("log-add-exp", P.log(P.exp(x) + P.exp(y)), lambda x, y: ops.logaddexp(x, y),
         kind="stable"),
    rule("log-one-plus", P.log(1 + x), lambda x: ops.log1p(x), kind="stable"),
    rule("log-one-minus", P.log(1 - x), lambda x: ops.log1p(-x), kind="stable"),
    rule("log1p-exp", P.log1p(P.exp(x)), lambda x: ops.softplus(x), kind="stable"),
    rule("log1p-minus-sigmoid", P.log1p(-P.sigmoid(x)), lambda x: -ops.softplus(x), kind="stable"),
    rule("logaddexp-zero", P.logaddexp(x, 0), lambda x: ops.softplus(x), kind="stable"),
)  # fmt: skip

EXPONENTIALS: tuple[Rule, ...] = (
    rule("exp-minus-one", P.exp(x) - 1, lambda x: ops.expm1(x), kind="stable"),
    # With another user of the logarithm one exp of it is cheaper, and as good.
    rule("exp-log-softmax", P.exp(P.log_softmax(x, axis=p)), lambda x, p: ops.softmax(x, axis=p),
         kind="stable", users=1),
    rule("sigmoid", 1 / (1 + P.exp(-x)), lambda x: ops.sigmoid(x), kind="stable"),
    rule("sigmoid-reciprocal", P.reciprocal(1 + P.exp(-x)), lambda x: ops.sigmoid(x),
         kind="stable"),
    rule("sigmoid-minus", 1 / (1 + P.exp(x)), lambda x: ops.sigmoid(-x), kind="stable"),
    rule("sigmoid-ratio", P.exp(x) / (1 + P.exp(x)), lambda x: ops.sigmoid(x), kind="stable"),
    rule("softmax", P.exp(x) / P.sum(P.exp(x), axis=p, keepdims=True),
         lambda x, p: ops.softmax(x, axis=p[0]), kind="stable", where=_one_axis),
    rule("softmax-expanded",
         P.exp(x) / P.expand_dims(P.sum(P.exp(x), axis=p, keepdims=False), axis=p),
         lambda x, p: ops.softmax(x, axis=p[0]), kind="stable", where=_one_axis),
    rule("sub-logsumexp", x - P.logsumexp(x, axis=p, keepdims=True),
         lambda x, p: ops.log_softmax(x, axis=p[0]), kind="stable", where=_one_axis),
    rule("sub-logsumexp-expanded",
         x - P.expand_dims(P.logsumexp(x, axis=p, keepdims=False), axis=p),
         lambda x, p: ops.log_softmax(x, axis=p[0]), kind="stable", where=_one_axis),
)  # fmt: skip


def _row_loss(y: Node, z: Node, p: int, q: tuple[int, ...]) -> bool | str:
    if p != z.ndim - 1:
        return "the softmax is not over the last axis"
    if p not in q:
        return "the sum is not over the axis of the softmax"
    return y.type == z.type or "the target has another shape than the logits"


def _cross_entropy(y: Node, z: Node, q: tuple[int, ...], root: Node) -> Node:
    """-sum(y * log_softmax(z)) over the axes q, of which the last is the softmax's."""
    loss, _ = ops.softmax_cross_entropy(z, y)
    return shaped(ops.sum(loss, axis=q[:-1]) if q[:-1] else loss, root.type)


def _sum_of_log_softmax(name: str, make: Callable[[Pattern, Pattern], Call]) -> Rule:
    terms = make(y, P.log_softmax(z, axis=p))
    return rule(name, P.sum(terms, axis=q, keepdims=r), _cross_entropy, kind="stable",
                where=_row_loss)  # fmt: skip


def _log_sigmoids(name: str, left: Call) -> Rule:
    return rule(name, left, lambda y, z: ops.sigmoid_cross_entropy(z, y), kind="stable")


_OF_ONE, _OF_ZERO = -P.softplus(-z), -P.softplus(z)  # log(sigmoid(z)) and log(1 - sigmoid(z))


def _default_clip(root: Node) -> bool:
    return bool(root.attrs["epsilon"] == CLIP)


_OWN_CLIP = "the clipping of the probabilities is not Keras's default"


def _classes_last(chain: Sequence[Node], softmax: Node) -> bool:
    """Whether the axis of the softmax is the last one after all moves."""
    axis, shape = softmax.attrs["axis"], softmax.shape
    for move in reversed(chain):
        if move.op is ops.transpose:
            axis = move.attrs["axes"].index(axis)
        elif axis == len(shape) - 1 and move.shape[-1:] == shape[-1:]:
            axis = move.ndim - 1
        else:
            return False
        shape = move.shape
    return bool(axis == len(shape) - 1)


def _from_softmax(loss: Callable[[Node, Node], tuple[Node, Node]]) -> Callable[[Node], object]:
    """loss(target, softmax(z)) from z, also when the probabilities were arranged otherwise."""

    def find(node: Node) -> Callable[[], Node] | str | None:
        target, given = node.inputs
        chain, source = _through(given, _ARRANGING)
        if source.op is not ops.softmax:
            return None
        if not _classes_last(chain, source):
            return "the loss is not over the axis of the softmax"
        if not _default_clip(node):
            return _OWN_CLIP
        return lambda: loss(_replay(chain, source.inputs[0]), target)[0]

    return find


def _from_sigmoid(node: Node) -> Callable[[], Node] | str | None:
    """binary_crossentropy(target, moves(sigmoid(z))) from z."""
    target, given = node.inputs
    chain, source = _through(given, MOVES)
    if source.op is not ops.sigmoid:
        return None
    if not _default_clip(node):
        return _OWN_CLIP
    return lambda: ops.sigmoid_cross_entropy(_replay(chain, source.inputs[0]), target)


LOSSES: tuple[Rule, ...] = (
    FunctionRule("categorical-crossentropy", _from_softmax(ops.softmax_cross_entropy),
                 at(ops.categorical_crossentropy), kind="stable"),
    FunctionRule("sparse-categorical-crossentropy",
                 _from_softmax(ops.sparse_softmax_cross_entropy),
                 at(ops.sparse_categorical_crossentropy), kind="stable"),
    FunctionRule("binary-crossentropy", _from_sigmoid, at(ops.binary_crossentropy),
                 kind="stable"),
    _sum_of_log_softmax("sum-log-softmax-negated", lambda y, logs: -(y * logs)),
    _sum_of_log_softmax("sum-negated-target", lambda y, logs: -y * logs),
    _sum_of_log_softmax("sum-negated-logs", lambda y, logs: y * -logs),
    rule("sum-log-softmax", P.sum(y * P.log_softmax(z, axis=p), axis=q, keepdims=r),
         lambda y, z, q, root: -_cross_entropy(y, z, q, root), kind="stable", where=_row_loss),
    rule("log-sigmoids", y * _OF_ONE + (1 - y) * _OF_ZERO,
         lambda y, z: -ops.sigmoid_cross_entropy(z, y), kind="stable"),
    _log_sigmoids("log-sigmoids-negated-target", -y * _OF_ONE - (1 - y) * _OF_ZERO),
    _log_sigmoids("log-sigmoids-negated", -(y * _OF_ONE) - (1 - y) * _OF_ZERO),
    rule("negative-negative", P.negative(-x), lambda x: x),
)  # fmt: skip

STABILIZE = (*LOGARITHMS, *EXPONENTIALS, *SPELLINGS, *LOSSES)


@dataclass(frozen=True)
class Stabilize(Rewrite):
    """Replaces overflowing and cancelling forms by stable ops.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2, 3), name="x")
        >>> naive = ops.log(ops.exp(x) / ops.sum(ops.exp(x), axis=1, keepdims=True))
        >>> Stabilize().run(Graph((x,), (("y", naive),))).outputs[0][1].op
        <op log_softmax>
    """

    rules: tuple[Rule, ...] = field(default=STABILIZE, repr=False)
