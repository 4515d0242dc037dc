"""One stable op behind each way of writing it: operators, layers, moved axes, and gradients.

Each is compared with the same expression in float64 or, where that fails too, with SciPy.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from rule_checks import BATCH, count

from kgraph import ops
from kgraph.activations import sigmoid, softmax, softplus
from kgraph.ir import Graph, input_node
from kgraph.layers import Activation, Input
from kgraph.models import Model
from kgraph.passes import Stabilize, optimize
from kgraph.passes.lower import lower
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile

Z = input_node((BATCH, 4), name="z")
ROWS = np.array([[0, 200, -200, 3], [88.7, -1e4, 1e4, 1e-8], [1, 2, 3, 4]], "float32")


def of_layer(name):
    """The output of an activation layer in primitive ops, over Z."""
    x = Input((4,))
    graph = lower(Model(x, Activation(name)(x)).graph)
    return graph.rewrite(lambda n: Z if n is graph.inputs[0] else n).outputs[0][1]


def turned(f, x):
    """f of the transposed tensor, turned back."""
    return ops.transpose(f(ops.transpose(x)))


def slope(loss):
    """The derivative of a sum by Z."""
    return grad(ops.sum(loss), [Z])[0]


def shifted_logsumexp(x):
    """log(sum(exp(x))) as textbooks write it."""
    largest = ops.max(x, axis=-1, keepdims=True)
    total = ops.log(ops.sum(ops.exp(x - largest), axis=-1, keepdims=True))
    return ops.squeeze(total + largest, -1)


def held_logsumexp(x):
    """The same with the maximum held out of the gradient."""
    largest = ops.stop_gradient(ops.max(x, axis=-1, keepdims=True))
    return ops.log(ops.sum(ops.exp(x - largest), axis=-1)) + ops.squeeze(largest, -1)


SPELLINGS = {
    "log_softmax": (
        lambda z: scipy.special.log_softmax(z, axis=-1),
        (
            ops.log(ops.exp(Z) / ops.sum(ops.exp(Z), axis=-1, keepdims=True)),
            ops.log(of_layer("softmax")),
            turned(lambda z: ops.log(softmax(z, axis=0)), Z),
            Z - ops.expand_dims(shifted_logsumexp(Z), -1),
            ops.log(ops.exp(Z) * (1 / ops.sum(ops.exp(Z), axis=-1)[:, None])),
        ),
    ),
    "logsumexp": (
        lambda z: scipy.special.logsumexp(z, axis=-1),
        (
            ops.log(ops.sum(ops.exp(Z), axis=-1)),
            shifted_logsumexp(Z),
            held_logsumexp(Z),
            ops.log(ops.sum(ops.transpose(ops.exp(Z)), axis=0)),
        ),
    ),
    "softmax": (
        lambda z: scipy.special.softmax(z, axis=-1),
        (
            ops.exp(Z) / ops.sum(ops.exp(Z), axis=-1, keepdims=True),
            of_layer("softmax"),
            ops.exp(ops.log(of_layer("softmax"))),
            slope(ops.log(ops.sum(ops.exp(Z), axis=-1))),
            ops.softmax(Z - ops.stop_gradient(ops.max(Z, axis=-1, keepdims=True))),
        ),
    ),
    "softplus": (
        lambda z: np.logaddexp(0, z),
        (
            ops.log(1 + ops.exp(Z)),
            of_layer("softplus"),
            ops.relu(Z) + ops.log1p(ops.exp(-ops.abs(Z))),
            ops.maximum(Z, 0) + ops.log(1 + ops.exp(-ops.abs(Z))),
            -ops.log(1 - of_layer("sigmoid")),
            ops.logaddexp(Z, 0),
            turned(softplus, Z),
        ),
    ),
    "sigmoid": (
        scipy.special.expit,
        (
            1 / (1 + ops.exp(-Z)),
            of_layer("sigmoid"),
            ops.exp(Z) / (1 + ops.exp(Z)),
            1 - sigmoid(-Z),
            slope(ops.log1p(ops.exp(Z))),
            ops.reciprocal(ops.exp(-Z) + 1),
        ),
    ),
    "expm1": (np.expm1, (ops.exp(Z) - 1, -(1 - ops.exp(Z)), turned(lambda z: ops.exp(z) - 1, Z))),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_become_one_op(name):
    truth, spellings = SPELLINGS[name]
    with np.errstate(over="ignore"):
        expected = truth(ROWS.astype("float64"))
    for node in spellings:
        (stable,) = Stabilize().rewrite([node])
        better, _ = optimize(Graph((Z,), (("y", stable),)))
        assert count(better, name) == 1, better
        assert count(better, "exp") == count(better, "log") == 0
        found = compile(Graph((Z,), (("y", node),)))(ROWS)[0]
        known = np.isfinite(expected) & (np.abs(expected) < 1e38)
        np.testing.assert_allclose(found[known], expected[known], rtol=3e-6, atol=1e-30)


LOG1MEXP = (
    lambda x: ops.log(1 - ops.exp(x)),
    lambda x: ops.log1p(-ops.exp(x)),
    lambda x: ops.log(-ops.expm1(x)),
    lambda x: ops.log(-(ops.exp(x) - 1)),
)


@pytest.mark.parametrize("write", LOG1MEXP)
def test_log_of_one_minus_exp(write):
    x = np.array([-1e-8, -1e-3, -0.5, -0.7, -1, -20, -80, -np.inf], "float32")
    node = input_node((8,), name="x")
    exact = x.astype("float64")
    with np.errstate(divide="ignore"):
        truth = np.where(exact > -0.69, np.log(-np.expm1(exact)), np.log1p(-np.exp(exact)))
    graph = Graph((node,), (("y", write(node)),))
    np.testing.assert_allclose(compile(graph)(x)[0], truth, rtol=2e-6)
    (stable,) = Stabilize().rewrite([write(node)])
    (derivative,) = grad(ops.sum(stable), [node])
    slopes = compile(Graph((node,), (("y", derivative),)))(x)[0]
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(slopes, -1 / np.expm1(-exact), rtol=2e-6, atol=1e-30)


@pytest.mark.parametrize("write", [
    lambda z: ops.mean(z * z, -1) - ops.square(ops.mean(z, -1)),
    lambda z: ops.mean(z**2, -1, keepdims=True)[:, 0] - ops.mean(z, -1) ** 2,
    lambda z: ops.mean(ops.square(z), 1) - ops.mean(z, 1) * ops.mean(z, 1),
])  # fmt: skip
def test_variance_does_not_cancel(write):
    z = (np.random.default_rng(0).normal(size=(3, 4)) + 1e5).astype("float32")
    found = compile(Graph((Z,), (("y", write(Z)),)))(z)[0]
    np.testing.assert_allclose(found, z.astype("float64").var(-1), rtol=1e-3)


def test_losses_by_name_at_extreme_logits():
    labels = np.eye(4, dtype="float32")[[1, 2, 0]]
    x = Input((4,))
    for loss, activation, expected in (
        ("categorical_crossentropy", "softmax",
         -(labels * scipy.special.log_softmax(ROWS.astype("float64"), -1)).sum(-1).mean()),
        ("binary_crossentropy", "sigmoid",
         (np.logaddexp(0, ROWS.astype("float64")) - labels * ROWS).mean()),
    ):  # fmt: skip
        model = Model(x, Activation(activation)(x))
        model.compile("sgd", loss)
        np.testing.assert_allclose(model.evaluate(ROWS, labels, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("write", [
    lambda z: ops.log(ops.softmax(z) + 1e-9),
    lambda z: ops.log2(ops.softmax(z)),
    lambda z: ops.exp(z) / (ops.sum(ops.exp(z), axis=-1, keepdims=True) + 1e-9),
    lambda z: ops.exp(z) / ops.sum(ops.exp(z), axis=0, keepdims=True) * 1.5 + ops.softmax(z, -1),
])  # fmt: skip
def test_own_choices_stay(write):
    better, _ = optimize(Graph((Z,), (("y", write(Z)),)))
    assert not count(better, "log_softmax")


def test_probabilities_that_are_given_as_well_stay():
    p = ops.softmax(Z)
    better, _ = optimize(Graph((Z,), (("p", p), ("l", ops.log(p)))))
    assert count(better, "softmax") == 1
    assert count(better, "log_softmax") == 1
