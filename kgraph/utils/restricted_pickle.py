"""Reads pickles of plain values and NumPy arrays, and of nothing else.

A pickle is a program. This reader lets it name a handful of things, none of which is the real
one: each name stands for a function of this file that builds an array or its type from checked
values. Before the program runs, `pickle_scan` goes through it and bounds what it could claim.
Numbers, strings, lists, dictionaries, and arrays of numbers or of such objects are what can come
out; that is what the public data sets hold that are published as pickles.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from kgraph.errors import FileFormatError, explain
from kgraph.utils.pickle_scan import Limits, refuse, scan

_CODECS = ("latin1", "latin-1", "ascii", "utf-8", "utf8")
_NUMBERS = re.compile(r"[<>|=]?[biuf]\d{1,2}")


class _RefusedError(Exception):
    """What the pickle wants is not allowed; the message says what it is."""


class _Maker:
    """A function under a name that pickles know, without the attributes that could be set."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setattr__(self, name: str, value: Any) -> None:
        raise _RefusedError(f"setting {name} of a function")

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("setting attributes of a function")


class _Dtype:
    """The type of an array's elements: kind and size, and the byte order, which comes later."""

    __slots__ = ("code",)

    def __init__(self, code: Any, *flags: Any) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not (isinstance(text, str) and (_NUMBERS.fullmatch(text) or text in ("O", "O8", "O4"))):
            raise _RefusedError(f"arrays of dtype {code!r:.80}")
        self.code = "O" if text.startswith("O") else text

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) >= 8 else None
        order = order.decode("ascii", "replace") if isinstance(order, bytes) else order
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise _RefusedError("arrays of a dtype with fields")
        if self.code != "O" and order != "|":
            self.code = order + self.code.lstrip("<>|=")

    def real(self) -> np.dtype:
        """NumPy's own dtype."""
        try:
            return np.dtype(self.code)
        except TypeError as error:
            raise _RefusedError(f"arrays of dtype {self.code!r}") from error


class _Array(np.ndarray):
    """An array under construction, whose state is set once, and checked before NumPy sees it."""

    _complete: bool

    def __setstate__(self, state: Any, *_: Any) -> None:
        if getattr(self, "_complete", False):
            raise _RefusedError("setting an array twice")
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise _RefusedError("an array of an unknown version")
        shape, dtype, fortran, data = state[-4:]
        if isinstance(data, str):  # what Python 2 wrote, read with encoding="latin1"
            data = data.encode("latin1")
        real = _check(shape, dtype, data)
        checked: Any = (1, shape, real, bool(fortran), data)
        super().__setstate__(checked)
        self._complete = True


def _check(shape: Any, dtype: Any, data: Any) -> np.dtype:
    """The dtype of an array whose parts fit each other."""
    if not isinstance(shape, tuple) or len(shape) > 32:
        raise _RefusedError("an array with a bad shape")
    if not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise _RefusedError(f"an array of shape {shape!r:.80}")
    if not isinstance(dtype, _Dtype):
        raise _RefusedError("an array without a dtype")
    real = dtype.real()
    kind = list if real.hasobject else bytes
    step = 1 if real.hasobject else real.itemsize
    if not isinstance(data, kind) or len(data) != math.prod(shape) * step:
        raise _RefusedError(f"an array of shape {shape!r:.80} with data of another size")
    return real


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """What arrays begin as: empty, until their state is set."""
    if kind is not _NDARRAY:
        raise _RefusedError("an array of an unknown class")
    return np.ndarray.__new__(_Array, (0,), dtype="b")


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    """What protocol 5 writes for arrays without gaps."""
    if not isinstance(data, (bytes, bytearray)):
        raise _RefusedError("an array without data")
    real = _check(shape, dtype, bytes(data))
    flat = np.frombuffer(data, real) if data else np.empty(0, real)
    array = flat.reshape(shape, order="F" if order == "F" else "C").copy(order="K").view(_Array)
    array._complete = True
    return array


def _encode(text: Any, codec: Any = "utf-8") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or codec not in _CODECS:
        raise _RefusedError(f"the codec {codec!r:.80}")
    return text.encode(codec)


def _empty_bytes(*args: Any) -> bytes:
    """How protocols 0 to 2 write the empty bytes."""
    if args:
        raise _RefusedError("bytes of a given length")
    return b""


def _no_array(*args: Any) -> Any:
    raise _RefusedError("calling numpy.ndarray")


_NDARRAY = _Maker(_no_array)
_NAMES: dict[tuple[str, str], _Maker] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Maker(_Dtype),
    ("numpy.core.multiarray", "_reconstruct"): _Maker(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): _Maker(_reconstruct),
    ("numpy.core.numeric", "_frombuffer"): _Maker(_frombuffer),
    ("numpy._core.numeric", "_frombuffer"): _Maker(_frombuffer),
    ("_codecs", "encode"): _Maker(_encode),
    ("__builtin__", "bytes"): _Maker(_empty_bytes),
    ("builtins", "bytes"): _Maker(_empty_bytes),
}


class RestrictedUnpickler(pickle.Unpickler):
    """Python's unpickler with a closed list of names.

    Args:
        file: the pickle.
        encoding: of the strings that Python 2 wrote; "bytes" leaves them as bytes.

    Example:
        >>> RestrictedUnpickler(io.BytesIO(pickle.dumps([1, "a"]))).load()
        [1, 'a']
    """

    def __init__(self, file: Any, encoding: str = "ASCII") -> None:
        super().__init__(file, fix_imports=False, encoding=encoding, errors="strict")

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of an allowed name; every other name is refused."""
        if (module, name) not in _NAMES:
            raise _RefusedError(f"{module}.{name}"[:200])
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refused: there is nothing that a pickle may refer to."""
        raise _RefusedError("an object of another file")


def loads(data: bytes, name: str, encoding: str = "ASCII", limits: Limits | None = None) -> Any:
    """Reads a pickle of plain values and arrays.

    Args:
        data: the pickle.
        name: the file that it comes from, for messages.
        encoding: of the strings that Python 2 wrote; "bytes" leaves them as bytes.
        limits: what the pickle may claim.

    Returns:
        Its value. Arrays inside of lists are of a subclass of `numpy.ndarray`.

    Raises:
        UnsafeFileError: it names something else than arrays, or exceeds the limits.
        FileFormatError: it is damaged.

    Example:
        >>> loads(pickle.dumps({"x": np.arange(3)}), "x.pkl")["x"].tolist()
        [0, 1, 2]
        >>> loads(b"cos\\nsystem\\n(S'ls'\\ntR.", "x.pkl")
        Traceback (most recent call last):
        kgraph.errors.UnsafeFileError: x.pkl is refused: its pickle asks for os.system
          ...
    """
    scan(data, name, _NAMES, limits or Limits())
    file = io.BytesIO(data)
    try:
        value = RestrictedUnpickler(file, encoding).load()
    except _RefusedError as refusal:
        raise refuse(name, refusal) from None
    except Exception as error:
        # A damaged pickle fails in any way: as a stack that is empty, a key that has no hash, ...
        raise FileFormatError(
            explain(f"{name} is no readable pickle", got=f"{type(error).__name__}: {error}")
        ) from error
    if file.tell() != len(data):
        raise FileFormatError(explain(f"{name}: {len(data) - file.tell()} bytes follow its pickle"))
    return value.view(np.ndarray) if isinstance(value, _Array) else value


def load(
    path: str | os.PathLike[str], encoding: str = "ASCII", limits: Limits | None = None
) -> Any:
    """Reads a file that is a pickle of plain values and arrays.

    Args:
        path: the file.
        encoding: of the strings that Python 2 wrote; "bytes" leaves them as bytes.
        limits: what the pickle may claim.

    Returns:
        Its value.

    Raises:
        UnsafeFileError: it names something else than arrays, or exceeds the limits.
        FileFormatError: it is damaged.

    Example:
        >>> with open("batch", "wb") as file:
        ...     pickle.dump({b"labels": [3, 1]}, file)
        >>> load("batch", encoding="bytes")
        {b'labels': [3, 1]}
    """
    limits, name = limits or Limits(), os.fspath(path)
    with open(name, "rb") as file:
        data = file.read(limits.size + 1)
    return loads(data, name, encoding, limits)
