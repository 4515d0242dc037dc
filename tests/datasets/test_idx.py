"""IDX files as MNIST defined them; damaged ones are named."""

import gzip

import numpy as np
import official
import pytest

from kgraph.datasets.idx import read_idx
from kgraph.errors import FileFormatError, UnsafeFileError


@pytest.mark.parametrize("shape", [(5,), (2, 28, 28), (0, 3), (2, 1, 3, 2)])
def test_round_trip(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "a.gz").write_bytes(official.idx(array))
    found = read_idx(tmp_path / "a.gz")
    np.testing.assert_array_equal(found, array)
    assert (found.shape, found.dtype, found.flags.writeable) == (shape, np.uint8, True)


GOOD = official.idx(np.arange(200, dtype=np.uint8))


@pytest.mark.parametrize(
    "content",
    [
        GOOD[:-20],
        GOOD[:5],
        b"no gzip",
        b"\x1f\x8b" + b"rubbish" * 9,
        gzip.compress(b""),
        gzip.compress(bytes([0, 0, 8])),
        gzip.compress(bytes([0, 0, 8, 1, 0, 0])),
        gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 1])),
        gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3])),
        gzip.compress(bytes([0, 0, 8, 200]) + bytes([255]) * 800),
        gzip.compress(bytes([0, 0, 13, 1, 0, 0, 0, 1, 1, 2, 3, 4])),
        gzip.compress(bytes([1, 0, 8, 1, 0, 0, 0, 1, 1])),
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "bad.gz").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bad\.gz"):
        read_idx(tmp_path / "bad.gz")


def test_bombs(tmp_path):
    (tmp_path / "bad.gz").write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(UnsafeFileError, match="more than 5000 bytes"):
        read_idx(tmp_path / "bad.gz", limit=5000)
