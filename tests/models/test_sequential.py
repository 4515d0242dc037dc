"""Sequential: every way to say the input shape, changing the stack, and its errors."""

import re

import numpy as np
import pytest

from kgraph.layers import (
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    Input,
    InputLayer,
    Layer,
    concatenate,
)
from kgraph.layers.naming import reset_uids
from kgraph.models import Model, Sequential, clone_model, load_model

NOT_BUILT = re.escape(
    "This model has not yet been built. Build the model first by calling build() or calling fit() "
    "with some data. Or specify input_shape or batch_input_shape in the first layer for automatic "
    "build. "
)


def ones(*shape):
    return np.ones(shape, "float32")


@pytest.mark.parametrize(
    "arguments",
    [{"input_shape": (3,)}, {"input_dim": 3}, {"batch_input_shape": (None, 3)}],
    ids=str,
)
def test_the_first_layer_says_the_shape(arguments):
    model = Sequential([Dense(2, name="first", **arguments)])
    assert model.input_shape == (None, 3)
    assert model.input.name == "first_input"
    assert model.output_shape == (None, 2)
    assert model(ones(4, 3)).shape == (4, 2)


def test_a_fixed_batch():
    model = Sequential([Dense(2, input_shape=(3,), batch_size=8)])
    assert model.input_shape == (8, 3)
    assert model.output_shape == (8, 2)


@pytest.mark.parametrize(
    "first", [lambda: Input((3,), name="x"), lambda: InputLayer((3,), name="x")]
)
def test_an_input_in_the_first_place(first):
    model = Sequential([first(), Dense(2)])
    assert model.input.name == "x"
    assert len(model.layers) == 1
    assert model.get_config()["layers"][0]["class_name"] == "InputLayer"
    assert Sequential.from_config(model.get_config()).input.name == "x"
    with pytest.raises(ValueError, match="an Input can only come first"):
        model.add(Input((3,)))


def test_shapes_on_later_layers_are_ignored():
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2, input_shape=(99,))])
    assert model.output_shape == (None, 2)


def test_an_embedding_says_its_own_input():
    model = Sequential([Embedding(10, 4), Activation("linear")])
    assert model.input_shape == (None, None)
    assert model(np.array([[1, 2, 3]])).shape == (1, 3, 4)


def test_a_model_in_the_first_place():
    x = Input((3,))
    inner = Model(x, Dense(2)(x))
    model = Sequential([inner, Dense(1)])
    assert model.input_shape == (None, 3)
    assert model(ones(1, 3)).shape == (1, 1)


def test_a_model_of_several_inputs_in_the_first_place(tmp_path):
    a, b = Input((3,), name="a"), Input((2,), name="b", dtype="int32")
    model = Sequential([Model([a, b], concatenate([a, b])), Dense(1)])
    assert model.input_names == ["a", "b"]
    assert model.input_shape == [(None, 3), (None, 2)]
    data = [ones(4, 3), np.ones((4, 2), "int32")]
    expected = model.predict(data)
    assert expected.shape == (4, 1)
    assert np.array_equal(model.predict({"b": data[1], "a": data[0]}), expected)
    model.compile("sgd", "mse")
    model.fit(data, ones(4, 1), verbose=0)
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    assert np.array_equal(loaded.predict(data), model.predict(data))
    copy = clone_model(model)
    copy.set_weights(model.get_weights())
    assert np.array_equal(copy.predict(data), model.predict(data))
    model.pop()
    model.pop()
    assert model.layers == []


def test_names_and_count_of_the_mnist_model():
    reset_uids()
    model = Sequential()
    model.add(Dense(128, input_shape=(784,)))
    for layer in (Activation("relu"), Dense(128), Activation("relu"), Dense(10)):
        model.add(layer)
    model.add(Activation("softmax"))
    assert model.name == "sequential_1"
    assert [layer.name for layer in model.layers] == [
        "dense_1", "activation_1", "dense_2", "activation_2", "dense_3", "activation_3",
    ]  # fmt: skip
    assert model.count_params() == 118282
    assert model.output_names == ["activation_3"]
    assert model.input_names == ["dense_1_input"]
    assert np.allclose(model(ones(3, 784)).sum(1), 1, atol=1e-5)


# -- no shape yet --------------------------------------------------------------------------------
def test_a_model_without_a_shape_says_so():
    model = Sequential([Dense(2), Dropout(0.5)])
    assert model.built is False
    assert model.weights == []
    assert model.graph is None
    assert len(model.layers) == 2
    for ask in (
        model.summary,
        lambda: model.inputs,
        lambda: model.save_weights("unused.h5"),
        lambda: model.load_weights("unused.h5"),
        model.build,
    ):
        with pytest.raises(ValueError, match=NOT_BUILT):
            ask()


def test_build_gives_the_shape():
    model = Sequential([Dense(2), BatchNormalization()])
    model.build((None, 3))
    assert model.built
    assert model.input_shape == (None, 3)
    assert [w.shape for w in model.get_weights()] == [(3, 2), (2,), (2,), (2,), (2,), (2,)]
    model.build((None, 99))
    assert model.input_shape == (None, 3)
    assert model.get_config()["build_input_shape"] == (None, 3)
    assert Sequential.from_config(model.get_config()).input_shape == (None, 3)


def test_the_first_call_gives_the_shape():
    model = Sequential([Dense(2), Activation("relu")])
    assert model(ones(4, 3)).shape == (4, 2)
    assert model.input_shape == (None, 3)
    assert model.weights[0].name == f"{model.layers[0].name}/kernel"
    other = Sequential([Dense(2)])
    x = Input((5,))
    outer = Model(x, other(x))
    assert other.input_shape == (None, 5)
    assert outer(ones(1, 5)).shape == (1, 2)


def test_fit_gives_the_shape():
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    model.fit(ones(8, 3), ones(8, 1), epochs=1, verbose=0)
    assert model.input_shape == (None, 3)
    assert model.predict(ones(2, 3)).shape == (2, 1)


# -- changing the stack --------------------------------------------------------------------------
def test_pop_and_add_rebuild_the_graph():
    model = Sequential([Dense(4, input_shape=(3,)), Dense(2), Activation("relu")])
    first = model.graph
    model.pop()
    assert model.graph is not first
    assert model.output_shape == (None, 2)
    model.pop()
    model.add(Dense(5))
    assert model.output_shape == (None, 5)
    assert model(ones(1, 3)).shape == (1, 5)
    for _ in range(2):
        model.pop()
    assert not model.built
    with pytest.raises(TypeError, match=r"^There are no layers in the model.$"):
        model.pop()
    model.add(Dense(2, input_shape=(7,)))
    assert model.input_shape == (None, 7)


def test_layers_called_elsewhere_do_not_matter():
    layer = Dense(2)
    layer(Input((3,)))
    model = Sequential([layer, Activation("relu")])
    model.build((None, 3))
    assert model.output_shape == (None, 2)


def test_nested_sequentials_train_all_their_weights():
    inner = Sequential([Dense(4, activation="relu", input_shape=(3,)), Dense(2)])
    model = Sequential([inner, Dense(1)])
    assert len(model.trainable_weights) == 6
    assert model.layers[0] is inner


# -- errors --------------------------------------------------------------------------------------
def test_only_layers_can_be_added():
    with pytest.raises(TypeError) as error:
        Sequential([Dense(2, input_shape=(3,)), "relu"])
    assert str(error.value) == ("The added layer must be an instance of class Layer. Found: relu")


def test_layers_have_one_output():
    class Two(Layer):
        def call(self, inputs):
            return [inputs, inputs * 2]

    with pytest.raises(TypeError) as error:
        Sequential([Two(input_shape=(3,))])
    assert str(error.value) == (
        "All layers in a Sequential model should have a single output tensor. "
        "For multi-output layers, use the functional API."
    )


def test_names_are_unique():
    with pytest.raises(ValueError, match='The name "d" is used 2 times in the model'):
        Sequential([Dense(2, name="d"), Dense(2, name="d")])


def test_the_shape_of_a_call_is_checked():
    model = Sequential([Dense(2, input_shape=(784,))], name="s")
    for wrong, found in ((ones(1, 28), "(None, 28)"), (ones(1, 28, 28), "ndim=3")):
        with pytest.raises(
            ValueError, match=r"^Input 0 is incompatible with layer s: expected"
        ) as error:
            model(wrong)
        assert found in str(error.value)
