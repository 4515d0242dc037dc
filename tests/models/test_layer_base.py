"""The layer contract: arguments, naming, weights, calls, training, losses and updates."""

import copy
import pickle

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Graph, Stage, Variable
from kgraph.layers import Activation, Dense, Dropout, Input, Lambda, Layer
from kgraph.layers.naming import get_uid, reset_uids, to_snake_case, unique_name
from kgraph.models import Model
from kgraph.passes.lower import lower
from kgraph.runtime.interp import interpret


class Scale(Layer):
    """A custom layer as Keras users write them."""

    def __init__(self, factor, **kwargs):
        self.factor = factor
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.gain = self.add_weight("gain", (input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.gain * self.factor


class Block(Layer):
    """A layer that holds layers, alone and in a list that grows later."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(3, name="first")
        self.others = []
        self.others.append(Dropout(0.5, name="drop"))
        self.others.append(Dense(2, name="last"))
        self.seen = self.add_weight(shape=(), initializer="zeros", name="seen", trainable=False)

    def call(self, inputs, training=None):
        self.add_update((self.seen, self.seen + 1.0))
        self.add_loss(ops.sum(inputs))
        outputs = self.first(inputs)
        for layer in self.others:
            outputs = layer(outputs)
        return outputs


def run(x, y, array, training=False):
    graph = lower(Graph((x,), (("y", y),), (), Stage.LAYERS), training)
    (result,), updates = interpret(graph, [array])
    return result, updates


# -- names and arguments -------------------------------------------------------------------------
def test_names_count_from_one_for_each_class():
    reset_uids()
    assert [Dense(1).name, Dense(1).name, Activation("relu").name] == [
        "dense_1", "dense_2", "activation_1",
    ]  # fmt: skip
    assert unique_name("dense") == "dense_3"
    assert get_uid("new") == 1
    reset_uids()
    assert Dense(1).name == "dense_1"


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("Dense", "dense"),
        ("MaxPooling2D", "max_pooling2d"),
        ("LSTM", "lstm"),
        ("BatchNormalization", "batch_normalization"),
        ("TimeDistributed", "time_distributed"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("GRUCell", "gru_cell"),
    ],
)
def test_snake_case_is_keras_s(name, snake):
    assert to_snake_case(name) == snake


def test_an_unknown_argument_is_refused_by_name():
    with pytest.raises(TypeError, match="Keyword argument not understood: unit"):
        Scale(2.0, unit=3)


def test_shape_arguments_describe_a_first_layer():
    assert Scale(1.0, input_shape=(3,)).batch_input_shape == (None, 3)
    assert Scale(1.0, input_shape=(3,), batch_size=8).batch_input_shape == (8, 3)
    assert Scale(1.0, batch_input_shape=(4, None, 3)).batch_input_shape == (4, None, 3)
    assert Scale(1.0, input_dim=3).batch_input_shape == (None, 3)
    assert Scale(1.0, input_dim=3, input_length=7).batch_input_shape == (None, 7, 3)
    assert not hasattr(Scale(1.0), "batch_input_shape")


def test_a_dtype_may_be_a_keras_3_policy():
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    assert Scale(1.0, dtype=policy).dtype == "float32"
    assert Scale(1.0, dtype="float64")(np.ones((1, 2))).dtype == np.float64


def test_weights_argument_sets_the_initial_weights():
    layer = Dense(2, weights=[np.full((3, 2), 5.0), np.zeros(2)])
    layer(Input((3,)))
    assert (layer.get_weights()[0] == 5).all()


def test_forgetting_super_init_is_explained():
    class Forgetful(Layer):
        def __init__(self):
            self.units = 3

    with pytest.raises(RuntimeError, match=r"forgot to call `super\(\).__init__\(\)`"):
        Forgetful()(np.ones((1, 2), "float32"))


# -- weights -------------------------------------------------------------------------------------
def test_add_weight_takes_both_orders_of_arguments():
    layer = Layer(name="any")
    assert layer.add_weight("w", (2, 3)).shape == (2, 3)
    assert layer.add_weight((2,), "ones", "float64").dtype == "float64"
    assert layer.add_weight(shape=(4,), name="v", trainable=False).trainable is False
    assert layer.add_weight("i", (2,), dtype="int32").value.tolist() == [0, 0]
    assert [v.name for v in layer.weights] == ["any/w", "any/variable", "any/i", "any/v"]
    assert layer.add_weight("w", (1,)).name == "any/w_1"
    with pytest.raises(TypeError, match="wrong arguments"):
        layer.add_weight("w", (1,), colour="red")
    with pytest.raises(ValueError, match="needs known sizes"):
        layer.add_weight("w", (None, 1))


def test_weights_of_held_layers_are_found_in_attributes_and_lists():
    block = Block(name="block")
    block(Input((4,)))
    assert [v.name for v in block.weights] == [
        "block/first/kernel", "block/first/bias", "block/last/kernel", "block/last/bias",
        "block/seen",
    ]  # fmt: skip
    assert block.count_params() == 15 + 8 + 1
    assert [layer.name for layer in block.flattened_layers()] == ["block", "first", "drop", "last"]


def test_a_variable_in_an_attribute_is_a_weight():
    class Own(Layer):
        def __init__(self):
            super().__init__()
            self.shift = Variable(np.ones(2, "float32"), name="shift")
            self.parent = self

        def call(self, inputs):
            return inputs + self.shift

    layer = Own()
    assert layer(np.zeros((1, 2), "float32")).tolist() == [[1, 1]]
    assert layer.trainable_weights == [layer.shift]


def test_trainable_moves_weights_and_reaches_inside():
    block = Block()
    block(Input((4,)))
    block.trainable = False
    assert block.trainable_weights == []
    assert [v.name.rpartition("/")[2] for v in block.non_trainable_weights] == [
        "kernel", "bias", "kernel", "bias", "seen",
    ]  # fmt: skip
    block.trainable = True
    block.first.trainable = False
    assert len(block.trainable_weights) == 2
    assert block.first.trainable is False


def test_a_frozen_parent_freezes_its_layers_while_they_are_called():
    seen = []

    class Spy(Layer):
        def call(self, inputs):
            seen.append(self.trainable)
            return inputs + 1

    class Parent(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Spy()

        def call(self, inputs):
            return self.inner(inputs)

    parent = Parent()
    parent.trainable = False
    parent(Input((2,)))
    assert seen == [False]
    assert parent.inner.trainable is True


def test_set_weights_has_keras_s_errors():
    layer = Dense(3, name="dense_1")
    layer.build((None, 4))
    with pytest.raises(ValueError) as error:
        layer.set_weights([np.zeros((4, 3))])
    assert str(error.value).startswith(
        'You called `set_weights(weights)` on layer "dense_1" with a weight list of length 1, '
        "but the layer was expecting 2 weights. Provided weights: "
    )
    with pytest.raises(ValueError) as error:
        layer.set_weights([np.zeros((3, 4)), np.zeros(3)])
    assert str(error.value).startswith(
        "Layer weight shape (4, 3) not compatible with provided weight shape (3, 4)"
    )


def test_a_wrong_set_weights_changes_nothing():
    layer = Dense(3)
    layer.build((None, 4))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="not compatible"):
        layer.set_weights([np.ones((4, 3)), np.ones(5)])
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


def test_count_params_of_an_unbuilt_layer():
    with pytest.raises(RuntimeError, match="You tried to call `count_params` on q, but the layer"):
        Dense(3, name="q").count_params()


# -- calls ---------------------------------------------------------------------------------------
def test_each_call_is_a_node_of_its_own():
    x, drop = Input((3,)), Dropout(0.5)
    first, second = drop(x), drop(x)
    assert first is not second
    graph = lower(Graph((x,), (("a", first), ("b", second)), (), Stage.LAYERS), training=True)
    (a, b), _ = interpret(graph, [np.ones((50, 3))])
    assert not np.array_equal(a, b)
    (again, _), _ = interpret(graph, [np.ones((50, 3))])
    assert np.array_equal(a, again)


def test_tensors_may_be_anywhere_in_the_arguments():
    class Mix(Layer):
        def call(self, inputs, scale, shift=None, flip=False):
            total = inputs["a"] + inputs["b"][0] * scale
            total = total if shift is None else total + shift["by"]
            return {"out": -total if flip else total, "raw": (inputs["a"],)}

    a, b, s = Input((2,)), Input((2,)), Input((2,))
    result = Mix()({"a": a, "b": [b]}, 3.0, shift={"by": s}, flip=True)
    model = Model([a, b, s], [result["out"], result["raw"][0]])
    values = [np.full((1, 2), v, "float32") for v in (1, 2, 10)]
    out, raw = model(values)
    assert out.tolist() == [[-17, -17]]
    assert raw.tolist() == [[1, 1]]


def test_inputs_may_be_given_by_name():
    assert Scale(2.0)(inputs=np.ones((1, 2), "float32")).tolist() == [[2, 2]]
    with pytest.raises(TypeError, match="called without inputs"):
        Scale(2.0)()


def test_call_runs_once_to_build_and_leaves_nothing_behind():
    runs = []

    class Counting(Layer):
        def call(self, inputs):
            runs.append(1)
            self.add_loss(ops.sum(inputs))
            return inputs * 2

    layer = Counting()
    layer(Input((2,)))
    assert len(runs) == 1
    assert layer._added_losses == []


def test_call_that_returns_nothing_is_explained():
    class Silent(Layer):
        def call(self, inputs):
            inputs * 2

    with pytest.raises(ValueError, match="`call` of layer silent_1 returned None"):
        reset_uids()
        Silent()(Input((2,)))


def test_a_wrong_input_is_named():
    with pytest.raises(ValueError) as error:
        Scale(1.0, name="scale")("text")
    assert "Layer scale was called with an input that isn't a symbolic tensor." in str(error.value)
    with pytest.raises(ValueError, match=r"isn't a symbolic tensor. Received type: <class 'str'>"):
        Scale(1.0)([Input((2,)), "text"])


def test_build_may_take_a_shape_for_each_argument():
    class Pair(Layer):
        def build(self, left_shape, right_shape):
            self.shapes = left_shape, right_shape

        def call(self, left, right):
            return left + ops.sum(right, axis=1, keepdims=True)

    layer = Pair()
    layer(Input((2,)), right=Input((5,)))
    assert layer.shapes == ((None, 2), (None, 5))


def test_build_gets_a_list_of_shapes_for_a_list_of_inputs():
    class Both(Layer):
        def build(self, input_shape):
            self.shape_seen = input_shape

        def call(self, inputs):
            return inputs[0] + inputs[1]

    layer = Both()
    layer([Input((2,)), Input((1,))])
    assert layer.shape_seen == [(None, 2), (None, 1)]


def test_compute_output_shape_runs_call_on_stand_ins():
    layer = Lambda(lambda x: ops.concatenate([x, x], axis=-1))
    assert layer.compute_output_shape((None, 7, 3)) == (None, 7, 6)
    assert Block().compute_output_shape((5, 4)) == (5, 2)


# -- training ------------------------------------------------------------------------------------
def test_training_reaches_nested_layers_and_can_be_fixed():
    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.drop = Dropout(0.5)

        def call(self, inputs):
            return self.drop(inputs)

    x, ones = Input((100,)), np.ones((2, 100), "float32")
    outer = Outer()
    for training in (False, True):
        y, _ = run(x, outer(x), ones, training)
        assert bool((y == 1).all()) is not training
    always, _ = run(x, outer(x, training=True), ones, training=False)
    never, _ = run(x, outer(x, training=False), ones, training=True)
    assert (always != 1).any()
    assert (never == 1).all()


def test_updates_happen_in_training_only_unless_the_layer_is_stateful():
    x = Input((4,))
    block = Block()
    _, updates = run(x, block(x), np.ones((2, 4)), training=True)
    assert updates == {block.seen: 1}
    _, updates = run(x, block(x), np.ones((2, 4)), training=False)
    assert updates == {}
    block.stateful = True
    assert run(x, block(x), np.ones((2, 4)))[1] == {block.seen: 1}


def test_two_calls_update_a_state_twice():
    x = Input((4,))
    block = Block()
    y = block(x) + block(x)
    _, updates = run(x, y, np.ones((2, 4)), training=True)
    assert updates[block.seen] == 2


# -- losses --------------------------------------------------------------------------------------
def test_losses_are_weight_penalties_and_those_of_each_call():
    layer = Dense(2, kernel_regularizer="l2", activity_regularizer="l1", kernel_initializer="ones")
    x = Input((3,))
    layer(x)
    layer(x)
    assert len(layer.losses) == 3
    assert len(layer.get_losses_for(None)) == 1
    assert len(layer.get_losses_for(x)) == 2
    values, _ = interpret(Graph((x,), tuple(("l", n) for n in layer.losses)), [np.ones((4, 3))])
    # l2: 6 * 0.01; l1 over 4 * 2 outputs of 3, divided by the batch of 4.
    assert np.allclose(values, [0.06, 0.06, 0.06])


def test_updates_are_listed_by_what_they_depend_on():
    block = Block()
    x = Input((4,))
    block(x)
    assert [v for v, _ in block.updates] == [block.seen]
    assert block.get_updates_for(x) == []
    assert len(block.get_updates_for(None)) == 1


# -- origins -------------------------------------------------------------------------------------
def test_ops_know_their_layer_path_and_the_line_of_the_call():
    x = Input((4,))
    y = Block(name="block")(x)
    graph = lower(Graph((x,), (("y", y),), (), Stage.LAYERS))
    matmuls = [n for n in graph.nodes if n.op.name == "matmul"]
    assert [n.origin.scope for n in matmuls] == ["block/first", "block/last"]
    assert all(n.origin.file == __file__ for n in matmuls)


# -- copies --------------------------------------------------------------------------------------
def test_a_config_without_get_config_has_the_constructor_s_arguments():
    layer = Scale(2.5, name="s")
    assert layer.get_config() == {
        "factor": 2.5, "name": "s", "trainable": True, "dtype": "float32",
    }  # fmt: skip
    assert Scale.from_config(layer.get_config()).factor == 2.5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies_have_weights_of_their_own(copied):
    layer = Scale(2.0)
    x = np.arange(6, dtype="float32").reshape(2, 3)
    layer(x)
    layer.set_weights([np.array([1.0, 2.0, 3.0])])
    again = copied(layer)
    assert np.array_equal(again(x), layer(x))
    layer.set_weights([np.zeros(3)])
    assert again.get_weights()[0].tolist() == [1, 2, 3]
    assert not copied(Scale(3.0)).built


def test_weights_made_in_call_must_be_held():
    class Forgetful(Layer):
        def call(self, inputs):
            return Dense(2, name="lost")(inputs)

    class Late(Layer):
        def call(self, inputs):
            if not hasattr(self, "inner"):
                self.inner = {"parts": [Dense(2)]}
            return self.inner["parts"][0](inputs)

    for layer in (Forgetful(), Lambda(lambda t: Dense(2, name="lost")(t))):
        for inputs in (Input((3,)), np.ones((1, 3), "float32")):
            with pytest.raises(ValueError, match="made weights that the layer does not hold") as e:
                layer(inputs)
            assert "layers lost" in str(e.value)
    late = Late()
    late(Input((3,)))
    assert len(late.weights) == 2
