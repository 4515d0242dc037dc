"""Rows of an HDF5 file index as rows of an array."""

import h5py
import numpy as np
import pytest

from kgraph.utils import HDF5Matrix

ROWS = np.random.default_rng(0).normal(size=(10, 2, 3))


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/x"] = ROWS
        file["link"] = h5py.ExternalLink("other.h5", "x")
        file["text"] = "words"
    return tmp_path / "a.h5"


@pytest.mark.parametrize(
    "key",
    [
        0, 5, -1, np.int64(3), slice(None), slice(1, 4), slice(-3, None), slice(0, 6, 2),
        slice(4, 2), slice(None, None, -1), slice(100), [3, 1, 1], [], [-1, 0], np.array([[0, 1]]),
        np.arange(6) % 2 == 0,
    ],
    ids=str,
)  # fmt: skip
def test_like_an_array(path, key):
    x = HDF5Matrix(path, "group/x", start=2, end=8)
    wanted = ROWS[2:8]
    np.testing.assert_array_equal(
        x[key], wanted[np.array(key, int) if isinstance(key, list) else key]
    )
    assert (len(x), x.shape, x.ndim, x.size, x.dtype) == (6, (6, 2, 3), 3, 36, np.float64)


def test_normalizer(path):
    x = HDF5Matrix(path, "group/x", normalizer=lambda rows: rows * 2)
    np.testing.assert_array_equal(x[1:3], ROWS[1:3] * 2)
    np.testing.assert_array_equal(x[[4]], ROWS[[4]] * 2)
    assert x.shape == ROWS.shape


def test_wrong_rows(path):
    x = HDF5Matrix(path, "group/x", end=4)
    for key in (4, -5, [0, 4]):
        with pytest.raises(IndexError, match="expected: rows from 0 to 3"):
            x[key]
    for bounds in ((5, 4), (-1, 4), (11, None)):
        with pytest.raises(ValueError, match="bad rows of 'group/x'"):
            HDF5Matrix(path, "group/x", *bounds)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none", "is missing"), ("link", "is a link"), ("text", "is not an array of numbers")],
)
def test_what_is_no_array(path, name, reason):
    with pytest.raises(ValueError, match=reason):
        HDF5Matrix(path, name)
