"""How many matrix products a step of training and a prediction take."""

from __future__ import annotations

import numpy as np
import pytest
from product_checks import inference_graph

from kgraph import ops
from kgraph.layers import BatchNormalization, Dense, Input
from kgraph.models import Model, Sequential
from kgraph.passes import Observer, observing, optimize


class Last(Observer):
    """Keeps the results of all pipelines."""

    def __init__(self):
        self.graphs = []

    def finish(self, report):
        self.graphs.append(report.result)


def products(graph):
    return sum(n.op is ops.matmul for n in graph.nodes)


def training_step(model, *shapes):
    """The graph that one batch runs."""
    last = Last()
    data = [np.zeros((8, *s), "float32") for s in shapes]
    with observing(last):
        model.train_on_batch(*data)
    return last.graphs[-1]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_step_of_dense_layers_takes_three_products_a_layer_less_one(count, optimizer):
    """Forwards, to the weight and to the input; the input of the first layer needs no gradient."""
    layers = [Dense(16, activation="relu") for _ in range(count - 1)]
    model = Sequential([Input((12,)), *layers, Dense(4, activation="softmax")])
    model.compile(optimizer, loss="categorical_crossentropy")
    assert products(training_step(model, (12,), (4,))) == 3 * count - 1


def test_a_layer_that_is_used_twice_on_computed_values_counts_once():
    x = Input((12,))
    branches = [Dense(16, activation="relu")(x) for _ in range(2)]
    shared = Dense(4)
    model = Model(x, shared(branches[0]) - shared(branches[1]))
    model.compile("sgd", loss="mse")
    # Two separate layers forwards and to their weights; the shared one forwards and both ways back.
    assert products(training_step(model, (12,), (4,))) == 2 + 2 + 3


def test_queries_keys_and_values_are_one_product():
    x = Input((5, 8))
    model = Model(x, [Dense(8)(x) for _ in range(3)])
    assert products(optimize(inference_graph(model))[0]) == 1


def test_normalisation_between_layers_adds_nothing():
    model = Sequential([Input((8,)), Dense(6), BatchNormalization(), Dense(5, activation="relu"),
                        BatchNormalization(), Dense(3)])  # fmt: skip
    graph, _ = optimize(inference_graph(model))
    batch = [n for n in graph.nodes if n.inputs and n.ndim == 2 and not isinstance(n.shape[0], int)]
    assert not any(n.op in (ops.multiply, ops.rsqrt) for n in batch)
