"""Cells: the user's own, stacked ones, constants, dropout masks."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random, step

from kgraph import layers, ops
from kgraph.ir import CallContext
from kgraph.ir.graph import toposort
from kgraph.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    GRUCell,
    Input,
    Layer,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from kgraph.models import Model, model_from_json
from kgraph.passes.lower import inline

X = random(3, 4, 5)


@pytest.mark.parametrize(
    ("kind", "arguments", "states"),
    [("SimpleRNN", {}, 1), ("GRU", {"reset_after": True}, 1), ("GRU", {"reset_after": False}, 1),
     ("LSTM", {}, 2)],
)  # fmt: skip
def test_a_cell_alone_is_a_step_of_its_layer(kind, arguments, states):
    cell = getattr(layers, f"{kind}Cell")(3, **arguments)
    layer = getattr(layers, kind)(3, return_state=True, **arguments)
    start = [random(3, 3, seed=i) for i in range(states)]
    y, new = cell(X[:, 0], start)
    layer(X)
    layer.set_weights(cell.get_weights())
    for a, b in zip([y, *new], layer(X[:, :1], initial_state=start), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    wrapped = RNN(cell, return_state=True)
    for a, b in zip(wrapped(X), layer(X), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_stacked_cells_like_keras():
    mine = RNN([LSTMCell(3), GRUCell(2, reset_after=True)], return_sequences=True)
    other = keras.layers.RNN(
        [keras.layers.LSTMCell(3), keras.layers.GRUCell(2)], return_sequences=True
    )
    check_like_keras(mine, other, X)
    assert mine.state_size == [(3,), (3,), (2,)]
    assert mine.compute_output_shape((None, 4, 5)) == (None, 4, 2)
    assert len({w.name for w in mine.weights}) == 6


def test_stacked_states_are_in_the_order_of_the_cells():
    cells = [LSTMCell(3), GRUCell(2)]
    layer = RNN(cells, return_state=True)
    _, h, c, g = layer(X)
    assert [h.shape, c.shape, g.shape] == [(3, 3), (3, 3), (3, 2)]
    reverse = RNN(StackedRNNCells(cells, reverse_state_order=True), return_state=True)
    for a, b in zip(reverse(X)[1:], [g, h, c], strict=True):
        np.testing.assert_array_equal(a, b)
    again = check_config(reverse)
    assert again.cell.reverse_state_order


class Leaky(Layer):
    """Two states of different sizes; the output is neither."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 2]
        self.output_size = 3

    def build(self, input_shape):
        self.inward = self.add_weight("inward", (input_shape[-1], self.units))
        self.outward = self.add_weight("outward", (self.units + 2, 3))
        super().build(input_shape)

    def call(self, inputs, states):
        slow, fast = states
        slow = 0.5 * slow + inputs @ self.inward
        fast = ops.tanh(fast + slow[:, :2])
        return ops.concatenate([slow, fast], axis=1) @ self.outward, [slow, fast]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class KerasLeaky(keras.layers.Layer):
    """The same for Keras."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size, self.output_size = units, [units, 2], 3

    def build(self, input_shape):
        self.inward = self.add_weight((input_shape[-1], self.units))
        self.outward = self.add_weight((self.units + 2, 3))

    def call(self, inputs, states):
        slow, fast = states
        slow = 0.5 * slow + inputs @ self.inward
        fast = keras.ops.tanh(fast + slow[:, :2])
        joined = keras.ops.concatenate([slow, fast], axis=1)
        return joined @ self.outward, [slow, fast]


@pytest.mark.parametrize("sequences", [False, True])
def test_a_cell_of_the_user_with_two_states_like_keras(sequences):
    mine = RNN(Leaky(4), return_sequences=sequences)
    check_like_keras(mine, keras.layers.RNN(KerasLeaky(4), return_sequences=sequences), X)


def test_a_cell_of_the_user_with_masks_states_and_files():
    layer = RNN(Leaky(4), return_sequences=True, return_state=True, name="leaky")
    mask = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], bool)
    y, slow, fast = layer(X, mask=mask)
    assert not y[0, 0].any()
    np.testing.assert_array_equal(y[1, 1:3], y[1, :1].repeat(2, 0))
    np.testing.assert_array_equal(y[0, 3], y[0, 2])
    assert not y[2].any()
    assert not slow[2].any()
    alone = layer(X[1:2, [0, 3]])
    np.testing.assert_allclose(alone[0][0, 1], y[1, 3], 1e-5, 1e-6)
    np.testing.assert_allclose(alone[2][0], fast[1], 1e-5, 1e-6)

    model = Model(x := Input((4, 5)), layer(x)[0])
    again = model_from_json(model.to_json(), {"Leaky": Leaky})
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


class Plain:
    """A cell that is no layer."""

    state_size = 5

    def call(self, inputs, states):
        return inputs, states[0] + inputs

    def get_initial_state(self, batch_size):
        return ops.full((batch_size, 5), 10.0)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_a_cell_may_be_any_object():
    layer = RNN(Plain(), return_state=True)
    y, state = layer(X)
    np.testing.assert_array_equal(y, X[:, -1])
    np.testing.assert_allclose(state, 10 + X.sum(1), 1e-5)
    config = layer.get_config()
    again = layers.deserialize({"class_name": "RNN", "config": config}, {"Plain": Plain})
    assert isinstance(again.cell, Plain)


class Pictures(Layer):
    """A cell whose state and output have two axes."""

    state_size = [(2, 3)]
    output_size = (2, 3)

    def call(self, inputs, states):
        h = states[0] * 0.5 + inputs
        return h, [h]


@pytest.mark.parametrize("sequences", [False, True])
def test_states_with_more_axes(sequences):
    x, mask = random(2, 4, 2, 3), np.array([[1, 0, 1, 1], [0, 0, 0, 1]], bool)
    layer = RNN(Pictures(), return_sequences=sequences)
    assert layer(Input((None, 2, 3)))._keras_shape == (None, *[None] * sequences, 2, 3)
    y = layer(x, mask=mask)
    y = y[:, -1] if sequences else y
    np.testing.assert_allclose(y[0], x[0, 0] / 4 + x[0, 2] / 2 + x[0, 3], 1e-5, 1e-6)
    np.testing.assert_allclose(y[1], x[1, 3], 1e-6)


def test_initial_states_of_built_in_cells():
    for cell, shapes in (
        (GRUCell(3), [(2, 3)]),
        (LSTMCell(3), [(2, 3)] * 2),
        (StackedRNNCells([GRUCell(3), Plain()]), [(2, 3), (2, 5)]),
    ):
        assert [s.shape for s in cell.get_initial_state(2)] == shapes
    stack = RNN([GRUCell(3), LSTMCell(2)])
    assert [s.shape for s in stack.get_initial_state(X)] == [(3, 3), (3, 2), (3, 2)]
    start = RNN([GRUCell(5), Plain()], return_state=True)(X)[2]
    assert (start > 5).all()


def test_integers_and_other_floats_become_the_layers_dtype():
    layer = LSTM(2, return_state=True)
    x = np.arange(24).reshape(2, 4, 3)
    wanted = layer(x.astype("float32"))
    for dtype in ("int32", "float64", "float16"):
        y = Model(i := Input((4, 3), dtype=dtype), layer(i)).predict(x.astype(dtype))
        for a, b in zip(y, wanted, strict=True):
            np.testing.assert_allclose(a, b, 1e-6)
    assert LSTM(2, dtype="float64")(Input((4, 3), dtype="float64")).dtype == "float64"


class Shifted(Layer):
    """A cell that takes constants, with a layer inside that is built by its first call."""

    state_size = 3

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(3)

    def call(self, inputs, states, constants):
        h = ops.tanh(self.dense(inputs) + states[0] + constants[0])
        return h, h


def test_constants_are_inputs_of_the_call():
    layer = RNN(Shifted(), name="shifted")
    x, h, c = Input((4, 5)), Input((3,)), Input((3,))
    model = Model([x, h, c], layer(x, initial_state=h, constants=c))
    assert layer.get_config()["num_constants"] == 1
    assert layer.get_input_at(0) == [x, h, c]
    arrays = X, random(3, 3), random(3, 3, seed=1)
    wanted = model.predict(list(arrays))
    kernel, bias = layer.get_weights()
    state = arrays[1]
    for t in range(4):
        state = np.tanh(X[:, t] @ kernel + bias + state + arrays[2])
    np.testing.assert_allclose(wanted, state, 1e-5, 1e-5)
    eager = layer(arrays[0], initial_state=arrays[1], constants=[arrays[2]])
    np.testing.assert_allclose(eager, state, 1e-5, 1e-5)
    again = Model.from_config(model.get_config(), {"Shifted": Shifted})
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(list(arrays)), wanted)


class Bad(Plain):
    """A cell whose state grows."""

    def call(self, inputs, states):
        return inputs, ops.concatenate([states[0], inputs], axis=1)


class Triple(Plain):
    """A cell that returns too much."""

    def call(self, inputs, states):
        return inputs, states, states


class Charging(Layer):
    """A cell with a loss in every step."""

    state_size = 5

    def call(self, inputs, states):
        self.add_loss(ops.sum(inputs))
        return inputs, states


def test_cells_that_cannot_be():
    with pytest.raises(ValueError, match="has no `state_size`"):
        RNN(Dense(3))
    with pytest.raises(ValueError, match="has no `call`"):
        StackedRNNCells([3])
    with pytest.raises(ValueError, match="changes the states' types"):
        RNN(Bad())(X)
    with pytest.raises(ValueError, match="something else than the output and the list"):
        RNN(Triple())(X)
    with pytest.raises(ValueError, match="adds a loss, a metric or an update in each"):
        RNN(Charging())(X)
    with pytest.raises(ValueError, match="last dimension of the inputs to"):
        LSTM(2)(Input((3, None)))


# -- dropout -------------------------------------------------------------------------------------
def masks_in(layer, x):
    """The shapes of what a training call draws."""
    (y,), _ = inline([layer(Input(x.shape[1:]))], CallContext(training=True))
    return [tuple(map(str, n.shape)) for n in toposort([y]) if n.op.name == "random_bernoulli"]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize(("kind", "gates"), [(SimpleRNN, 1), (GRU, 3), (LSTM, 4)])
def test_dropout_masks_are_drawn_once_a_call(kind, gates, unroll):
    def draws(**rates):
        return masks_in(kind(3, unroll=unroll, return_sequences=True, **rates), X)

    assert draws() == []
    assert draws(dropout=0.5) == [("batch", "5")]
    both = draws(dropout=0.5, recurrent_dropout=0.5)
    assert (str(gates), "1", "batch", "5") in both
    assert sum(int(shape[0]) for shape in both) == 2 * gates
    assert sum(int(s[0]) for s in draws(recurrent_dropout=0.5)) == gates


def test_dropout_keeps_the_mean_and_is_the_same_at_all_steps():
    layer = SimpleRNN(2000, None, dropout=0.5, return_sequences=True, seed=1,
                      kernel_initializer="identity", recurrent_initializer="zeros")  # fmt: skip
    x = np.ones((1, 3, 2000), "float32")
    np.testing.assert_array_equal(layer(x), x)
    y = layer(x, training=True)
    assert set(np.unique(y)) == {0, 2}
    np.testing.assert_array_equal(y, y[:, :1].repeat(3, 1))
    assert abs(y.mean() - 1) < 0.1
    assert (layer(x, training=True) != y).any()


def test_recurrent_dropout_drops_the_state_but_not_the_carry():
    x = np.zeros((2, 3, 1), "float32")
    start = [np.ones((2, 4), "float32")] * 2
    # Gates are one half, nothing new comes in: the carry halves whatever is dropped.
    layer = LSTM(4, recurrent_dropout=0.5, recurrent_initializer="zeros", return_state=True,
                 unit_forget_bias=False)  # fmt: skip
    np.testing.assert_allclose(
        layer(x, initial_state=start, training=True)[2], np.full((2, 4), 1 / 8), 1e-6
    )
    gru = GRU(4, recurrent_dropout=0.5, recurrent_initializer="zeros", return_state=True)
    np.testing.assert_allclose(
        gru(x, initial_state=start[:1], training=True)[1], np.full((2, 4), 1 / 8), 1e-6
    )


@pytest.mark.parametrize("layer", [
    SimpleRNN(2, recurrent_dropout=0.4, seed=2),
    GRU(2, dropout=0.4, recurrent_dropout=0.4, reset_after=True, seed=2),
    LSTM(2, dropout=0.4, recurrent_dropout=0.4, seed=2),
], ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_dropout_compiled(layer):
    assert np.isfinite(step(layer, X, training=True)["output"]).all()


def test_rates_are_clipped_and_seeds_make_masks_repeatable():
    assert SimpleRNNCell(2, dropout=1.5, recurrent_dropout=-1).dropout == 1
    x = np.ones((2, 3, 4), "float32")
    a, b = (LSTM(3, dropout=0.5, recurrent_dropout=0.3, seed=7) for _ in range(2))
    b(x)
    a(x)
    b.set_weights(a.get_weights())
    np.testing.assert_array_equal(a(x, training=True), b(x, training=True))
