"""`resize` against JAX: nearest and bilinear, up and down, by factors or not, sizes unknown."""

import jax
import numpy as np
import pytest
from jax_oracle import check_agree, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, Graph, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(6, 10), (4, 7), (2, 3), (3, 9)])
def test_resize_is_jax_s(kind, size):
    check_agree(
        lambda x: ops.resize(x, size, kind),
        lambda x: jax.image.resize(x, (2, *size, 2), kind, antialias=False),
        RNG.normal(size=(2, 3, 5, 2)),
    )


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
def test_sizes_may_be_unknown(kind):
    n = Dim.symbol("n")
    x = input_node((1, n, 4, 2), name="x")
    y = ops.resize(x, (n * 2, 3), kind)
    down = ops.resize(x, (5, n), kind)
    graph = Graph((x,), (("y", y), ("down", down), ("g", grad(y * y, [x])[0])))
    executable = compile(graph)
    for rows in (3, 1, 8):
        fed = RNG.normal(size=(1, rows, 4, 2)).astype("float32")
        y, down, slope = executable(fed)
        np.testing.assert_allclose(y, ops.resize(fed, (2 * rows, 3), kind), 1e-5, 1e-6)
        np.testing.assert_allclose(down, ops.resize(fed, (5, rows), kind), 1e-5, 1e-6)
        assert slope.shape == fed.shape


def test_any_axes_and_dtypes():
    x = np.arange(6).reshape(2, 3)
    assert ops.resize(x, (6,), "nearest", axes=(-1,))[0].tolist() == [0, 0, 1, 1, 2, 2]
    assert ops.resize(x, (1, 3), "nearest", axes=(0, 1)).dtype == "int64"
    found = run(ops.resize, RNG.normal(size=(1, 2, 2, 1)).astype("float16"), size=(4, 4))
    assert (found.dtype, found.shape) == ("float16", (1, 4, 4, 1))


def test_errors():
    x = np.ones((1, 2, 2, 1))
    with pytest.raises(InferenceError, match="interpolation must be one of nearest, bilinear"):
        ops.resize(x, (4, 4), "cubic")
    with pytest.raises(InferenceError, match="1 sizes for 2 axes"):
        ops.resize(x, (4,))
