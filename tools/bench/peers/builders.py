"""The models in Keras's API; the same text serves keras and kgraph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .workloads import HEAD, HEAD_STATE, STATE, TOPICS, WORDS, WORKLOADS, Workload


def build(package: Any, name: str) -> Any:
    """The compiled model of a workload.

    Args:
        package: keras or kgraph.
        name: of the workload.
    """
    work, layers = WORKLOADS[name], package.layers
    inputs = [layers.Input(i.shape, dtype="int32" if i.ids else "float32") for i in work.inputs]
    outputs = BODIES[name](layers, work, *inputs)
    model = package.models.Model(inputs, outputs)
    optimizers = package.optimizers
    kind = {"rmsprop": optimizers.RMSprop, "sgd": optimizers.SGD, "adam": optimizers.Adam}
    optimizer = kind[work.optimizer](learning_rate=work.rate)
    if len(outputs) == 1:
        model.compile(optimizer, loss=work.loss, metrics=["accuracy"])
    else:
        losses = [work.loss] * len(outputs)
        model.compile(optimizer, loss=losses, loss_weights=list(work.loss_weights))
    return model


def _perceptron(layers: Any, work: Workload, x: Any) -> list[Any]:
    if work.inputs[0].ids:
        size = work.widths[0] // work.inputs[0].shape[0]
        x = layers.Flatten()(layers.Embedding(work.inputs[0].ids, size)(x))
    for width in work.widths[1:-1]:
        x = layers.Dense(width, activation="relu")(x)
        x = layers.Dropout(work.dropout)(x) if work.dropout else x
    last = "sigmoid" if work.classes == 1 else "softmax"
    return [layers.Dense(work.classes, activation=last)(x)]


def _digits(layers: Any, work: Workload, x: Any) -> list[Any]:
    """Activations are layers of their own, as older examples have them."""
    for width in work.widths[1:-1]:
        x = layers.Activation("relu")(layers.Dense(width)(x))
    return [layers.Activation("softmax")(layers.Dense(work.classes)(x))]


def _images(layers: Any, work: Workload, x: Any) -> list[Any]:
    for filters in (32, 64):
        for padding in ("same", "valid"):
            x = layers.Activation("relu")(layers.Conv2D(filters, 3, padding=padding)(x))
        x = layers.Dropout(0.25)(layers.MaxPooling2D(2)(x))
    x = layers.Activation("relu")(layers.Dense(512)(layers.Flatten()(x)))
    return [layers.Activation("softmax")(layers.Dense(work.classes)(layers.Dropout(0.5)(x)))]


def _words(layers: Any, work: Workload, x: Any) -> list[Any]:
    return [layers.Dense(1, activation="sigmoid")(layers.LSTM(STATE)(layers.Embedding(*WORDS)(x)))]


def _two_heads(layers: Any, work: Workload, words: Any, numbers: Any) -> list[Any]:
    read = layers.LSTM(HEAD_STATE)(layers.Embedding(*TOPICS)(words))
    x = layers.concatenate([read, numbers])
    for _ in range(3):
        x = layers.Dense(HEAD, activation="relu")(x)
    return [layers.Dense(1, activation="sigmoid")(h) for h in (x, read)]


BODIES: dict[str, Callable[..., list[Any]]] = {
    "mlp_binary": _perceptron,
    "mlp_mnist": _digits,
    "mlp_wide": _perceptron,
    "embedding_dense": _perceptron,
    "cnn_cifar": _images,
    "lstm_imdb": _words,
    "two_head": _two_heads,
}
