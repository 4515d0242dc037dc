"""Genuine pickles of numbers and arrays are read as Python reads them; nothing else is."""

import builtins
import contextlib
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgraph.errors import FileFormatError, UnsafeFileError
from kgraph.utils.pickle_scan import Limits
from kgraph.utils.restricted_pickle import load, loads

rng = np.random.default_rng(0)
ragged = np.empty(3, dtype=object)
ragged[:] = [[1, 2, 300, 70_000], [], [2**40, -1]]
VALUES = {
    "batch": {b"data": rng.integers(0, 256, (4, 12), dtype=np.uint8), b"labels": [6, 9, 9, 4]},
    "ragged": ragged,
    "equal": np.array([[1, 2], [3, 4]], dtype=object),
    "floats": rng.normal(size=(2, 3)),
    "columns": np.asfortranarray(rng.normal(size=(2, 3))),
    "strided": rng.normal(size=(4, 3))[::2],
    "empty": np.zeros((0, 3), np.int64),
    "scalar": np.array(5, np.int32),
    "bools": np.array([True, False]),
    "halves": np.ones(3, np.float16),
    "swapped": np.arange(3, dtype=">i4"),
    "plain": {"a": [1, 2.5, None, True, -(10**30)], "b": ("x", b"y", b"", "\u00e9"), "c": {}},
}


def same(found, wanted):
    """Whether two values are equal, arrays of one dtype, shape and order."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[k], wanted[k]) for k in wanted)
    if not isinstance(wanted, np.ndarray):
        return found == wanted and type(found) is type(wanted)
    return (
        found.dtype == wanted.dtype
        and found.flags.f_contiguous == wanted.flags.f_contiguous
        and found.shape == wanted.shape
        and found.tolist() == wanted.tolist()
    )


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", VALUES)
def test_what_python_writes(name, protocol):
    data = pickle.dumps(VALUES[name], protocol=protocol)
    # NumPy's own names were different before version 2.
    for written in (data, data.replace(b"numpy._core", b"numpy.core")):
        if written != data and protocol >= 4:
            continue  # lengths stand before names
        assert same(loads(written, "a"), pickle.loads(data))
    assert type(loads(data, "a")) is type(VALUES[name])


def text2(text):
    """How Python 2 writes a short string."""
    return b"U" + bytes([len(text)]) + text


def batch2(rows):
    """A CIFAR batch byte by byte as `cPickle` of Python 2 writes it with protocol 2."""
    pixels = bytes(range(256)) * (12 * rows)
    array = b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85",
            text2(b"b") + b"\x87Rq\x06(K\x01" + struct.pack("<BHBB", 77, rows, 77, 0)[:3],
            b"M\x00\x0c\x86cnumpy\ndtype\nq\x07" + text2(b"u1") + b"K\x00K\x01\x87Rq\x08(K\x03",
            text2(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<I", len(pixels)) + pixels + b"tb",
        ]
    )
    labels = b"]q\x03(" + b"".join(b"K" + bytes([i % 10]) for i in range(rows)) + b"e"
    return b"".join(
        [
            b"\x80\x02}q\x01(" + text2(b"batch_label") + b"q\x02",
            text2(b"training batch 1 of 5") + text2(b"labels") + labels + text2(b"data") + array,
            text2(b"filenames") + b"](" + text2(b"camion_s_000148.png") + b"eu.",
        ]
    )


def test_what_python_2_wrote(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(batch2(5))
    found = load(tmp_path / "data_batch_1", encoding="bytes")
    assert same(found, pickle.loads(batch2(5), encoding="bytes"))
    assert found[b"data"].shape == (5, 3072)
    assert same(loads(batch2(5), "a", encoding="latin1")["data"], np.asarray(found[b"data"]))


class Wish:
    """What a pickle is made to call."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "args"),
    [(os.system, ("touch evil",)), (builtins.eval, ("1",)), (builtins.exec, ("",)),
     (builtins.getattr, (1, "real")), (builtins.__import__, ("os",)), (builtins.bytearray, (9,)),
     (np.load, ("x",)), (np.fromfile, ("x",)), (np.frombuffer, (b"x",)), (pickle.loads, (b"",))],
)  # fmt: skip
def test_other_names_are_refused(function, args, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (Wish(function, *args), [1, {"a": (Wish(function, *args),)}]):
        data = pickle.dumps(value, protocol=protocol)
        with pytest.raises(UnsafeFileError, match=r"bad\.pkl is refused") as caught:
            loads(data, "bad.pkl")
        asked = [v for op, v, _ in pickletools.genops(data) if op.name == "GLOBAL"]
        named = asked[0].replace(" ", ".") if asked else f".{function.__name__}"
        assert named in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_names_inside_of_arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = np.empty(2, dtype=object)
    array[:] = [1, Wish(os.system, "touch evil")]
    for protocol in range(6):
        with pytest.raises(UnsafeFileError, match=r"asks for (posix|nt)\.system"):
            loads(pickle.dumps(array, protocol=protocol), "bad.pkl")
    nested = Wish(np._core.multiarray._reconstruct, np.ndarray, Wish(os.system, "touch evil"), b"b")
    with pytest.raises(UnsafeFileError, match=r"asks for (posix|nt)\.system"):
        loads(pickle.dumps(nested), "bad.pkl")
    assert os.listdir(tmp_path) == []


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00%bK\x00K\x01tR"
OBJECTS = DTYPE % b"O8"
BYTES = DTYPE % b"u1"
BUFFER = b"cnumpy.core.numeric\n_frombuffer\n"


@pytest.mark.parametrize(
    ("data", "wish"),
    [
        (b"(S'touch evil'\nios\nsystem\n.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"cos\nsystem\n(S'touch evil'\no.", "os.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x12ctypeslib.load_lib\x93.", "numpy.ctypeslib.load_lib"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "numpy.ndarray.__init__"),
        (b"c__main__\n__builtins__\n.", "__main__.__builtins__"),
        (b"\x82\x01.", "EXT1"),
        (b"Pid\n.", "PERSID"),
        (b"Nq\x00Q.", "BINPERSID"),
        (b"\x97.", "NEXT_BUFFER"),
        (b"\x8f.", "EMPTY_SET"),
        (b"N2.", "DUP"),
        (b"cnumpy\nndarray\n(K\x09tR.", "calling numpy.ndarray"),
        (b"cnumpy\nndarray\n}b.", "setting attributes of a function"),
        (b"cnumpy\ndtype\nN}(S'__call__'\nNu\x86b.", "setting attributes of a function"),
        (b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "bytes of a given length"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR.", "the codec 'hex'"),
        (b"c_codecs\nencode\n(C\x01aX\x04\x00\x00\x00utf8tR.", "the codec 'utf8'"),
        (ARRAY + b"(K\x01(K\x01t" + OBJECTS + b"\x89C\x08ABCDEFGHtb.", "data of another size"),
        (ARRAY + b"(K\x01(K\x09t" + BYTES + b"\x89C\x02ABtb.", "data of another size"),
        (ARRAY + b"(K\x01(J\xff\xff\xff\xfft" + BYTES + b"\x89C\x02ABtb.", "an array of shape"),
        (ARRAY + b"(K\x01NN\x89C\x02ABtb.", "an array with a bad shape"),
        (ARRAY + b"(K\x01(K\x02tN\x89C\x02ABtb.", "an array without a dtype"),
        (ARRAY + b"}b.", "an array of an unknown version"),
        (ARRAY + (b"(K\x01(K\x02t" + BYTES + b"\x89C\x02ABtb") * 2 + b".", "an array twice"),
        (BUFFER + b"(J\xff\xff\xff\x7f" + BYTES + b"K\x02\x85X\x01\0\0\0CtR.", "without data"),
        (BUFFER + b"(C\x02AB" + BYTES + b"K\x03\x85X\x01\0\0\0CtR.", "data of another size"),
        (BUFFER + b"(C\x08ABCDEFGH" + OBJECTS + b"K\x01\x85X\x01\0\0\0CtR.", "of another size"),
        (BUFFER + b"(C\x02AB" + BYTES + b"K\x02\x85X\x01\0\0\0CtR(K\x01tb.", "an array twice"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR.", "an array of an unknown class"),
        (DTYPE.replace(b"\x02", b"\x03") % b"V16" + b".", "arrays of dtype 'V16'"),
        (DTYPE % b"i3" + b"0.", "POP"),
        (ARRAY + b"(K\x01(K\x02t" + DTYPE % b"i3" + b"\x89C\x02ABtb.", "arrays of dtype 'i3'"),
        (OBJECTS + b"(K\x03X\x01\x00\x00\x00|N)}K\x08K\x01K\x00tb.", "a dtype with fields"),
        (OBJECTS + b"(K\x03X\x01\x00\x00\x00|C\x01xNNK\x08K\x01K\x00tb.", "a dtype with fields"),
        (OBJECTS + b"}b.", "arrays of a dtype with fields"),
    ],
    ids=lambda value: value.replace("'", "") if isinstance(value, str) else "",
)  # fmt: skip
def test_programs_that_no_pickler_writes(data, wish, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeFileError, match=r"bad\.pkl is refused") as caught:
        loads(data, "bad.pkl")
    assert wish in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"Nr\xff\xff\xff\x7f.",
        b"Np2147483647\n.",
        b"Np-1\n.",
        b"I" + b"9" * 5000 + b"\n.",
        b")" + b"\x85" * 10_000 + b".",
        b"(" + b"]" * 20_001 + b"l.",
        b"N" * 100_001,
    ],
    ids=["index", "text index", "negative", "digits", "deep", "lists", "size"],
)
def test_bombs(data):
    with pytest.raises(UnsafeFileError, match=r"bad\.pkl is refused: it has a pickle"):
        loads(data, "bad.pkl", limits=Limits(size=100_000, containers=20_000))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"N", b".", b"K", b"J\0\0", b"\x80", b"\x95\x01", b"S'a", b"cnumpy\n",
        b"X\x09\0\0\0ab.", b"B\xff\xff\xff\xffab.", b"T\xff\xff\xff\xffab.",
        b"\x8e" + b"\xff" * 8 + b"ab.", b"\x96" + b"\xff" * 7 + b"\x7f.",
        b"\x95" + b"\xff" * 7 + b"\x7fN.", b"h\x07.", b"g7\n.", b"a.", b"R.", b"}]Ns.",
        b"Ix\n.", b"N.more", b"(K\x01t}b.",
    ],
    ids=lambda content: f"{len(content)} bytes",
)  # fmt: skip
def test_damaged_pickles(data):
    with pytest.raises(FileFormatError):
        loads(data, "bad.pkl")


GENUINE = [pickle.dumps(VALUES["ragged"], protocol=p) for p in range(6)] + [batch2(1)]


CHANGES = st.tuples(st.integers(0, 10**6), st.integers(0, 2), st.binary(max_size=3))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(GENUINE), st.lists(CHANGES, min_size=1, max_size=4))
def test_changed_pickles_are_read_or_refused(data, changes):
    changed = bytearray(data)
    for place, removed, added in changes:
        place %= len(changed) + 1
        changed[place : place + removed] = added
    with contextlib.suppress(FileFormatError):
        loads(bytes(changed), "bad.pkl", encoding="bytes")
