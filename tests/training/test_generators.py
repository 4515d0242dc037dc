"""fit, evaluate and predict on generators and other iterators."""

from __future__ import annotations

import itertools
import re
import threading

import numpy as np
import pytest
from batch_data import Parts, X, Y, forever, once
from call_diary import Diary
from fit_models import linear, two_outputs, two_outputs_data

from kgraph.callbacks import LambdaCallback
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import SGD

OUT_OF_DATA = "Your input ran out of data; interrupting training"


def same_start(**options):
    """Models that start with the same weights."""
    np.random.seed(0)
    return linear(optimizer=SGD(0.1), metrics=["mae"], **options)


def running_threads():
    return [t.name for t in threading.enumerate() if "Enqueuer" in t.name]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_generator_trains_as_arrays_do(workers):
    model, other = same_start(), same_start()
    found = model.fit(forever(), steps_per_epoch=3, epochs=2, verbose=0, workers=workers)
    expected = other.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert found.history == expected.history
    assert found.epoch == [0, 1]
    assert model.history is found
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    assert model.evaluate(once(), steps=3, verbose=0) == other.evaluate(X, Y, 4, verbose=0)
    np.testing.assert_array_equal(model.predict(once(), steps=3), other.predict(X, 4))
    assert not running_threads()


def test_the_names_of_keras_2():
    model, other = same_start(), same_start()
    found = model.fit_generator(
        forever(), 3, 2, 0, validation_data=forever(), validation_steps=3, workers=2
    )
    expected = other.fit(
        X, Y, 4, 2, 0, shuffle=False, validation_data=(X, Y), validation_batch_size=4
    )
    assert found.history == expected.history
    assert model.evaluate_generator(once(), 3) == other.evaluate(X, Y, 4, 0)
    np.testing.assert_array_equal(model.predict_generator(once(), 2), other.predict(X[:8], 4))


def test_an_epoch_of_steps_goes_on_where_the_last_ended():
    model = linear()
    w, b = model.get_weights()
    error = ((X @ w + b - Y) ** 2)[:, 0].reshape(3, 4).mean(1)
    batches = forever()
    history = model.fit(batches, steps_per_epoch=2, epochs=3, verbose=0).history
    expected = [error[:2].mean(), error[[2, 0]].mean(), error[1:].mean()]
    assert history["loss"] == pytest.approx(expected, rel=1e-5)
    # No more was drawn than was used: the next batch is the first again.
    np.testing.assert_array_equal(next(batches)[0], X[:4])


def test_batches_count_by_their_size():
    model = linear()
    w, b = model.get_weights()
    error = (X @ w + b - Y) ** 2
    history = model.fit(once(5), steps_per_epoch=3, verbose=0).history
    assert history["loss"] == [pytest.approx(error.mean(), rel=1e-5)]
    assert model.evaluate(once(5), steps=3, verbose=0) == pytest.approx(error.mean(), rel=1e-5)


def test_sample_weights_and_class_weights_of_batches():
    model = linear()
    w, b = model.get_weights()
    weights, error = np.linspace(0, 1, 12), ((X @ w + b - Y) ** 2)[:, 0]
    found = model.evaluate(once(4, weights), steps=3, verbose=0)
    assert found == pytest.approx(np.mean(weights * error), rel=1e-5)
    ids = (np.arange(12) % 2)[:, None].astype("float32")
    error = ((X @ w + b - ids) ** 2)[:, 0]
    batches = ((X[i : i + 4], ids[i : i + 4], weights[i : i + 4]) for i in (0, 4, 8))
    history = model.fit(batches, steps_per_epoch=3, class_weight={0: 1, 1: 5}, verbose=0).history
    each = weights * np.where(ids[:, 0], 5, 1) * error
    assert history["loss"] == [pytest.approx(each.mean(), rel=1e-5)]


def test_batches_of_dicts_and_lists():
    model, (x, y) = two_outputs(), two_outputs_data(6)
    model.compile("sgd", "mse")
    expected = model.evaluate(x, y, batch_size=3, verbose=0)

    def parts(form):
        for rows in (slice(0, 3), slice(3, 6)):
            a, b = ({k: v[rows] for k, v in part.items()} for part in (x, y))
            yield form(a), form(b)

    for form in (lambda d: d, lambda d: dict(reversed(d.items())), lambda d: list(d.values())):
        assert model.evaluate(parts(form), steps=2, verbose=0) == expected
        assert [p.shape for p in model.predict(parts(form), steps=2)] == [(6, 1), (6, 2)]
    lists = iter([[list(x.values()), list(y.values())]])
    assert model.evaluate(lists, steps=1, verbose=0) == pytest.approx(expected)


def test_inputs_alone():
    model = Sequential([Dense(1, input_dim=3, activity_regularizer="l2")])
    model.compile("sgd")
    for batches in (iter([X]), iter([(X,)]), iter([[X]]), iter([{model.input_names[0]: X}])):
        assert model.fit(batches, steps_per_epoch=1, verbose=0).history["loss"][0] > 0
    for batches in (iter([X]), iter([(X,)]), iter([(X, Y)]), iter([[X]]), iter([(X, Y, Y)])):
        assert model.predict(batches, steps=1).shape == (12, 1)


def test_a_generator_that_ends_early():
    model = linear(metrics=["mae"])
    with pytest.warns(UserWarning, match=OUT_OF_DATA):
        history = model.fit(once(), steps_per_epoch=2, epochs=5, validation_data=(X, Y), verbose=0)
    assert history.epoch == [0, 1]
    assert len(history.history["val_loss"]) == 2
    with pytest.warns(UserWarning, match=OUT_OF_DATA):  # at the end of an epoch
        assert model.fit(once(), steps_per_epoch=3, epochs=5, verbose=0).epoch == [0]
    with pytest.warns(UserWarning, match=OUT_OF_DATA):
        found = model.evaluate(once(), steps=7, verbose=0)
    assert found == model.evaluate(X, Y, batch_size=4, verbose=0)
    with pytest.warns(UserWarning, match=OUT_OF_DATA):
        assert model.predict(once(), steps=4).shape == (12, 1)
    with pytest.warns(UserWarning, match=OUT_OF_DATA):
        history = model.fit(
            X, Y, epochs=3, validation_data=once(), validation_steps=3, verbose=0
        ).history
    assert [len(history["loss"]), len(history["val_loss"])] == [3, 1]
    for run in (model.fit, model.evaluate, model.predict):
        name = "steps_per_epoch" if run == model.fit else "steps"
        with pytest.raises(ValueError, match="Empty data: the generator yields no batches"):
            run(iter([]), **{name: 1}, verbose=0)


def test_what_is_iterated_again_and_again():
    class Loader:
        def __iter__(self):
            return once(5)

        def __len__(self):
            return 3

    class Unknown:
        def __iter__(self):
            return once(5)

    expected = same_start().fit(
        X, Y, 5, 2, 0, shuffle=False, validation_data=(X, Y), validation_batch_size=5
    )
    for loader in (Loader(), Unknown()):
        model = same_start()
        found = model.fit(loader, epochs=2, validation_data=loader, verbose=0)
        assert found.history == expected.history
        assert model.evaluate(loader, verbose=0) == model.evaluate(X, Y, 5, verbose=0)
        assert model.predict(loader).shape == (12, 1)


def test_tensors_of_other_libraries():
    class Tensor:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

    model = linear()
    expected = model.evaluate(X, Y, batch_size=4, verbose=0)
    batches = ((Tensor(x), Tensor(y)) for x, y in once())
    assert model.evaluate(batches, steps=3, verbose=0) == expected
    assert model.evaluate(Tensor(X), Tensor(Y), batch_size=4, verbose=0) == expected


def test_the_order_of_the_calls():
    model, diary = linear(), Diary()
    model.fit(
        forever(), steps_per_epoch=2, epochs=2, validation_data=forever(), validation_steps=1,
        validation_freq=2, callbacks=[diary], verbose=0,
    )  # fmt: skip
    batches = ["b0(", ")b0", "b1(", ")b1"]
    assert diary.lines == [
        "train(", "epoch0(", *batches, ")epoch0", "epoch1(", *batches, "test(", "t0(", ")t0",
        ")test", ")epoch1", ")train",
    ]  # fmt: skip
    logs = dict(diary.logs)
    assert logs["b0("] == {"batch": 0, "size": 4}
    assert list(logs[")b1"]) == ["batch", "size", "loss"]
    assert list(logs[")epoch1"]) == ["loss", "val_loss"]
    assert diary.params == {
        "batch_size": None, "epochs": 2, "steps": 2, "samples": None, "verbose": 0,
        "do_validation": True, "metrics": ["loss", "val_loss"],
    }  # fmt: skip
    assert diary.validation_data is None
    diary.lines.clear()
    model.evaluate(once(), steps=1, callbacks=[diary], verbose=0)
    model.predict(once(), steps=2, callbacks=[diary])
    assert diary.lines == [
        "test(", "t0(", ")t0", ")test", "predict(", "p0(", ")p0", "p1(", ")p1", ")predict",
    ]  # fmt: skip


def test_stopping_in_the_middle_of_an_epoch_leaves_validation_out():
    def stop(batch, logs):
        if batch == 1:
            model.stop_training = True

    model = linear()
    history = model.fit(
        forever(), steps_per_epoch=3, epochs=5, validation_data=(X, Y), verbose=0,
        callbacks=[LambdaCallback(on_batch_end=stop)],
    )  # fmt: skip
    assert (history.epoch, list(history.history)) == ([0], ["loss"])
    assert model.optimizer.iterations.value == 2
    history = model.fit(
        forever(), steps_per_epoch=2, epochs=5, validation_data=(X, Y), verbose=0,
        callbacks=[LambdaCallback(on_batch_end=stop)],
    )  # fmt: skip
    assert (history.epoch, list(history.history)) == ([0], ["loss", "val_loss"])
    assert not running_threads()


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_a_generator_keep_their_place(workers):
    def broken():
        yield from itertools.islice(forever(), 2)
        raise ZeroDivisionError("in the generator")

    model = linear()
    for run, steps in ((model.fit, "steps_per_epoch"), (model.evaluate, "steps")):
        with pytest.raises(ZeroDivisionError, match="in the generator") as caught:
            run(broken(), **{steps: 5}, verbose=0, workers=workers)
        assert caught.traceback[-1].name == "broken"
        assert not running_threads()
    with pytest.raises(ZeroDivisionError):
        model.fit(X, Y, validation_data=broken(), validation_steps=4, verbose=0, workers=workers)
    with pytest.raises(ZeroDivisionError):
        model.predict(broken(), steps=4, workers=workers)
    assert not running_threads()


def test_threads_end_where_a_callback_fails():
    def fail(batch, logs):
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        linear().fit(
            forever(), steps_per_epoch=5, validation_data=forever(), validation_steps=1,
            callbacks=[LambdaCallback(on_batch_end=fail)], verbose=0,
        )  # fmt: skip
    assert not running_threads()


def test_one_thread_runs_a_generator():
    with pytest.warns(UserWarning, match="`use_multiprocessing=True` has no effect on a generator"):
        linear().fit(forever(), steps_per_epoch=1, use_multiprocessing=True, verbose=0)


def test_a_generator_may_predict_with_the_model():
    def replay():
        while True:
            yield X[:4], model.predict(X[:4]) + 1.0

    model = linear()
    history = model.fit(replay(), steps_per_epoch=3, verbose=0, workers=1).history
    assert history["loss"] == [pytest.approx(1.0)]
    assert model.predict((model.predict(X[:4]) @ np.ones((1, 3)) for _ in range(2)), steps=2).size


def test_users_see_numpys_warnings():
    def divides():
        yield np.zeros((2, 3)) / np.zeros((2, 3)), np.zeros((2, 1))

    for workers in (0, 1):
        with pytest.warns(RuntimeWarning, match="invalid value"):
            linear().evaluate(divides(), steps=1, workers=workers, verbose=0)


def test_a_model_without_input_shape_takes_it_from_the_first_batch():
    for batches in (once(), forever(), Parts()):
        model = Sequential([Dense(1)])
        model.compile("sgd", "mse")
        assert model.fit(batches, steps_per_epoch=3, verbose=0).epoch == [0]
        assert model.count_params() == 4
    assert Sequential([Dense(2)]).predict(once(), steps=3).shape == (12, 2)


def test_progress_counts_steps(capsys):
    model = linear()
    model.fit(forever(), steps_per_epoch=3, validation_data=forever(), validation_steps=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/1"
    assert re.match(r"3/3 \[={30}\] - .*/step - loss: .* - val_loss: ", lines[1])
    with pytest.warns(UserWarning, match=OUT_OF_DATA):
        model.fit(once(), steps_per_epoch=5)
    assert "3/3 [====" in capsys.readouterr().out
    model.evaluate(once(), steps=3)
    assert capsys.readouterr().out.startswith("3/3 [====")
    model.predict(once(), steps=3, verbose="auto")
    assert capsys.readouterr().out.startswith("3/3 [====")
    model.fit(forever(), steps_per_epoch=3, verbose=2)
    assert re.match(r"Epoch 1/1\n - 0s - loss: \S+\n", capsys.readouterr().out)


def test_floats_count_steps_upwards():
    model = linear()
    model.fit(forever(), steps_per_epoch=12 / 5, verbose=0)
    assert model.optimizer.iterations.value == 3


def test_names_of_keras_1():
    model = linear()

    class Sized:
        batch_size = 4

        def __init__(self):
            self.batches = forever()

        def __next__(self):
            return next(self.batches)

        def __iter__(self):
            return self

    with pytest.warns(UserWarning, match="Keras 2 API") as caught:
        history = model.fit_generator(
            Sized(), samples_per_epoch=12, nb_epoch=2, nb_worker=2, max_q_size=3,
            pickle_safe=False, validation_data=Sized(), nb_val_samples=8, verbose=0,
        )  # fmt: skip
    assert [str(w.message) for w in caught] == [
        "Update your `fit_generator` call to the Keras 2 API: `fit_generator(..., "
        "steps_per_epoch=3, epochs=2, workers=2, max_queue_size=3, use_multiprocessing=False, "
        "validation_steps=2)`"
    ]
    assert caught[0].filename == __file__
    assert len(history.history["val_loss"]) == 2
    assert model.optimizer.iterations.value == 6
    with pytest.warns(UserWarning, match=r"Keras 2 API|counts batches") as caught:
        model.evaluate_generator(once(), val_samples=3)
    assert "`val_samples` counted samples in Keras 1, `steps` counts batches: 3 batches" in str(
        caught[0].message
    )
    assert "Update your `evaluate_generator` call" in str(caught[1].message)
    with pytest.warns(UserWarning, match=r"`fit\(\.\.\., epochs=2\)`"):
        assert model.fit(X, Y, nb_epoch=2, verbose=0).epoch == [0, 1]
    with pytest.raises(TypeError, match="`nb_epoch` is the old name of `epochs`, and both were"):
        model.fit(X, Y, epochs=1, nb_epoch=2)
    with pytest.raises(TypeError, match="`nb_epoch` is the old name of `epochs`"):
        model.fit_generator(forever(), 1, 2, nb_epoch=2)
    for run in (model.fit, model.evaluate, model.predict, model.fit_generator):
        with pytest.raises(TypeError, match=r"Unrecognized keyword arguments: \{'foo': 1\}"):
            run(X, foo=1)


def test_arguments_of_a_generator_that_do_not_fit():
    model = linear()
    rows = [
        (lambda: model.fit(forever()), "`steps_per_epoch=None` is only valid for a generator based "
         "on the `keras.utils.Sequence` class. Please specify `steps_per_epoch`"),
        (lambda: model.evaluate(once()), "`steps=None` is only valid for a generator"),
        (lambda: model.predict(once()), "`steps=None` is only valid for a generator"),
        (lambda: model.fit(X, Y, validation_data=once()),
         "`validation_steps=None` is only valid for a generator"),
        (lambda: model.fit(forever(), Y, steps_per_epoch=1),
         "`y` argument is not supported when data is a generator or Sequence instance. Instead "
         "pass targets as the second element of the generator."),
        (lambda: model.fit(forever(), sample_weight=Y, steps_per_epoch=1),
         "`sample_weight` argument is not supported when data is a generator or Sequence instance. "
         "Instead pass sample weights as the third element of the generator."),
        (lambda: model.fit(forever(), validation_split=0.1, steps_per_epoch=1),
         "`validation_split` argument is not supported when data is a generator or Sequence"),
        (lambda: model.fit(forever(), batch_size=4, steps_per_epoch=1),
         "The `batch_size` argument must not be specified when using a generator or Sequence as an "
         "input."),
        (lambda: model.evaluate(once(), Y, steps=1), "`y` argument is not supported"),
        (lambda: model.predict(once(), batch_size=3, steps=1), "The `batch_size` argument must"),
    ]  # fmt: skip
    for run, text in rows:
        with pytest.raises(ValueError, match=re.escape(text)):
            run()


def test_batches_and_numbers_that_do_not_fit():
    model = linear()
    rows = [
        (lambda: model.fit(iter([3]), steps_per_epoch=1, verbose=0),
         "Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: 3"),
        (lambda: model.fit(iter([None]), steps_per_epoch=1, verbose=0),
         "or `(x, y)`. Found: None"),
        (lambda: model.evaluate(iter([(X, Y, Y, Y)]), steps=1, verbose=0),
         "Output of generator should be a tuple"),
        (lambda: model.fit(iter([(X[:0], Y[:0])]), steps_per_epoch=1, verbose=0), "Empty data"),
        (lambda: model.fit(forever(), steps_per_epoch=0), "`steps_per_epoch` must be at least 1"),
        (lambda: model.fit(forever(), steps_per_epoch=1, shuffle="rows"),
         "`shuffle` must be True, False or \"batch\". Received: 'rows'"),
        (lambda: model.fit(forever(), steps_per_epoch=1, workers=-1),
         "`workers` must be at least 0. Received: -1"),
        (lambda: model.fit(X, Y, validation_freq=0), "`validation_freq` must be an Integer"),
        (lambda: model.fit(X, Y, validation_freq=1.5), "`validation_freq` must be an"),
    ]  # fmt: skip
    for run, text in rows:
        with pytest.raises(ValueError, match=re.escape(text)):
            run()
    assert not running_threads()
