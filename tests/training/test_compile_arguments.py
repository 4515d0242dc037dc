"""compile: losses, metrics and weights as one, list or dict; names and logs of several outputs."""

from __future__ import annotations

import numpy as np
import pytest
from fit_models import linear, regression, two_outputs, two_outputs_data

from kgraph import losses, ops
from kgraph.ir import Variable
from kgraph.optimizers import SGD


def test_metrics_names_and_logs_of_several_outputs():
    model = two_outputs()
    model.compile("sgd", ["mse", "categorical_crossentropy"], metrics=["acc", "mae"])
    assert model.metrics_names == [
        "loss", "first_loss", "second_loss", "first_acc", "first_mae", "second_acc", "second_mae",
    ]  # fmt: skip
    x, y = two_outputs_data()
    history = model.fit(x, y, verbose=0, validation_split=0.3).history
    assert list(history) == [*model.metrics_names, *(f"val_{n}" for n in model.metrics_names)]
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(found) == model.metrics_names
    assert model.evaluate(x, y, verbose=0) == list(found.values())
    assert found["loss"] == pytest.approx(found["first_loss"] + found["second_loss"])


def test_dicts_match_by_name_in_any_order():
    x, y = two_outputs_data()
    results = []
    for given_x, given_y in (
        (x, y),
        (dict(reversed(x.items())), dict(reversed(y.items()))),
        ([x["a"], x["b"]], [y["first"], y["second"]]),
    ):
        np.random.seed(3)
        model = two_outputs()
        model.compile("sgd", {"second": "mse", "first": "mae"}, loss_weights={"second": 3.0})
        model.fit(given_x, given_y, epochs=2, batch_size=3, verbose=0)
        results.append(model.evaluate(given_x, given_y, verbose=0))
        assert [p.shape for p in model.predict(given_x)] == [(7, 1), (7, 2)]
    assert results[0] == results[1] == results[2]
    assert results[0][0] == pytest.approx(results[0][1] + 3.0 * results[0][2])


def test_losses_and_metrics_as_dicts_and_lists_of_lists():
    model, (x, y) = two_outputs(), two_outputs_data()
    model.compile("sgd", "mse", loss_weights=[1.0, 0.2], metrics={"second": "accuracy"})
    assert model.metrics_names == ["loss", "first_loss", "second_loss", "second_accuracy"]
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["acc"])
    assert model.metrics_names[3:] == ["first_mae", "second_mae", "first_acc", "second_acc"]
    model.compile("sgd", "mse", metrics=[["mae"], ["acc", losses.mean_squared_error]])
    assert model.metrics_names[3:] == ["first_mae", "second_acc", "second_mean_squared_error"]
    with pytest.warns(UserWarning, match='Output "first" missing from loss dictionary'):
        model.compile("sgd", {"second": "mse"})
    assert model.metrics_names == ["loss", "second_loss"]
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        model.train_on_batch(x, y["second"])
    for targets in ({"second": y["second"]}, [y["second"]], [y["first"], y["second"]]):
        assert len(model.test_on_batch(x, targets)) == 2


def test_a_loss_weight_may_be_a_variable():
    model, (x, y), factor = two_outputs(), two_outputs_data(), Variable(0.0, "factor")
    model.compile("sgd", "mse", loss_weights=[1.0, factor])
    first = model.test_on_batch(x, y)
    factor.assign(2.0)
    second = model.test_on_batch(x, y)
    assert first[0] == pytest.approx(first[1])
    assert second[0] == pytest.approx(first[1] + 2.0 * first[2])


def test_losses_may_be_configurations():
    model = linear()
    model.compile("sgd", {"class_name": "MeanAbsoluteError", "config": {}})
    x, y = regression(4)
    error = x @ model.get_weights()[0] + model.get_weights()[1] - y
    assert model.test_on_batch(x, y) == pytest.approx(np.abs(error).mean(), rel=1e-5)


def test_arguments_of_compile_that_do_not_fit():
    model = two_outputs()
    keys = r"dictionary: \['foo'\]. Only expected following keys: \['first', 'second'\]"
    with pytest.raises(ValueError, match="Unknown entries in loss " + keys):
        model.compile("sgd", {"foo": "mse"})
    with pytest.raises(ValueError, match="Unknown entries in loss_weights " + keys):
        model.compile("sgd", "mse", loss_weights={"foo": 1})
    with pytest.raises(ValueError, match="Unknown entries in metrics " + keys):
        model.compile("sgd", "mse", metrics={"foo": "mae"})
    with pytest.raises(ValueError, match="When passing a list as loss, it should have one entry"):
        model.compile("sgd", ["mse"])
    with pytest.raises(ValueError, match="When passing a list as loss_weights, it should have"):
        model.compile("sgd", "mse", loss_weights=[1.0])
    with pytest.raises(ValueError, match="When passing a list of lists as `metrics`, it should"):
        model.compile("sgd", "mse", metrics=[["mae"]])
    with pytest.raises(ValueError, match="Unknown loss function: foo"):
        model.compile("sgd", "foo")
    with pytest.raises(ValueError, match="cannot be compiled because it has no loss to optimize"):
        model.compile("sgd")
    with pytest.raises(TypeError, match="Unrecognized keyword arguments"):
        model.compile("sgd", "mse", foo=1)
    model.compile("sgd", "mse", jit_compile=True, run_eagerly=False, steps_per_execution=4)


def test_arguments_by_place_in_the_order_of_keras_3():
    model = two_outputs()
    for given in ([1.0, 0.5], {"first": 1.0, "second": 0.5}, None):
        for metrics in (["mae"], {"first": "mae", "second": ["mae"]}):
            model.compile("sgd", "mse", given, metrics, ["mse"])
            assert (model.loss_weights, model.metrics) == (given, metrics)
            assert (model.sample_weight_mode, model.weighted_metrics) == (None, ["mse"])
            assert model.metrics_names[3:] == [
                "first_mae", "second_mae", "first_mse", "second_mse",
            ]  # fmt: skip
    model.compile("sgd", "mse", ["mae"], [1.0, 0.5], "temporal", ["mse"])  # Keras 2
    assert (model.loss_weights, model.sample_weight_mode) == ([1.0, 0.5], "temporal")


def test_loss_weights_are_numbers():
    model, (x, y) = two_outputs(), two_outputs_data()
    for given in ((1.0, 0.5), np.array([1.0, 0.5]), [1, np.float32(0.5)], {"second": 0.5}):
        model.compile("sgd", "mse", loss_weights=given)
        total, first, second = model.test_on_batch(x, y)
        assert total == pytest.approx(first + 0.5 * second)
    for wrong in ("abc", ["a", "b"], {"first": "x"}, [[1.0], [2.0]]):
        with pytest.raises(TypeError, match="Could not interpret loss_weights argument: "):
            model.compile("sgd", "mse", loss_weights=wrong)


def test_outputs_without_metrics():
    model = two_outputs()
    for given in ([None, "mae"], [[], ["mae"]], {"first": None, "second": "mae"}):
        model.compile("sgd", "mse", metrics=given)
        assert model.metrics_names == ["loss", "first_loss", "second_loss", "second_mae"]
    with pytest.raises(TypeError, match="Type of `weighted_metrics` argument not understood"):
        model.compile("sgd", "mse", weighted_metrics=[3])


def test_modes_of_sample_weights():
    model = two_outputs()
    for mode in ("temporal", ["temporal", None], {"first": "temporal"}, None):
        model.compile("sgd", "mse", sample_weight_mode=mode)
    with pytest.raises(ValueError, match='`sample_weight_mode` must be None or "temporal"'):
        model.compile("sgd", "mse", sample_weight_mode="steps")
    with pytest.raises(ValueError, match="Unknown entries in sample_weight_mode dictionary"):
        model.compile("sgd", "mse", sample_weight_mode={"foo": "temporal"})


def test_target_tensors_are_refused_with_a_way_out():
    with pytest.raises(TypeError, match=r"`target_tensors` is not supported.*`model.add_loss`"):
        two_outputs().compile("sgd", "mse", target_tensors=[1])
    two_outputs().compile("sgd", "mse", target_tensors=None)


def test_data_for_outputs_that_are_not_trained_is_left_aside():
    model, (x, y) = two_outputs(), two_outputs_data()
    model.compile("sgd", [None, "mse"])
    expected = model.test_on_batch(x, y["second"])
    weights = np.full(7, 2.0)
    for targets in (y, [y["first"], y["second"]]):
        assert model.test_on_batch(x, targets) == expected
    for given in (weights, [None, weights], {"first": weights, "second": weights}, [weights]):
        assert model.test_on_batch(x, y, given) == pytest.approx([2 * e for e in expected])
    classes = {0: 2.0, 1: 2.0}
    for given in ([None, classes], {"first": classes, "second": classes}, classes, [classes]):
        model.compile("sgd", [None, "mse"])
        start = model.get_weights()
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            found = model.train_on_batch(x, y, class_weight=given)
        model.set_weights(start)
        assert found == pytest.approx([2 * e for e in expected])


def test_metric_names():
    def custom(y_true, y_pred):
        return ops.max(ops.abs(y_true - y_pred), axis=-1)

    model = linear(metrics=["mae", "mean_absolute_error", "mae", custom], weighted_metrics=["mse"])
    assert model.metrics_names == [
        "loss", "mae", "mean_absolute_error", "mae_1", "custom", "mse",
    ]  # fmt: skip
    x, y = regression(4)
    found = model.test_on_batch(x, y, return_dict=True)
    assert found["mae"] == found["mae_1"] == found["custom"] == found["mean_absolute_error"]
    assert found["mse"] == pytest.approx(found["loss"])


def test_functions_and_objects_as_losses():
    x, y = regression(5)
    model = linear()
    error = x @ model.get_weights()[0] + model.get_weights()[1] - y
    model.compile(SGD(0.0), lambda t, p: ops.mean(ops.square(t - p) * 3.0, axis=-1))
    assert model.test_on_batch(x, y) == pytest.approx(3 * np.mean(error**2), rel=1e-5)
    model.compile(SGD(0.0), losses.MeanSquaredError(reduction="sum"))
    assert model.test_on_batch(x, y) == pytest.approx(np.sum(error**2), rel=1e-5)
    model.compile(SGD(0.0), lambda t, p: ops.mean(p))
    assert model.test_on_batch(x, y) == pytest.approx(np.mean(error + y), rel=1e-4)
    logits = losses.BinaryCrossentropy(from_logits=True)
    model.compile(SGD(0.0), logits, ["acc"])
    assert model.test_on_batch(x, y > 0)[0] == pytest.approx(
        np.mean(np.log1p(np.exp(error + y)) - (y > 0) * (error + y)), rel=1e-4
    )


def test_an_unknown_metric_is_refused_at_once():
    model = linear()
    for options in ({"metrics": ["foo"]}, {"weighted_metrics": ["mae", "foo"]}):
        with pytest.raises(ValueError, match="Unknown metric function: foo"):
            model.compile("sgd", "mse", **options)


def test_a_loss_or_metric_that_returns_nothing():
    def forgetful(y_true, y_pred):
        ops.mean(y_true - y_pred)

    x, y = regression(4)
    for arguments in ((forgetful,), ("mse", [forgetful])):
        model = linear()
        model.compile("sgd", *arguments)
        with pytest.raises(ValueError, match=r"forgetful.* returned None"):
            model.fit(x, y, verbose=0)
