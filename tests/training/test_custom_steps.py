"""`train_step`, `test_step` and `predict_step` of a user's own, and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

import kgraph
from kgraph import metrics, ops
from kgraph.callbacks import BackupAndRestore, Callback
from kgraph.errors import NotFiniteError
from kgraph.layers import BatchNormalization, Dense, Dropout, Input
from kgraph.models import Model
from kgraph.optimizers import SGD, Adam
from kgraph.training.custom import unpack_x_y_sample_weight

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")
W = RNG.uniform(0.5, 2, 22).astype("float32")


def network(kind, optimizer=None, **options):
    np.random.seed(0)
    x = Input((4,), name="x")
    h = Dropout(0.3)(BatchNormalization()(Dense(8, "relu", kernel_regularizer="l2")(x)))
    model = kind(x, Dense(1, "sigmoid")(h))
    settings = {"loss": "binary_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(optimizer or Adam(0.02), **settings)
    return model


class Default(Model):
    """Keras's own step, written out."""

    def train_step(self, data):
        x, y, weight = unpack_x_y_sample_weight(data)
        with kgraph.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=weight)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.compute_metrics(x, y, y_pred, weight)


class Inherited(Model):
    """The inherited step, called by an overriding one."""

    def train_step(self, data):
        return {**super().train_step(data), "two": 2.0}

    def test_step(self, data):
        return super().test_step(data)

    def predict_step(self, data):
        return super().predict_step(data)


def run(kind, weighted=False, **options):
    model = network(kind, **options)
    weight = W if weighted else None
    fit = {"batch_size": 5, "epochs": 3, "verbose": 0, "sample_weight": weight}
    history = model.fit(X, Y, validation_data=(X[:7], Y[:7]), **fit).history
    return model, history


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [Default, Inherited])
def test_a_written_step_is_the_built_in_one(kind, weighted):
    (ours, found), (built, expected) = run(kind, weighted), run(Model, weighted)
    for a, b in zip(ours.get_weights(), built.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-6), name
    assert found.get("two", [2.0] * 3) == [2.0] * 3
    np.testing.assert_array_equal(ours.predict(X), built.predict(X))
    assert ours.evaluate(X, Y, verbose=0) == pytest.approx(built.evaluate(X, Y, verbose=0))


def test_several_inputs_and_outputs_come_as_lists():
    found = []
    for kind in (Default, Model):
        np.random.seed(0)
        a, b = Input((4,), name="a"), Input((4,), name="b")
        h = Dense(3, "tanh")(kgraph.layers.add([a, b]))
        model = kind([a, b], [Dense(1, name="p")(h), Dense(1, name="q")(h)])
        model.compile(Adam(0.02), "mse", metrics=["mae"], loss_weights=[1.0, 0.5])
        data = {"a": X, "b": X[:, ::-1]}, {"q": Y, "p": 1 - Y}
        history = model.fit(*data, epochs=2, verbose=0, sample_weight={"q": W}).history
        found.append((model.get_weights(), history))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(a, b)
    for name, values in found[1][1].items():
        assert found[0][1][name] == pytest.approx(values, rel=1e-6), name


def test_loss_scale_and_accumulation_are_the_built_in_ones():
    options = {"loss_scale_factor": 64.0, "gradient_accumulation_steps": 2}
    found = [run(kind, optimizer=SGD(0.1, **options))[0] for kind in (Inherited, Model)]
    for a, b in zip(*(m.get_weights() for m in found), strict=True):
        np.testing.assert_array_equal(a, b)


class Own(Model):
    """A step without anything that `compile` knows."""

    def train_step(self, data):
        x, y = data
        weights = self.trainable_weights
        error = ops.mean(ops.square(self(x, training=True) - y))
        self.optimizer.apply(kgraph.gradients(error, weights), weights)
        return {"error": error, "size": ops.sum(ops.ones_like(y))}

    def test_step(self, data):
        x, y = data
        return {"largest": ops.max(ops.abs(self(x) - y))}

    def predict_step(self, data):
        return [self(data), data * 2.0]


def test_a_step_of_its_own_needs_no_loss():
    model = network(Own, loss=None, metrics=None)
    history = model.fit(X, Y, batch_size=11, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert list(history) == ["error", "size", "val_largest"]
    assert history["size"] == [11.0, 11.0]
    assert history["error"][1] < history["error"][0]
    prediction, doubled = model.predict(X, batch_size=5)
    np.testing.assert_array_equal(doubled, X * 2)
    largest = model.evaluate(X[:5], Y[:5], verbose=0, return_dict=True)
    assert largest["largest"] == pytest.approx(np.abs(prediction - Y)[:5].max(), rel=1e-6)
    assert set(model.train_on_batch(X, Y, return_dict=True)) == {"error", "size"}


def test_streams_and_hooks_and_backups_work(tmp_path):
    def batches():
        while True:
            for start in (0, 8, 16):
                yield X[start : start + 8], Y[start : start + 8]

    class Watch(Callback):
        def __init__(self):
            super().__init__()
            self.logs = []

        def on_train_batch_end(self, batch, logs=None):
            self.logs.append(dict(logs))

    class Break(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise InterruptedError

    found = []
    for _ in range(2):
        model, watch = network(Own, loss=None, metrics=None), Watch()
        model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[watch])
        found.append(model.get_weights())
    assert {"error", "size"} <= set(watch.logs[0])
    whole = network(Own, loss=None, metrics=None)
    whole.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    with pytest.raises(InterruptedError):
        network(Own, loss=None, metrics=None).fit(
            X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path), Break()]
        )
    again = network(Own, loss=None, metrics=None)
    again.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Autoencoder(Model):
    """A step without targets, and with a gradient by the inputs."""

    def train_step(self, data):
        (x,) = data
        with kgraph.GradientTape() as tape:
            y = self(x, training=True)
            loss = ops.mean(ops.square(y - x))
        slope = tape.gradient(loss, x)
        loss = loss + 0.1 * ops.mean(ops.square(slope))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "slope": ops.mean(ops.abs(slope))}


def test_a_step_without_targets_and_with_a_gradient_of_a_gradient():
    x = Input((4,))
    model = Autoencoder(x, Dense(4)(Dense(2, "tanh")(x)))
    model.compile(Adam(0.05))
    history = model.fit(X, epochs=5, batch_size=11, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert np.all(np.array(history["slope"]) > 0)


def test_run_eagerly_watches_a_written_step_too():
    class Bad(Own):
        def train_step(self, data):
            logs = super().train_step(data)
            return {"bad": ops.log(logs["error"] - 100.0)}

    model = network(Bad, loss=None, metrics=None, run_eagerly=True)
    with pytest.raises(NotFiniteError, match="is made by log"):
        model.fit(X, Y, verbose=0)


# -- what is not possible ------------------------------------------------------------------------
def step_of(body):
    class Made(Model):
        def train_step(self, data):
            return body(self, *data)

    return network(Made, loss=None, metrics=None)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (lambda self, x, y: None, TypeError, "train_step must return a dictionary of scalars"),
        (lambda self, x, y: {"a": "b"}, TypeError, "returned 'a', which is no scalar tensor"),
        (lambda self, x, y: {"a": self(x)}, TypeError, "a scalar, which is averaged"),
        (lambda self, x, y: {"a": self.compute_loss(x, y, self(x))}, ValueError,
         "compile` was given none"),
        (lambda self, x, y: self.optimizer.apply([None], self.trainable_weights[:1]), ValueError,
         "No gradients provided for any variable"),
        (lambda self, x, y: self.optimizer.apply([x], self.trainable_weights), ValueError,
         "one gradient a variable"),
        (lambda self, x, y: metrics.MeanSquaredError().update_state(y, self(x)), TypeError,
         "no value to make an array of"),
        (lambda self, x, y: kgraph.GradientTape().gradient(np.ones(2), x), TypeError,
         "cannot differentiate an array"),
    ],
)  # fmt: skip
def test_errors_say_what_a_step_cannot_do(body, error, message):
    with pytest.raises(error, match=message):
        step_of(body).fit(X, Y, verbose=0)


def test_parts_of_a_step_belong_into_a_step():
    model = network(Model)
    with pytest.raises(RuntimeError, match="while a step is traced"):
        model.compute_loss(X, Y, Y)
    with pytest.raises(ValueError, match="nothing is being traced"):
        SGD().apply([model.inputs[0]], [kgraph.Variable(np.zeros(4))])


# -- plain loops ---------------------------------------------------------------------------------
def loop(step, model):
    values = [step(X[i : i + 11], Y[i : i + 11]) for _ in range(3) for i in (0, 11)]
    return [float(v) for v in values], model.get_weights()


def plain(jit):
    model, optimizer = network(Model), Adam(0.02)
    weights = model.trainable_weights

    def loss(x, y):
        found = kgraph.losses.binary_crossentropy(y, model(x, training=True))
        return ops.mean(found)

    both = kgraph.value_and_grad(loss, wrt=weights)

    def step(x, y):
        value, slopes = both(x, y)
        optimizer.apply(slopes, weights)
        return value

    return loop(kgraph.jit(step) if jit else step, model)


def test_a_plain_loop_is_the_built_in_step(monkeypatch):
    """Up to dropout's stream, which a loop of its own counts by itself: it is off here."""
    monkeypatch.setattr(Dropout, "call", lambda self, inputs, training=None: inputs)
    (values, arrays), (jitted, same) = plain(jit=False), plain(jit=True)
    np.testing.assert_allclose(values, jitted, rtol=1e-6)
    model = network(Model)
    model.layers[1].kernel.regularizer = None
    model.compile(Adam(0.02), "binary_crossentropy")
    expected = []
    for _ in range(3):
        for i in (0, 11):
            expected.append(model.train_on_batch(X[i : i + 11], Y[i : i + 11]))
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    for a, b, c in zip(arrays, same, model.get_weights(), strict=True):
        # Three programs, which round in their own ways.
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-6)


def test_gradients_by_variables_are_jax_s():
    import jax
    import jax.numpy as jnp

    first, second = RNG.normal(size=(4, 3)).astype("float32"), np.ones((3, 1), "float32")
    a, b = kgraph.Variable(first, "a"), kgraph.Variable(second, "b")

    def ours(x, y):
        return ops.mean(ops.square(ops.matmul(ops.tanh(ops.matmul(x, a)), b) - y))

    def theirs(weights, x, y):
        return jnp.mean(jnp.square(jnp.tanh(x @ weights[0]) @ weights[1] - y))

    value, slopes = kgraph.value_and_grad(ours, wrt=[a, b])(X, Y)
    wanted, expected = jax.value_and_grad(theirs)([first, second], X, Y)
    assert value == pytest.approx(float(wanted), rel=1e-6)
    for found, other in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-5, atol=1e-7)
    with pytest.raises(TypeError, match="`wrt` must hold variables"):
        kgraph.value_and_grad(ours, wrt=[first])
