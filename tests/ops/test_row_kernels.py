"""Kernels that see their buffers through views: of any layout, with the meaning of NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph import ops
from kgraph.ir import Dim, Graph, TensorType, input_node
from kgraph.ir.op import OPS
from kgraph.ops.indexing import RowAdder, pays_by_rows
from kgraph.ops.specialized import Prepared
from kgraph.runtime.executable import compile

BATCH = Dim.symbol("batch")
RNG = np.random.default_rng(0)


def strided(array):
    """The same elements, no two of them side by side in memory."""
    wide = np.zeros(tuple(2 * d for d in array.shape), array.dtype)
    view = wide[(*(slice(None, None, 2) for _ in array.shape), ...)]
    view[...] = array
    return view


def specialized(name, arrays, **attrs):
    """An op's kernel as a plan calls it: views made once, run twice on changed contents."""
    node = OPS[name](*[input_node(a.shape, a.dtype.name) for a in arrays], **attrs)
    node = node[0].inputs[0] if isinstance(node, tuple) else node
    types = [TensorType(a.shape, a.dtype.name) for a in arrays]
    kernel = node.op.specialize(types, node.types, node.attrs)
    outputs = [np.full(t.shape, 7, t.dtype) for t in node.types]
    work = [np.empty(t.shape, t.dtype) for t in node.op.scratch(*types, **node.attrs)]
    buffers = (*arrays, *outputs, *work)
    if isinstance(kernel, Prepared):
        kernel, buffers = kernel.run, kernel.views(*buffers)
    kept = [a.copy() for a in arrays]
    for array in arrays:
        array[...] = 0
    with np.errstate(all="ignore"):
        kernel(*buffers)
        for array, values in zip(arrays, kept):
            array[...] = values
        kernel(*buffers)
    return outputs


@pytest.mark.parametrize("shape", [(4, 3), (33, 10), (5, 40), (2, 3, 10), (2, 3, 40), (7,)])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided, np.asfortranarray])
def test_rows_of_classes_in_any_layout(shape, layout):
    z = layout(RNG.normal(size=shape).astype("float32") * 20)
    t = layout(RNG.random(shape).astype("float32"))
    ids = RNG.integers(0, shape[-1], shape[:-1]).astype("int32")
    e = np.exp(z.astype("float64") - z.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    chosen = np.take_along_axis(p, ids[..., None], -1)[..., 0]
    expected = {
        "softmax": ([z], [p]),
        "log_softmax": ([z], [np.log(p)]),
        "softmax_cross_entropy": ([z, t], [-(t * np.log(p)).sum(-1), p]),
        "sparse_softmax_cross_entropy": ([z, ids], [-np.log(chosen), p]),
    }
    for name, (arrays, results) in expected.items():
        for found, result in zip(specialized(name, arrays), results, strict=True):
            np.testing.assert_allclose(found, result, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("columns", [3, 40])
def test_rows_with_special_values(columns):
    z = np.zeros((4, columns), "float32")
    z[0, 1], z[1, 2], z[2, :] = np.inf, np.nan, -np.inf
    (found,) = specialized("softmax", [z])
    assert np.isnan(found[:3]).any(1).all()
    np.testing.assert_allclose(found[3], 1 / columns)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_of_any_layout(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    axis = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1)))))
    layout = data.draw(st.sampled_from([np.ascontiguousarray, strided, np.asfortranarray]))
    x = layout(RNG.normal(size=shape).astype("float32"))
    hits = layout(RNG.random(shape) < 0.5)
    for keepdims in (False, True):
        (found,) = specialized("sum", [x], axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(found, x.sum(axis, keepdims=keepdims), rtol=1e-5, atol=1e-6)
        (found,) = specialized("sum", [hits], axis=axis, keepdims=keepdims)
        np.testing.assert_array_equal(found, hits.sum(axis, keepdims=keepdims))
        (found,) = specialized("mean", [x], axis=axis, keepdims=keepdims)
        if np.prod([shape[a] for a in axis]):
            expected = x.mean(axis, keepdims=keepdims)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_sum_of_many_keeps_its_accuracy():
    for size in (4096, 60_000, 1_000_000):
        x = RNG.random(size).astype("float32")
        (found,) = specialized("sum", [x])
        np.testing.assert_allclose(found, x.sum(dtype="float64"), rtol=5e-7)


# Ids of a table: all different, by chance, one that stands for padding, one only.
IDS = {
    "different": lambda rows, n: RNG.permutation(rows)[:n],
    "by chance": lambda rows, n: RNG.integers(-rows, rows, n),
    "padded": lambda rows, n: np.where(np.arange(n) < n // 2, 0, RNG.integers(0, rows, n)),
    "one": lambda rows, n: np.full(n, 3),
    "few": lambda rows, n: RNG.integers(0, 9, n),
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
def test_rows_are_added_as_one_by_one(name, dtype):
    rows, n, width = 400, 300, 32
    table = RNG.integers(-8, 8, (rows, width)).astype(dtype)
    ids, updates = IDS[name](rows, n).astype("int32"), RNG.integers(-8, 8, (n, width)).astype(dtype)
    types = [TensorType(a.shape, a.dtype.name) for a in (table, ids, updates)]
    assert pays_by_rows(types, 0)
    expected = table.copy()
    np.add.at(expected, ids, updates)
    (found,) = specialized("scatter_add", [table, ids, updates])
    np.testing.assert_array_equal(found, expected)


def test_adding_rows_gives_the_same_bits_again():
    ids = IDS["padded"](400, 300)
    updates = RNG.normal(size=(300, 32)).astype("float32")
    results = []
    for _ in range(2):
        table = np.ones((400, 32), "float32")
        RowAdder(table, ids, RNG.integers(0, 9, 400), np.empty_like(updates)).run(updates)
        results.append(table.tobytes())
    assert results[0] == results[1]


def test_few_rows_of_a_small_table_are_added_one_by_one():
    table, updates = TensorType((9, 32), "float32"), TensorType((300, 32), "float32")
    ids = TensorType((300,), "int32")
    assert not pays_by_rows((table, ids, updates), 0)
    assert not pays_by_rows((TensorType((BATCH, 32), "float32"), ids, updates), 0)


def test_a_plan_makes_views_once():
    x, y = input_node((BATCH, 3), name="x"), input_node((BATCH, 3), name="y")
    exe = compile(Graph((x, y), (("g", ops.relu_grad(x, y)), ("s", ops.sum(x)))))
    plan = exe.bind({"batch": 2})
    for factor in (1, -2):
        plan.inputs[0][...], plan.inputs[1][...] = factor, [[1, 0, -1], [np.nan, 2, -0.0]]
        plan.run()
        np.testing.assert_array_equal(plan.outputs[0], [[factor, 0, 0], [0, factor, 0]])
        assert plan.outputs[1] == 6 * factor
    assert "view" in exe.source


@pytest.mark.parametrize("op", ["relu_grad", "masked_scale"])
def test_masks_hide_what_is_not_a_number(op):
    x = np.array([np.nan, np.inf, -np.inf, -1.0, -0.0], "float32")
    for keep in (True, False):
        mask = np.full(5, keep) if op == "masked_scale" else np.full(5, float(keep), "float32")
        found = OPS[op](x, mask)
        np.testing.assert_array_equal(found, x if keep else np.zeros(5))
        assert keep or not np.signbit(found).any()


@pytest.mark.parametrize("shape", [(), (0, 3), (5, 7), (3, 20_000)])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided, np.asfortranarray])
def test_masks_of_any_size_and_layout(shape, layout):
    x = layout(RNG.normal(size=shape).astype("float32"))
    mask = layout(RNG.random(shape) < 0.5)
    expected = np.where(mask, x * np.float32(1.25), 0)
    np.testing.assert_array_equal(specialized("masked_scale", [x, mask], scale=1.25)[0], expected)
    for narrow in (mask[:1], mask[..., :1]) if len(shape) == 2 else ():
        (found,) = specialized("masked_scale", [x, narrow.copy()], scale=1.25)
        np.testing.assert_array_equal(found, np.where(narrow, x * np.float32(1.25), 0))


def test_ids_outside_the_classes_take_nothing_off():
    x = np.ones((4, 3), "float32")
    found = ops.subtract_one_hot(x, np.array([2, -1, 3, 0]))
    np.testing.assert_array_equal(found, x - ops.one_hot(np.array([2, -1, 3, 0]), 3))
