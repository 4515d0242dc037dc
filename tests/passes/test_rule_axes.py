"""Stabilizing rules name axes: they fire over any axis that is meant twice, and over no others."""

import pytest

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.passes import Stabilize

# Axes of one size, so that no shape tells a wrong one.
X, T = input_node((3, 3, 3), name="x"), input_node((3, 3, 3), name="t")
AXES = (0, 1, 2)
PAIRS = [(a, b) for a in AXES for b in AXES]


def summed(axis):
    """The sum of exponentials over an axis."""
    return ops.sum(ops.exp(X), axis=axis, keepdims=True)


def largest(axis):
    """The maximum over an axis."""
    return ops.max(X, axis=axis, keepdims=True)


# An axis, and an axis that must be the same -> what the rule finds, and what it makes of it.
FORMS = {
    "softmax-expanded": (
        lambda a, b: ops.exp(X) / ops.expand_dims(ops.sum(ops.exp(X), axis=a), b),
        lambda a: ops.softmax(X, axis=a),
    ),
    "softmax-shifted": (
        lambda a, b: ops.softmax(X - largest(a), axis=b),
        lambda a: ops.softmax(X, axis=a),
    ),
    "log-softmax-shifted": (
        lambda a, b: ops.log_softmax(X - largest(a), axis=b),
        lambda a: ops.log_softmax(X, axis=a),
    ),
}
# The same with one axis only.
SINGLE = {
    "softmax": (lambda a: ops.exp(X) / summed(a), lambda a: ops.softmax(X, axis=a)),
    "log-softmax": (
        lambda a: ops.log(ops.softmax(X, axis=a)),
        lambda a: ops.log_softmax(X, axis=a),
    ),
    "exp-log-softmax": (
        lambda a: ops.exp(ops.log_softmax(X, axis=a)),
        lambda a: ops.softmax(X, axis=a),
    ),
    "sub-logsumexp": (
        lambda a: X - ops.logsumexp(X, axis=a, keepdims=True),
        lambda a: ops.log_softmax(X, axis=a),
    ),
    "log-sum-exp": (
        lambda a: ops.log(summed(a)),
        lambda a: ops.logsumexp(X, axis=a, keepdims=True),
    ),
}
LOSSES = {
    "sum-log-softmax-negated": lambda logs: -(T * logs),
    "sum-negated-target": lambda logs: -T * logs,
    "sum-negated-logs": lambda logs: T * -logs,
    "sum-log-softmax": lambda logs: T * logs,
}


def stabilized(node):
    """What the pass makes of a node."""
    inputs = tuple(n for n in (X, T) if n in Graph((), (("y", node),)).nodes)
    return Stabilize().run(Graph(inputs, (("y", node),))).outputs[0][1]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("form", SINGLE)
def test_any_axis_is_kept(form, axis):
    before, after = SINGLE[form]
    assert stabilized(before(axis)) is after(axis)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("form", FORMS)
def test_two_axes_must_be_one(form, first, second):
    before, after = FORMS[form]
    node = before(first, second)
    assert stabilized(node) is (after(first) if first == second else node)


@pytest.mark.parametrize("form", LOSSES)
def test_a_loss_is_over_the_axis_of_its_softmax(form):
    """Only the last axis, for there the kernels of the losses have their rows."""
    for axis, over in PAIRS:
        node = ops.sum(LOSSES[form](ops.log_softmax(X, axis=axis)), axis=over)
        made = stabilized(node)
        assert (made is node) == ((axis, over) != (2, 2)), (axis, over)
