"""add_metric: the numbers, their names and order, and what cannot be added."""

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Variable
from kgraph.layers import RNN, Add, Dense, Dropout, Input, Lambda, Layer, TimeDistributed
from kgraph.losses import mean_absolute_error
from kgraph.metrics import AUC, Mean
from kgraph.models import Model, Sequential, load_model

DATA = np.array([[1.0, -2.0], [3.0, -4.0], [5.0, -6.0]], "float32")
ZEROS = np.zeros((3, 2), "float32")
X = Input((2,))


class Watched(Layer):
    """Logs the mean of its inputs' absolute values, one a sample, and their greatest value."""

    def __init__(self, label="size", **kwargs):
        super().__init__(**kwargs)
        self.label = label

    def call(self, inputs):
        self.add_metric(ops.mean(ops.abs(inputs), axis=1), name=self.label)
        self.add_metric(ops.max(inputs), name=f"{self.label}_peak", aggregation="mean")
        return inputs

    def get_config(self):
        return {**super().get_config(), "label": self.label}


def compiled(outputs, inputs=X, loss="mse", model=Model, **options):
    found = model(inputs, outputs)
    found.compile("sgd", loss, **options)
    return found


# -- numbers by hand -------------------------------------------------------------------------------
def test_values_go_by_samples_and_scalars_by_batches():
    """Batches of 2 samples and of 1: |x| is 1.5, 3.5, 5.5 a sample, the peaks are 3 and 5."""
    model = compiled(Watched()(X))
    assert model.evaluate(DATA, ZEROS, batch_size=2, verbose=0)[1:] == [3.5, 4.0]
    assert model.evaluate(DATA, ZEROS, batch_size=3, verbose=0)[1:] == [3.5, 5.0]


def test_all_elements_count_alike():
    x = Input((None,))
    model = compiled(x * 1.0, x)
    model.add_metric(x, name="level")
    model.add_metric(x > 2.0, name="share")
    model.add_metric(ops.cast(x, "int32"), name="whole")
    model.add_metric(ops.cast(x, "float16") * 8192.0, name="large")
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = dict(zip(model.metrics_names, model.test_on_batch(values, values), strict=True))
    assert found == {"loss": 0.0, "level": 3.5, "share": 4 / 6, "whole": 3.5, "large": 28672.0}


def test_history_has_added_metrics_last():
    model = compiled(Dense(2, kernel_initializer="zeros")(Watched()(X)), metrics=["mae"])
    history = model.fit(
        DATA, ZEROS, batch_size=2, epochs=2, shuffle=False, verbose=0, validation_data=(DATA, ZEROS)
    ).history
    names = ["loss", "mae", "size", "size_peak"]
    assert model.metrics_names == names
    assert list(history) == [*names, *(f"val_{name}" for name in names)]
    assert history["size"] == history["val_size"] == [3.5, 3.5]
    assert history["size_peak"] == [4.0, 4.0]
    assert history["val_size_peak"] == [4.0, 4.0]


def test_layers_in_their_order_then_the_model():
    first, second = Watched("first"), Watched("second")
    model = Model(X, [first(X), Dense(1, name="out")(second(X))])
    model.layers[-1].add_metric(ops.sum(model.layers[-1].kernel * 0.0), name="kernel")
    model.add_metric(ops.min(X), name="least")
    model.compile("sgd", "mse", metrics={"out": "mae"})
    places = {layer: place for place, layer in enumerate(model.layers)}
    labels = sorted([first, second], key=places.get)
    added = [name for layer in labels for name in (layer.label, f"{layer.label}_peak")]
    losses = [f"{name}_loss" for name in model.output_names]
    assert model.metrics_names == ["loss", *losses, "out_mae", *added, "kernel", "least"]


def test_train_and_test_on_batch():
    model = compiled(Watched()(X), metrics=["mae"])
    expected = [pytest.approx(91 / 6), 3.5, 3.5, 5.0]
    assert model.test_on_batch(DATA, ZEROS) == expected
    trained = compiled(Dense(2, kernel_initializer="ones")(Watched()(X)))
    assert trained.train_on_batch(DATA, ZEROS)[1:] == [3.5, 5.0]
    assert trained.train_on_batch(DATA[:1], ZEROS[:1], reset_metrics=False)[1:] == [3.0, 3.0]


def test_sample_weights_leave_them_alone():
    model = compiled(Watched()(X), weighted_metrics=["mae"])
    found = model.test_on_batch(DATA, ZEROS, sample_weight=np.array([1.0, 0.0, 0.0]))
    assert model.metrics_names == ["loss", "mae", "size", "size_peak"]
    assert found[1:] == [1.5, 3.5, 5.0]


def test_the_metric_sees_what_the_phase_makes_of_its_tensor():
    dropped = Dropout(0.5)(X)
    model = compiled(Dense(1)(dropped))
    model.add_metric(ops.sum(ops.cast(ops.equal(dropped, 0.0), "float32")), name="zeros")
    ones = np.ones((100, 2))
    assert 50 < model.train_on_batch(ones, ones[:, :1])[1] < 150
    assert model.test_on_batch(ones, ones[:, :1])[1] == 0.0


def test_without_a_loss_in_compile():
    """The idiom of autoencoders: what `add_loss` gets is logged by its parts."""
    error = ops.sum(ops.square(Dense(2, kernel_initializer="zeros")(X) - X), axis=1)
    model = Model(X, error)
    model.add_loss(ops.mean(error))
    model.add_metric(error, name="error")
    model.compile("sgd")
    loss, found = model.evaluate(DATA, batch_size=2, verbose=0)
    assert (loss, found) == (pytest.approx(91 / 3), pytest.approx(91 / 3))


# -- models in models, own steps, files ------------------------------------------------------------
def test_metrics_of_a_nested_model():
    x = Input((2,))
    inner = Model(x, Watched()(x), name="inner")
    inner.add_metric(inner.output * 2.0, name="double")
    model = compiled(inner(X * 10.0))
    assert sorted(model.metrics_names) == ["double", "loss", "size", "size_peak"]
    found = dict(zip(model.metrics_names, model.test_on_batch(DATA, ZEROS), strict=True))
    assert (found["double"], found["size"], found["size_peak"]) == (-10.0, 35.0, 50.0)


def test_layers_inside_layers():
    class Outer(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Watched()

        def call(self, inputs):
            return self.inner(inputs * 2.0)

    assert compiled(Outer()(X)).test_on_batch(DATA, ZEROS)[1:] == [7.0, 10.0]


def test_a_stack_that_grows_keeps_what_was_added():
    model = Sequential([Dense(2, kernel_initializer="ones")])
    model.add_metric(ops.max(Variable([1.0, 3.0], "v")), name="fixed")
    model.build((None, 2))
    model.add_metric(ops.sum(model.output), name="total")
    model.add_loss(ops.sum(model.output) * 0.0 + 10.0)
    model.add(Dense(2, kernel_initializer="zeros"))
    model.compile("sgd", "mse")
    assert model.metrics_names == ["loss", "fixed", "total"]
    assert model.test_on_batch(DATA, ZEROS) == [10.0, 3.0, -6.0]


def test_after_compile_the_trained_weights_stay():
    frozen = Dense(2, kernel_initializer="ones")
    model = compiled(frozen(X))
    kept = model.trained_weights
    frozen.trainable = False
    model.add_metric(X, name="level")
    assert model.trained_weights == kept
    assert model.metrics_names == ["loss", "level"]
    assert model.test_on_batch(DATA, ZEROS)[1] == pytest.approx(-0.5)


class Stepping(Model):
    def train_step(self, data):
        x, y = data
        y_pred = self(x, training=True)
        self.optimizer.apply([v * 0.0 for v in self.trainable_weights], self.trainable_weights)
        return self.compute_metrics(x, y, y_pred)

    def test_step(self, data):
        x, y = data
        return self.compute_metrics(x, y, self(x, training=False))


def test_steps_of_the_users_own():
    """compute_metrics returns them too, and what the model added counts once."""
    found = []
    for kind in (Model, Stepping):
        layer = Dense(2, kernel_initializer="ones", kernel_regularizer="l2")
        model = kind(X, layer(Watched()(X)))
        model.add_loss(ops.mean(X))
        model.add_metric(ops.sum(X), name="total")
        layer.add_metric(ops.sum(layer.kernel), name="kernel")
        model.compile("sgd", "mse")
        found.append((model.metrics_names, model.test_on_batch(DATA, ZEROS)))
        assert model.train_on_batch(DATA, ZEROS) == found[-1][1]
    assert found[0] == found[1]
    assert found[0][0] == ["loss", "size", "size_peak", "kernel", "total"]
    assert found[0][1][1:] == [3.5, 5.0, 4.0, -3.0]


def test_a_saved_layer_adds_its_metrics_again(tmp_path):
    model = compiled(Dense(2)(Watched()(X)), metrics=["mae"])
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5", custom_objects={"Watched": Watched})
    assert loaded.metrics_names == ["loss", "mae", "size", "size_peak"]
    assert loaded.test_on_batch(DATA, ZEROS) == model.test_on_batch(DATA, ZEROS)


def test_predictions_and_losses_know_nothing_of_it():
    model = compiled(Watched()(X))
    assert model.losses == model.updates == []
    assert model.predict(DATA).tolist() == DATA.tolist()
    assert Watched()(DATA).tolist() == DATA.tolist()


# -- names -----------------------------------------------------------------------------------------
def two_of(name):
    return (
        "Please provide different names for the metrics you have added. "
        f'We found 2 metrics with the name: "{name}"'
    )


def test_names_differ():
    shared = Watched()
    with pytest.raises(ValueError, match=two_of("size")):
        compiled(Add()([shared(X), shared(X * 2.0)]))
    with pytest.raises(ValueError, match=two_of("size")):
        compiled(Watched()(Watched()(X)))
    with pytest.raises(ValueError, match=two_of("mae")):
        compiled(Watched("mae")(X), metrics=["mae"])
    with pytest.raises(ValueError, match=two_of("loss")):
        compiled(Watched("loss")(X))


def test_a_refused_name_leaves_the_model_as_it_was():
    model = compiled(Watched()(X))
    model.add_metric(ops.sum(X), name="total")
    for name in ("total", "size"):
        with pytest.raises(ValueError, match=two_of(name)):
            model.add_metric(ops.mean(X), name=name)
    assert model.metrics_names == ["loss", "size", "size_peak", "total"]


# -- what cannot be added --------------------------------------------------------------------------
def adding(*arguments, **named):
    """A layer that adds a metric of its inputs."""

    class Adding(Layer):
        def call(self, inputs):
            value, *rest = arguments
            self.add_metric(value(inputs), *rest, **named)
            return inputs

    return Adding()


@pytest.mark.parametrize(
    ("layer", "kind", "message"),
    [
        (adding(ops.sum), ValueError, "adds a metric without a name"),
        (adding(ops.sum, "x", "sum"), ValueError, "aggregation that does not exist"),
        (adding(ops.sum, "x", aggregation=None), ValueError, "aggregation that does not exist"),
        (adding(lambda x: Mean(), "x"), TypeError, "value is no tensor"),
        (adding(lambda x: Mean("m")(x), "x"), TypeError, "Metric m was called on symbolic"),
        (adding(lambda x: AUC()(x, x), "x"), TypeError, "Metric auc was called on symbolic"),
    ],
)
def test_arguments_are_checked(layer, kind, message):
    with pytest.raises(kind, match=message):
        layer(X)


def test_tensors_of_other_graphs_are_refused():
    model = Model(X, X * 1.0)
    with pytest.raises(ValueError, match=r"Metric 'x' added to model .* depends on other inputs"):
        model.add_metric(ops.sum(Input((2,))), name="x")
    with pytest.raises(ValueError, match="depends on inputs outside of `call`"):
        Dense(1).add_metric(ops.sum(X), name="x")


def test_other_metrics_in_evaluation_are_refused():
    class Fickle(Layer):
        def call(self, inputs, training=None):
            if training:
                self.add_metric(inputs, name="x")
            return inputs

    model = compiled(Fickle()(X))
    with pytest.raises(ValueError, match="other metrics in evaluation than in training"):
        model.evaluate(DATA, ZEROS, verbose=0)


class Cell(Layer):
    """Logs something in each time step."""

    state_size = 2

    def call(self, inputs, states):
        self.add_metric(inputs, name="x")
        return inputs, states


def test_loops():
    """Time that is an axis is averaged over; a loop keeps what its steps make."""
    steps = Input((4, 2))
    with pytest.raises(ValueError, match="adds a loss, a metric or an update in each time step"):
        RNN(Cell())(steps)
    spread = compiled(TimeDistributed(adding(ops.abs, "x"))(steps), steps)
    values = np.arange(8.0).reshape(1, 4, 2)
    assert spread.test_on_batch(values, values)[1] == 3.5
    inner = Watched()

    def scanned(x):
        _, found = ops.scan(lambda count, v: (count, inner(v)), 0.0, ops.swapaxes(x, 0, 1))
        return ops.swapaxes(found, 0, 1)

    with pytest.raises(TypeError, match="adds a loss or a metric"):
        Lambda(scanned)(steps)


def test_values_of_a_loss_and_of_weights():
    target = Input((2,))
    model = Model([X, target], X * 1.0)
    model.add_metric(mean_absolute_error(target, X), name="mae")
    model.add_metric(Variable([1.0, 3.0], "v") * 1.0, name="v")
    model.compile("sgd", "mse")
    assert model.test_on_batch([DATA, ZEROS], ZEROS)[1:] == [3.5, 2.0]
