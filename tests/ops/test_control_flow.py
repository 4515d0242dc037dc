"""Branches and loops of `kgraph.ops` on arrays and on nodes; what `kgraph.ops` lacks, and why."""

import keras
import numpy as np
import pytest
from jax_oracle import run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ops.lacking import LACKING
from kgraph.testing import check_gradients

X = np.random.default_rng(0).uniform(-2, 2, (3, 4)).astype("float32")
YES, NO = np.array(True), np.array(False)


def branches(pred, x):
    return ops.cond(pred, lambda: {"y": x * 2, "z": x}, lambda: {"y": x - 1, "z": x * x})["y"]


def chosen(index, x):
    return ops.switch(index, [lambda a: a, lambda a: a * 2, lambda a: a - 1], x)


def doubled(x):
    # Doubles until the sum of squares exceeds 1000.
    return ops.while_loop(lambda a: ops.sum(a * a) < 1000, lambda a: a * 2, x, 20)


def powers(x):
    return ops.fori_loop(1, 4, lambda i, state: state * x + ops.cast(i, "float32"), x)


def running(x):
    return ops.associative_scan(lambda a, b: a * b, x, axis=1)


@pytest.mark.parametrize("pred", [YES, NO])
def test_cond(pred):
    expected = 2 * X if pred else X - 1
    np.testing.assert_array_equal(branches(pred, X), expected)
    np.testing.assert_array_equal(run(branches, pred, X), expected)
    check_gradients(lambda x: branches(pred, x), X, order=1)


@pytest.mark.parametrize("index", [-3, 0, 1, 2, 7])
def test_switch(index):
    expected = [X, 2 * X, X - 1][min(max(index, 0), 2)]
    np.testing.assert_array_equal(chosen(index, X), expected)
    np.testing.assert_array_equal(run(chosen, np.array(index), X), expected)


def test_only_the_branch_of_a_known_condition_is_called():
    def never():
        raise AssertionError

    assert ops.cond(YES, lambda: 1, never) == 1
    assert ops.cond(False, never, lambda: 2) == 2


def test_while_loop():
    expected = np.asarray(
        keras.ops.while_loop(lambda a: keras.ops.sum(a * a) < 1000, lambda a: (a * 2,), (X,))[0]
    )
    np.testing.assert_allclose(doubled(X), expected)
    np.testing.assert_allclose(run(doubled, X), expected)
    check_gradients(doubled, X, order=1)
    two = ops.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2), (np.array(0), X))
    assert int(two[0]) == 3
    np.testing.assert_array_equal(two[1], 8 * X)
    assert int(ops.while_loop(lambda i: True, lambda i: i + 1, np.array(0), 5)) == 5


def test_fori_loop():
    expected = keras.ops.fori_loop(1, 4, lambda i, s: s * X + keras.ops.cast(i, "float32"), X)
    np.testing.assert_allclose(powers(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run(powers, X), expected, rtol=1e-5, atol=1e-5)
    check_gradients(powers, X, order=1)


@pytest.mark.parametrize("name", ["map", "vectorized_map"])
def test_maps(name):
    def mapped(x):
        return getattr(ops, name)(lambda row: ops.sum(ops.exp(row)), x)

    np.testing.assert_allclose(mapped(X), np.exp(X).sum(1), rtol=1e-5)
    np.testing.assert_allclose(run(mapped, X), np.exp(X).sum(1), rtol=1e-5)
    check_gradients(mapped, X, order=1)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [0, 1, 5, 8])
def test_associative_scan(size, reverse):
    x = np.random.default_rng(1).uniform(0.5, 2, (2, size)).astype("float32")
    found = ops.associative_scan(lambda a, b: a * b, x, reverse=reverse, axis=1)
    expected = x[:, ::-1].cumprod(1)[:, ::-1] if reverse else x.cumprod(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_associative_scan_of_pairs():
    def affine(first, second):  # x -> a x + b, one after the other
        return first[0] * second[0], first[1] * second[0] + second[1]

    found = ops.associative_scan(affine, (X, X))
    expected = keras.ops.associative_scan(affine, (X, X))
    for mine, theirs in zip(found, expected):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    np.testing.assert_allclose(run(running, X), X.cumprod(1), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda x: ops.while_loop(lambda a: a < 1, lambda a: a, x[0, 0]), "maximum_iterations"),
        (lambda x: ops.fori_loop(0, x[0, 0], lambda i, a: a, x), "maximum_iterations"),
        (lambda x: ops.cond(x[0, 0], lambda: x, lambda: x[0]), "differ in structure or shape"),
        (lambda x: ops.cond(x[0], lambda: x, lambda: x), "scalar"),
        (lambda x: ops.arange(x[0, 0]), "depend on values"),
        (lambda x: ops.segment_sum(x, [0, 1, 1]), "num_segments"),
        (lambda x: ops.norm(x, "nuc"), "singular values"),
        (lambda x: ops.scatter_update(x, [[0]], x[:1], "mean"), "None, add, max, min or mul"),
        (lambda x: ops.quantile(x, 0.5, method="median"), "linear"),
    ],
)
def test_refusals_say_what_to_do(call, word):
    with pytest.raises(InferenceError, match=word):
        run(call, X)


def test_what_keras_has_and_kgraph_lacks_is_listed_with_reasons():
    theirs = {name for name in dir(keras.ops) if not name.startswith("_")}
    assert {name for name in theirs if not hasattr(ops, name)} == set(LACKING)
    for name, (why, instead) in LACKING.items():
        with pytest.raises(AttributeError, match=name) as caught:
            getattr(ops, name)
        assert why in str(caught.value)
        assert instead in str(caught.value)
    with pytest.raises(AttributeError, match="has no attribute 'no_such_function'"):
        _ = ops.no_such_function
