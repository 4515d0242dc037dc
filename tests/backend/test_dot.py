"""K.dot and K.batch_dot: every case of axes."""

import numpy as np
import pytest
from both_ways import both, normal

from kgraph import backend as K


@pytest.mark.parametrize(("a", "b"), [
    ((2, 3), (3, 4)), ((2, 5, 3), (3, 4)), ((2, 3), (5, 3, 4)),
    ((2, 6, 3), (5, 3, 4)), ((3,), (3, 4)),
])  # fmt: skip
def test_dot(a, b):
    x, y = normal(*a), normal(*b, seed=1)
    np.testing.assert_allclose(both(K.dot, x, y), np.dot(x, y), rtol=1e-5, atol=1e-6)


CASES = [
    ((2, 3), (2, 3), 1, "bi,bi->b"), ((2, 3), (2, 3), None, "bi,bi->b"),
    ((2, 3, 4), (2, 4, 5), None, "bij,bjk->bik"), ((2, 3, 4), (2, 4), None, "bij,bj->bi"),
    ((2, 4), (2, 4, 5), (1, 1), "bj,bjk->bk"), ((2, 4), (2, 5, 4), (1, 2), "bj,bkj->bk"),
    ((2, 3, 4), (2, 5, 4), 2, "bij,bkj->bik"), ((2, 3, 4), (2, 3, 5), 1, "bij,bik->bjk"),
    ((2, 3, 4), (2, 5, 3), (1, 2), "bij,bki->bjk"), ((2, 3, 4), (2, 5, 4), -1, "bij,bkj->bik"),
    ((2, 3, 4, 5), (2, 5, 6), (3, 1), "bijk,bkl->bijl"),
    ((2, 3, 4, 5), (2, 6, 4, 7), (2, 2), "bijk,bljm->biklm"),
    ((2, 3, 4, 5), (2, 6, 5, 7), None, "bijk,blkm->bijlm"),
]  # fmt: skip


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize(("a", "b", "axes", "letters"), CASES)
def test_batch_dot(a, b, axes, letters, unknown):
    x, y = normal(*a), normal(*b, seed=1)
    found = both(lambda p, q: K.batch_dot(p, q, axes), x, y, batch=unknown)
    expected = np.einsum(letters, x, y)
    expected = expected[:, None] if expected.ndim == 1 else expected
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("axes", "message"), [
    (0, "axis 0"), ((1, 0), "axis 0"), (((1, 2), 1), "one axis"), ((1, 2, 3), "one axis"),
    (1, "differ"),
])  # fmt: skip
def test_batch_dot_refuses(axes, message):
    with pytest.raises(ValueError, match=message):
        K.batch_dot(normal(2, 3, 4), normal(2, 5, 4), axes)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match="two of y"):
        K.dot(normal(2, 3), normal(3))
    with pytest.raises(ValueError, match="two axes"):
        K.batch_dot(normal(2), normal(2))
