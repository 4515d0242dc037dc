"""Native kernels: C gives the bits of NumPy, also in place and over axes of 1, or stays away."""

import itertools
import pathlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_bits import bits

from kgraph import config, layers, models, ops, optimizers
from kgraph.ir import Graph, TensorType, build, find_op, input_node
from kgraph.ir.leaves import const_value
from kgraph.ir.op import OPS
from kgraph.ir.variable import Variable
from kgraph.ops.fused import fused
from kgraph.ops.program import take_apart
from kgraph.runtime import c_compiler, native, unfuse
from kgraph.runtime.c_source import c_source
from kgraph.runtime.executable import compile

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-8, 3e38, -3e38, 1e-45, 1e-39, 7e30, -6e-20,
           np.inf, -np.inf, np.nan)  # fmt: skip
IN_C = sorted(name for name, op in OPS.items() if op.c)
FLOATING = [name for name in IN_C if not name.startswith("logical")]
WORK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def eager(monkeypatch, home):
    """Compiles programs of any size, into a folder of these tests."""
    monkeypatch.setattr(native, "LEAST_WORK", 0)
    monkeypatch.setattr(unfuse, "PAYS", 0)
    monkeypatch.setattr(config, "home", home)


def test_a_kernel_follows_its_arrays(eager):
    x = input_node((64,), name="x")
    node = node_of((x,), ops.square(x))
    source = c_source(take_apart(**node.attrs), [x.type])
    kernel = native.NativeKernel(source, c_compiler.load(source.text), 2)
    for seed in (1, 2):
        given, found = np.full(64, seed, "f"), np.zeros(64, "f")
        kernel(given, found)
        np.testing.assert_array_equal(found, given * given)


def run_fused(node, arrays):
    """What NumPy and C give for a fused node whose last operands may be constants."""
    arrays = [*arrays, *[const_value(n) for n in node.inputs[len(arrays) :]]]
    program = take_apart(node.attrs["program"], node.attrs["results"])
    source = c_source(program, [n.type for n in node.inputs])
    function = c_compiler.load(source.text)
    count = len(arrays) + len(node.types)
    kernel = native.NativeKernel(source, function, count)
    found = [np.zeros(t.shape, t.dtype) for t in node.types]
    with np.errstate(all="ignore"):
        expected = node.op.kernel(*arrays, **node.attrs)
    kernel(*arrays, *found)
    return (expected if isinstance(expected, tuple) else (expected,)), found


def node_of(inputs, *outputs):
    """A fused node of elementwise nodes over inputs; constants become operands behind them."""
    order = list(Graph(inputs, tuple((str(i), n) for i, n in enumerate(outputs))).nodes)
    inputs = (*inputs, *[n for n in order if n.op.name == "const" and n not in inputs])
    numbers = {n: i for i, n in enumerate(inputs)}
    program = []
    for n in order:
        if n not in numbers:
            numbers[n] = len(numbers)
            pairs = tuple(sorted(n.attrs.items()))
            program.append((n.op.name, tuple(numbers[i] for i in n.inputs), pairs))
    attrs = {"program": tuple(program), "results": tuple(numbers[n] for n in outputs)}
    return build(fused, inputs, attrs)


def test_ops_in_c_are_those_whose_bits_ieee_754_fixes():
    assert IN_C == ["abs", "add", "cast", "divide", "equal", "greater", "greater_equal", "isnan",
                    "less", "less_equal", "logical_and", "logical_not", "logical_or",
                    "logical_xor", "multiply", "negative", "not_equal", "reciprocal", "relu",
                    "relu_grad", "rsqrt", "sqrt", "square", "subtract", "where"]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_op_gives_numpys_bits_for_special_values(dtype, eager):
    pairs = np.array(list(itertools.product(SPECIAL, SPECIAL)), dtype)
    a, b = np.ascontiguousarray(pairs.T)
    x, y = (input_node(a.shape, dtype, name) for name in "xy")
    flag = ops.greater(x, y)
    values = []
    for name in FLOATING:
        op = find_op(name)
        if name == "cast":
            values += [ops.cast(x, d) for d in ("float32", "float64", "bool") if d != dtype]
        elif name == "where":
            values.append(op(flag, x, y))
        else:
            arity = op.arity
            values.append(build(op, (x, y)[:arity]))
    other = ops.less(y, 1)
    values += [build(find_op(n), (flag, other)) for n in IN_C if n.startswith("logical_")
               and n != "logical_not"]  # fmt: skip
    values += [ops.logical_not(flag), flag + other, flag * other, ops.cast(flag, dtype)]
    values = [v for v in dict.fromkeys(values) if v.shape == a.shape]
    node = node_of((x, y), *values)
    for value, expected, found in zip(values, *run_fused(node, [a, b]), strict=True):
        assert bits(expected) == bits(found), value.op.name


@pytest.mark.parametrize(
    "shapes",
    [
        ((6, 32), (32,), ()),
        ((6, 32), (6, 1), (1, 32)),
        ((3, 2, 32), (3, 2, 1), (1, 1, 1)),
        ((3, 4, 8), (4, 8), (1, 4, 8)),
        ((1, 40), (40,), (1, 1)),
    ],
    ids=str,
)
def test_axes_of_one_broadcast(shapes, eager):
    inputs = tuple(input_node(s, name=f"x{i}") for i, s in enumerate(shapes))
    node = node_of(inputs, (inputs[0] - inputs[1]) * inputs[2] + inputs[1])
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype("f") for s in shapes]
    (expected,), (found,) = run_fused(node, arrays)
    assert bits(expected) == bits(found)


@st.composite
def programs(draw):
    """A fused node of up to 30 instructions over float32, float64 and bool values."""
    shape = draw(st.sampled_from([(50,), (3, 17), (2, 2, 20)]))
    inputs = [
        input_node(shape if i < 2 else draw(st.sampled_from([shape, shape[-1:], ()])), d, f"x{i}")
        for i, d in enumerate(["float32", "float64", "float32", "float64", "bool"])
    ]
    pool = list(inputs)
    for _ in range(draw(st.integers(3, 30))):
        x = draw(st.sampled_from([n for n in pool if n.type.is_float and n.shape == shape]))
        other = draw(st.sampled_from([n for n in pool if n.dtype == x.dtype]))
        flag = draw(st.sampled_from([n for n in pool if n.dtype == "bool"]))
        kind = draw(st.sampled_from(["op", "op", "where", "cast", "flag"]))
        if kind == "op":
            op = find_op(draw(st.sampled_from([n for n in FLOATING if n not in ("cast", "where")])))
            pool.append(build(op, (x, other)[: op.arity]))
        elif kind == "where":
            pool.append(ops.where(flag, x, other))
        elif kind == "cast":
            pool.append(ops.cast(x, "float64" if x.dtype == "float32" else "float32"))
        else:
            pool.append(ops.logical_xor(ops.less(x, other), flag))
    made = [n for n in pool[5:] if n.shape == shape]
    read = {i for n in made for i in n.inputs}
    ends = [n for n in made if n not in read] + draw(st.lists(st.sampled_from(made), max_size=2))
    graph = Graph((), tuple((str(i), n) for i, n in enumerate(dict.fromkeys(ends))))
    used = tuple(n for n in inputs if n in graph.nodes)
    return node_of(used, *dict.fromkeys(ends))


@given(programs(), st.integers(0, 2**32 - 1))
@WORK
def test_drawn_programs_give_numpys_bits(home, node, seed):
    rng = np.random.default_rng(seed)
    arrays = []
    for t in (n.type for n in node.inputs):
        values = np.where(
            rng.random(t.shape) < 0.3, rng.choice(SPECIAL, t.shape), rng.normal(0, 3, t.shape)
        )
        arrays.append(np.asarray(values > 0 if t.dtype == "bool" else values.astype(t.dtype)))
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(config, "home", home)
        for expected, found in zip(*run_fused(node, arrays), strict=True):
            assert bits(expected) == bits(found)


# Not adamax: which zero is the larger of 0.0 and -0.0 is not fixed by IEEE 754.
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adagrad", "adadelta", "nadam", "adamw")


def train(optimizer, compiler, monkeypatch):
    monkeypatch.setattr(config, "compiler", compiler)
    np.random.seed(3)
    model = models.Sequential([layers.Dense(40, "relu", input_shape=(30,)), layers.Dense(3)])
    chosen = optimizers.SGD(0.1, momentum=0.9, nesterov=True) if optimizer == "sgd" else optimizer
    model.compile(chosen, "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 30)), rng.normal(size=(20, 3))
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    return model, x, y


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_gives_the_same_weights_with_and_without_a_compiler(optimizer, eager, monkeypatch):
    trained = {}
    for compiler in ("", "cc"):
        model, x, y = train(optimizer, compiler, monkeypatch)
        source = model.executable(x, y).bind({"batch": 20}).source
        assert ("native(" in source) == bool(compiler), source
        trained[compiler] = model.get_weights()
    assert all(map(np.array_equal, trained[""], trained["cc"]))


def test_an_update_is_written_in_place(eager):
    x = input_node((8, 32), name="x")
    w = Variable(np.ones((8, 32), "f"), "w")
    v = Variable(np.ones((8, 32), "f"), "v")
    slot = v * 0.5 + x * x
    graph = Graph((x,), (), ((v, slot), (w, w - x / (ops.sqrt(slot) + v))))
    exe = compile(graph)
    given = np.linspace(-1, 1, 256).reshape(8, 32).astype("f")
    w0, v0 = w.numpy().copy(), v.numpy().copy()
    exe(given)
    assert "native(" in exe.source
    assert "void run(" in exe.source
    after = v0 * np.float32(0.5) + given * given
    np.testing.assert_array_equal(v.numpy(), after)
    np.testing.assert_array_equal(w.numpy(), w0 - given / (np.sqrt(after) + v0))


X = TensorType((64, 64), "float32")
NOT_IN_C = {
    "an op without C": ((("exp", (0,), ()), ("square", (1,), ())), (2,), (X,)),
    "a product": ((("matmul", (0, 0), ()), ("square", (1,), ())), (2,), (X,)),
    "integers": ((("square", (0,), ()),), (1,), (X.with_dtype("int32"),)),
    "halves": ((("square", (0,), ()),), (1,), (X.with_dtype("float16"),)),
    "a reduction": (
        (("square", (0,), ()), ("sum", (1,), (("axis", (1,)), ("keepdims", False)))),
        (2,),
        (X,),
    ),
    "a stretched axis between others": (
        (("add", (0, 1), ()),),
        (2,),
        (TensorType((3, 4, 32), "float32"), TensorType((3, 1, 32), "float32")),
    ),
    "short rows": (
        (("add", (0, 1), ()),),
        (2,),
        (TensorType((64, 3), "float32"), TensorType((64, 1), "float32")),
    ),
}


@pytest.mark.parametrize("name", NOT_IN_C)
def test_programs_that_stay_with_numpy(name):
    program, results, inputs = NOT_IN_C[name]
    assert c_source(take_apart(program, results), inputs) is None


def test_small_programs_and_other_layouts_stay_with_numpy():
    def source(shape, transposed=False):
        x = input_node(shape, name="x")
        seen = ops.transpose(x) if transposed else x
        exe = compile(Graph((x,), (("y", ops.square(seen + 1) - seen),)))
        exe.bind({})
        return exe.source

    assert "native(" not in source((64, 64))
    assert "native(" in source((1024, 512))
    assert "native(" not in source((1024, 512), transposed=True)


# -- the compiler ------------------------------------------------------------------------------
TEXT = """#include <stddef.h>
void run(ptrdiff_t rows, ptrdiff_t columns, void *const *p) {{ *(double *)p[0] = {}; }}
"""


def call(function):
    value = np.zeros(1)
    function(1, 1, (native.ctypes.c_void_p * 1)(value.ctypes.data))
    return value[0]


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A home of its own for one test."""
    monkeypatch.setattr(config, "home", str(tmp_path))
    c_compiler._load.cache_clear()
    return tmp_path / "native"


def test_what_was_compiled_is_kept(fresh, monkeypatch):
    assert call(c_compiler.load(TEXT.format(2.5))) == 2.5
    (kept,) = fresh.iterdir()
    c_compiler._load.cache_clear()
    monkeypatch.setattr(c_compiler, "_compile", None)
    assert call(c_compiler.load(TEXT.format(2.5))) == 2.5
    assert list(fresh.iterdir()) == [kept]


def test_a_kept_file_that_is_no_library_is_replaced(fresh):
    c_compiler.load(TEXT.format(3.5))
    (kept,) = fresh.iterdir()
    c_compiler._load.cache_clear()
    text = TEXT.format(4.5)
    target = fresh / f"{c_compiler._name(text, c_compiler.find_compiler())}.so"
    target.write_bytes(b"not a library")
    assert call(c_compiler.load(text)) == 4.5
    assert target.read_bytes()[:4] == kept.read_bytes()[:4]


def test_a_home_that_cannot_be_written_to(fresh):
    fresh.write_text("a file where the folder should be")
    assert call(c_compiler.load(TEXT.format(5.5))) == 5.5


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.setattr(config, "home", "~nobody-of-this-name/.kgraph")
    assert call(c_compiler.load(TEXT.format(6.5))) == 6.5


def test_another_text_has_another_name():
    compiler = c_compiler.find_compiler()
    assert c_compiler._name("a", compiler) != c_compiler._name("b", compiler)


@pytest.mark.parametrize("name", ["", "no-such-compiler"])
def test_without_a_compiler_numpy_runs(name, fresh, monkeypatch):
    monkeypatch.setattr(config, "compiler", name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert c_compiler.load(TEXT.format(1.0)) is None


@pytest.mark.parametrize("body", ["echo 'cc1: out of luck' >&2; exit 1", "exec sleep 5"])
def test_a_compiler_that_fails_warns_once(body, fresh, monkeypatch, tmp_path):
    script = pathlib.Path(tmp_path, "broken-cc")
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setattr(config, "compiler", str(script))
    monkeypatch.setattr(c_compiler, "_SECONDS", 0.2)
    with pytest.warns(RuntimeWarning, match="(?s)NumPy runs.*(out of luck|timed out).*KGRAPH_CC"):
        assert c_compiler.load(TEXT.format(1.0)) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert c_compiler.load(TEXT.format(1.0)) is None
