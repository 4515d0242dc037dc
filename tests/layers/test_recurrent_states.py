"""States of recurrent layers: given ones, kept ones, and what is refused."""

import json

import numpy as np
import pytest
from layer_harness import random

from kgraph.layers import GRU, LSTM, RNN, Bidirectional, Dense, Input, LSTMCell, SimpleRNN
from kgraph.models import Model, Sequential, model_from_json

X, H, C = random(2, 4, 3), random(2, 5, seed=1), random(2, 5, seed=2)


def encoder_decoder():
    """A layer that starts from the states of another."""
    a, b = Input((None, 3)), Input((None, 3))
    _, h, c = LSTM(5, return_state=True, name="encoder")(a)
    y = LSTM(5, return_sequences=True, name="decoder")(b, initial_state=[h, c])
    return Model([a, b], y)


def test_symbolic_states_are_inputs_of_the_call_and_of_the_file():
    model = encoder_decoder()
    decoder = model.get_layer("decoder")
    assert [t.shape[-1] for t in decoder.input] == [3, 5, 5]
    config = json.loads(model.to_json())["config"]
    calls = config["layers"][-1]["inbound_nodes"]
    assert calls == [[["input_2", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 2, {}]]] or (
        [r[1:] for r in calls[0]] == [[0, 0, {}], [0, 1, {}], [0, 2, {}]]
    )
    again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    arrays = [X, random(2, 6, 3)]
    np.testing.assert_array_equal(again.predict(arrays), model.predict(arrays))


def test_all_ways_to_give_states_agree():
    layer = LSTM(5)
    x, h, c = Input((4, 3)), Input((5,)), Input((5,))
    by_name, by_list = layer(x, initial_state=[h, c]), layer([x, h, c])
    positional = layer(x, [h, c])
    for y in (by_name, by_list, positional):
        assert len(layer.get_input_at(-1)) == 3
        np.testing.assert_allclose(
            Model([x, h, c], y).predict([X, H, C]), layer(X, initial_state=[H, C]), 1e-6, 1e-6
        )
    fixed = Model(x, layer(x, initial_state=[H, C]))
    np.testing.assert_allclose(fixed.predict(X), layer([X, H, C]), 1e-6, 1e-6)
    with pytest.raises(ValueError, match="must be equal are not"):
        fixed.predict(X[:1])


def test_states_that_do_not_fit():
    layer, x, h, c = LSTM(5), Input((4, 3)), Input((5,)), Input((4,))
    with pytest.raises(ValueError, match="a mix of Keras tensors and non-Keras tensors"):
        layer(x, initial_state=[h, C])
    with pytest.raises(ValueError, match=r"expects 2 state\(s\), but was passed 1 initial"):
        layer(x, initial_state=h)
    with pytest.raises(ValueError, match="State 1 is incompatible with layer"):
        layer(x, initial_state=[h, c])
    with pytest.raises(ValueError, match="got a list of inputs, and `initial_state`"):
        layer([x, h, h], initial_state=[h, h])
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(Input((3,)))
    layer(x)
    with pytest.raises(ValueError, match="expected axis 2 of input shape to have value 3"):
        layer(Input((4, 7)))
    with pytest.raises(ValueError, match="Cannot unroll a RNN if the time dimension is undefined"):
        GRU(2, unroll=True)(Input((None, 3)))
    with pytest.raises(ValueError, match="does not take sequences with the time first"):
        LSTM(2, time_major=True)
    with pytest.raises(ValueError, match="`implementation` must be 0, 1 or 2"):
        LSTM(2, implementation=3)
    with pytest.raises(ValueError, match="a flag for each sample and time step"):
        layer(X, mask=np.ones((2, 4, 3), bool))


# -- stateful ------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [SimpleRNN, GRU, LSTM])
def test_two_halves_are_the_whole(kind):
    whole = kind(5, return_sequences=True)
    layer = kind(5, return_sequences=True, stateful=True)
    model = Sequential([layer])
    model.build((2, 2, 3))
    whole(X)
    layer.set_weights(whole.get_weights())
    wanted = whole(X)
    for _ in range(2):
        first, second = model.predict(X[:, :2]), model.predict(X[:, 2:])
        np.testing.assert_allclose(np.concatenate([first, second], 1), wanted, 1e-5, 1e-6)
        model.reset_states()
    assert model.stateful
    assert len(layer.weights) == 3
    assert model.count_params() == whole.count_params()


def test_states_are_kept_while_training_and_evaluating():
    model = Sequential([LSTM(5, stateful=True, batch_input_shape=(2, 4, 3)), Dense(1)])
    layer = model.layers[0]
    model.compile("sgd", "mse")
    y = random(2, 1)
    seen = []
    for run in (model.train_on_batch, model.test_on_batch):
        run(X, y)
        seen.append(layer.states[0].numpy())
        assert np.abs(seen[-1]).max() > 0
    assert np.abs(seen[0] - seen[1]).max() > 0
    model.fit(np.concatenate([X, X]), np.concatenate([y, y]), batch_size=2, verbose=0,
              shuffle=False)  # fmt: skip
    model.reset_states()
    assert not any(v.value.any() for v in layer.states)


def test_states_go_from_batch_to_batch_of_one_prediction():
    layer = LSTM(5, stateful=True)
    model = Sequential([layer])
    model.build((2, 2, 3))
    rows = np.concatenate([X[:, :2], X[:, 2:]])
    together = model.predict(rows)
    np.testing.assert_allclose(together[2:], LSTM_of(layer)(X), 1e-5, 1e-6)
    assert len(model.state_updates) == 2
    with pytest.raises(ValueError, match="can be divided by the batch size"):
        model.predict(rows[:3])


def test_states_may_be_set():
    layer = LSTM(5, stateful=True)
    y = layer(X)
    layer.reset_states([H, C])
    np.testing.assert_allclose(layer(X), LSTM_of(layer)(X, initial_state=[H, C]), 1e-6, 1e-6)
    layer.reset_states()
    np.testing.assert_allclose(layer(X), y, 1e-6, 1e-6)
    with pytest.raises(ValueError, match="expects 2 states, but it received 1 state values"):
        layer.reset_states(H)
    with pytest.raises(ValueError, match=r"State 1 .* expected shape=\(2, 5\), found shape=\(5,\)"):
        layer.reset_states([H, C[0]])


def LSTM_of(layer):
    """A layer with the same weights that keeps no states."""
    other = LSTM(5)
    other(X)
    other.set_weights(layer.get_weights())
    return other


def test_a_given_state_wins_over_a_kept_one():
    layer = LSTM(5, stateful=True)
    layer(X)
    found = layer(X, initial_state=[H, C])
    np.testing.assert_allclose(found, LSTM_of(layer)(X, initial_state=[H, C]), 1e-6, 1e-6)


def test_what_stateful_layers_refuse():
    with pytest.raises(ValueError, match="If a RNN is stateful, it needs to know its batch size"):
        LSTM(5, stateful=True)(Input((4, 3)))
    with pytest.raises(AttributeError, match="Layer must be stateful"):
        LSTM(5).reset_states()
    with pytest.raises(ValueError, match="call the layer first"):
        LSTM(5, stateful=True).reset_states([H, C])
    layer = LSTM(5, stateful=True)
    layer(X)
    with pytest.raises(ValueError, match="all batches have one size"):
        layer(X[:1])


def test_stateful_wrappers_and_stacks():
    layer = Bidirectional(RNN([LSTMCell(2), LSTMCell(3)], stateful=True), merge_mode="sum")
    model = Sequential([layer])
    model.build((2, 4, 3))
    first = model.predict(X)
    assert np.abs(model.predict(X) - first).max() > 1e-4
    assert len(layer.forward_layer.states) == 4
    model.reset_states()
    np.testing.assert_array_equal(model.predict(X), first)
