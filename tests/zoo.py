"""The zoo: small models of every structure, for counts of ops and for equality in every bit.

Each gives the graph of its training step as the trainer builds it, before any pass has seen it, and
the graph of its outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Graph, Stage
from kgraph.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    add,
    concatenate,
    subtract,
)
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD, Adam, RMSprop
from kgraph.passes.lower import lower
from kgraph.training.step import Signature, forward, training_graph
from kgraph.training.targets import target_type
from kgraph.training.totals import Totals

# The table is too large to be updated in one vector with the other weights.
VOCABULARY, STEPS, WIDTH = 600, 6, 8
Arrays = list[np.ndarray]
Draw = Callable[[np.random.Generator, int], tuple[Arrays, Arrays]]


@dataclass(frozen=True)
class Specimen:
    """A model of the zoo.

    Args:
        name: what tests call it.
        build: makes the compiled model.
        data: (random generator, batch size) -> inputs and targets, one array each.
    """

    name: str
    build: Callable[[], Model]
    data: Draw

    def model(self) -> Model:
        """The compiled model, with equal weights each time."""
        np.random.seed(7)
        return self.build()

    def arrays(self, batch: int, seed: int = 0) -> tuple[Arrays, Arrays]:
        """Inputs and targets for a batch."""
        return self.data(np.random.default_rng(seed), batch)

    def feed(self, batch: int, seed: int = 0) -> Arrays:
        """What a training step takes."""
        inputs, targets = self.arrays(batch, seed)
        return inputs + targets


def training_core(model: Model, inputs: Arrays, targets: Arrays) -> Graph:
    """The training step of a compiled model as the trainer hands it to the passes."""
    program = model._compiled(inputs)
    heads = program.compiled.heads
    types = tuple(
        target_type(a, head, model.outputs[head.index])
        for a, head in zip(targets, heads, strict=True)
    )
    signature = Signature(types, (None,) * len(types))
    totals = Totals(program.compiled.names)
    return training_graph(forward(model, training=True), program.compiled, signature, totals)


def inference_core(model: Model) -> Graph:
    """The model's outputs in primitive ops."""
    assert model.graph is not None
    assert model.graph.stage is Stage.LAYERS
    return lower(model.graph)


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal numbers."""
    return rng.normal(size=shape).astype("float32")


def classes(rng: np.random.Generator, batch: int, count: int) -> np.ndarray:
    """One-hot rows."""
    return np.eye(count, dtype="float32")[rng.integers(0, count, batch)]


# -- plain and branched networks ---------------------------------------------------------------


def mlp_binary() -> Model:
    """The binary classifier of the benchmark."""
    model = Sequential(
        [
            Dense(64, activation="relu", input_dim=20),
            Dropout(0.5),
            Dense(64, activation="relu"),
            Dropout(0.5),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(RMSprop(), "binary_crossentropy", metrics=["accuracy"])
    return model


def mlp_mnist(optimizer: Callable[[], Any] = RMSprop) -> Model:
    """The classifier of digits, narrower than the benchmark's."""
    model = Sequential(
        [
            Dense(32, activation="relu", input_shape=(49,)),
            Dropout(0.2),
            Dense(32, activation="relu"),
            Dropout(0.2),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer(), "categorical_crossentropy", metrics=["accuracy"])
    return model


def deep(layers: int = 12, units: int = 32) -> Model:
    """Dense layers in a row, for the counts that grow with their number."""
    model = Sequential([Dense(units, activation="tanh", input_shape=(units,))])
    for _ in range(layers - 2):
        model.add(Dense(units, activation="tanh"))
    model.add(Dense(10, activation="softmax"))
    model.compile(SGD(0.1), "categorical_crossentropy")
    return model


def two_heads() -> Model:
    """A shared trunk, a classifier and a regressor on it, with weighted losses."""
    x = Input((12,))
    trunk = Dense(16, activation="relu")(x)
    first = Dense(4, activation="softmax", name="first")(trunk)
    second = Dense(1, name="second")(Dense(8, activation="tanh")(trunk))
    model = Model(x, [first, second])
    model.compile(Adam(), ["categorical_crossentropy", "mse"], loss_weights=[1.0, 0.3])
    return model


def siamese() -> Model:
    """One encoder called twice."""
    left, right = Input((10,)), Input((10,))
    encoder = Sequential([Dense(16, activation="relu", input_shape=(10,)), Dense(8)])
    gap = subtract([encoder(left), encoder(right)])
    model = Model([left, right], Dense(1, activation="sigmoid")(ops.square(gap)))
    model.compile(SGD(0.1, momentum=0.9), "binary_crossentropy")
    return model


def autoencoder() -> Model:
    """A bottleneck with a penalty on its weights."""
    x = Input((20,))
    code = Dense(6, activation="relu", kernel_regularizer="l2")(x)
    model = Model(x, Dense(20, activation="sigmoid")(code))
    model.compile(Adam(), "mse", metrics=["mae"])
    return model


def residual() -> Model:
    """Two blocks, each added to its input."""
    x = Input((12,))
    y = x
    for _ in range(2):
        y = add([y, Dense(12)(Dense(24, activation="relu")(y))])
    model = Model(x, Dense(3, activation="softmax")(concatenate([x, y])))
    model.compile(SGD(0.1), "categorical_crossentropy")
    return model


def batch_norm() -> Model:
    """Batch statistics in training, moving ones in inference."""
    model = Sequential(
        [
            Dense(16, use_bias=False, input_shape=(9,)),
            BatchNormalization(),
            Dense(16, activation="relu"),
            BatchNormalization(),
            Dense(2, activation="softmax"),
        ]
    )
    model.compile(SGD(0.1), "categorical_crossentropy")
    return model


def experts() -> Model:
    """A gate weighs two experts."""
    x = Input((10,))
    gate = Dense(2, activation="softmax")(x)
    experts = [Dense(4)(Dense(12, activation="tanh")(x)) for _ in range(2)]
    mixed = gate[:, 0:1] * experts[0] + gate[:, 1:2] * experts[1]
    model = Model(x, mixed)
    model.compile(Adam(), "mse")
    return model


# -- images ------------------------------------------------------------------------------------


def lenet() -> Model:
    """Convolutions, pools of both kinds, dropout and dense layers."""
    model = Sequential(
        [
            Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
            MaxPooling2D(2),
            Dropout(0.25),
            Conv2D(6, 3, activation="tanh"),
            AveragePooling2D(2),
            Flatten(),
            Dense(12, activation="relu"),
            Dense(5, activation="softmax"),
        ]
    )
    model.compile(Adam(), "categorical_crossentropy", metrics=["accuracy"])
    return model


def resnet(data_format: str = "channels_last") -> Model:
    """A block that halves the image, beside its shortcut, and one that does not."""
    first = data_format == "channels_first"
    form: dict[str, Any] = {"data_format": data_format}

    def normalized(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        y = Conv2D(filters, size, strides=strides, padding="same", use_bias=False, **form)(x)
        return BatchNormalization(axis=1 if first else -1)(y)

    x = Input((3, 6, 6) if first else (6, 6, 3))
    y = Activation("relu")(normalized(x, 4, 3))
    for filters, strides in ((8, 2), (8, 1)):
        z = Activation("relu")(normalized(y, filters, 3, strides))
        shortcut = normalized(y, filters, 1, strides) if strides > 1 else y
        y = Activation("relu")(add([normalized(z, filters, 3), shortcut]))
    y = GlobalAveragePooling2D(**form)(y)
    model = Model(x, Dense(3, activation="softmax")(y))
    model.compile(SGD(0.1, momentum=0.9), "categorical_crossentropy")
    return model


# -- words -------------------------------------------------------------------------------------


def embedding_flat(optimizer: Callable[[], Any] = lambda: SGD(0.1)) -> Model:
    """Words in a row."""
    model = Sequential(
        [
            Embedding(VOCABULARY, WIDTH, input_length=STEPS),
            Flatten(),
            Dense(16, activation="relu"),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer(), "binary_crossentropy", metrics=["accuracy"])
    return model


def momentum() -> SGD:
    """Every row of a table moves on, also one that was not looked up."""
    return SGD(0.1, momentum=0.9)


def embedding_mean() -> Model:
    """The mean of the words, and labels that are numbers of classes."""
    ids = Input((STEPS,), dtype="int32")
    words = Embedding(VOCABULARY, WIDTH)(ids)
    model = Model(ids, Dense(5, activation="softmax")(ops.mean(words, axis=1)))
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    return model


class Attention(Layer):
    """Self-attention of several heads in plain ops, as a user would write it."""

    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = input_shape[-1]
        self.kernels = [self.add_weight(name, (width, width)) for name in "qkvo"]
        self.built = True

    def call(self, inputs: Any) -> Any:
        batch, steps, width = inputs.shape
        depth = width // self.heads

        def split(kernel: Any) -> Any:
            parts = ops.reshape(inputs @ kernel, (batch, steps, self.heads, depth))
            return ops.transpose(parts, (0, 2, 1, 3))

        q, k, v = (split(kernel) for kernel in self.kernels[:3])
        scores = q @ ops.swapaxes(k, -1, -2) * (1 / depth**0.5)
        mixed = ops.transpose(ops.softmax(scores) @ v, (0, 2, 1, 3))
        return ops.reshape(mixed, (batch, steps, width)) @ self.kernels[3]


def attention() -> Model:
    """A block of a transformer, with its normalisation and its feed-forward part."""
    x = Input((STEPS, WIDTH))
    y = LayerNormalization()(add([x, Attention(2)(x)]))
    z = add([y, Dense(WIDTH)(Dense(2 * WIDTH, activation="relu")(y))])
    model = Model(x, Dense(3, activation="softmax")(ops.mean(z, axis=1)))
    model.compile(SGD(0.1), "categorical_crossentropy")
    return model


# -- data --------------------------------------------------------------------------------------


def classify(width: int, count: int) -> Draw:
    """Rows and one-hot labels."""
    return lambda rng, n: ([floats(rng, n, width)], [classes(rng, n, count)])


def photos(count: int, *shape: int) -> Draw:
    """Images and one-hot labels."""
    return lambda rng, n: ([floats(rng, n, *shape)], [classes(rng, n, count)])


def words(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Ids of words, some of them several times."""
    return (VOCABULARY * rng.random((batch, STEPS)) ** 3).astype("int32")


def labels(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Zeros and ones in a column."""
    return rng.integers(0, 2, (batch, 1)).astype("float32")


def _heads_data(rng: np.random.Generator, batch: int) -> tuple[Arrays, Arrays]:
    return [floats(rng, batch, 12)], [classes(rng, batch, 4), floats(rng, batch, 1)]


def _pairs(rng: np.random.Generator, batch: int) -> tuple[Arrays, Arrays]:
    return [floats(rng, batch, 10), floats(rng, batch, 10)], [labels(rng, batch)]


def _same(rng: np.random.Generator, batch: int) -> tuple[Arrays, Arrays]:
    rows = rng.random((batch, 20)).astype("float32")
    return [rows], [rows]


def _binary_words(rng: np.random.Generator, batch: int) -> tuple[Arrays, Arrays]:
    return [words(rng, batch)], [labels(rng, batch)]


def _numbered_words(rng: np.random.Generator, batch: int) -> tuple[Arrays, Arrays]:
    return [words(rng, batch)], [rng.integers(0, 5, (batch, 1)).astype("int32")]


ZOO = {
    specimen.name: specimen
    for specimen in (
        Specimen("mlp_binary", mlp_binary, lambda r, n: ([floats(r, n, 20)], [labels(r, n)])),
        Specimen("mlp_mnist", mlp_mnist, classify(49, 10)),
        Specimen("mlp_mnist_adam", lambda: mlp_mnist(Adam), classify(49, 10)),
        Specimen("mlp_mnist_sgd", lambda: mlp_mnist(lambda: SGD(0.1)), classify(49, 10)),
        Specimen("deep", deep, classify(32, 10)),
        Specimen("two_heads", two_heads, _heads_data),
        Specimen("siamese", siamese, _pairs),
        Specimen("autoencoder", autoencoder, _same),
        Specimen("residual", residual, classify(12, 3)),
        Specimen("batch_norm", batch_norm, classify(9, 2)),
        Specimen(
            "experts", experts, lambda r, n: ([floats(r, n, 10)], [floats(r, n, 4)])
        ),
        Specimen("lenet", lenet, photos(5, 8, 8, 1)),
        Specimen("resnet", resnet, photos(3, 6, 6, 3)),
        Specimen("resnet_first", lambda: resnet("channels_first"), photos(3, 3, 6, 6)),
        Specimen("embedding_flat", embedding_flat, _binary_words),
        Specimen("embedding_adam", lambda: embedding_flat(Adam), _binary_words),
        Specimen("embedding_momentum", lambda: embedding_flat(momentum), _binary_words),
        Specimen("embedding_mean", embedding_mean, _numbered_words),
        Specimen(
            "attention", attention,
            lambda r, n: ([floats(r, n, STEPS, WIDTH)], [classes(r, n, 3)]),
        ),
    )
}  # fmt: skip
