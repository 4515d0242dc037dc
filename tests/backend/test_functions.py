"""K.function, K.eval and K.gradients."""

import numpy as np
import pytest
from both_ways import normal

import kgraph
from kgraph import backend as K
from kgraph.layers import Activation, Dense, Dropout, Input
from kgraph.models import Model

X = normal(3, 4)


def test_functions_take_tensors_in_the_middle():
    x = Input((4,))
    h = Dense(5, activation="tanh")(x)
    y = Dense(2)(h)
    f, g = K.function([x], [h, y]), K.function([h], y)
    hidden, output = f([X])
    np.testing.assert_allclose(g([hidden]), output, rtol=1e-6)
    np.testing.assert_allclose(g((K.variable(hidden),)), output, rtol=1e-6)


def test_functions_refuse():
    x, y = K.placeholder((None, 2)), K.placeholder((None, 2), name="other")
    f = K.function([x, K.learning_phase()], [x * 2])
    with pytest.raises(TypeError, match="should be a list or tuple"):
        f(np.ones((1, 2)))
    with pytest.raises(TypeError, match="takes 2 arrays"):
        f([np.ones((1, 2))])
    with pytest.raises(ValueError, match="'other', which is not fed"):
        K.function([x], [x + y])
    with pytest.raises(TypeError, match="list of tensors"):
        K.function(["x"], [x])
    with pytest.raises(TypeError, match=r"K\.update"):
        K.function([x], [x], updates=[x])


def test_eval():
    v = K.variable([1.0, 2.0])
    assert K.eval([1, 2]).tolist() == [1, 2]
    assert K.eval(Dense(1, kernel_initializer="ones")(K.constant([[1, 2]]))).tolist() == [[3]]
    value = K.eval(v)
    K.set_value(v, [5, 6])
    assert value.tolist() == [1, 2]
    with pytest.raises(ValueError, match="needs input_of_mine"):
        K.eval(v + Input((2,), name="input_of_mine"))


def test_gradients_of_layers():
    x = Input((4,))
    layer = Dense(2, activation="sigmoid")
    loss = K.sum(K.square(layer(x)))
    slopes = K.gradients(loss, [layer.kernel, x, layer.bias])
    found = K.function([x], slopes)([X])

    def value(kernel, bias, array):
        return kgraph.ops.sum((1 / (1 + kgraph.ops.exp(-(array @ kernel + bias)))) ** 2)

    expected = kgraph.grad(value, (0, 1, 2))(*layer.get_weights(), X)
    for got, index in zip(found, (0, 2, 1)):
        np.testing.assert_allclose(got, expected[index], rtol=1e-4, atol=1e-6)
    assert K.int_shape(slopes[1]) == (None, 4)


def test_gradients_of_what_is_not_connected():
    v, w = K.variable([1.0]), K.variable([1.0])
    slope, nothing = K.gradients([v * 2, v * 3], [v, w])
    assert nothing is None
    assert K.eval(slope).tolist() == [5]
    assert K.gradients(K.stop_gradient(v) * w, v) == [None]
    for wrong in (np.ones(2), "v"):
        with pytest.raises(TypeError, match="differentiates tensors"):
            K.gradients(v, wrong)


def test_gradients_see_the_masks_that_the_loss_sees():
    x = Input((50,))
    y = Dropout(0.5)(x)
    (slope,) = K.gradients(K.sum(y * y), x)
    ones = np.ones((4, 50), "float32")
    f = K.function([x, K.learning_phase()], [y, slope])
    output, slopes = f([ones, 1])
    np.testing.assert_allclose(slopes, 4 * output)
    assert 0.3 < (slopes == 0).mean() < 0.7
    assert (f([ones, 0])[1] == 2).all()


def test_a_target_does_not_count_users_of_what_it_lowers_to():
    x = Input((4,))
    same = Activation("linear")(x)
    dropped = Dropout(0.5)(same)
    by_same, by_dropped = K.gradients(K.sum(x * same + dropped), [same, dropped])
    found = K.function([x], [by_same, by_dropped])([X])
    np.testing.assert_allclose(found[0], X + 1)
    np.testing.assert_allclose(found[1], np.ones_like(X))


def test_second_derivatives():
    x = K.placeholder((3,))
    (first,) = K.gradients(K.sum(x**3), x)
    (second,) = K.gradients(K.sum(first), x)
    assert K.function([x], [first, second])([[1, 2, 3]])[1].tolist() == [6, 12, 18]


def test_gradients_inside_a_model():
    x = Input((4,))
    (slope,) = K.gradients(K.sum(x**2), x)
    model = Model(x, Dense(1, kernel_initializer="ones")(slope))
    np.testing.assert_allclose(model.predict(X), 2 * X.sum(1, keepdims=True), rtol=1e-5)
    with pytest.raises(NotImplementedError, match=r"K\.gradients outside"):
        model.to_json()


def test_stop_gradient_of_several():
    v = K.variable([2.0])
    first, second = K.stop_gradient([v, v * 2])
    assert K.eval(K.gradients(v * first * second, v)[0]).tolist() == [8]
