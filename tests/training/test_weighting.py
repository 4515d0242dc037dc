"""Sample weights, class weights and masks: what they do to the loss and to metrics."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import layers, losses
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD
from kgraph.training.targets import weigh_classes


def identity(width=1, loss="mse", **options):
    """A model that returns its input, so that losses are plain to see."""
    model = Sequential([Dense(width, input_dim=width, use_bias=False)])
    model.set_weights([np.eye(width)])
    model.compile(SGD(0.0), loss, **options)
    return model


def steps(masked=True, **options):
    """A model that returns its input step by step."""
    x = Input((3, 1))
    y = layers.Masking()(x) if masked else x
    model = Model(x, Dense(1, use_bias=False, kernel_initializer="ones")(y))
    model.compile(SGD(0.0), "mse", **options)
    return model


X = np.array([[1.0], [2.0], [3.0], [4.0]])
ZEROS = np.zeros((4, 1))


def test_weights_multiply_the_loss_and_do_not_change_its_divisor():
    model = identity()
    weights = np.array([1.0, 0.0, 0.0, 2.0])
    assert model.test_on_batch(X, ZEROS, weights) == pytest.approx((1 + 2 * 16) / 4)
    assert model.train_on_batch(X, ZEROS, weights) == pytest.approx((1 + 2 * 16) / 4)
    assert model.evaluate(X, ZEROS, sample_weight=weights, batch_size=3, verbose=0) == (
        pytest.approx((1 + 2 * 16) / 4)
    )
    history = model.fit(X, ZEROS, sample_weight=weights, batch_size=3, verbose=0).history
    assert history["loss"] == [pytest.approx((1 + 2 * 16) / 4)]
    assert model.test_on_batch(X, ZEROS, weights[:, None]) == pytest.approx((1 + 2 * 16) / 4)


def test_samples_of_weight_zero_do_not_train():
    model = identity()
    model.compile(SGD(0.1), "mse")
    model.train_on_batch(X, ZEROS, sample_weight=np.zeros(4))
    np.testing.assert_array_equal(model.get_weights()[0], [[1.0]])
    model.train_on_batch(X, ZEROS, sample_weight=np.array([0.0, 1.0, 0.0, 0.0]))
    np.testing.assert_allclose(model.get_weights()[0], [[1.0 - 0.1 * 2 * 2 * 2 / 4]], rtol=1e-6)


def test_only_weighted_metrics_see_sample_weights():
    model = identity(metrics=["mae"], weighted_metrics=["mae"])
    found = model.test_on_batch(X, ZEROS, np.array([1.0, 0.0, 0.0, 3.0]), return_dict=True)
    assert found["mae"] == pytest.approx(2.5)
    assert found["mae_1"] == pytest.approx((1 + 12) / 4)
    assert model.test_on_batch(X, ZEROS)[1:] == [2.5, 2.5]


def test_weighted_metrics_keep_their_own_count_over_an_epoch():
    model = identity(weighted_metrics=["mae"])
    weights = np.array([1.0, 1.0, 1.0, 5.0])
    found = model.evaluate(X, ZEROS, sample_weight=weights, batch_size=3, verbose=0)
    assert found[1] == pytest.approx((1 + 2 + 3 + 20) / 8)


def test_weights_of_single_steps():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[..., None]
    y, model = np.zeros((2, 3, 1)), steps(masked=False)
    assert model.test_on_batch(x, y, np.array([1.0, 0.0])) == pytest.approx((1 + 4 + 9) / 6)
    each = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    assert model.test_on_batch(x, y, each) == pytest.approx((1 + 2 * 36) / 6)
    model.compile(SGD(0.0), "mse", sample_weight_mode="temporal")
    assert model.test_on_batch(x, y, each) == pytest.approx((1 + 2 * 36) / 6)


def test_weights_for_several_outputs():
    x = Input((1,))
    model = Model(
        x, [layers.Activation("linear", name=n)(Dense(1, use_bias=False)(x)) for n in "ab"]
    )
    model.set_weights([np.ones((1, 1))] * 2)
    model.compile(SGD(0.0), "mse")
    y, w = [ZEROS, ZEROS], np.array([1.0, 0.0, 0.0, 0.0])
    for given, expected in (
        ([w, None], [0.25, 7.5]),
        ({"b": w}, [7.5, 0.25]),
        (w, [0.25, 0.25]),
    ):
        assert model.test_on_batch(X, y, given)[1:] == pytest.approx(expected)
    with pytest.raises(ValueError, match="Unknown entries in sample_weight dictionary"):
        model.test_on_batch(X, y, {"c": w})


def test_sample_weights_that_do_not_fit():
    model = identity()
    with pytest.raises(ValueError, match=r"Found a sample_weight array with shape \(4, 2\) for an"):
        model.test_on_batch(X, ZEROS, np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"Found a sample_weight array with shape \(\) for an"):
        model.test_on_batch(X, ZEROS, np.float32(2.0))
    with pytest.raises(ValueError, match="When passing a list as sample_weight, it should have"):
        model.test_on_batch(X, ZEROS, [1.0, 1.0, 1.0, 1.0])
    message = (
        "Sample_weight arrays should have the same number of samples as target arrays. Found 3"
    )
    with pytest.raises(ValueError, match=message):
        model.test_on_batch(X, ZEROS, np.ones(3))
    with pytest.raises(ValueError, match=message):
        model.fit(X, ZEROS, sample_weight=np.ones(3), class_weight={0: 1.0})


def test_class_weights_of_ids_and_of_one_hot_rows():
    ids = np.array([0, 1, 1, 0])
    weights = {0: 1.0, 1: 10.0}
    np.testing.assert_array_equal(weigh_classes(ids[:, None], weights), [1, 10, 10, 1])
    np.testing.assert_array_equal(weigh_classes(np.eye(2)[ids], weights), [1, 10, 10, 1])
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], "float32")
    each = -np.log(p[np.arange(4), ids])
    for loss, y in (
        ("categorical_crossentropy", np.eye(2)[ids]),
        ("sparse_categorical_crossentropy", ids),
    ):
        model = identity(2, loss)
        expected = pytest.approx(np.mean(each * [1, 10, 10, 1]), rel=1e-5)
        assert model.train_on_batch(p, y, class_weight=weights) == expected
        assert model.fit(p, y, class_weight=weights, verbose=0).history["loss"] == [expected]
        both = model.train_on_batch(p, y, np.array([2.0, 0, 0, 0]), class_weight=weights)
        assert both == pytest.approx(2 * each[0] / 4, rel=1e-5)


def test_class_weights_of_several_outputs():
    x = Input((1,))
    model = Model(
        x, [layers.Activation("linear", name=n)(Dense(1, use_bias=False)(x)) for n in "ab"]
    )
    model.set_weights([np.ones((1, 1))] * 2)
    model.compile(SGD(0.0), "mse")
    y = [np.array([[1.0], [1.0], [0.0], [0.0]])] * 2
    error = (X - y[0])[:, 0] ** 2
    weighted = np.mean(error * [5, 5, 1, 1])
    for given in (
        {"b": {0: 1.0, 1: 5.0}},
        [None, {0: 1.0, 1: 5.0}],
        (None, {0: 1.0, 1: 5.0}),
        {"a": None, "b": {0: 1.0, 1: 5.0}},
    ):
        found = model.train_on_batch(X, y, class_weight=given)
        assert found[1:] == pytest.approx([error.mean(), weighted])
    with pytest.raises(ValueError, match="should be either a list or a dict of dicts"):
        model.train_on_batch(X, y, class_weight={0: 1.0, 1: 5.0})


def test_class_weights_that_do_not_fit():
    model = identity()
    y = np.array([[0.0], [1.0], [2.0], [1.0]])
    with pytest.raises(ValueError, match=r"The classes \{2\} exist in the data but not in"):
        model.fit(X, y, class_weight={0: 1.0, 1: 2.0})
    with pytest.raises(ValueError, match=r"The classes \{0\.5\} exist in the data but not in"):
        model.fit(X, y / 2, class_weight={0: 1.0, 1: 2.0})
    with pytest.raises(ValueError, match="Unknown entries in class_weight dictionary"):
        model.fit(X, y, class_weight={"foo": {0: 1.0}})
    for wrong in ([{0: 1.0}, None], ({0: 1.0}, None)):
        with pytest.raises(ValueError, match="When passing a list as class_weight, it should"):
            model.fit(X, y, class_weight=wrong)
    with pytest.raises(ValueError, match="`class_weight` must be a dict"):
        model.fit(X, y, class_weight="auto")
    with pytest.raises(ValueError, match=r"`class_weight` not supported for 3\+ dimensional"):
        steps().fit(np.ones((2, 3, 1)), np.ones((2, 3, 1)), class_weight={1: 1.0})


def test_class_weights_leave_validation_alone():
    y = np.array([[0.0], [0.0], [1.0], [1.0]])
    history = identity().fit(X, y, class_weight={0: 3.0}, validation_split=0.5, verbose=0).history
    assert history["loss"] == [pytest.approx(3 * (1 + 4) / 2)]
    assert history["val_loss"] == [pytest.approx((4 + 9) / 2)]


def test_masked_steps_count_nowhere():
    """One of three steps is valid, with an error of 2: the loss is 4, as in Keras 2.2 and 3."""
    x = np.array([[[2.0], [0.0], [0.0]]])
    model = steps(metrics=["mae"], weighted_metrics=["mse"])
    assert model.test_on_batch(x, np.zeros((1, 3, 1))) == pytest.approx([4.0, 2.0, 4.0])
    several = np.array([[[2.0], [0.0], [0.0]], [[1.0], [3.0], [0.0]]])
    found = model.test_on_batch(several, np.zeros((2, 3, 1)))
    assert found == pytest.approx([(4 + 1 + 9) / 3, (2 + 1 + 3) / 3, (4 + 1 + 9) / 3])


def test_masks_and_sample_weights_together():
    x = np.array([[[2.0], [0.0], [0.0]], [[1.0], [3.0], [0.0]]])
    model = steps(metrics=["mae"], weighted_metrics=["mae"])
    found = model.test_on_batch(x, np.zeros((2, 3, 1)), np.array([1.0, 2.0]))
    assert found[0] == pytest.approx((4 + 2 * 1 + 2 * 9) / 3)
    assert found[1] == pytest.approx((2 + 1 + 3) / 3)
    assert found[2] == pytest.approx((2 + 2 + 6) / 5)


def test_a_batch_that_is_masked_altogether_gives_zero():
    model = steps()
    model.compile(SGD(1.0), "mse")
    before = model.get_weights()
    assert model.train_on_batch(np.zeros((1, 3, 1)), np.ones((1, 3, 1))) == 0.0
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_sequences_of_no_steps_have_no_loss():
    for layer in (layers.Activation("linear"), layers.Masking()):
        x = Input((None, 1))
        model = Model(x, Dense(1, kernel_initializer="ones")(layer(x)))
        model.compile(SGD(1.0), "mse", metrics=["mae"])
        nothing = np.zeros((2, 0, 1))
        assert model.train_on_batch(nothing, nothing) == [0.0, 0.0]
        assert model.get_weights()[0] == 1.0
        assert model.test_on_batch(np.ones((2, 3, 1)), np.zeros((2, 3, 1))) == [1.0, 1.0]


def test_masked_losses_train_on_the_unmasked_steps():
    x = np.array([[[2.0], [0.0], [0.0]]])
    model = steps()
    model.compile(SGD(0.1), "mse")
    model.train_on_batch(x, np.zeros((1, 3, 1)))
    np.testing.assert_allclose(model.get_weights()[0], [[1.0 - 0.1 * 2 * 2 * 2]], rtol=1e-6)


def test_sequences_of_any_length_share_one_graph():
    x = Input((None, 2))
    model = Model(x, Dense(3, activation="softmax")(layers.Masking()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy", ["acc"])
    for length in (4, 7):
        data = np.ones((2, length, 2))
        for target in (np.zeros((2, length), int), np.zeros((2, length, 1), int)):
            loss, accuracy = model.train_on_batch(data, target)
            p = model.predict(data)
            assert loss > 0
            assert accuracy in (0.0, 1.0)
            assert p.shape == (2, length, 3)
    assert len(model._program._steps) == 1


def test_loss_objects_with_masks():
    x = np.array([[[2.0], [0.0], [0.0]]])
    model = steps()
    for reduction, expected in (("sum", 4.0), ("mean_with_sample_weight", 4.0), ("none", 4 / 3)):
        model.compile(SGD(0.0), losses.MeanSquaredError(reduction=reduction))
        assert model.test_on_batch(x, np.zeros((1, 3, 1))) == pytest.approx(expected)


def test_class_weights_as_an_array_say_how_to_pass_them():
    model = identity()
    for given in (np.array([1.0, 2.0]), [1.0]):
        with pytest.raises(ValueError, match=r"passed as `dict\(enumerate\(weights\)\)`"):
            model.fit(np.ones((2, 1)), np.array([0, 1]), class_weight=given)
