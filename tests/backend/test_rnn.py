"""K.rnn against a loop in NumPy: masks, directions, constants, written out or not."""

import numpy as np
import pytest
from both_ways import normal

from kgraph import backend as K

X, W, START, SHARED = (
    normal(2, 5, 3),
    normal(3, 4, seed=1),
    normal(2, 4, seed=2),
    normal(2, 4, seed=3),
)
MASK = np.array([[0, 1, 1, 0, 1], [1, 0, 1, 1, 0]], bool)


def step(x, states):
    new = K.tanh(K.dot(x, W) + states[0] * 0.5 + states[1])
    return new * 2, [new]


def reference(backwards, mask):
    state, last, outputs = START, np.zeros((2, 4)), []
    order = range(5)[::-1] if backwards else range(5)
    for t in order:
        new = np.tanh(X[:, t] @ W + state * 0.5 + SHARED)
        kept = np.ones((2, 1), bool) if mask is None else mask[:, t, None]
        last, state = np.where(kept, new * 2, last), np.where(kept, new, state)
        outputs.append(last)
    return last, np.stack(outputs, 1), state


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("mask", [None, MASK, MASK[..., None].astype("int32")])
@pytest.mark.parametrize("backwards", [False, True])
def test_rnn(backwards, mask, unroll):
    expected = reference(backwards, None if mask is None else MASK)
    found = K.rnn(step, X, [START], backwards, mask, [SHARED], unroll)
    x, given = K.placeholder((None, 5, 3)), [K.placeholder((None, 4)) for _ in range(2)]
    masks = [] if mask is None else [K.placeholder((None, *mask.shape[1:]), dtype=mask.dtype.name)]
    last, outputs, states = K.rnn(
        step, x, given[:1], backwards, *(masks or [None]), given[1:], unroll
    )
    assert K.int_shape(outputs) == (None, 5, 4)
    symbolic = K.function([x, *given, *masks], [last, outputs, states[0]])(
        [X, START, SHARED, *([] if mask is None else [mask])]
    )
    for want, eager, built in zip(expected, (found[0], found[1], found[2][0]), symbolic):
        np.testing.assert_allclose(eager, want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(built, want, rtol=1e-5, atol=1e-6)


def test_unknown_number_of_steps():
    x = K.placeholder((None, None, 3))
    last, _, _ = K.rnn(lambda v, s: (s[0] + v, [s[0] + v]), x, [K.zeros_like(x[:, 0])])
    np.testing.assert_allclose(K.function([x], [last])([X])[0], X.sum(1), rtol=1e-5)
    with pytest.raises(ValueError, match="fixed number of time steps"):
        K.rnn(lambda v, s: (v, s), x, [K.zeros_like(x[:, 0])], unroll=True)


def test_gradients_through_a_masked_loop():
    w = K.variable(W)
    start = K.constant(START)
    last, _, _ = K.rnn(lambda x, s: ((n := K.tanh(K.dot(x, w) + s[0])), [n]), X, [start], mask=MASK)
    slope = K.eval(K.gradients(K.sum(last), w)[0])
    value = K.function([], [K.sum(last)])
    for place in [(0, 0), (2, 3)]:
        sums = []
        for sign in (1, -1):
            moved = W.copy()
            moved[place] += sign * 1e-2
            K.set_value(w, moved)
            sums.append(value([])[0])
        assert slope[place] == pytest.approx((sums[0] - sums[1]) / 2e-2, rel=2e-2, abs=1e-3)
    K.set_value(w, W)


def test_rnn_refuses():
    with pytest.raises(ValueError, match="at least 3D"):
        K.rnn(step, X[0], [START])
    with pytest.raises(ValueError, match="changes the states"):
        K.rnn(lambda x, s: (x, [x]), X, [START])


def test_several_sequences_and_dtypes():
    total, twice = K.map_fn(
        lambda pair: (pair[0] + pair[1], pair[0] * 2), (X, X + 1), dtype=("float32", "int32")
    )
    np.testing.assert_allclose(total, 2 * X + 1, rtol=1e-5)
    np.testing.assert_array_equal(twice, (X * 2).astype("int32"))
    start = np.float32(10)
    assert K.foldl(lambda a, b: a + b, np.float32([1, 2]), start) == 13
    assert K.foldr(lambda a, b: b - a, np.float32([1, 2]), start) == 1 - (2 - 10)
