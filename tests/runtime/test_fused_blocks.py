"""Fused ops in blocks of every size: the bits of the ops one by one, also in place and strided."""

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Graph, TensorType, build, const, find_op, input_node
from kgraph.ops import blocks
from kgraph.ops.blocks import Layout
from kgraph.ops.fused import fused
from kgraph.ops.program import take_apart
from kgraph.passes.fuse import Fuse

UNARY = ("negative", "abs", "exp", "tanh", "relu", "sigmoid", "square", "softplus", "elu", "gelu",
         "rsqrt", "erf", "silu", "relu6", "sin", "log1p", "sign", "round")  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "relu_grad",
          "arctan2", "sigmoid_cross_entropy")  # fmt: skip
SHAPES = ((7,), (5, 3), (1, 4), (6, 1), (2, 3, 4), (3, 1, 2), (33, 2), (0, 3), (2, 0))
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 88.7, -88.7, 1e-8, 3e38, 1e-45, np.inf, -np.inf, np.nan)
WORK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def stretched(draw, shape):
    """A shape that broadcasts to `shape`."""
    kept = shape[draw(st.integers(0, len(shape))) :]
    return tuple(1 if draw(st.integers(0, 3)) == 0 else d for d in kept)


def step(draw, pool):
    """One more value; its operands are drawn from the pool."""
    x = draw(st.sampled_from([n for n in pool if n.type.is_float]))
    same = [n for n in pool if n.dtype == x.dtype]
    kind = draw(st.integers(0, 6))
    if kind < 2:
        return getattr(ops, draw(st.sampled_from(UNARY)))(x)
    if kind < 4:
        other = draw(st.sampled_from([*same, const(1.5, x.dtype)]))
        return build(find_op(draw(st.sampled_from(BINARY))), (x, other))
    if kind == 4:
        flags = [n for n in pool if n.dtype == "bool"] or [ops.less(x, same[0])]
        return ops.where(draw(st.sampled_from(flags)), x, draw(st.sampled_from(same)))
    if kind == 5:
        return ops.greater(x, draw(st.sampled_from(same)))
    return ops.cast(x, draw(st.sampled_from(["float64", "float32", "bool"])))


@st.composite
def regions(draw):
    """A fused node over inputs of one shape, and of shapes that broadcast to it."""
    shape = draw(st.sampled_from(SHAPES))
    inputs = [input_node(shape, name="x"), input_node(shape, "float64", "wide")]
    for i in range(draw(st.integers(0, 3))):
        dtype = draw(st.sampled_from(["float32", "float64", "bool"]))
        inputs.append(input_node(stretched(draw, shape), dtype, f"b{i}"))
    pool = list(inputs)
    for _ in range(draw(st.integers(2, 12))):
        pool.append(step(draw, pool))
    ends = [n for n in pool[2:] if n.inputs and n.shape == shape]
    results = ends[-1:] + draw(st.lists(st.sampled_from(ends or pool), max_size=3))
    if draw(st.booleans()) and ends and 0 not in shape:
        reduced = draw(st.sampled_from([n for n in ends if n.type.is_float] or [inputs[0]]))
        results.append(ops.max(reduced, axis=-1) if len(shape) > 1 else reduced)
    named = tuple((str(i), n) for i, n in enumerate(results))
    return [n for n in Fuse().run(Graph(tuple(inputs), named)).nodes if n.op is fused]


def arrays_for(node, rng, how=0):
    """Special values for the operands of a node: contiguous, transposed or of stride 0."""
    found = []
    for type_ in (i.type for i in node.inputs):
        array = rng.choice(SPECIAL, type_.shape).astype(type_.dtype)
        if how == 1:
            array = array.T.copy().T
        if how == 2 and array.ndim and array.size:
            array = np.broadcast_to(array[:1], array.shape)
        found.append(array)
    return found


def one_by_one(node, arrays):
    """The results by each instruction's own `specialize`, whole."""
    values = list(arrays)
    for op, operands, attrs in (
        (s.op, s.operands, s.attrs) for s in take_apart(**node.attrs).instructions
    ):
        read = [values[k] for k in operands]
        types = [TensorType(a.shape, a.dtype.name) for a in read]
        result = op.infer(*types, **attrs)
        values.append(np.empty(result.shape, result.dtype))
        work = [np.empty(t.shape, t.dtype) for t in op.scratch(*types, **attrs)]
        op.specialize(types, [result], attrs)(*read, values[-1], *work)
    return [values[k] for k in node.attrs["results"]]


def poisoned(types):
    """Buffers that hold what must not be read."""
    return [np.full(t.shape, np.nan if t.is_float else 1, t.dtype) for t in types]


def in_blocks(node, arrays, out=None, runs=1):
    """The results by the fused op."""
    types = [TensorType(a.shape, a.dtype.name) for a in arrays]
    out = poisoned(node.types) if out is None else out
    work = poisoned(fused.scratch(*types, **node.attrs))
    run = fused.specialize(types, node.types, node.attrs)
    for _ in range(runs):
        run(*arrays, *out, *work)
    return out


def check_same_bits(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            numbers = ~np.isnan(a)
            np.testing.assert_array_equal(np.signbit(a[numbers]), np.signbit(b[numbers]))


@WORK
@given(
    regions(),
    st.integers(0, 99),
    st.sampled_from([1, 40, 200, 1000, 1 << 20]),
    st.integers(0, 2),
)
def test_blocks_give_the_bits_of_the_ops_one_by_one(nodes, seed, budget, how):
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(blocks, "BLOCK_BYTES", budget)
        for node in nodes:
            arrays = arrays_for(node, rng, how)
            kept = [a.copy() for a in arrays]
            expected = one_by_one(node, arrays)
            check_same_bits(in_blocks(node, arrays, runs=2), expected)
            check_same_bits(arrays, kept)
            kernel = fused.kernel(*arrays, **node.attrs)
            check_same_bits(in_blocks(node, arrays), expected)
            assert len(node.types) == 1 or len(kernel) == len(node.types)


@WORK
@given(regions(), st.integers(0, 99), st.sampled_from([1, 100, 1 << 20]))
def test_results_may_lie_where_reuses_says(nodes, seed, budget):
    """All outputs at once take the place of operands, each of another one."""
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(blocks, "BLOCK_BYTES", budget)
        for node in nodes:
            arrays = arrays_for(node, rng)
            expected = one_by_one(node, arrays)
            taken, out = set(), poisoned(node.types)
            for output, type_ in enumerate(node.types):
                places = node.op.reuses(output, node.attrs)
                free = [k for k in places if node.inputs[k].type == type_ and k not in taken]
                if free:
                    place = free[int(rng.integers(len(free)))]
                    taken.add(place)
                    out[output] = arrays[place] if rng.integers(2) else arrays[place][...]
            check_same_bits(in_blocks(node, arrays, out), expected)


def test_an_operand_that_is_read_twice_may_be_overwritten_only_where_both_places_allow_it():
    x = input_node((40,), name="x")
    relu_grad = find_op("relu_grad")
    assert relu_grad.reuse == (1,)
    twice = build(relu_grad, (ops.exp(x), ops.exp(x)))
    node = only(twice * 2, twice)
    arrays = [np.linspace(-2, 2, i.size).astype("float32").reshape(i.shape) for i in node.inputs]
    check_same_bits(in_blocks(node, arrays), one_by_one(node, arrays))
    pair = only(build(relu_grad, (x, x)), ops.abs(x))
    output = [s.op for s in take_apart(**pair.attrs).body].index(relu_grad)
    number = pair.attrs["results"].index(1 + output)
    assert pair.op.reuses(number, pair.attrs) == ()


# -- heads and tails ---------------------------------------------------------------------------
def only(*outputs):
    """The one fused node of a graph."""
    inputs = dict.fromkeys(n for n in Graph((), named(outputs)).nodes if n.op.name == "input")
    (node,) = (n for n in fused_graph(inputs, outputs).nodes if n.op is fused)
    return node


def fused_graph(inputs, outputs):
    return Fuse(tails="all").run(Graph(tuple(inputs), named(outputs)))


def named(outputs):
    return tuple((str(i), n) for i, n in enumerate(outputs))


@pytest.mark.parametrize("rows", [0, 1, 7, 64])
@pytest.mark.parametrize("budget", [1, 500, 1 << 20])
def test_products_with_epilogues(rows, budget, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", budget)
    x, w, b = (input_node(s, name=n) for n, s in zip("xwb", ((rows, 5), (5, 6), (6,))))
    z = x @ w + b
    rng = np.random.default_rng(0)
    for node in (only(ops.relu(z)), only(ops.gelu(z), z), only(ops.cast(ops.exp(z), "float64"))):
        arrays = [rng.normal(size=i.shape).astype("float32") for i in node.inputs]
        check_same_bits(in_blocks(node, arrays), one_by_one(node, arrays))


def test_a_product_lies_in_the_result_where_that_is_free():
    x, w, b = (input_node(s, name=n) for n, s in zip("xwb", ((4, 5), (5, 6), (6,))))
    types = [x.type, w.type, b.type]
    assert Layout(take_apart(**only(ops.relu(x @ w + b)).attrs), types).hosts == {3: 5}
    wide = only(ops.cast(ops.relu(x @ w + b), "float64"))
    found = Layout(take_apart(**wide.attrs), types)
    assert not found.hosts
    assert found.scratch[0] == TensorType((4, 6), "float32")
    assert wide.op.reuses(0, wide.attrs) == ()


@pytest.mark.parametrize("rows", [0, 1, 5, 64])
@pytest.mark.parametrize("budget", [1, 300, 1 << 20])
def test_reductions_of_blocks(rows, budget, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", budget)
    x, y = (input_node((rows, 3, 4), name=n) for n in "xy")
    square = ops.square(x - y)
    tails = [
        f(square, axis=axis, keepdims=keep)
        for f in (ops.sum, ops.mean, ops.prod, ops.max)
        for axis, keep in ((2, False), ((1, 2), True), (1, False), ((0, 2), False), (None, True))
        if rows or f is not ops.max or axis not in (None, (0, 2))
    ]
    tails += [ops.any(x > y, axis=0), ops.all(x > y), ops.sum(ops.cast(x, "int32"), axis=(0, 1))]
    node = only(square, *tails)
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(rows, 3, 4)).astype("float32") for _ in node.inputs]
    with np.errstate(all="ignore"):
        found, expected = in_blocks(node, arrays), fused.kernel(*arrays, **node.attrs)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    exact = [i for i, k in enumerate(node.attrs["results"]) if found[i].dtype.kind != "f"]
    check_same_bits([found[i] for i in exact], [expected[i] for i in exact])


def test_the_parts_of_a_sum_are_joined_in_one_order():
    x = input_node((1000, 7), name="x")
    node = only(ops.sum(ops.exp(x) * 2))
    arrays = [np.random.default_rng(0).normal(size=i.shape).astype("float32") for i in node.inputs]
    first, second = in_blocks(node, arrays), in_blocks(node, arrays, runs=3)
    check_same_bits(first, second)


def test_the_parts_of_a_mean_of_float16_may_exceed_its_range(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 16)
    x = input_node((70_000, 2), "float16", "x")
    size = ops.abs(x)
    node = only(*(ops.mean(size + size, axis=axis) for axis in (0, None, 1)))
    values = np.full((70_000, 2), -2, "float16")
    for found in (in_blocks(node, [values]), one_by_one(node, [values])):
        for array in found:
            np.testing.assert_array_equal(array, np.full(array.shape, 4, "float16"))


# -- arrays that come again ----------------------------------------------------------------------
def test_other_arrays_are_not_taken_for_those_of_the_run_before():
    x = input_node((50,), name="x")
    node = only(ops.exp(x) * 2)
    run = fused.specialize([i.type for i in node.inputs], node.types, node.attrs)
    work = poisoned(fused.scratch(*[i.type for i in node.inputs], **node.attrs))
    rng = np.random.default_rng(0)
    for _ in range(20):
        # Freed arrays give their ids to new ones.
        arrays = [rng.normal(size=i.shape).astype("float32") for i in node.inputs]
        out = poisoned(node.types)
        run(*arrays, *out, *work)
        check_same_bits(out, one_by_one(node, arrays))


def test_threads_with_buffers_of_their_own_share_nothing():
    x = input_node((300, 20), name="x")
    node = only(ops.exp(x) * 2 + x)
    rng = np.random.default_rng(0)
    jobs = [[rng.normal(size=i.shape).astype("float32") for i in node.inputs] for _ in range(4)]
    found = [None] * 4

    def work(k):
        found[k] = in_blocks(node, jobs[k], runs=30)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for arrays, out in zip(jobs, found, strict=True):
        check_same_bits(out, one_by_one(node, arrays))


# -- layout ------------------------------------------------------------------------------------
def test_blocks_are_even_and_as_large_as_they_may_be(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4 * 3 * 20 * 100)
    x, b = input_node((334, 20), name="x"), input_node((20,), name="b")
    found = Layout(take_apart(**only(ops.exp(x) + b).attrs), [x.type, b.type])
    # The operand, the result and a buffer between them: a hundred rows of each.
    assert found.rows == (84,)
    assert [b[0].stop - b[0].start for b in found.blocks()] == [84, 84, 84, 82]
    assert found.elements == 0
    flat = Layout(take_apart(**only(ops.exp(x) * x).attrs), [x.type])
    assert flat.elements == 1670
    assert found.scratch == (TensorType((1680,), "float32"),)


def test_rows_that_are_too_long_are_cut_themselves(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1200)
    x, b = input_node((3, 2, 400), name="x"), input_node((2, 1), name="b")
    node = only(ops.exp(x) + b)
    found = Layout(take_apart(**node.attrs), [x.type, b.type])
    assert found.rows == (1, 1, 100)
    assert len(found.blocks()) == 24
    arrays = [np.linspace(-1, 1, i.size).astype("float32").reshape(i.shape) for i in node.inputs]
    check_same_bits(in_blocks(node, arrays), one_by_one(node, arrays))


def test_buffers_are_used_again():
    x = input_node((4096,), name="x")
    y = x
    for _ in range(10):
        y = ops.where(ops.isnan(ops.exp(y)), x, ops.exp(y))
    scratch = fused.scratch(x.type, **only(y).attrs)
    assert sorted(t.dtype for t in scratch) == ["bool", "float32", "float32"]


# -- what is no program ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("program", "results"),
    [
        ((), (0,)),
        ((("tanh", (0,), ()),), ()),
        ((("tanh", (0,), ()),), (0, 1)),
        ((("tanh", (0,), ()),), (1, 1)),
        ((("tanh", (0,), ()), ("exp", (0,), ())), (1,)),
        ((("tanh", (1,), ()),), (1,)),
        ((("tanh", (1,), ()), ("exp", (0,), ())), (1, 2)),
        ((("tanh", (0.0,), ()),), (1,)),
        ((("softmax", (0,), (("axis", 1),)),), (1,)),
        ((("matmul", (0, 0), ()),), (1,)),
        ((("tanh", (0,), ()), ("matmul", (1, 1), ()), ("exp", (2,), ())), (3,)),
        ((("tanh", (0,), ()), ("sum", (0,), (("axis", (1,)), ("keepdims", False)))), (1, 2)),
        ((("nothing", (0,), ()),), (1,)),
        ("tanh", (1,)),
        ((("tanh", (0,)),), (1,)),
        (5, (1,)),
    ],
)
def test_what_is_no_program_is_refused(program, results):
    x = input_node((3, 3), name="x")
    with pytest.raises(InferenceError):
        build(fused, (x,), {"program": program, "results": results})


def test_a_body_has_one_shape():
    x, row = input_node((3, 3), name="x"), input_node((3,), name="row")
    program = (("tanh", (1,), ()), ("add", (0, 2), ()))
    with pytest.raises(InferenceError, match="one shape"):
        build(fused, (x, row), {"program": program, "results": (3,)})


def test_zeros_of_both_signs_are_different_programs():
    x = input_node((3,), name="x")
    programs = [
        (("clip", (0,), (("max", 1.0), ("min", z))), ("exp", (1,), ())) for z in (0.0, -0.0)
    ]
    nodes = [build(fused, (x,), {"program": p, "results": (2,)}) for p in programs]
    assert nodes[0] is not nodes[1]
    values = [n.op.kernel(np.array([-1.0], "float32"), **n.attrs) for n in nodes]
    assert values[0] == values[1] == 1
