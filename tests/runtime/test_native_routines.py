"""Routines of kernels: C gives the bits of the NumPy calls, for windows of all kinds."""

import numpy as np
import pytest
from native_bits import bits

from kgraph import config, ops
from kgraph.ir import Graph, input_node
from kgraph.ops import depthwise, routines
from kgraph.ops.patches import run_calls
from kgraph.runtime import c_compiler, native
from kgraph.runtime.executable import compile

SPECIAL = (0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 1e-45, 1e-39, np.inf, -np.inf, np.nan)
MOSTLY = 0.1  # how many of the drawn numbers are special


@pytest.fixture
def eager(monkeypatch, home):
    """Compiles routines of any size, into a folder of these tests."""
    monkeypatch.setattr(native, "LEAST_WORK", 0)
    monkeypatch.setattr(config, "home", home)


def drawn(rng, shape, dtype, special):
    values = rng.normal(size=shape)
    if special:
        values = np.where(rng.random(shape) < MOSTLY, rng.choice(SPECIAL, shape), values)
    return values.astype(dtype)


def three(x_shape, k_shape, attrs, dtype="float32"):
    """The inputs and the outputs of a depthwise convolution with both of its gradients."""
    x, k = input_node(x_shape, dtype, "x"), input_node(k_shape, dtype, "k")
    y = ops.conv(x, k, **attrs)
    g = input_node(y.shape, dtype, "g")
    whole = dict(y.attrs)
    dx = ops.conv_input_grad.apply((g, k), sizes=x_shape[1:-1], **whole)
    dk = ops.conv_filter_grad.apply((x, g), size=k_shape[:-2], **whole)
    return Graph((x, k, g), (("y", y), ("dx", dx), ("dk", dk)))


def run_both(graph, monkeypatch, special=False):
    """What a plan without a compiler gives, and one with it, whose source comes third."""
    rng = np.random.default_rng(0)
    arrays = [drawn(rng, n.shape, n.dtype, special) for n in graph.inputs]
    found = []
    for compiler in ("", "cc"):
        monkeypatch.setattr(config, "compiler", compiler)
        exe = compile(graph)
        with np.errstate(all="ignore"):
            found.append(exe(*arrays))
    return *found, exe.source


CASES = {
    "one axis": ((3, 17, 2), (3, 1, 2), {"padding": "causal", "dilation_rate": 2}),
    "two axes": ((3, 9, 8, 5), (3, 3, 1, 5), {"padding": "same"}),
    "without padding": ((2, 9, 8, 16), (2, 3, 1, 16), {}),
    "strides": ((2, 9, 8, 3), (3, 3, 1, 3), {"padding": "same", "strides": (2, 3)}),
    "three axes": ((2, 4, 5, 6, 3), (2, 3, 2, 1, 3), {"padding": "same"}),
    "several filters": ((2, 9, 8, 3), (3, 3, 1, 6), {"padding": "same"}),
    "one cell": ((2, 3, 3, 4), (1, 1, 1, 4), {}),
    "a far dilation": ((2, 9, 8, 4), (2, 2, 1, 4), {"dilation_rate": (3, 4), "padding": "same"}),
}


@pytest.mark.parametrize("special", [False, True], ids=["numbers", "special"])
@pytest.mark.parametrize("name", CASES)
def test_the_bits_of_numpy(name, special, eager, monkeypatch):
    without, within, source = run_both(three(*CASES[name]), monkeypatch, special)
    assert "void run(" in source
    for a, b, what in zip(without, within, ("y", "dx", "dk"), strict=True):
        assert bits(a) == bits(b), what


def test_blocks_of_rows_strips_and_parts_of_the_channels(eager, monkeypatch):
    monkeypatch.setattr(depthwise, "_BLOCK", 3000)
    monkeypatch.setattr(routines, "_FITTING", 16 * 9)
    for channels in (3, 17, 40):
        graph = three((3, 7, 6, channels), (3, 3, 1, channels), {"padding": "same"}, "float64")
        without, within, _ = run_both(graph, monkeypatch)
        assert all(bits(a) == bits(b) for a, b in zip(without, within, strict=True))


def test_channels_that_lie_apart_and_many_cells_stay_with_numpy():
    cells, weights = [np.zeros((2, 3, 3, 4))] * 2, np.zeros((2, 3, 4))
    like = np.zeros((2, 3, 3, 4))
    assert routines.weighted_sums(cells, weights, like, like).text
    apart = np.zeros((2, 3, 3, 8))[..., ::2]
    assert not routines.weighted_sums(cells, weights, apart, like).text
    assert not routines.sums_of_products(cells, apart, weights, like).text
    many = [cells[0]] * 65
    assert not routines.weighted_sums(many, np.zeros((65, 3, 4)), like, like).text


def test_small_kernels_and_those_without_routines_stay_with_numpy():
    small = three((1, 8, 8, 2), (3, 3, 1, 2), {})
    assert "void run(" not in source_of(small)
    x, k = input_node((4, 64, 64, 8), name="x"), input_node((3, 3, 8, 8), name="k")
    assert "native(" not in source_of(Graph((x, k), (("y", ops.conv(x, k)),)))
    large = three((4, 64, 64, 16), (3, 3, 1, 16), {})
    assert source_of(large).count("native") >= 3


def way_back(shape, attrs, dtype="float32"):
    """The gradient of max pooling, of drawn largest elements and cotangents."""
    x = input_node(shape, dtype, "x")
    y = ops.max_pool(x, **attrs)
    g = input_node(y.shape, dtype, "g")
    return Graph((x, g), (("dx", ops.max_pool_grad(g, y, x, **y.attrs)),))


POOLS = {
    "overlapping": ((3, 9, 8, 5), {"pool_size": 3, "strides": 2, "padding": "same"}),
    "whole windows": ((3, 9, 9, 5), {"pool_size": 3, "strides": 2}),
    "every place": ((2, 6, 7, 3), {"pool_size": (4, 3), "strides": 1, "padding": "same"}),
    "one axis": ((2, 9, 3), {"pool_size": 3, "strides": 1, "padding": "same"}),
    "three axes": ((2, 5, 4, 6, 2), {"pool_size": (2, 3, 2), "strides": (1, 2, 1)}),
    "apart on one axis": ((2, 9, 8, 4), {"pool_size": (2, 3), "strides": (2, 1)}),
    "gaps on one axis": ((2, 11, 8, 4), {"pool_size": (2, 3), "strides": (3, 1)}),
    "one cell on one axis": ((2, 11, 8, 4), {"pool_size": (1, 3), "strides": (2, 1)}),
    "one place each on one axis": ((2, 5, 8, 4), {"pool_size": (1, 3), "strides": 1}),
    "apart": ((2, 9, 3), {"pool_size": 2}),
    "apart on both axes": ((3, 9, 8, 5), {"pool_size": 2}),
    "apart and padded": ((3, 10, 7, 5), {"pool_size": (3, 2), "padding": "same"}),
    "gaps on both axes": ((2, 9, 11, 3), {"pool_size": (2, 3), "strides": (3, 4)}),
    "many channels": ((1, 3, 4, 1100), {"pool_size": 2, "strides": 1}),
}


@pytest.mark.parametrize("name", POOLS)
def test_the_bits_of_numpy_on_the_way_back_from_the_largest(name, eager, monkeypatch):
    for special in (False, True):
        graph = way_back(*POOLS[name], "float64" if name == "overlapping" else "float32")
        (without,), (within,), source = run_both(graph, monkeypatch, special)
        assert "void run(" in source
        assert bits(without) == bits(within)


@pytest.mark.parametrize("numbers", [(0.0, -0.0, 1.0, -1.0), (-np.inf, -np.inf, 1.0)])
def test_ties_on_the_way_back(numbers, eager, monkeypatch):
    """Also of cells with what is smaller than all numbers, as the padding is."""
    monkeypatch.setattr(f"{__name__}.SPECIAL", numbers)
    monkeypatch.setattr(f"{__name__}.MOSTLY", 1.0)
    for shape, attrs in POOLS.values():
        (without,), (within,), _ = run_both(way_back(shape, attrs), monkeypatch, True)
        assert bits(without) == bits(within)


def test_pools_that_stay_with_numpy(eager):
    for shape, attrs, dtype in (
        ((1, 4, 4, 4, 3), {"pool_size": 2}, "float32"),  # windows apart on three axes
        ((1, 10, 10, 3), {"pool_size": 5}, "float32"),
        ((1, 40, 3), {"pool_size": 17, "strides": 1}, "float32"),
        ((1, 9, 3), {"pool_size": 3, "strides": 1}, "float16"),
    ):
        assert "void run(" not in source_of(way_back(shape, attrs, dtype))


def source_of(graph):
    exe = compile(graph)
    exe.bind({})
    return exe.source


def test_a_compiler_that_fails_leaves_numpys_calls(eager, monkeypatch):
    monkeypatch.setattr(native, "load", lambda text: None)
    graph = three((2, 5, 5, 3), (3, 3, 1, 3), {})
    assert "void run(" not in source_of(graph)


def test_a_routine_is_what_its_calls_are():
    """Called as a function it runs NumPy, as the interpreter and constant folding do."""
    rng = np.random.default_rng(0)
    cells = [rng.normal(size=(2, 3, 4, 5)) for _ in range(3)]
    weights, (out, buffer) = rng.normal(size=(3, 1, 5)), np.zeros((2, 2, 3, 4, 5))
    run_calls([(routines.weighted_sums(cells, weights, out, buffer),)])
    np.testing.assert_array_equal(
        out, cells[0] * weights[0] + cells[1] * weights[1] + cells[2] * weights[2]
    )


def test_a_kernel_that_is_a_view_is_read_in_every_run(monkeypatch):
    x, k = input_node((1, 6, 6, 4), name="x"), input_node((4, 1, 3, 3), name="k")
    exe = compile(Graph((x, k), (("y", ops.conv(x, ops.transpose(k, (2, 3, 1, 0)))),)))
    images = np.ones((1, 6, 6, 4), "float32")
    for value in (1, 2):
        (y,) = exe(images, np.full((4, 1, 3, 3), value, "float32"))
        np.testing.assert_array_equal(y, np.full((1, 4, 4, 4), 9 * value, "float32"))


def test_rows_longer_than_a_block():
    """An image of one axis is one row, which no block may cut."""
    x, k = np.ones((2, 4096, 64), "float32"), np.ones((3, 1, 64), "float32")
    y = ops.conv(x, k, padding="same")
    np.testing.assert_array_equal(y[:, 1:-1], np.full((2, 4094, 64), 3, "float32"))
    found = ops.conv_filter_grad(x, np.ones_like(x), (3,), padding=((1, 1),), groups=64)
    np.testing.assert_array_equal(found[:, 0, 0], [8190, 8192, 8190])


def test_texts_do_not_depend_on_sizes(eager, monkeypatch):
    texts = set()
    monkeypatch.setattr(native, "load", lambda text: texts.add(text) or c_compiler.load(text))
    for size in (6, 9):
        source_of(three((2, size, size, size), (3, 3, 1, size), {"padding": "same"}))
    assert len(texts) == 2
