"""Sequences: padding like Keras 3; word pairs and windows like keras-preprocessing 1.1.2."""

import inspect
import json
import random

import keras
import keras_preprocessing.sequence as keras2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph.preprocessing import sequence
from kgraph.preprocessing.sequence import (
    TimeseriesGenerator,
    make_sampling_table,
    pad_sequences,
    skipgrams,
    timeseries_generator_from_json,
)
from kgraph.utils import Sequence

SIDES = st.sampled_from(["pre", "post"])


@given(
    st.lists(st.lists(st.integers(-9, 9), max_size=6), min_size=1, max_size=5),
    st.none() | st.integers(1, 8),
    SIDES,
    SIDES,
    st.integers(-3, 3),
)
def test_padding_like_keras(sequences, maxlen, padding, truncating, value):
    arguments = (sequences, maxlen, "int32", padding, truncating, value)
    found, expected = pad_sequences(*arguments), keras.utils.pad_sequences(*arguments)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_padding_of_other_things():
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)
    assert pad_sequences([[1.5], [2.5, 3.5]], dtype="float32").tolist() == [[0, 1.5], [2.5, 3.5]]
    found = pad_sequences([["a"], ["bc", "d"]], dtype=object, value="?")
    assert found.tolist() == [["?", "a"], ["bc", "d"]]
    pairs = pad_sequences([[[1, 2]], [], [[3, 4], [5, 6], [7, 8]]], maxlen=2)
    assert pairs.tolist() == [[[0, 0], [1, 2]], [[0, 0], [0, 0]], [[5, 6], [7, 8]]]
    assert pad_sequences((range(3), np.arange(2)), padding="post").tolist() == [
        [0, 1, 2],
        [0, 1, 0],
    ]


def test_what_the_tutorials_do():
    x = sequence.pad_sequences([list(range(100)), [1]], maxlen=80)
    assert x.shape == (2, 80)
    assert x[0].tolist() == list(range(20, 100))
    assert x.dtype == np.int32
    names = list(inspect.signature(pad_sequences).parameters)
    assert names == ["sequences", "maxlen", "dtype", "padding", "truncating", "value"]
    assert list(inspect.signature(skipgrams).parameters)[:7] == [
        "sequence", "vocabulary_size", "window_size", "negative_samples", "shuffle",
        "categorical", "sampling_table",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequences": iter([[1]])}, "`sequences` must be iterable"),
        ({"sequences": [1, 2]}, "must be a list of iterables. Found non-iterable: 1"),
        ({"sequences": [[1]], "padding": "left"}, 'Padding type "left" not understood'),
        ({"sequences": [[1]], "truncating": "x"}, 'Truncating type "x" not understood'),
        ({"sequences": [["a"]], "value": "b"}, "`dtype` int32 is not compatible with `value`"),
        (
            {"sequences": [[[1, 2]], [[1]]]},
            r"Shape of sample \(1,\) of sequence at position 1 is different from .* \(2,\)",
        ),
    ],
)
def test_padding_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(**arguments)


def test_sampling_table_like_keras():
    for size in (1, 2, 5000):
        np.testing.assert_array_equal(make_sampling_table(size), keras2.make_sampling_table(size))
    np.testing.assert_array_equal(
        make_sampling_table(50, 1e-3), keras2.make_sampling_table(50, sampling_factor=1e-3)
    )


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.integers(1, 5),
    st.sampled_from([0, 0.5, 1.0, 2.5]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 99),
)
def test_word_pairs_like_keras(words, window, negative, shuffle, categorical, thinned, seed):
    table = np.linspace(0, 1, 10) if thinned else None
    arguments = (words, 10, window, negative, shuffle, categorical, table)
    if seed is None and shuffle:
        arguments = (*arguments, 5)  # the drawn seed is compared below
    else:
        arguments = (*arguments, seed)
    random.seed(3)
    expected = [keras2.skipgrams(*arguments) for _ in range(2)]
    random.seed(3)
    assert [skipgrams(*arguments) for _ in range(2)] == expected


def test_drawn_seeds_repeat():
    random.seed(1)
    first = skipgrams(range(20), 20)
    random.seed(1)
    assert skipgrams(range(20), 20) == first


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.none() | st.integers(8, 14),
    st.booleans(),
    st.booleans(),
    st.integers(1, 6),
)
def test_windows_like_keras(length, rate, stride, start, end, shuffle, reverse, batch_size):
    data, targets = np.random.rand(15, 2), np.arange(15)
    arguments = (length, rate, stride, start, end, shuffle, reverse, batch_size)
    ours = TimeseriesGenerator(data, targets, *arguments)
    theirs = keras2.TimeseriesGenerator(data, targets, *arguments)
    assert len(ours) == len(theirs)
    for i in range(len(ours)):
        np.random.seed(i)
        expected = theirs[i]
        np.random.seed(i)
        for found, wanted in zip(ours[i], expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_windows_are_a_sequence():
    windows = TimeseriesGenerator(list(range(9)), list(range(9)), 3, batch_size=2, workers=4)
    assert isinstance(windows, Sequence)
    assert windows.workers == 4
    assert [y.tolist() for _, y in windows] == [[3, 4], [5, 6], [7, 8]]
    np.testing.assert_array_equal(windows[-1][1], [7, 8])
    with pytest.raises(IndexError, match="batch 3 of 3"):
        windows[3]


def test_windows_as_json():
    windows = TimeseriesGenerator(np.arange(12.0), np.arange(12), 2, 1, 2, 3, 10, batch_size=2)
    again = timeseries_generator_from_json(windows.to_json(indent=1))
    for found, expected in zip(again, windows, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    theirs = keras2.timeseries_generator_from_json(windows.to_json())
    np.testing.assert_array_equal(theirs[0][0], windows[0][0])
    assert json.loads(windows.to_json())["class_name"] == "TimeseriesGenerator"
    with pytest.raises(TypeError, match="Data not JSON Serializable"):
        TimeseriesGenerator([{1}, {2}], [1, 2], 1).to_json()


def test_windows_refuse():
    with pytest.raises(ValueError, match="Data length is 3 while target length is 2"):
        TimeseriesGenerator([1, 2, 3], [1, 2], 1)
    with pytest.raises(ValueError, match="`start_index\\+length=4 > end_index=2` is disallowed"):
        TimeseriesGenerator([1, 2, 3], [1, 2, 3], 4)
