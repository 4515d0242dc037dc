"""Arrays come out of npz files as NumPy put them in; what lies about itself is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from kgraph.errors import FileFormatError, UnsafeFileError
from kgraph.utils.npz_utils import read_npz

ragged = np.empty(2, dtype=object)
ragged[:] = [[1, 2, 3], [4]]
ARRAYS = {
    "bytes": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i2"),
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.array(7),
    "texts": np.array(["a", "bcd"]),
    "complex": np.array([1j]),
    "ragged": ragged,
    "equal": np.array([[1, 2], [3, 4]], dtype=object),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_as_numpy_reads_them(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz", list(ARRAYS))
    for name, array in ARRAYS.items():
        assert found[name].tolist() == array.tolist()
        assert found[name].dtype == array.dtype
        assert found[name].flags.f_contiguous == array.flags.f_contiguous
        assert found[name].flags.writeable
        assert type(found[name]) is np.ndarray


def write_member(path, content, name="x"):
    """An npz file with one member of any content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", content)
    return path


def npy(shape, descr="'|u1'", data=b"", version=1):
    """A .npy file with a header that says anything."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode("latin1")
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def test_the_second_version_of_the_header(tmp_path):
    path = write_member(tmp_path / "a.npz", npy("(2,)", data=b"ab", version=2))
    assert read_npz(path, ["x"])["x"].tolist() == [97, 98]


class Evil:
    """Runs a command where pickles are trusted."""

    def __reduce__(self):
        return os.system, ("touch evil",)


def test_pickles_that_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.empty(1, dtype=object)
    objects[0] = Evil()
    np.savez("a.npz", x=objects)
    with pytest.raises(
        UnsafeFileError, match=r"a\.npz: x is refused: .*asks for (posix|nt)\.system"
    ):
        read_npz("a.npz", ["x"])
    write_member("b.npz", npy("(1,)", "'|O'", pickle.dumps(Evil(), protocol=0)))
    with pytest.raises(
        UnsafeFileError, match=r"b\.npz: x is refused: .*asks for (posix|nt)\.system"
    ):
        read_npz("b.npz", ["x"])
    assert not os.path.exists("evil")


@pytest.mark.parametrize(
    "content",
    [
        npy("(4,)", data=b"abc"),
        npy("(3,)", data=b"abcd"),
        npy("(1152921504606846976,)", data=b"abc"),
        npy("(-3, -1)", data=b"abc"),
        npy("(3,)", "'|O'", pickle.dumps([1, 2, 3])),
        npy("(2,)", "'|O'", pickle.dumps(np.array([None], dtype=object))),
        npy("(3,)", "'|O'", b"no pickle"),
        npy("(" * 500 + "1", data=b"abc"),
        npy("__import__('os').getcwd()"),
        npy("(1,)", version=3, data=b"a"),
        npy("(1,)", "'|what'"),
        b"\x93NUMPY",
        b"",
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_members_that_lie(tmp_path, content):
    with pytest.raises(FileFormatError, match=r"a\.npz: x"):
        read_npz(write_member(tmp_path / "a.npz", content), ["x"])


@pytest.mark.parametrize("descr", ["[('a', '|O')]", "[('a', '<i4')]", "'<M8[s]'", "'|V8'"])
def test_other_dtypes_are_refused(tmp_path, descr):
    with pytest.raises(UnsafeFileError, match="its dtype is"):
        read_npz(write_member(tmp_path / "a.npz", npy("(1,)", descr, bytes(8))), ["x"])


def test_bombs(tmp_path):
    path = write_member(tmp_path / "a.npz", npy("(10000000,)", data=bytes(10_000_000)))
    with pytest.raises(UnsafeFileError, match="more than 1000000 bytes"):
        read_npz(path, ["x"], limit=1_000_000)


def test_missing_and_double_names(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(1), other=np.zeros(1))
    with pytest.raises(FileFormatError, match="has 0 arrays 'y'") as caught:
        read_npz(tmp_path / "a.npz", ["y"])
    assert "['other', 'x']" in str(caught.value)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive, pytest.warns(match="Duplicate name"):
        archive.writestr("x.npy", npy("(1,)", data=b"a"))
    with pytest.raises(FileFormatError, match="has 2 arrays 'x'"):
        read_npz(tmp_path / "a.npz", ["x"])


@pytest.mark.parametrize("keep", [0, 0.3, 0.7, 0.99])
def test_truncated_files(tmp_path, keep):
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(1000))
    content = buffer.getvalue()
    (tmp_path / "a.npz").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FileFormatError, match=r"a\.npz is no readable npz file"):
        read_npz(tmp_path / "a.npz", ["x"])


def test_damaged_contents(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=1000))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[500:520] = bytes(20)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FileFormatError, match="is no readable npz file"):
        read_npz(tmp_path / "a.npz", ["x"])


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        read_npz("none.npz", ["x"])
