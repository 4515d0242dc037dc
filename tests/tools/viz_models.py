"""Small models of every structure that pictures have to show; used by the tests of `kgraph viz`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.layers import (
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    add,
    concatenate,
)
from kgraph.models import Model, Sequential


def siamese() -> Model:
    """Two inputs, one shared layer, two outputs."""
    left, right = Input((8,), name="left"), Input((8,), name="right")
    reader = Dense(4, activation="relu", name="reader")
    both = Add(name="both")([reader(left), reader(right)])
    return Model([left, right], [Dense(2, name="a")(both), Dense(1, name="b")(both)], name="m")


def sequential() -> Model:
    """A chain."""
    layers = [
        Dense(64, activation="relu", input_shape=(20,), name="first"),
        Dense(64, activation="relu", name="second"),
        Dense(10, activation="softmax", name="third"),
    ]
    return Sequential(layers, name="mlp")


def nested() -> Model:
    """Models three deep; the middle one is called twice."""
    x = Input((4,), name="x")
    encoder = Model(x, Dense(4, name="e2")(Dense(8, name="e1")(x)), name="encoder")
    y = Input((4,), name="y")
    middle = Model(y, encoder(Dense(4, name="pre")(y)), name="middle")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    return Model([a, b], Add(name="sum")([middle(a), middle(b)]), name="outer")


def headlines() -> Model:
    """Two inputs, an embedding, an LSTM, two heads."""
    main = Input((10,), dtype="int32", name="main_input")
    h = LSTM(8, name="lstm")(Embedding(50, 6, name="embedding")(main))
    aux = Dense(1, activation="sigmoid", name="aux_output")(h)
    other = Input((5,), name="aux_input")
    x = concatenate([h, other], name="joined")
    x = Dense(16, activation="relu", name="hidden")(x)
    out = Dense(1, activation="sigmoid", name="main_output")(x)
    return Model([main, other], [out, aux], name="headlines")


def recurrent() -> Model:
    """An LSTM with a head."""
    x = Input((5, 3), name="x")
    y = Dense(2, activation="softmax", name="head")(LSTM(4, name="lstm")(x))
    return Model(x, y, name="recurrent")


def bidirectional() -> Model:
    """A wrapper around a loop in both directions."""
    x = Input((5, 3), name="x")
    return Model(x, Bidirectional(LSTM(2, name="inner"), name="both_ways")(x), name="bi")


def residual(blocks: int = 5) -> Model:
    """Equal blocks, each with a connection around it."""
    x = y = Input((8,), name="x")
    for i in range(blocks):
        h = Dense(8, activation="relu", name=f"one_{i}")(y)
        y = Add(name=f"sum_{i}")([y, Dense(8, name=f"two_{i}")(h)])
    return Model(x, Dense(3, name="head")(y), name="residual")


def deep(count: int = 200) -> Model:
    """A long chain of equal layers."""
    x = y = Input((8,), name="x")
    for i in range(count):
        y = Dense(8, activation="relu", name=f"dense_{i}")(y)
    return Model(x, y, name="deep")


def doubled() -> Model:
    """One tensor twice into one layer."""
    x = Input((4,), name="x")
    return Model(x, Add(name="double")([x, x]), name="doubled")


def raw_ops() -> Model:
    """Ops between layers."""
    x = Input((4,), name="x")
    return Model(x, Dense(2, name="d")(x * 2.0) + 1.0, name="raw")


def image() -> Model:
    """Convolution with batch normalisation."""
    x = Input((8, 8, 3), name="image")
    y = Conv2D(4, 3, name="conv")(x)
    y = Activation("relu", name="act")(BatchNormalization(name="norm")(y))
    return Model(x, Dense(2, name="d")(Flatten(name="flat")(y)), name="image")


def frozen() -> Model:
    """A layer that is not trained."""
    model = sequential()
    model.get_layer("second").trainable = False
    return model


def named(name: str) -> Model:
    """Layers whose names are what an attacker or a careless user writes."""
    x = Input((2,), name=name)
    return Model(x, Dense(2, name=name + "2")(add([x, x], name=name + "1")), name="named")


MODELS: dict[str, Callable[[], Any]] = {
    "siamese": siamese,
    "sequential": sequential,
    "nested": nested,
    "headlines": headlines,
    "recurrent": recurrent,
    "bidirectional": bidirectional,
    "residual": residual,
    "deep": deep,
    "doubled": doubled,
    "raw_ops": raw_ops,
    "image": image,
    "frozen": frozen,
    "odd_names": lambda: named("<&>\"'{}|:\\n/é漢"),
}
