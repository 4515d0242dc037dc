"""Gradients of every layer, activation, loss, regularizer and optimizer step by `kgraph.testing`.

Those of every op are in `tests/ops`: `harness.py` checks them on the op's samples.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kgraph import activations, losses, ops, optimizers, regularizers
from kgraph import layers as all_layers
from kgraph.ir import Graph, Variable, input_node
from kgraph.optimizers import SGD, Adam, RMSprop
from kgraph.testing import check_gradients, check_layer, draw_layer, draw_model, seeds
from kgraph.testing.drawn_layers import MAKERS
from kgraph.testing.points import spread

RNG = np.random.default_rng(0)
X = spread(RNG, (4, 6))
DISTRIBUTION = np.abs(X) / np.abs(X).sum(1, keepdims=True)
CLASSES = np.array([0, 5, 2, 2])
LABELS = (X > 0).astype("float64")

NO_LAYERS = {"Input", "InputLayer", "InputSpec", "Layer", "Wrapper"}
NOT_ACTIVATIONS = {"deserialize", "get", "serialize"}
ARGUMENTS = {"threshold": {"threshold": 0.3, "default_value": -1.0}}
LOSSES = {
    "ctc": (np.array([[1, 2], [2, 0]]), spread(RNG, (2, 4, 3))),
    "mean_squared_error": (X, X[::-1]),
    "mean_absolute_error": (X, X[::-1]),
    "binary_crossentropy": (LABELS, DISTRIBUTION),
    "categorical_crossentropy": (DISTRIBUTION, DISTRIBUTION[::-1]),
    "sparse_categorical_crossentropy": (CLASSES, DISTRIBUTION),
    "mean_absolute_percentage_error": (X, X[::-1]),
    "mean_squared_logarithmic_error": (np.abs(X), np.abs(X[::-1])),
    "log_cosh": (X, X[::-1]),
    "huber": (X, X[::-1]),
    "poisson": (LABELS, DISTRIBUTION),
    "kl_divergence": (DISTRIBUTION, DISTRIBUTION[::-1]),
    "cosine_similarity": (X, X[::-1]),
    "hinge": (LABELS, X),
    "squared_hinge": (LABELS, X),
    "categorical_hinge": (DISTRIBUTION, X),
    "binary_focal_crossentropy": (LABELS, DISTRIBUTION),
    "categorical_focal_crossentropy": (DISTRIBUTION, DISTRIBUTION[::-1]),
    "categorical_generalized_cross_entropy": (CLASSES, DISTRIBUTION),
    "dice": (LABELS, DISTRIBUTION),
    "tversky": (LABELS, DISTRIBUTION),
    "circle": (np.array([0, 1, 0, 1]), X / np.linalg.norm(X, axis=1, keepdims=True)),
}
LOGITS = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
OPTIMIZERS = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.1, momentum=0.9),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True, decay=0.1),
    "rmsprop": RMSprop(0.1),
    "centered": RMSprop(0.1, momentum=0.5, centered=True),
    "adam": Adam(0.1),
    "amsgrad": Adam(0.1, amsgrad=True),
    "adamw": optimizers.AdamW(0.1),
    "adagrad": optimizers.Adagrad(0.1, initial_accumulator_value=0.1),
    "adadelta": optimizers.Adadelta(1.0, epsilon=1e-2),
    "adamax": optimizers.Adamax(0.1),
    "nadam": optimizers.Nadam(0.1),
    "lion": optimizers.Lion(0.1),
    "ftrl": optimizers.Ftrl(0.1),
    "lamb": optimizers.Lamb(0.1),
    "muon": optimizers.Muon(0.1),
    "schedule free": optimizers.ScheduleFreeAdamW(0.1),
    "loss scale": optimizers.LossScaleOptimizer(Adam(0.1), 4.0),
    "adafactor": optimizers.Adafactor(0.1, clip_threshold=0.3),
    "clipnorm": SGD(0.1, clipnorm=0.5),
    "clipvalue": SGD(0.1, clipvalue=0.7),
    "global clipnorm": SGD(0.1, global_clipnorm=0.5),
    "weight decay": Adam(0.1, weight_decay=0.1),
}


def functions_of(module, skip=()):
    """The public functions of a module that compute something."""
    names = [n for n in module.__all__ if n not in skip]
    return sorted(n for n in names if inspect.isfunction(getattr(module, n)))


@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_every_layer(kind):
    for rng in seeds(2, seed=5):
        case = draw_layer(rng, kind)
        check_layer(case.layer, *case.inputs, order=2)


def test_every_layer_is_drawn():
    public = {
        value for name, value in vars(all_layers).items()
        if inspect.isclass(value) and issubclass(value, all_layers.Layer) and name not in NO_LAYERS
    }  # fmt: skip
    assert public == set(MAKERS)


@pytest.mark.parametrize("name", functions_of(activations, NOT_ACTIVATIONS))
def test_every_activation(name):
    check_gradients(getattr(activations, name), X, attrs=ARGUMENTS.get(name))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name):
    check_gradients(getattr(losses, name), *LOSSES[name])


@pytest.mark.parametrize("name", LOGITS)
def test_losses_of_logits(name):
    targets = LOSSES[name][0]
    check_gradients(getattr(losses, name), targets, 3 * X, attrs={"from_logits": True})


@pytest.mark.parametrize("name", LOGITS[:2])
def test_smoothed_losses(name):
    check_gradients(getattr(losses, name), *LOSSES[name], attrs={"label_smoothing": 0.1})


def test_every_loss_is_here():
    functions = [f for f in vars(losses).values() if inspect.isfunction(f)]
    two = [f for f in functions if [*inspect.signature(f).parameters][:2] == ["y_true", "y_pred"]]
    assert {f.__name__ for f in two} == set(LOSSES)


@pytest.mark.parametrize(
    "penalty",
    [regularizers.l1(0.3), regularizers.l2(0.3), regularizers.l1_l2(0.3, 0.2),
     regularizers.OrthogonalRegularizer(0.1), regularizers.OrthogonalRegularizer(mode="columns")],
    ids=["l1", "l2", "l1_l2", "rows", "columns"],
)  # fmt: skip
def test_every_regularizer(penalty):
    check_gradients(penalty, X)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_step(name):
    """New weights and slots as functions of gradients, old weights and old slots."""
    optimizer = OPTIMIZERS[name]
    weights = [Variable(spread(RNG, s), f"w{s}", "float64") for s in ((2, 3), (4,))]
    gradients = [input_node(w.shape, "float64", "g") for w in weights]
    updates = optimizer.get_updates(gradients, weights)
    for variable, _ in updates:
        if variable.type.is_float and variable not in weights:
            # Running means of squares are positive, and larger than those of the mean squared.
            size = 3.0 if "mean" not in variable.name else 0.2
            variable.assign(size + np.abs(spread(RNG, variable.shape)) * 0.1)
    graph = Graph(tuple(gradients), (), tuple(updates))
    assert check_gradients(graph, directions=2) == 4


def test_every_optimizer_is_here():
    classes = {type(optimizer) for optimizer in OPTIMIZERS.values()}
    public = {
        value for value in vars(optimizers).values()
        if inspect.isclass(value) and issubclass(value, optimizers.Optimizer)
    }  # fmt: skip
    assert public - {optimizers.Optimizer} == classes


def test_models():
    for rng in seeds(12, seed=1):
        check_gradients(draw_model(rng), directions=1)


def test_training_models():
    for rng in seeds(6, seed=2):
        check_gradients(draw_model(rng), directions=1, training=True)


def test_scalars_and_structures():
    count = check_gradients(
        lambda p: {"a": p["x"] ** 2, "b": [ops.sin(p["w"])]}, {"x": 2.0, "w": X}
    )
    assert count == 6
