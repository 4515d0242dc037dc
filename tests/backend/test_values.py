"""Elementwise functions, reductions and shapes against NumPy; eager = symbolic."""

import numpy as np
import pytest
import scipy.special
from both_ways import both, normal

from kgraph import backend as K

X, Y = normal(3, 4), normal(3, 4, seed=1)
BOX = normal(2, 3, 4, seed=2)
HALVES = np.float32([[-2.5, -1.5, -0.5], [0.5, 1.5, 2.5]])
IDS = np.int32([[2, 0], [1, 1]])

ROWS = [
    ("square", lambda x: K.square(x), X, X**2),
    ("abs", lambda x: K.abs(x), X, abs(X)),
    ("sqrt", lambda x: K.sqrt(x), X, np.sqrt(np.maximum(X, 0))),
    ("exp", lambda x: K.exp(x), X, np.exp(X)),
    ("log", lambda x: K.log(x), abs(X), np.log(abs(X))),
    ("round", lambda x: K.round(x), HALVES, [[-2, -2, 0], [0, 2, 2]]),
    ("sign", lambda x: K.sign(x), X, np.sign(X)),
    ("pow", lambda x: K.pow(x, 3), X, X**3),
    ("sin", lambda x: K.sin(x), X, np.sin(X)),
    ("cos", lambda x: K.cos(x), X, np.cos(X)),
    ("clip", lambda x: K.clip(x, -0.5, 0.5), X, np.clip(X, -0.5, 0.5)),
    ("clip crossed", lambda x: K.clip(x, 1, 0), X, np.ones_like(X)),
    ("clip below", lambda x: K.clip(x, 0, None), X, np.maximum(X, 0)),
    ("clip above", lambda x: K.clip(x, None, 0), X, np.minimum(X, 0)),
    ("cast", lambda x: K.cast(x, "int32"), HALVES, HALVES.astype("int32")),
    ("max", lambda x: K.max(x, axis=1), X, X.max(1)),
    ("min", lambda x: K.min(x, axis=-1, keepdims=True), X, X.min(1, keepdims=True)),
    ("sum list", lambda x: K.sum(x, axis=[0, 2]), BOX, BOX.sum((0, 2))),
    ("sum all", lambda x: K.sum(x), BOX, BOX.sum()),
    ("prod", lambda x: K.prod(x, axis=0), X, X.prod(0)),
    ("var", lambda x: K.var(x, axis=0), X, X.var(0)),
    ("std", lambda x: K.std(x, axis=[1, 2], keepdims=True), BOX, BOX.std((1, 2), keepdims=True)),
    ("mean", lambda x: K.mean(x, axis=-1), X, X.mean(1)),
    ("mean of ints", lambda x: K.mean(x), IDS, np.float32(1.0)),
    ("mean of bools", lambda x: K.mean(K.equal(x, 1)), IDS, np.float32(0.5)),
    ("any", lambda x: K.any(x, axis=0), IDS, [True, True]),
    ("all", lambda x: K.all(x, axis=0), IDS, [True, False]),
    ("logsumexp", lambda x: K.logsumexp(x, axis=1), X * 900, scipy.special.logsumexp(X * 900, 1)),
    ("cumsum", lambda x: K.cumsum(x, axis=1), X, X.cumsum(1)),
    ("cumprod", lambda x: K.cumprod(x, axis=-1), X, X.cumprod(1)),
    ("cumprod 0", lambda x: K.cumprod(x), X, X.cumprod(0)),
    ("argmax", lambda x: K.argmax(x), X, X.argmax(1)),
    ("argmin", lambda x: K.argmin(x, axis=0), X, X.argmin(0)),
    ("transpose", lambda x: K.transpose(x), BOX, BOX.T),
    ("permute", lambda x: K.permute_dimensions(x, (2, 0, 1)), BOX, BOX.transpose(2, 0, 1)),
    ("reshape", lambda x: K.reshape(x, (-1, 2)), X, X.reshape(-1, 2)),
    ("flatten", lambda x: K.flatten(x), BOX, BOX.ravel()),
    ("batch_flatten", lambda x: K.batch_flatten(x), BOX, BOX.reshape(2, -1)),
    ("expand_dims", lambda x: K.expand_dims(x), X, X[..., None]),
    ("squeeze", lambda x: K.squeeze(x, 1), X[:, None], X),
    ("repeat_elements", lambda x: K.repeat_elements(x, 3, 1), BOX, BOX.repeat(3, 1)),
    ("repeat", lambda x: K.repeat(x, 2), X, np.stack([X, X], 1)),
    ("tile", lambda x: K.tile(x, [2, 1, 3]), BOX, np.tile(BOX, (2, 1, 3))),
    ("reverse", lambda x: K.reverse(x, [0, 2]), BOX, BOX[::-1, :, ::-1]),
    ("slice", lambda x: K.slice(x, [0, 1, 1], [2, -1, 2]), BOX, BOX[:, 1:, 1:3]),
    ("one_hot", lambda x: K.one_hot(x, 3), IDS, np.eye(3, dtype="float32")[IDS]),
    ("gather", lambda x: K.gather(x, IDS), X, X[IDS]),
    ("temporal_padding", lambda x: K.temporal_padding(x), BOX, np.pad(BOX, ((0,), (1,), (0,)))),
    ("l2_normalize", lambda x: K.l2_normalize(x, 1), X, X / np.linalg.norm(X, axis=1)[:, None]),
    ("softmax", lambda x: K.softmax(x, axis=0), X, scipy.special.softmax(X, 0)),
    ("softplus", lambda x: K.softplus(x), X, np.log1p(np.exp(X))),
    ("softsign", lambda x: K.softsign(x), X, X / (1 + abs(X))),
    ("relu", lambda x: K.relu(x, 0.1, 0.5, 0.2), X,
     np.where(X > 0.2, np.minimum(X, 0.5), 0.1 * (X - 0.2))),
    ("elu", lambda x: K.elu(x, 0.5), X, np.where(X > 0, X, 0.5 * np.expm1(X))),
    ("hard_sigmoid", lambda x: K.hard_sigmoid(x), X, np.clip(0.2 * X + 0.5, 0, 1)),
    ("sigmoid", lambda x: K.sigmoid(x), X, scipy.special.expit(X)),
    ("tanh", lambda x: K.tanh(x), X, np.tanh(X)),
    ("ones_like", lambda x: K.ones_like(x, dtype="int32"), X, np.ones_like(X, "int32")),
    ("zeros_like", lambda x: K.zeros_like(x), X, np.zeros_like(X)),
    ("identity", lambda x: K.identity(x), X, X),
    ("stop_gradient", lambda x: K.stop_gradient(x), X, X),
    ("map_fn", lambda x: K.map_fn(lambda row: K.sum(row), x), X, X.sum(1)),
    ("foldl", lambda x: K.foldl(lambda a, b: a * 0.5 + b, x), X, (X[0] / 2 + X[1]) / 2 + X[2]),
    ("foldr", lambda x: K.foldr(lambda a, b: a * 0.5 + b, x), X, (X[2] / 2 + X[1]) / 2 + X[0]),
    ("switch", lambda x: K.switch(K.greater(K.sum(x, 1), 0), x, -x), X,
     np.where(X.sum(1, keepdims=True) > 0, X, -X)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "x", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_means_what_numpy_means(function, x, expected):
    np.testing.assert_allclose(both(function, x), expected, rtol=2e-6, atol=1e-6)


PAIRS = [
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "maximum",
    "minimum",
]


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    x, y = np.round(X), np.round(Y[0])
    np.testing.assert_array_equal(both(getattr(K, name), x, y), getattr(np, name)(x, y))
    np.testing.assert_array_equal(getattr(K, name)(x, 1), getattr(np, name)(x, 1))


@pytest.mark.parametrize("function", [
    lambda a, b: K.concatenate([a, b]), lambda a, b: K.concatenate([a, b], axis=1),
    lambda a, b: K.stack([a, b], axis=-1), lambda a, b: K.stack([a, b], axis=1),
])  # fmt: skip
def test_joining_keeps_unknown_batches(function):
    assert len(both(function, BOX, BOX + 1, batch=True)) == len(BOX)


@pytest.mark.parametrize("name", ["batch_flatten", "l2_normalize", "cumsum", "softmax"])
def test_batches_of_unknown_size(name):
    arguments = (-1,) if name == "l2_normalize" else ()
    assert len(both(lambda x: getattr(K, name)(x, *arguments), BOX, batch=True)) == len(BOX)


@pytest.mark.parametrize("function", [
    lambda x: K.sum(K.cumprod(x, 1)), lambda x: K.sum(K.map_fn(lambda r: r * r, x)),
    lambda x: K.sum(K.foldl(lambda a, b: a * b, x)),
    lambda x: K.sum(K.foldr(lambda a, b: a * b, x)),
    lambda x: K.sum(K.switch(x > 0, x * x, x)), lambda x: K.sum(K.l2_normalize(x, 1) ** 3),
    lambda x: K.sum(K.logsumexp(x, 1)), lambda x: K.sum(K.std(x, 0)),
])  # fmt: skip
def test_gradients_flow(function):
    x = K.placeholder((3, 4), dtype="float64")
    value = K.function([x], K.gradients(function(x), x))
    array, slope = X.astype("float64"), np.zeros((3, 4))
    total = K.function([x], [function(x)])
    for place in np.ndindex(3, 4):
        step = np.zeros((3, 4))
        step[place] = 1e-6
        up, down = total([array + step])[0], total([array - step])[0]
        slope[place] = (up - down) / 2e-6
    np.testing.assert_allclose(value([array])[0], slope, rtol=1e-5, atol=1e-7)


def test_errors_name_the_function():
    with pytest.raises(ValueError, match=r"K\.repeat"):
        K.repeat(BOX, 2)
    with pytest.raises(ValueError, match=r"K\.slice"):
        K.slice(X, [0], [1])
    with pytest.raises(ValueError, match=r"K\.switch"):
        K.switch(BOX > 0, X, X)
    with pytest.raises(ValueError, match="step is 0"):
        K.arange(0, 5, 0)
