"""Convolution and its gradients against JAX, NumPy loops, and the numbers of the specification."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, Graph, TensorType, input_node, toposort
from kgraph.ir.leaves import const
from kgraph.ops import depthwise, patches
from kgraph.ops.windows import windows
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

LAYOUT = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def draw(rng, ndim):
    """Shapes and attributes of a convolution."""
    groups = int(rng.choice([1, 1, 2, 3]))
    seen, filters = int(rng.choice([1, 2, 9])), groups * int(rng.choice([1, 2, 5]))
    size = tuple(int(rng.integers(1, 4)) for _ in range(ndim))
    dilation = tuple(int(rng.integers(1, 3)) for _ in range(ndim))
    least = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    sizes = tuple(n + int(rng.integers(0, 5 if ndim < 3 else 3)) for n in least)
    pairs = tuple((int(rng.integers(0, 4)), int(rng.integers(0, 3))) for _ in range(ndim))
    attrs = {
        "strides": tuple(int(rng.integers(1, 4)) for _ in range(ndim)),
        "padding": pairs if rng.random() < 0.5 else str(rng.choice(["same", "valid"])),
        "dilation": dilation,
        "groups": groups,
    }
    batch = int(rng.integers(1, 4))
    return (batch, *sizes, seen * groups), (*size, seen, filters), attrs


def by_jax(x, kernel, attrs):
    padding = attrs["padding"]
    return lax.conv_general_dilated(
        x,
        kernel,
        attrs["strides"],
        padding.upper() if isinstance(padding, str) else padding,
        rhs_dilation=attrs["dilation"],
        dimension_numbers=LAYOUT[x.ndim - 2],
        feature_group_count=attrs["groups"],
    )


def by_loops(x, kernel, attrs):
    """The definition, one cell of the window after the other."""
    size, groups = kernel.shape[:-2], attrs.get("groups", 1)
    given = windows(size, attrs.get("strides", 1), attrs["padding"], attrs.get("dilation", 1))
    given = given.on(x.shape[1:-1])
    counts = given.count(x.shape[1:-1])
    padded = np.pad(x, [(0, 0), *given.pairs, (0, 0)])
    parts = np.split(padded, groups, -1), np.split(kernel, groups, -1)
    found = 0
    for tap in np.ndindex(*size):
        cuts = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, given.dilation, given.strides, counts, strict=True)
        )
        seen = [p[(slice(None), *cuts)] @ k[tap] for p, k in zip(*parts, strict=True)]
        found = found + np.concatenate(seen, -1)
    return found


@pytest.mark.parametrize("seed", range(15))
def test_values_and_gradients_like_jax(seed):
    rng = np.random.default_rng(seed)
    x_shape, k_shape, attrs = draw(rng, seed % 3 + 1)
    x, kernel = rng.normal(size=x_shape), rng.normal(size=k_shape)
    x, kernel = x.astype("float32"), kernel.astype("float32")
    expected, back = jax.vjp(lambda a, b: by_jax(a, b, attrs), jnp.asarray(x), jnp.asarray(kernel))
    g = rng.normal(size=expected.shape).astype("float32")
    by_x, by_kernel = back(jnp.asarray(g))
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(ops.conv.apply((x, kernel), **attrs), expected, **close)
    found = ops.conv_input_grad(g, kernel, x.shape[1:-1], **attrs)
    np.testing.assert_allclose(found, by_x, **close)
    found = ops.conv_filter_grad(x, g, kernel.shape[:-2], **attrs)
    np.testing.assert_allclose(found, by_kernel, **close)


def check_by_loops(x_shape, k_shape, attrs, dtype="float64"):
    """All three ops against the definition; the gradients through <g, conv(x, k)>."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=x_shape).astype(dtype), rng.normal(size=k_shape).astype(dtype)
    expected = by_loops(x, kernel, attrs)
    np.testing.assert_allclose(ops.conv.apply((x, kernel), **attrs), expected, atol=1e-9)
    g = rng.normal(size=expected.shape)
    dx, dk = rng.normal(size=x_shape), rng.normal(size=k_shape)
    found = np.sum(ops.conv_input_grad(g, kernel, x.shape[1:-1], **attrs) * dx)
    np.testing.assert_allclose(found, np.sum(by_loops(dx, kernel, attrs) * g), atol=1e-8)
    found = np.sum(ops.conv_filter_grad(x, g, kernel.shape[:-2], **attrs) * dk)
    np.testing.assert_allclose(found, np.sum(by_loops(x, dk, attrs) * g), atol=1e-8)


GRID = itertools.product((1, 2), (1, 2, 3), (1, 2), ("same", "valid", ((1, 2), (0, 1))), range(5))
CHANNELS = [(1, 16, 1), (24, 2, 1), (4, 4, 4), (3, 6, 3), (4, 6, 2)]  # channels, filters, groups


@pytest.mark.parametrize(("high", "stride", "dilation", "padding", "channels"), list(GRID))
def test_every_combination(high, stride, dilation, padding, channels):
    c, f, groups = CHANNELS[channels]
    attrs = {"strides": (stride, 1), "padding": padding, "dilation": (1, dilation)}
    check_by_loops((2, 5, 6, c), (high, 3, c // groups, f), {**attrs, "groups": groups})


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("channels", "filters", "groups"), CHANNELS)
def test_blocks_of_rows_and_of_images(monkeypatch, channels, filters, groups, padding):
    for limit in (1, 1500, 6000):
        for module, name in ((patches, "BLOCK"), (patches, "_LARGEST"), (depthwise, "_BLOCK")):
            monkeypatch.setattr(module, name, limit)
        for module in ("convolution_kernels", "phases"):
            monkeypatch.setattr(f"kgraph.ops.{module}.BLOCK", limit)
        for stride in (1, 2):
            attrs = {"padding": padding, "strides": stride, "groups": groups}
            check_by_loops((5, 7, 4, channels), (3, 2, channels // groups, filters), attrs)


@pytest.mark.parametrize("channels", [3, 32])
def test_buffers_stay_small(channels):
    images = TensorType((64, 300, 300, channels), "float32")
    kernel = TensorType((5, 5, channels, 32), "float32")
    attrs = {"strides": (1, 1), "padding": ((2, 2),) * 2, "dilation": (1, 1), "groups": 1}
    outputs = ops.conv.infer(images, kernel, **attrs)
    for op, types, own in (
        (ops.conv, (images, kernel), {}),
        (ops.conv_input_grad, (outputs, kernel), {"sizes": (300, 300)}),
        (ops.conv_filter_grad, (images, outputs), {"size": (5, 5)}),
    ):
        needed = sum(t.nbytes for t in op.scratch(*types, **attrs, **own))
        assert needed < 4 << 20


def test_a_window_of_few_channels_and_many_filters():
    check_by_loops((2, 5, 5, 1), (3, 3, 1, 16), {"padding": "same"})
    check_by_loops((2, 5, 5, 1), (3, 3, 1, 20), {"padding": ((4, 4), (3, 5)), "strides": 2})


@pytest.mark.parametrize("padding", ["same", "valid", ((0, 5),), ((5, 0),)])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
def test_phases_of_images(stride, dilation, padding):
    for size in (1, 2, 4):
        for length in (dilation * (size - 1) + 1, 15):
            attrs = {"strides": stride, "dilation": dilation, "padding": padding}
            check_by_loops((2, length, 3), (size, 3, 3), attrs)


def golden(size, stride, padding, x):
    kernel = np.ones((size, 1, 1), "float32")
    return ops.conv(np.reshape(x, (1, -1, 1)), kernel, stride, padding).ravel().tolist()


def test_numbers_of_tensorflow():
    x = np.arange(4, dtype="float32")
    assert golden(3, 2, "same", x) == [3, 5]
    assert golden(2, 1, "same", x) == [1, 3, 5, 3]
    assert golden(2, 1, "causal", x) == [0, 1, 3, 5]


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(batch, groups):
    x, kernel = np.ones((batch, 5, 5, 4), "float32"), np.ones((3, 3, 4 // groups, 4), "float32")
    y = ops.conv(x, kernel, groups=groups)
    assert y.shape == (batch, 3, 3, 4)
    assert ops.conv_input_grad(y, kernel, (5, 5), groups=groups).shape == x.shape
    found = ops.conv_filter_grad(x, y, (3, 3), groups=groups)
    np.testing.assert_array_equal(found, batch * 9 * 36 / groups * np.ones_like(kernel))


@pytest.mark.parametrize("groups", [1, 3])
def test_half_precision_is_summed_in_single(groups):
    x = np.full((1, 40, 40, 3), 0.1, "float16")
    kernel = np.full((30, 30, 3 // groups, 3), 0.1, "float16")
    y = ops.conv(x, kernel, groups=groups)
    assert y.dtype == np.float16
    exact = 900 * 3 / groups * float(x[0, 0, 0, 0]) ** 2
    np.testing.assert_allclose(y, exact, rtol=1e-3)
    assert ops.conv_filter_grad(x, y, (30, 30), groups=groups).dtype == np.float16


def test_sizes_that_are_not_known_yet():
    h, w = Dim.symbol("h"), Dim.symbol("w")
    x = input_node((2, h, w, 3), "float32", "x")
    kernel = input_node((3, 3, 3, 4), "float32", "kernel")
    y = ops.conv(x, kernel, (2, 1), "same")
    assert str(y.type) == "f32[2, ((h+1)//2), w, 4]"
    assert y.attrs["padding"] == ("same", (1, 1))
    slopes = grad(ops.sum(ops.sin(y)), [x, kernel])
    run = compile(Graph((x, kernel), (("y", y), ("gx", slopes[0]), ("gk", slopes[1]))))
    rng = np.random.default_rng(0)
    k = rng.normal(size=(3, 3, 3, 4)).astype("float32")
    for size in ((4, 5), (7, 3), (1, 1)):
        image = rng.normal(size=(2, *size, 3)).astype("float32")
        attrs = {"padding": "same", "strides": (2, 1)}
        expected = by_loops(image, k, attrs)
        found, by_image, by_kernel = run(image, k)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        g = np.cos(expected)
        np.testing.assert_allclose(
            by_image, ops.conv_input_grad(g, k, size, **attrs), rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(
            by_kernel, ops.conv_filter_grad(image, g, (3, 3), **attrs), rtol=1e-4, atol=1e-4
        )


def test_a_window_larger_than_an_image_whose_size_comes_late():
    x = input_node((1, Dim.symbol("h"), 2), "float32", "x")
    kernel = input_node((3, 2, 2), "float32", "kernel")
    run = compile(Graph((x, kernel), (("y", ops.conv(x, kernel, 2)),)))
    weights = np.ones((3, 2, 2), "float32")
    assert run(np.ones((1, 5, 2), "float32"), weights)[0].shape == (1, 2, 2)
    with pytest.raises(InferenceError, match="zero or negative"):
        run(np.ones((1, 2, 2), "float32"), weights)


def test_no_gradient_that_nobody_asks_for():
    x, kernel = input_node((2, 8, 8, 3), "float32"), input_node((3, 3, 3, 4), "float32")
    y = ops.conv(ops.relu(ops.conv(x, kernel)), input_node((3, 3, 4, 4), "float32"))
    (slope,) = grad(ops.sum(y), [kernel])
    names = [n.op.name for n in toposort([slope])]
    assert names.count("conv_filter_grad") == 1
    assert names.count("conv_input_grad") == 1


def test_one_cell_windows_are_matrix_products():
    x, kernel = input_node((2, 8, 8, 3), "float32"), input_node((1, 1, 3, 4), "float32")
    for y in (ops.convolve(x, kernel), ops.convolve(x, kernel, strides=(1, 1), padding="same")):
        assert y.shape == (2, 8, 8, 4)
        assert y.inputs[0].op.name == "matmul"
    assert ops.convolve(x, kernel, strides=2).op.name == "conv"
    arrays = np.random.rand(2, 4, 4, 3), np.random.rand(1, 1, 3, 4)
    np.testing.assert_allclose(ops.convolve(*arrays), ops.conv(*arrays))


@pytest.mark.parametrize(
    ("x", "kernel", "attrs", "message"),
    [
        ((1, 2, 3), (3, 3, 1), {}, "Computed output size would be zero or negative"),
        ((1, 5, 3), (3, 2, 1), {}, "3 channels = 1 groups of 2"),
        ((1, 5, 3), (3, 1, 4), {"groups": 3}, "3 groups dividing 4 filters"),
        ((1, 5, 3), (3, 3, 3, 1), {}, "same 1, 2 or 3 spatial axes"),
        ((5, 3), (3, 1), {}, "same 1, 2 or 3 spatial axes"),
    ],
)
def test_what_does_not_fit(x, kernel, attrs, message):
    with pytest.raises(InferenceError, match=message):
        ops.conv.apply((np.ones(x), np.ones(kernel)), **attrs)


def test_gradients_of_other_shapes():
    with pytest.raises(InferenceError, match="outputs have another shape"):
        ops.conv_input_grad(np.ones((1, 3, 1)), np.ones((3, 1, 1)), (6,))
    with pytest.raises(InferenceError, match="outputs have another shape"):
        ops.conv_filter_grad(np.ones((1, 3, 1)), np.ones((1, 3, 1)), (2,))
    with pytest.raises(InferenceError, match="2 groups do not divide 3 channels"):
        ops.conv_filter_grad(np.ones((1, 3, 3)), np.ones((1, 2, 2)), (2,), groups=2)


def test_inside_a_loop():
    steps, batch = Dim.symbol("time"), Dim.symbol("batch")
    x = input_node((steps, batch, 4, 5, 2), "float32", "x")
    kernel = input_node((3, 3, 2, 3), "float32", "kernel")
    again = input_node((3, 3, 3, 3), "float32", "again")

    def step(carry, image):
        seen = ops.conv(image, kernel, 1, "same") + ops.conv(carry[0], again, 1, "same")
        return (ops.tanh(seen),), (ops.tanh(seen),)

    zeros = ops.broadcast_to(const(0.0), (batch, 4, 5, 3))
    _, (states,) = ops.scan(step, (zeros,), x)
    slopes = grad(ops.sum(ops.sin(states)), [x, kernel, again])
    outputs = [("y", states), *[(f"g{i}", g) for i, g in enumerate(slopes)]]
    graph = Graph((x, kernel, again), tuple(outputs))
    rng = np.random.default_rng(0)
    shapes = (3, 2, 4, 5, 2), kernel.shape, again.shape
    arrays = [rng.normal(size=s).astype("float32") for s in shapes]
    expected, _ = interpret(graph, arrays)
    for found, wanted in zip(compile(graph)(*arrays), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    state = np.zeros((2, 4, 5, 3), "float32")
    for image in arrays[0]:
        seen = ops.conv(image, arrays[1], 1, "same") + ops.conv(state, arrays[2], 1, "same")
        state = np.tanh(seen)
    np.testing.assert_allclose(expected[0][-1], state, rtol=1e-4, atol=1e-5)
