"""The workloads: sizes, batches of random data, and how each is trained.

`mlp_binary` and `mlp_mnist` are small dense networks, where the work around the arithmetic counts;
`mlp_wide` has dropout and large products. `cnn_cifar` is four convolutions in two blocks,
`lstm_imdb` reads 80 words, `two_head` reads 100 words beside five numbers and has an auxiliary
output. `embedding_dense` looks rows up and multiplies them by one kernel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FRAMEWORKS = ("torch", "jax", "keras")


class Input(NamedTuple):
    """One input: its shape without the batch, and how many ids there are, if it holds ids."""

    shape: tuple[int, ...]
    ids: int = 0


class Workload(NamedTuple):
    """What a step is fed with, and what the optimizer does.

    Args:
        batch: samples of a step.
        steps: of one measurement.
        inputs: of the model.
        classes: 1 for a yes or no, else the length of the one-hot targets.
        optimizer: Keras's name of it.
        rate: learning rate.
        widths: units of the dense layers of a plain network, the input before them.
        dropout: rate after each of its hidden layers.
        loss_weights: one for each output; all have the same targets.
    """

    batch: int
    steps: int
    inputs: tuple[Input, ...]
    classes: int
    optimizer: str
    rate: float
    widths: tuple[int, ...] = ()
    dropout: float = 0.0
    loss_weights: tuple[float, ...] = (1.0,)

    @property
    def loss(self) -> str:
        """Keras's name of the loss."""
        return "binary_crossentropy" if self.classes == 1 else "categorical_crossentropy"


def _dense(
    batch: int, steps: int, widths: tuple[int, ...], optimizer: str, rate: float, dropout: float = 0
) -> Workload:
    inputs = (Input(widths[:1]),)
    return Workload(batch, steps, inputs, widths[-1], optimizer, rate, widths, dropout)


WORDS, STATE = (20000, 128), 128  # of lstm_imdb: ids and their features, units
TOPICS, HEAD_STATE, HEAD = (10000, 512), 32, 64  # of two_head; units of its three dense layers

WORKLOADS = {
    "mlp_binary": _dense(32, 300, (100, 32, 1), "rmsprop", 1e-3),
    "mlp_mnist": _dense(128, 200, (784, 128, 128, 10), "sgd", 1e-2),
    "mlp_wide": _dense(128, 60, (784, 512, 512, 10), "rmsprop", 1e-3, dropout=0.2),
    "embedding_dense": Workload(
        32, 60, (Input((80,), 20000),), 1, "sgd", 1e-2, widths=(80 * 64, 64, 1)
    ),
    "cnn_cifar": Workload(32, 12, (Input((32, 32, 3)),), 10, "rmsprop", 1e-4),
    "lstm_imdb": Workload(32, 8, (Input((80,), WORDS[0]),), 1, "adam", 1e-3),
    "two_head": Workload(
        32, 8, (Input((100,), TOPICS[0]), Input((5,))), 1, "rmsprop", 1e-3, loss_weights=(1.0, 0.2)
    ),
}


def batch_of(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One batch: inputs, float32 in [0, 1) or int32 ids, and a float32 target an output."""
    work, rng = WORKLOADS[name], np.random.default_rng(0)
    xs: list[np.ndarray] = [
        rng.integers(0, i.ids, (work.batch, *i.shape)).astype(np.int32)
        if i.ids
        else rng.random((work.batch, *i.shape), dtype=np.float32)
        for i in work.inputs
    ]
    labels = rng.integers(0, max(work.classes, 2), work.batch)
    y = labels[:, None].astype(np.float32)
    if work.classes > 1:
        y = np.eye(work.classes, dtype=np.float32)[labels]
    return xs, [y] * len(work.loss_weights)
