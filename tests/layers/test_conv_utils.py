"""Keras 2's window helpers: formulas of its documentation."""

import pytest

from kgraph.layers import Conv2D, Conv2DTranspose
from kgraph.utils import conv_utils


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_lengths_are_those_of_the_layers(size, stride):
    for padding in ("same", "valid"):
        layer = Conv2D(1, size, stride, padding)
        found = conv_utils.conv_output_length(9, size, padding, stride)
        assert layer.compute_output_shape((None, 9, 9, 1))[1] == found
        if padding == "valid" or size % 2:
            back = conv_utils.conv_input_length(found, size, padding, stride)
            assert conv_utils.conv_output_length(back, size, padding, stride) == found
        for more in (None, *range(stride)):
            layer = Conv2DTranspose(1, size, stride, padding, more)
            found = conv_utils.deconv_output_length(9, size, padding, more, stride)
            assert layer.compute_output_shape((None, 9, 9, 1))[2] == found


def test_full_and_unknown():
    assert conv_utils.conv_output_length(5, 3, "full", 1) == 7
    assert conv_utils.conv_input_length(7, 3, "full", 1) == 5
    assert conv_utils.deconv_output_length(7, 3, "full") == 5
    assert conv_utils.deconv_output_length(4, 3, "full", 1, stride=2) == 6
    for function in (conv_utils.conv_output_length, conv_utils.conv_input_length):
        assert function(None, 3, "same", 1) is None
    assert conv_utils.deconv_output_length(None, 3, "same") is None


def test_arguments():
    assert conv_utils.normalize_padding("Causal") == "causal"
    assert conv_utils.normalize_tuple(2, 2, "strides") == (2, 2)
    assert conv_utils.normalize_data_format(None) == "channels_last"
    with pytest.raises(ValueError, match="`padding` argument must be one of"):
        conv_utils.normalize_padding("none")
