"""Batches that agree, and what keras-preprocessing 1.1.2 makes today's SciPy and Pillow say."""

import numpy as np
import pytest

KERAS2_WARNINGS = [
    pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated"),
]


def assert_same(found, expected, tolerance=0.0):
    """Batches agree, to the bit without a tolerance: one array, or tuples and lists of them."""
    if isinstance(expected, (tuple, list)):
        assert type(found) is type(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs, tolerance)
        return
    assert found.dtype == expected.dtype
    if tolerance:
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(found, expected)
