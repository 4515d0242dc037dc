"""One call of K in both ways: on arrays, and on placeholders that are fed with them."""

import numpy as np

from kgraph import backend as K


def both(function, *arrays, batch=False):
    """Checks that a function of tensors gives the same on arrays and in a graph; returns it.

    Shapes have to be static too: those of the graph are those of the result.
    """
    eager = function(*arrays)
    shapes = [(None, *a.shape[1:]) if batch and a.ndim else a.shape for a in arrays]
    inputs = [K.placeholder(s, dtype=a.dtype.name) for s, a in zip(shapes, arrays)]
    output = function(*inputs)
    (symbolic,) = K.function(inputs, [output])(list(arrays))
    static = K.int_shape(output)
    assert len(static) == symbolic.ndim
    assert all(d in (None, n) for d, n in zip(static, symbolic.shape))
    assert static[1:] == symbolic.shape[1:] or not batch
    assert symbolic.dtype == np.asarray(eager).dtype
    np.testing.assert_allclose(symbolic, eager, rtol=2e-6, atol=1e-6)
    return symbolic


def normal(*shape, dtype="float32", seed=0):
    """Normally distributed numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
