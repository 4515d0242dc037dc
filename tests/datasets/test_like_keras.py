"""The same files give the same arrays as Keras 3's own loaders, for every argument."""

import importlib

import keras
import numpy as np
import official
import pytest

from kgraph.datasets import (
    boston_housing,
    california_housing,
    cifar,
    imdb,
    mnist,
    reuters,
    word_ids,
)
from kgraph.errors import FileFormatError, UnsafeFileError


@pytest.fixture
def keras_reads(tmp_path, monkeypatch):
    """A function that writes a file and makes Keras's loader read it; returns its path."""

    def run(name, content):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        module = importlib.import_module(f"keras.src.datasets.{name}")
        monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(path))
        return path

    return run


def assert_same(found, wanted):
    """Arrays and arrays of lists are equal, and so are the types of what is in the lists."""
    for split, right in zip(found, wanted, strict=True):
        for array, expected in zip(split, right, strict=True):
            assert array.shape == expected.shape[:1] + array.shape[1:]
            assert array.dtype == expected.dtype
            assert (
                [*map(list, array)] == [*map(list, expected)]
                if array.dtype == object
                else (array.tolist() == expected.tolist())
            )


ARGUMENTS = [
    {},
    {"num_words": 20},
    {"skip_top": 5},
    {"num_words": 30, "skip_top": 10, "oov_char": None},
    {"maxlen": 8},
    {"maxlen": 7, "num_words": 25, "seed": 3},
    {"start_char": None},
    {"start_char": None, "index_from": 0},
    {"start_char": None, "index_from": None},
    {"start_char": 7, "index_from": 20, "oov_char": 9, "skip_top": 22},
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_imdb(keras_reads, arguments):
    path = keras_reads("imdb", official.imdb(np.random.default_rng(1))[0])
    assert_same(imdb.load_data(path, **arguments), keras.datasets.imdb.load_data(**arguments))


@pytest.mark.parametrize("arguments", [*ARGUMENTS, {"test_split": 0.5}, {"test_split": 0}], ids=str)
def test_reuters(keras_reads, arguments):
    path = keras_reads("reuters", official.reuters(np.random.default_rng(2))[0])
    assert_same(reuters.load_data(path, **arguments), keras.datasets.reuters.load_data(**arguments))


def test_tables_and_images(keras_reads):
    rng = np.random.default_rng(3)
    path = keras_reads("boston_housing", official.table(rng, 51, 13)[0])
    for arguments in ({}, {"test_split": 0.37}, {"seed": 4}):
        wanted = keras.datasets.boston_housing.load_data(**arguments)
        assert_same(boston_housing.load_data(path, **arguments), wanted)
    path = keras_reads("california_housing", official.table(rng, 620, 8)[0])
    for version in ("small", "large"):
        wanted = keras.datasets.california_housing.load_data(version)
        assert_same(california_housing.load_data(version, path), wanted)
    path = keras_reads("mnist", official.mnist(rng)[0])
    assert_same(mnist.load_data(path), keras.datasets.mnist.load_data())


def test_batches(tmp_path):
    x, y = official.images(np.random.default_rng(4), 3, 3, 32, 32)
    (tmp_path / "batch").write_bytes(official.batch(x, protocol=3, fine_labels=y))
    theirs = importlib.import_module("keras.src.datasets.cifar").load_batch
    for found, wanted in zip(
        cifar.load_batch(tmp_path / "batch", "fine_labels"),
        theirs(str(tmp_path / "batch"), "fine_labels"),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_label_names():
    assert reuters.get_label_names() == keras.datasets.reuters.get_label_names()


def test_no_text_is_short_enough(tmp_path):
    (tmp_path / "a.npz").write_bytes(official.imdb(np.random.default_rng(5))[0])
    with pytest.raises(ValueError, match="After filtering for sequences shorter than maxlen=1"):
        imdb.load_data(tmp_path / "a.npz", maxlen=1)


def test_texts_of_one_length_are_lists_too(tmp_path):
    rows, y = np.empty(2, dtype=object), np.arange(2)
    rows[:] = [[1, 2], [3, 4]]
    (tmp_path / "a.npz").write_bytes(official.npz(x=rows, y=y))
    (x, _), _ = reuters.load_data(tmp_path / "a.npz", test_split=0, num_words=10)
    assert x.shape == (2,)
    assert sorted(x.tolist()) == [[1, 4, 5], [1, 6, 7]]


@pytest.mark.parametrize("row", ["ab", [1.5], [None], [[1]], [True, "a"], 7, [2**70]])
def test_texts_that_are_none(row):
    rows = np.empty(1, dtype=object)
    rows[0] = row
    with pytest.raises(FileFormatError, match=r"bad\.npz: a "):
        word_ids.join(rows, np.zeros(1, int), "bad.npz")


def test_a_list_that_is_referred_to_often():
    rows = np.empty(3000, dtype=object)
    rows[:] = [[1] * 100_000] * 3000
    with pytest.raises(UnsafeFileError, match="300000000 words"):
        word_ids.join(rows, np.zeros(3000, int), "bad.npz")
