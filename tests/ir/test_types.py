"""Types, promotion and broadcasting, compared with NumPy's where the two agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgraph.errors import InferenceError, ParseError
from kgraph.ir import Dim, TensorType, as_array, promote
from kgraph.ir.types import DTYPES, PROMOTION, broadcast_shapes, canonical_dtype, parse_type

B = Dim.symbol("batch")
# An int with a float stays in the float's dtype, where NumPy widens it.
WIDENED_BY_NUMPY = {
    frozenset(pair)
    for pair in [
        ("int32", "float32"),
        ("int64", "float32"),
        ("int32", "float16"),
        ("int64", "float16"),
    ]
}


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_promotion_table_is_numpys_apart_from_ints_with_floats(a, b):
    kgraph, numpy = promote(a, b), np.promote_types(a, b).name
    assert PROMOTION[a, b] == PROMOTION[b, a] == kgraph
    if frozenset((a, b)) in WIDENED_BY_NUMPY:
        assert kgraph in (a, b)
        assert kgraph.startswith("float")
    else:
        assert kgraph == numpy


@given(st.lists(st.sampled_from(list(DTYPES)), min_size=1, max_size=5))
def test_promotion_does_not_depend_on_the_order(dtypes):
    assert promote(*dtypes) == promote(*reversed(dtypes)) == promote(*sorted(dtypes))
    assert ("float64" in dtypes) == (promote(*dtypes) == "float64")


SIZES = st.sampled_from([0, 1, 2, 3, 7])


@given(st.lists(st.lists(SIZES, max_size=4).map(tuple), min_size=1, max_size=3))
def test_broadcasting_is_numpys(shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(InferenceError, match="could not be broadcast"):
            broadcast_shapes(*shapes)
        return
    assert broadcast_shapes(*shapes) == expected


def test_symbols_never_stretch():
    assert broadcast_shapes((B, 1), (1, 3)) == (B, 3)
    assert broadcast_shapes((B,), ()) == (B,)
    assert broadcast_shapes((B, 3), (B, 1)) == (B, 3)
    for other in ((2,), (Dim.symbol("n"),), (B + 1,)):
        with pytest.raises(InferenceError, match=r"\(batch\)"):
            broadcast_shapes((B,), other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (B, 0), (2 * B - 1, Dim.symbol("n") * B, 5)])
def test_print_and_parse(shape, dtype):
    type_ = TensorType(shape, dtype)
    assert parse_type(str(type_)) == type_
    assert hash(parse_type(str(type_))) == hash(type_)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f32",
        "f32[",
        "f32[1",
        "f33[1]",
        "f32[,]",
        "f32[1,]",
        "f32[a b]",
        "float32[2]",
        "[2]",
        "f32[2]]",
    ],
)
def test_what_is_not_a_type(text):
    with pytest.raises(ParseError):
        parse_type(text)


@pytest.mark.parametrize("shape", [(-1,), (True,), (1.0,), ("a",), (None,), (np.int64(3),)])
def test_shapes_that_are_refused(shape):
    with pytest.raises(InferenceError):
        TensorType(shape, "float32")


def test_properties():
    type_ = TensorType((B, 3), "float16")
    assert (type_.ndim, type_.size, type_.itemsize, type_.is_float) == (2, 3 * B, 2, True)
    assert type_.bind({"batch": 4}) == TensorType((4, 3), "float16")
    assert str(type_.with_dtype("int64").with_shape(())) == "i64[]"


@pytest.mark.parametrize("dtype", DTYPES)
def test_spellings_of_dtypes(dtype):
    spellings = (
        dtype,
        DTYPES[dtype],
        np.dtype(dtype),
        np.dtype(dtype).type,
        np.dtype(dtype).newbyteorder(">"),
    )
    assert {canonical_dtype(spelling) for spelling in spellings} == {dtype}


@pytest.mark.parametrize("dtype", ["complex64", "str", "float8", "", None.__class__, "int128"])
def test_unknown_dtypes(dtype):
    with pytest.raises(InferenceError, match="unknown dtype"):
        canonical_dtype(dtype)
    with pytest.raises(InferenceError, match="unknown dtype"):
        TensorType((), "complex64")


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "int32"),
        (True, "bool"),
        (1.5, "float32"),
        (2**31, "int64"),
        (-(2**31) - 1, "int64"),
        (-(2**31), "int32"),
        (-(2**63), "int64"),
        ([1, 2.5], "float32"),
        ([], "float32"),
        (np.float64(2), "float32"),
        (np.float64([2]), "float64"),
        (np.int8(-3), "int32"),
        (np.uint32([7]), "int64"),
        (np.uint16([7]), "int32"),
        (np.int16([7]), "int32"),
        (np.array([1.0], ">f4"), "float32"),
        (np.float16(1), "float16"),
    ],
)
def test_dtypes_of_values(value, dtype):
    array = as_array(value)
    assert array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(array, np.asarray(value))


def test_python_numbers_take_the_dtype_beside_them():
    assert as_array(1, like="float16").dtype == np.float16
    assert as_array(1.5, like="int32").dtype == np.float32
    assert as_array(3, like="uint8").dtype == np.uint8


@pytest.mark.parametrize("value", ["a", None, object(), 1j, [[1], [2, 3]], 2**70, {}])
def test_values_that_are_no_tensor(value):
    with pytest.raises(ValueError):
        as_array(value)
