"""Every data set is fetched in its official format, and its arrays are what was published."""

import hashlib
import json
import os
import pickle
from dataclasses import replace

import numpy as np
import official
import pytest

import kgraph
from kgraph import config
from kgraph.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)
from kgraph.datasets.cifar import load_batch
from kgraph.datasets.sources import SOURCES
from kgraph.errors import DownloadError, FileFormatError, UnsafeFileError

rng = np.random.default_rng(0)


@pytest.fixture
def publish(file_server, monkeypatch):
    """A function that serves a file in place of the official one, with its hash."""

    def run(key, content, hash_of=hashlib.sha256):
        origin = file_server.serve(SOURCES[key].name, content)
        known = SOURCES[key].file_hash and hash_of(content).hexdigest()
        monkeypatch.setitem(SOURCES, key, replace(SOURCES[key], origin=origin, file_hash=known))
        return file_server

    return run


def assert_equal(found, wanted):
    """Two nests of arrays are equal, dtypes included."""
    for split, right in zip(found, wanted, strict=True):
        for array, expected in zip(split, right, strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


def test_mnist(publish, homes):
    content, arrays = official.mnist(rng)
    server = publish("mnist", content, hashlib.md5)
    assert_equal(mnist.load_data(), arrays)
    assert (homes[0] / "datasets" / "mnist.npz").read_bytes() == content
    assert_equal(kgraph.datasets.mnist.load_data("mnist.npz"), arrays)
    assert len(server.requests) == 1


def test_mnist_from_a_file_of_ones_own(homes, tmp_path, monkeypatch):
    content, arrays = official.mnist(rng)
    (tmp_path / "mine.npz").write_bytes(content)
    assert_equal(mnist.load_data(tmp_path / "mine.npz"), arrays)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert_equal(mnist.load_data("~/mine.npz"), arrays)


def test_fashion_mnist(publish, homes):
    parts = {"train": official.images(rng, 5, 28, 28), "t10k": official.images(rng, 2, 28, 28)}
    for name, (x, y) in parts.items():
        publish(f"fashion_mnist/{name}-images-idx3", official.idx(x))
        server = publish(f"fashion_mnist/{name}-labels-idx1", official.idx(y))
    assert_equal(fashion_mnist.load_data(), parts.values())
    assert sorted(os.listdir(homes[0] / "datasets" / "fashion-mnist")) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert_equal(fashion_mnist.load_data(), parts.values())
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("loader", "key", "make"),
    [(cifar10, "cifar10", official.cifar10), (cifar100, "cifar100", official.cifar100)],
)
def test_cifar(publish, loader, key, make, monkeypatch):
    content, arrays = make(rng)
    server = publish(key, content)
    first = [(x, y[:, None]) for x, y in arrays]
    last = [(x.transpose(0, 2, 3, 1), y) for x, y in first]
    assert_equal(loader.load_data(), last)
    monkeypatch.setattr(config, "_DATA_FORMAT", "channels_first")
    assert_equal(loader.load_data(), first)
    assert len(server.requests) == 1


def test_coarse_labels(publish):
    content, ((_, fine), _) = official.cifar100(rng)
    publish("cifar100", content)
    (_, coarse), _ = cifar100.load_data("coarse")
    np.testing.assert_array_equal(coarse[:, 0], fine // 5)
    with pytest.raises(ValueError, match="expected: 'fine' or 'coarse'"):
        cifar100.load_data("medium")


@pytest.mark.parametrize("layout", ["", "cifar-10-batches-py-target"])
def test_folders_that_keras_unpacked(homes, layout):
    parts = [official.images(rng, 2, 3, 32, 32) for _ in range(6)]
    folder = homes[1] / "datasets" / layout / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, (x, y) in zip([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], parts):
        (folder / name).write_bytes(official.batch(x, labels=y))
    (x_train, _), (_, y_test) = cifar10.load_data()
    assert x_train.shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(y_test[:, 0], parts[5][1])


def test_housing(publish):
    content, (x, y) = official.table(rng, 506, 13)
    publish("boston_housing", content)
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data()
    assert (len(x_train), len(x_test)) == (404, 102)
    order = np.arange(506)
    np.random.RandomState(113).shuffle(order)
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), x[order])
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), y[order])
    other = boston_housing.load_data(test_split=0, seed=1)
    assert len(other[1][0]) == 0
    assert not np.array_equal(other[0][0][:404], x_train)


def test_small_california_is_the_beginning(publish):
    content, (x, _) = official.table(rng, 700, 8)
    publish("california_housing", content)
    (x_train, _), (x_test, _) = california_housing.load_data("small")
    assert (len(x_train), len(x_test)) == (480, 120)
    assert set(x_train[:, 0]) | set(x_test[:, 0]) == set(x[:600, 0])
    assert len(california_housing.load_data()[0][0]) == 560
    with pytest.raises(ValueError, match="unknown version"):
        california_housing.load_data("medium")


@pytest.mark.parametrize("loader", [boston_housing, california_housing, reuters])
@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_bad_fractions(loader, fraction):
    with pytest.raises(ValueError, match="Invalid `test_split` argument"):
        loader.load_data(test_split=fraction)


@pytest.mark.parametrize(("loader", "key"), [(imdb, "imdb"), (reuters, "reuters")])
def test_word_indexes(publish, loader, key, tmp_path):
    words = {"the": 1, "caf\u00e9": 2}
    publish(f"{key}_word_index", json.dumps(words).encode())
    assert loader.get_word_index() == words
    for content in (b"[1]", b'{"a": "b"}', b"{", b"[" * 100_000, b'"\xff"'):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"bad\.json is no"):
            loader.get_word_index(tmp_path / "bad.json")


def test_label_names():
    names = reuters.get_label_names()
    assert len(names) == len(set(names)) == 46
    assert (names[0], names[4], names[45]) == ("cocoa", "acq", "lead")


@pytest.mark.parametrize("loader", [mnist, imdb, reuters, boston_housing, fashion_mnist, cifar10])
def test_without_a_network_the_place_is_named(loader, file_server, homes, monkeypatch):
    for key, source in SOURCES.items():
        monkeypatch.setitem(
            SOURCES, key, replace(source, origin=f"{file_server.url}/{source.name}")
        )
    with pytest.raises(DownloadError, match="URL fetch failure") as caught:
        loader.load_data()
    assert f"place it at {homes[0] / 'datasets'}" in str(caught.value)


def test_a_changed_file_is_refused(publish, file_server):
    content, _ = official.imdb(rng)
    publish("imdb", content)
    file_server.serve("imdb.npz", content + b"more")
    with pytest.raises(ValueError, match="Incomplete or corrupted file detected"):
        imdb.load_data()


class Evil:
    """Runs a command where pickles are trusted."""

    def __reduce__(self):
        return os.system, ("touch evil",)


def test_hostile_files_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.empty(2, dtype=object)
    rows[:] = [[1], Evil()]
    y = np.zeros(2, int)
    (tmp_path / "bad.npz").write_bytes(
        official.npz(x=rows, y=y, x_train=rows, y_train=y, x_test=rows, y_test=y)
    )
    for loader in (imdb, reuters):
        with pytest.raises(UnsafeFileError, match=r"bad\.npz: x.* asks for (posix|nt)\.system"):
            loader.load_data(tmp_path / "bad.npz")
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Evil(), b"labels": []}))
    with pytest.raises(UnsafeFileError, match=r"data_batch_1 is refused.* asks for (posix|nt)\."):
        load_batch(tmp_path / "data_batch_1")
    assert not os.path.exists("evil")


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {b"labels": [1]},
        {b"data": [1], b"labels": [1]},
        {b"data": np.zeros((1, 3072)), b"labels": [1]},
        {b"data": np.zeros((1, 3071), "u1"), b"labels": [1]},
        {b"data": np.zeros((1, 3072), "u1"), b"labels": [1, 2]},
        {b"data": np.zeros((1, 3072), "u1"), b"labels": [256]},
        {b"data": np.zeros((1, 3072), "u1"), b"labels": ["1"]},
    ],
)
def test_what_is_no_batch(tmp_path, content):
    (tmp_path / "bad").write_bytes(pickle.dumps(content))
    with pytest.raises(FileFormatError, match="bad"):
        load_batch(tmp_path / "bad")


def test_arrays_that_do_not_fit(tmp_path):
    x, y = np.zeros((3, 2)), np.zeros(2, int)
    (tmp_path / "bad.npz").write_bytes(
        official.npz(x=x, y=y, x_train=x, y_train=y, x_test=x, y_test=y)
    )
    for loader in (mnist, imdb, reuters, boston_housing):
        with pytest.raises(FileFormatError, match=r"bad\.npz: .* do not fit"):
            loader.load_data(path=tmp_path / "bad.npz")
