"""Windows: TensorFlow's padding, sizes of outputs, sizes that are not known yet."""

import pytest

from kgraph.errors import InferenceError
from kgraph.ir import Dim, evaluate
from kgraph.ops.windows import normalize_tuple, windows

N = Dim.symbol("n")


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("padding", ["same", "valid", "causal", ((1, 2),)])
def test_counts_and_pairs(size, stride, dilation, padding):
    given = windows(size, stride, padding, dilation)
    extent = dilation * (size - 1) + 1
    symbolic = given.on((N,))
    assert (symbolic.padding == ("same",)) == (padding == "same" and stride > 1)
    for n in range(1, 14):
        found = given.on((n,))
        ((before, after),) = found.pairs
        places = [i for i in range(-before, n + after) if i + extent <= n + after]
        starts = places[::stride]
        if not starts:
            with pytest.raises(InferenceError, match="zero or negative"):
                found.count((n,))
            continue
        assert found.count((n,)) == (len(starts),)
        assert given.count((n,)) == (len(starts),)
        assert evaluate(symbolic.count((N,))[0], {"n": n}) == len(starts)
        if padding in ("same", "causal"):
            assert len(starts) == -(-n // stride)
        if padding == "same":
            assert before in (after, after - 1)
            needed = (len(starts) - 1) * stride + extent - n
            assert before + after == max(needed, 0)


def test_numbers_of_tensorflow():
    assert windows(3, 2, "same").on((4,)).pairs == ((0, 1),)
    assert windows(2, 1, "same").on((4,)).pairs == ((0, 1),)
    assert windows((3, 5), (2, 1), "same").padding == ("same", (2, 2))
    assert windows(3, 2, "same").on((0,)).count((0,)) == (0,)


def test_text_of_an_unknown_count():
    assert repr(windows(3, 2, "same").count((N,))[0]) == "((n+1)//2)"
    assert repr(windows(3, 2, "valid").count((N,))[0]) == "((n+1)//2)-1"
    with pytest.raises(InferenceError, match="only when the input's size is known"):
        _ = windows(3, 2, "same").pairs


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), 1.5, "12", (1, True), None, (1.0, 2)])
def test_what_is_not_a_tuple_of_ints(value):
    with pytest.raises(ValueError, match=r"The `strides` argument must be a tuple of 2 integers"):
        windows((3, 3), value)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`dilation_rate` argument .* >= 1. Received: 0"):
        windows(3, dilation=0)
    with pytest.raises(ValueError, match="one of 'valid', 'same', 'causal'"):
        windows(3, padding="full")
    with pytest.raises(ValueError, match="must not be negative"):
        windows(3, padding=((-1, 0),))
    with pytest.raises(ValueError, match="must have 2 pairs"):
        windows((3, 3), padding=((1, 0),))
    assert normalize_tuple(0, 2, "output_padding", allow_zero=True) == (0, 0)
    assert normalize_tuple([2, 3], 2, "x") == (2, 3)
