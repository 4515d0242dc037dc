"""Cross-entropies in many spellings become one op, and stay finite at any logit."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH, count, same_bits

from kgraph import ops
from kgraph.ir import Graph, Variable, input_node, item
from kgraph.passes import ShareSoftmax, Stabilize, optimize
from kgraph.passes.journal import Journal, keeping
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

Z, T = input_node((BATCH, 3), name="z"), input_node((BATCH, 3), name="t")
IDS = input_node((BATCH,), "int32", "ids")
HUGE = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [3, 2, 1], [200, 0, 0]], "float32")
TARGET = np.array([[0, 1, 0], [1, 0, 0], [0.2, 0.3, 0.5], [0, 0, 1]], "float32")


def spelled_softmax(z):
    """softmax by hand."""
    e = ops.exp(z)
    return e / ops.sum(e, axis=-1, keepdims=True)


def shifted_softmax(z):
    """softmax by hand, made safe by hand."""
    e = ops.exp(z - ops.max(z, axis=-1, keepdims=True))
    return e / ops.expand_dims(ops.sum(e, axis=-1), -1)


def log_sum(z):
    """log_softmax by hand."""
    return z - ops.log(ops.sum(ops.exp(z), axis=-1, keepdims=True))


SOFTMAX_SPELLINGS = {
    "loss": lambda: ops.categorical_crossentropy(T, ops.softmax(Z)),
    "loss of sums": lambda: ops.categorical_crossentropy(T, spelled_softmax(Z)),
    "loss of shifted sums": lambda: ops.categorical_crossentropy(T, shifted_softmax(Z)),
    "loss of reshaped": lambda: ops.categorical_crossentropy(T, ops.softmax(Z[None])[0]),
    "minus sum": lambda: -ops.sum(T * ops.log(ops.softmax(Z)), axis=-1),
    "sum of minus": lambda: ops.sum(-(T * ops.log(ops.softmax(Z))), axis=-1),
    "minus target": lambda: ops.sum(-T * ops.log(spelled_softmax(Z)), axis=-1),
    "minus logs": lambda: ops.sum(-ops.log(ops.softmax(Z)) * T, axis=1),
    "log-sum-exp": lambda: -ops.sum(log_sum(Z) * T, axis=-1),
}
SIGMOID_SPELLINGS = {
    "loss": lambda: ops.binary_crossentropy(T, ops.sigmoid(Z)),
    "loss of moved": lambda: ops.binary_crossentropy(T, ops.sigmoid(Z)[::1][:, None][:, 0]),
    "by hand": lambda: -(T * ops.log(ops.sigmoid(Z)) + (1 - T) * ops.log(1 - ops.sigmoid(Z))),
    "minus target": lambda: -T * ops.log(ops.sigmoid(Z)) - (1 - T) * ops.log(1 - ops.sigmoid(Z)),
    "minus minus": lambda: -(ops.log(ops.sigmoid(Z)) * T) - ops.log(1 - ops.sigmoid(Z)) * (1 - T),
    "of exponentials": lambda: -(T * ops.log(1 / (1 + ops.exp(-Z)))
                                 + (1 - T) * ops.log(1 - 1 / (1 + ops.exp(-Z)))),
}  # fmt: skip


def both_orders(spelling):
    """The loss and its gradient, from the stabilized graph, optimized in the end."""
    (loss,) = Stabilize().rewrite([spelling()])
    slope = grad(loss, [Z])[0]
    return optimize(Graph((Z, T), (("loss", loss), ("slope", slope))))[0]


@pytest.mark.parametrize("name", SOFTMAX_SPELLINGS)
def test_softmax_spellings_become_one_op(name):
    graph = both_orders(SOFTMAX_SPELLINGS[name])
    assert count(graph, "softmax_cross_entropy") == 1
    exponentials = ["exp", "softmax", "log_softmax", "logsumexp", "log", "log1p", "softplus"]
    assert sum(count(graph, op) for op in exponentials) == 0
    (loss, slope), _ = interpret(graph, [HUGE, TARGET])
    probabilities = np.array([[1, 0, 0], [0, 0.5, 0.5], [0.665241, 0.244728, 0.090031], [1, 0, 0]])
    rows = [2e4, 2e4 + np.log(2), -(TARGET[2] * np.log(probabilities[2])).sum(), 200]
    np.testing.assert_allclose(loss, rows, rtol=1e-5)
    np.testing.assert_allclose(slope, probabilities - TARGET, atol=1e-5)


@pytest.mark.parametrize("name", SIGMOID_SPELLINGS)
def test_sigmoid_spellings_become_one_op(name):
    graph = both_orders(SIGMOID_SPELLINGS[name])
    assert count(graph, "sigmoid_cross_entropy") == 1
    assert sum(count(graph, op) for op in ("exp", "log", "log1p", "softplus")) == 0
    (loss, slope), _ = interpret(graph, [HUGE, TARGET])
    z, t = HUGE.astype("float64"), TARGET.astype("float64")
    np.testing.assert_allclose(loss, np.logaddexp(0, z) - z * t, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, np.exp(-np.logaddexp(0, -z)) - t, atol=1e-6)


@pytest.mark.parametrize(("axes", "found"), [((1, 2, 0), True), ((2, 0, 1), False)])
def test_classes_are_followed_through_a_cycle_of_axes(axes, found):
    # The classes are the first axis of the logits, as in images of channels_first.
    logits = input_node((4, 4, 4), name="logits")
    target = input_node((4, 4, 4), name="target")
    p = ops.transpose(ops.softmax(logits, axis=0), axes)
    (loss,) = Stabilize().rewrite([ops.categorical_crossentropy(target, p)])
    expected = ops.softmax_cross_entropy(ops.transpose(logits, axes), target)[0]
    assert (loss is expected) == found


def test_sparse_loss_of_ids():
    loss = ops.sparse_categorical_crossentropy(IDS, ops.softmax(Z))
    (loss,) = Stabilize().rewrite([loss])
    graph, _ = optimize(Graph((Z, IDS), (("loss", loss), ("slope", grad(loss, [Z])[0]))))
    assert count(graph, "sparse_softmax_cross_entropy") == 1
    assert count(graph, "exp") == count(graph, "softmax") == 0
    (loss, slope), _ = interpret(graph, [HUGE, np.array([1, 0, 0, 2])])
    np.testing.assert_allclose(loss, [2e4, 2e4 + np.log(2), 0.407606, 200], rtol=1e-5)
    assert np.isfinite(slope).all()


def test_gradient_first_gives_the_same_gradient_where_both_are_stable():
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(5, 3)), rng.dirichlet(np.ones(3), 5)
    for name, spelling in {**SOFTMAX_SPELLINGS, **SIGMOID_SPELLINGS}.items():
        late = optimize(Graph((Z, T), (("slope", grad(spelling(), [Z])[0]),)))[0]
        early = both_orders(spelling)
        (left,), (_, right) = (interpret(g, [z, t])[0] for g in (late, early))
        np.testing.assert_allclose(left, right, atol=2e-6, err_msg=name)


def training_step(clip=1e-7):
    """An MLP's step: loss, accuracy and updates, as `fit` builds it."""
    rng = np.random.default_rng(0)
    hidden = Variable(rng.normal(size=(3, 4)), "hidden", "float32")
    kernel = Variable(rng.normal(size=(4, 3)), "kernel", "float32")
    p = ops.softmax(ops.matmul(ops.tanh(ops.matmul(Z, hidden)), kernel))
    loss = ops.mean(ops.categorical_crossentropy(T, p, epsilon=clip))
    hits = ops.mean(ops.cast(ops.equal(ops.argmax(T, -1), ops.argmax(p, -1)), "float32"))
    loss, hits, p = Stabilize().rewrite([loss, hits, p])
    slopes = grad(loss, [hidden, kernel])
    updates = tuple((w, w - 0.1 * g) for w, g in zip((hidden, kernel), slopes))
    return Graph((Z, T), (("loss", loss), ("hits", hits), ("p", p)), updates)


def test_training_step_has_one_exponential_of_the_classes():
    graph, report = optimize(training_step())
    assert count(graph, "softmax_cross_entropy") == 1
    assert sum(count(graph, n) for n in ("softmax", "exp", "log", "log_softmax")) == 0
    # Forward 2, backward 1 + 2: none is computed twice.
    assert count(graph, "matmul") == 5
    assert count(graph, "tanh") == 1
    assert report["share_softmax"].fired == {"softmax-of-loss": 1}
    assert report["stabilize"].fired == {}


def test_training_step_computes_what_it_did():
    rng = np.random.default_rng(1)
    arrays = rng.normal(size=(4, 3)), rng.dirichlet(np.ones(3), 4)
    source = training_step()
    before, after = (interpret(g, arrays) for g in (source, optimize(source)[0]))
    for left, right in zip((*before[0], *before[1].values()), (*after[0], *after[1].values())):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-7)


def test_own_clipping_is_kept_and_reported():
    _, report = optimize(training_step(clip=1e-3))
    (miss,) = (m for m in report.near_misses if m.rule == "categorical-crossentropy")
    assert miss.reason == "the clipping of the probabilities is not Keras's default"


def test_strict_numerics_keep_the_clipped_loss(monkeypatch):
    monkeypatch.setattr("kgraph.config.numerics", "strict")
    graph, _ = optimize(training_step())
    assert count(graph, "categorical_crossentropy") == 1


@pytest.mark.parametrize("sparse", [False, True])
def test_shared_probabilities_have_the_same_bits(sparse):
    loss_op, target = (
        (ops.sparse_softmax_cross_entropy, IDS) if sparse else (ops.softmax_cross_entropy, T)
    )
    loss, probabilities = loss_op(Z, target)
    graph = Graph((Z, target), (("loss", loss), ("p", ops.softmax(Z))))
    shared = ShareSoftmax().run(graph)
    assert shared.outputs[1][1] is probabilities
    given = np.random.default_rng(2).normal(size=(7, 3)).astype("float32") * 30
    wanted = np.zeros(7, "int32") if sparse else np.full((7, 3), 1 / 3, "float32")
    for left, right in zip(
        interpret(graph, [given, wanted])[0], interpret(shared, [given, wanted])[0]
    ):
        same_bits(left, right)


def test_softmax_over_another_axis_is_not_shared():
    loss, _ = ops.softmax_cross_entropy(Z, T)
    graph = Graph((Z, T), (("loss", loss), ("p", ops.softmax(Z, axis=0))))
    assert ShareSoftmax().run(graph) is graph


def test_softmax_that_is_the_target_of_its_own_loss_is_not_shared():
    p = ops.softmax(Z)
    graph = Graph((Z,), (("loss", ops.softmax_cross_entropy(Z, p)[0]),))
    with keeping(Journal()) as journal:
        assert ShareSoftmax().run(graph) is graph
    assert [reason for _, reason in journal.missed] == [
        "the loss needs these probabilities as its target"
    ]


def test_two_networks_that_teach_each_other_share_without_a_circle():
    # softmax(a) may come from the loss of a, but then softmax(b) must not come from that of b.
    a, b = Z, ops.tanh(Z)
    graph = Graph((Z,), (("a", ops.softmax_cross_entropy(a, ops.softmax(b))[0]),
                         ("b", ops.softmax_cross_entropy(b, ops.softmax(a))[0])))  # fmt: skip
    shared = ShareSoftmax().run(graph)
    assert count(shared, "softmax") == 1
    for left, right in zip(interpret(graph, [HUGE])[0], interpret(shared, [HUGE])[0]):
        same_bits(left, right)


def test_softmax_below_another_loss_is_shared():
    first = ops.softmax(Z)
    outer = ops.softmax_cross_entropy(first * 2, T)[0]
    inner = ops.softmax_cross_entropy(Z, T)
    graph = Graph((Z, T), (("inner", inner[0]), ("outer", outer)))
    shared = ShareSoftmax().run(graph)
    assert count(shared, "softmax") == 0
    assert item(inner[0].inputs[0], 1) in shared.nodes
