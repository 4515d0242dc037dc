"""What Keras 2's scripts do with K, end to end: the idioms of its examples."""

from functools import partial

import numpy as np
import pytest
from both_ways import normal

from kgraph import backend as K
from kgraph.layers import Conv2D, Dense, Dropout, Embedding, Flatten, Input, Lambda, Layer
from kgraph.losses import binary_crossentropy
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD, Adam


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(3)


def sample(arguments):
    """The VAE's z, drawn around its mean."""
    z_mean, z_log_var = arguments
    noise = K.random_normal(shape=(K.shape(z_mean)[0], K.int_shape(z_mean)[1]))
    return z_mean + K.exp(0.5 * z_log_var) * noise


def make_vae(closure):
    """A variational autoencoder whose loss reaches into it, or is added to it."""
    x = Input((6,))
    hidden = Dense(8, activation="relu")(x)
    z_mean, z_log_var = Dense(2)(hidden), Dense(2)(hidden)
    z = Lambda(sample, output_shape=(2,))([z_mean, z_log_var])
    decoded = Dense(6, activation="sigmoid")(z)

    def loss(y_true, y_pred):
        kl = -0.5 * K.mean(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
        return binary_crossentropy(y_true, y_pred) + kl

    vae = Model(x, decoded)
    if closure:
        vae.compile("adam", loss=loss)
    else:
        vae.add_loss(K.mean(loss(x, decoded)))
        vae.compile("adam", loss=None)
    return vae


@pytest.mark.parametrize("closure", [True, False])
def test_variational_autoencoder(closure):
    share = [0.1, 0.9, 0.1, 0.9, 0.5, 0.5]
    data = (np.random.default_rng(0).random((64, 6)) < share).astype("float32")
    vae = make_vae(closure)
    target = (data, data) if closure else (data, None)
    losses = vae.fit(*target, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.85 * losses[0]
    assert vae.predict(data).shape == (64, 6)
    z = K.function([vae.input], [vae.layers[4].output])
    assert (z([data])[0] != z([data])[0]).any()


def test_siamese_network():
    def euclidean_distance(vectors):
        x, y = vectors
        square = K.sum(K.square(x - y), axis=1, keepdims=True)
        return K.sqrt(K.maximum(square, K.epsilon()))

    def distance_shape(shapes):
        return (shapes[0][0], 1)

    def contrastive_loss(y_true, y_pred):
        margin = K.square(K.maximum(1 - y_pred, 0))
        return K.mean(y_true * K.square(y_pred) + (1 - y_true) * margin)

    def accuracy(y_true, y_pred):
        return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))

    base = Sequential([Flatten(input_shape=(2, 2)), Dense(8, activation="relu"), Dropout(0.1)])
    a, b = Input((2, 2)), Input((2, 2))
    distance = Lambda(euclidean_distance, output_shape=distance_shape)([base(a), base(b)])
    model = Model([a, b], distance)
    assert model.output_shape == (None, 1)
    rng = np.random.default_rng(1)
    centres, classes = rng.normal(size=(2, 2, 2)), rng.integers(0, 2, (2, 128))
    pairs = [centres[c] + 0.1 * rng.normal(size=(128, 2, 2)) for c in classes]
    same = (classes[0] == classes[1]).astype("float32")
    model.compile(loss=contrastive_loss, optimizer="rmsprop", metrics=[accuracy])
    log = model.fit(pairs, same, epochs=40, batch_size=32, verbose=0).history
    assert log["loss"][-1] < log["loss"][0]
    assert model.evaluate(pairs, same, verbose=0)[1] > 0.9


def test_custom_metrics():
    def recall(y_true, y_pred):
        hits = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
        return hits / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())

    def top_2(y_true, y_pred):
        return K.mean(K.in_top_k(y_pred, K.argmax(y_true, axis=-1), 2), axis=-1)

    x, y = normal(20, 3), np.eye(3, dtype="float32")[np.arange(20) % 3]
    model = Sequential([Dense(3, activation="softmax", input_shape=(3,))])
    model.compile("sgd", "categorical_crossentropy", metrics=[recall, top_2])
    values = dict(zip(model.metrics_names, model.evaluate(x, y, batch_size=20, verbose=0)))
    predicted = model.predict(x)
    assert values["recall"] == pytest.approx((predicted[y == 1] > 0.5).mean(), abs=1e-5)
    rank = (predicted > predicted[y == 1][:, None]).sum(1)
    assert values["top_2"] == pytest.approx((rank < 2).mean(), abs=1e-6)


def test_saliency():
    model = Sequential([
        Conv2D(4, 3, activation="relu", input_shape=(6, 6, 1)), Flatten(), Dropout(0.5), Dense(3),
    ])  # fmt: skip
    image = normal(1, 6, 6, 1)
    loss = model.output[:, 1]
    grads = K.gradients(loss, model.input)[0]
    grads /= K.sqrt(K.mean(K.square(grads))) + 1e-5
    iterate = K.function([model.input, K.learning_phase()], [loss, grads])
    score, slope = iterate([image, 0])
    assert slope.shape == image.shape
    assert (slope**2).mean() == pytest.approx(1, rel=1e-3)
    assert iterate([image + 0.01 * slope, 0])[0] > score
    by_layer = K.gradients(loss, model.layers[0].output)[0]
    looks = K.function([model.input], [model.layers[0].output, K.mean(by_layer, (0, 1, 2))])
    activity, weight = looks([image])
    assert activity.shape == (1, 4, 4, 4)
    assert weight.shape == (4,)


def gram_matrix(x):
    """The products of the channels of an image."""
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def test_style_transfer():
    style, start = normal(1, 8, 8, 3), normal(1, 8, 8, 3, seed=1)
    base, combination = K.variable(style), K.placeholder((1, 8, 8, 3))
    tensor = K.concatenate([base, combination], axis=0)
    net = Conv2D(4, 3, activation="relu")
    features = Model(x := Input((8, 8, 3)), net(x))(tensor)
    loss = K.variable(0.0)
    difference = gram_matrix(features[0]) - gram_matrix(features[1])
    loss = loss + K.sum(K.square(difference)) / (4.0 * 4**2 * 36**2)
    rough = K.square(combination[:, :-1] - combination[:, 1:])
    loss = loss + 1e-3 * K.sum(K.pow(rough, 1.25)[:, :, :-1])
    (grads,) = K.gradients(loss, combination)
    step = K.function([combination], [loss, grads])
    image, losses = start, []
    for _ in range(30):
        value, slope = step([image])
        image = image - 3.0 * slope
        losses.append(float(value))
    assert losses[-1] < 0.5 * losses[0]
    gram = K.eval(gram_matrix(K.constant(style[0])))
    flat = style[0].reshape(64, 3)
    np.testing.assert_allclose(gram, flat.T @ flat, rtol=1e-4, atol=1e-4)


def test_gradient_penalty():
    class Between(Layer):
        """A random point between two samples."""

        def call(self, inputs):
            share = K.random_uniform((K.shape(inputs[0])[0], 1))
            return share * inputs[0] + (1 - share) * inputs[1]

    def penalty(y_true, y_pred, points):
        squares = K.square(K.gradients(y_pred, points)[0])
        norm = K.sqrt(K.sum(squares, axis=np.arange(1, len(squares.shape))))
        return K.mean(10 * K.square(1 - norm))

    def wasserstein(y_true, y_pred):
        return K.mean(y_true * y_pred)

    critic = Sequential([Dense(8, activation="tanh", input_shape=(4,)), Dense(1)])
    real, fake = Input((4,)), Input((4,))
    points = Between()([real, fake])
    model = Model([real, fake], [critic(real), critic(fake), critic(points)])
    model.compile(SGD(0.05), [wasserstein, wasserstein, partial(penalty, points=points)])
    x = [normal(32, 4) + 1, normal(32, 4, seed=1) - 1]
    ones = np.ones((32, 1), "float32")
    logs = [model.train_on_batch(x, [-ones, ones, 0 * ones]) for _ in range(250)]
    assert logs[-1][0] < logs[0][0]
    (slope,) = K.gradients(critic.output, critic.input)
    norms = np.linalg.norm(K.function([critic.input], [slope])([(x[0] + x[1]) / 2])[0], axis=1)
    assert norms.mean() == pytest.approx(1, abs=0.3)


def test_networks_in_losses():
    fixed = Sequential([Dense(3, activation="tanh", input_shape=(4,)), Dropout(0.0)])
    before = fixed.get_weights()

    def perceptual(y_true, y_pred):
        return K.mean(K.square(fixed(y_true) - fixed(y_pred)), axis=-1)

    model = Sequential([Dense(4, input_shape=(2,))])
    model.compile("sgd", perceptual, metrics=[perceptual])
    x, y = normal(8, 2), normal(8, 4)
    loss = model.test_on_batch(x, y)
    expected = ((fixed.predict(y) - fixed.predict(model.predict(x))) ** 2).mean()
    np.testing.assert_allclose(loss, [expected] * 2, rtol=1e-5)
    assert model.train_on_batch(x, y)[0] > model.train_on_batch(x, y)[0]
    for old, new in zip(before, fixed.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_learning_rates():
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile(SGD(lr=0.1), "mse")
    assert K.get_value(model.optimizer.lr) == np.float32(0.1)
    K.set_value(model.optimizer.lr, K.get_value(model.optimizer.lr) * 0.5)
    assert float(K.get_value(model.optimizer.lr)) == pytest.approx(0.05)
    K.set_value(model.optimizer.learning_rate, 0.0)
    before = model.get_weights()
    model.train_on_batch(normal(4, 2), normal(4, 1))
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
    assert K.eval(model.optimizer.iterations) == 1


class Scaled(Layer):
    """A custom layer of Keras 2: K in build, call, updates and losses."""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", (input_shape[-1], 3), initializer="ones")
        self.seen = self.add_weight("seen", (), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, x):
        self.add_update([K.update_add(self.seen, K.cast(K.shape(x)[0], "float32"))])
        self.add_loss(0.5 * K.sum(K.square(self.scale)))
        return K.dot(x, self.scale)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)


def test_custom_layers():
    layer = Scaled(input_shape=(2,))
    model = Sequential([layer])
    model.compile(SGD(0.0), "mse")
    assert model.train_on_batch(np.zeros((5, 2)), np.zeros((5, 3))) == pytest.approx(3)
    assert K.get_value(layer.seen) == 5
    np.testing.assert_allclose(K.eval(layer(K.constant([[1, 2]]))), [[3, 3, 3]])
    assert K.count_params(layer.scale) == 6


def test_training_by_a_function():
    x, y = K.placeholder((None, 2)), K.placeholder((None, 1))
    w = K.variable(np.zeros((2, 1)))
    loss = K.mean(K.square(K.dot(x, w) - y))
    (slope,) = K.gradients(loss, [w])
    train = K.function([x, y], [loss], updates=[(w, w - 0.1 * slope)])
    inputs, truth = normal(64, 2), np.float32([[1], [-2]])
    for _ in range(60):
        (value,) = train([inputs, inputs @ truth])
    assert value < 1e-4
    np.testing.assert_allclose(K.get_value(w), truth, atol=0.02)


def test_policy_gradients():
    """The actor of reinforcement learning in Keras 2, with all orders of `get_updates`."""
    rng, states = np.random.default_rng(0), normal(64, 3)
    wanted = (states[:, 0] > 0).astype(int)
    for order in range(4):
        actor = Sequential([Dense(8, activation="relu", input_shape=(3,)), Dropout(0.1)])
        actor.add(Dense(2, activation="softmax"))
        action, advantage = K.placeholder((None, 2)), K.placeholder((None,))
        chosen = K.sum(action * actor.output, axis=1)
        loss = -K.mean(K.log(chosen + 1e-10) * advantage)
        weights, optimizer = actor.trainable_weights, Adam(lr=0.02)
        updates = [
            lambda: optimizer.get_updates(params=weights, loss=loss),  # noqa: B023
            lambda: optimizer.get_updates(loss, weights),  # noqa: B023
            lambda: optimizer.get_updates(weights, [], loss),  # noqa: B023
            lambda: optimizer.get_updates(K.gradients(loss, weights), weights),  # noqa: B023
        ][order]()
        inputs = [actor.input, action, advantage, K.learning_phase()]
        train = K.function(inputs, [loss], updates=updates)
        for _ in range(60):
            p = actor.predict(states)[:, 1]
            acts = (rng.random(64) < p).astype(int)
            reward = np.where(acts == wanted, 1, -1)
            train([states, np.eye(2)[acts], reward, 1])
        assert (actor.predict(states).argmax(1) == wanted).mean() > 0.9
        assert K.get_value(optimizer.iterations) == 60


def test_updates_need_weights_and_a_loss():
    v, w = K.variable([1.0]), K.variable([1.0], name="w")
    with pytest.raises(TypeError, match="loss and params"):
        SGD().get_updates()
    with pytest.raises(TypeError, match="needs weights"):
        SGD().get_updates(loss=v * v)
    with pytest.raises(ValueError, match=r"(?s)`None` for gradient.*got: w"):
        SGD().get_updates(v * v, [v, w])


class Attention(Layer):
    """Community layers of Keras 2 make variables by K and list them by hand."""

    def build(self, input_shape):
        self.projection = K.variable(normal(input_shape[-1], 3), name="projection")
        self.context = K.variable(normal(3, 1), name="context")
        self.temperature = K.variable(1.0, name="temperature")
        self.trainable_weights = [self.projection, self.context]
        super().build(input_shape)

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x, mask=None):
        scores = K.squeeze(K.dot(K.tanh(K.dot(x, self.projection)), self.context), -1)
        scores = K.exp(scores * self.temperature)
        if mask is not None:
            scores *= K.cast(mask, K.floatx())
        scores /= K.sum(scores, axis=1, keepdims=True) + K.epsilon()
        return K.sum(x * K.expand_dims(scores), axis=1)


def test_attention_over_masked_sequences():
    ids = np.random.default_rng(0).integers(1, 10, (32, 6))
    ids[:, 4:] = 0
    model = Sequential([Embedding(10, 4, mask_zero=True), Attention(name="attend")])
    model.add(Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy")
    layer = model.layers[1]
    before = None
    for _ in range(3):
        model.train_on_batch(ids, ids[:, :1] > 5)
        before = before or layer.get_weights()
    assert [v.name for v in layer.trainable_weights] == ["projection", "context"]
    assert [v.name for v in layer.non_trainable_weights] == ["temperature"]
    changed = [(a != b).any() for a, b in zip(before, layer.get_weights())]
    assert changed == [True, True, False]
    np.testing.assert_allclose(model.predict(ids), model.predict(ids[:, :4]), rtol=1e-5)


def test_lists_of_weights():
    layer = Attention()
    layer.build((None, 6, 4))
    extra = K.variable(2.0, name="extra")
    layer.trainable_weights += [extra]
    layer.non_trainable_weights = [layer.context]
    assert set(layer.trainable_weights) == {extra, layer.projection}
    assert len(layer.weights) == 4
    with pytest.raises(TypeError, match="must be variables"):
        layer.trainable_weights = [np.ones(2)]
    outer = Sequential([Dense(2, input_shape=(3,))])
    outer.layers[0].trainable_weights = outer.layers[0].weights[:1]
    assert [v.name for v in outer.non_trainable_weights] == [outer.layers[0].bias.name]
