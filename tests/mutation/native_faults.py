"""Mutants of native kernels: C that is nearly what NumPy computes."""

from __future__ import annotations

from typing import Any

from mutants import mutant

from kgraph import ops
from kgraph.ops import pool_routines, routines
from kgraph.runtime import c_compiler, c_source, native

TESTS = ("runtime/test_native.py",)
ROUTINES = ("runtime/test_native_routines.py",)


@mutant("products-and-sums-are-contracted", *TESTS)
def products_and_sums_are_contracted() -> None:
    """`a * b + c` rounds once."""
    options = [o for o in c_compiler.OPTIONS if not o.startswith("-ffp-contract")]
    c_compiler.OPTIONS = (*options, "-ffp-contract=fast")


@mutant("c-does-not-honour-nan", *TESTS)
def c_does_not_honour_nan() -> None:
    """The compiler may take every number for finite."""
    c_compiler.OPTIONS = (*c_compiler.OPTIONS, "-ffinite-math-only")


@mutant("a-column-is-read-as-a-row", *TESTS)
def a_column_is_read_as_a_row() -> None:
    """What broadcasts along the columns is indexed by them."""
    c_source._INDEX[True, False] = "k"


@mutant("relu-grad-passes-at-zero", *TESTS)
def relu_grad_passes_at_zero() -> None:
    """The slope of relu at 0 is 1."""
    ops.relu_grad.c = "{1} >= 0 ? {0} : 0"


@mutant("absolute-value-keeps-minus-zero", *TESTS)
def absolute_value_keeps_minus_zero() -> None:
    """-0.0 is not below 0."""
    ops.abs.c = "{0} < 0 ? -{0} : {0}"


@mutant("addresses-of-other-arrays-are-kept", *TESTS)
def addresses_of_other_arrays_are_kept() -> None:
    """A kernel writes where it wrote the first time."""
    original = native.NativeKernel.__call__

    def call(self: Any, *arrays: Any) -> None:
        self.first = getattr(self, "first", arrays)
        original(self, *self.first)

    native.NativeKernel.__call__ = call  # type: ignore[method-assign]


@mutant("later-channels-have-the-weights-of-the-first", *ROUTINES)
def later_channels_have_the_weights_of_the_first() -> None:
    """Where channels are cut, weights are read from the start."""
    routines._HEAD = routines._HEAD.replace("arrays[1] + start", "arrays[1]")


@mutant("sums-of-a-strip-go-on-in-the-next", *ROUTINES)
def sums_of_a_strip_go_on_in_the_next() -> None:
    """Only the first strip of a row starts its sums afresh."""
    routines._PRODUCTS = routines._PRODUCTS.replace("(i + j + k == 0)", "(strip + i + j + k == 0)")


@mutant("sums-start-at-zero", *ROUTINES)
def sums_start_at_zero() -> None:
    """0.0 + -0.0 is 0.0."""
    routines._SUMS = routines._SUMS.replace("sum = from", "sum = 0 + from")


@mutant("windows-come-from-the-first", *ROUTINES)
def windows_come_from_the_first() -> None:
    """A place gets its cotangents in the order of the windows, not of their cells."""
    forwards = "w = 0; w < windows; w++"
    text = pool_routines._TEXT.replace("w = windows - 1; w >= 0; w--", forwards)
    pool_routines._TEXT = text


@mutant("cells-in-the-padding-tie", *ROUTINES)
def cells_in_the_padding_tie() -> None:
    """What lies in the padding equals the smallest of all largest."""
    original = pool_routines._TEXT.format
    pool_routines._TEXT = _Padded(original)  # type: ignore[assignment]


class _Padded:
    """A text whose padding is the lowest number."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def format(self, **parts: Any) -> str:
        return str(self.original(**{**parts, "nothing": "-INFINITY"}))
