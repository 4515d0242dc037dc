"""matmul and einsum: shapes, values and gradients against NumPy and JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph import ops
from kgraph.errors import GradientError, InferenceError
from kgraph.ir import OPS, Dim, Graph, TensorType, const, input_node
from kgraph.ops.einsum import matmul_views, parse
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def draw(*shape, dtype="float64"):
    """Random numbers that depend on the shape only."""
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


def ours(function, *arrays):
    """The value of a function of nodes, and the gradients of half its square."""
    inputs = tuple(input_node(a.shape, a.dtype.name, f"x{i}") for i, a in enumerate(arrays))
    value = function(*inputs)
    slopes = grad([value], inputs, [value])
    graph = Graph(inputs, tuple((str(i), n) for i, n in enumerate((value, *slopes))))
    return interpret(graph, arrays)[0]


def theirs(function, *arrays):
    """The same by JAX."""
    with jax.enable_x64(True):
        value, pull = jax.vjp(function, *arrays)
        return value, *pull(value)


def check_agree(mine, other):
    """Equal up to rounding."""
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-11, atol=1e-11)


def specialized(name, arrays, attrs):
    """What the callable of a plan computes."""
    types = [TensorType(a.shape, a.dtype.name) for a in arrays]
    nodes = tuple(input_node(t.shape, t.dtype) for t in types)
    outputs = OPS[name].infer_node(nodes, attrs)
    out = np.full(outputs[0].shape, 7, outputs[0].dtype)
    OPS[name].specialize(types, outputs, attrs)(*arrays, out)
    return out


MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((2, 0), (0, 4)),
    ((0, 2, 3), (3, 4)),
    ((5, 2, 0), (0, 4)),
]


@pytest.mark.parametrize(("left", "right"), MATMULS)
def test_matmul(left, right):
    a, b = draw(*left), draw(*right)
    check_agree(ours(ops.matmul, a, b), theirs(jnp.matmul, a, b))
    for x in (a, np.asfortranarray(a)):
        np.testing.assert_allclose(specialized("matmul", [x, b], {}), np.matmul(a, b), rtol=1e-12)


def test_matmul_of_integers_and_promotion():
    a = np.arange(6, dtype="int32").reshape(2, 3)
    result = ops.matmul(a, a.T)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, a @ a.T)
    assert ops.matmul(a, np.ones((3, 1), "float32")).dtype == np.float32


def test_matmul_refusals():
    x = input_node((2, 3), name="x")
    with pytest.raises(InferenceError, match="matmul: inner sizes differ"):
        x @ np.ones((4, 2))
    with pytest.raises(InferenceError, match="at least one axis"):
        ops.matmul(x, 2.0)
    with pytest.raises(InferenceError, match="broadcast"):
        ops.matmul(input_node((2, 3, 4)), input_node((5, 4, 2)))


def test_weight_gradient_of_a_sequence_is_one_product():
    n = Dim.symbol("batch")
    x, w = input_node((n, 7, 3), name="x"), input_node((3, 4), name="w")
    y = x @ w
    (slope,) = grad([y], [w], [y])
    assert slope.op.name == "matmul"
    assert [m.ndim for m in slope.inputs] == [2, 2]
    assert y.op.cost([x.type, w.type], y.types, {})[0] == 2 * n * 7 * 4 * 3


EQUATIONS = [
    "ij,jk->ik",
    "ij,jk",
    "ij,kj->ik",
    "ji,jk->ki",
    "bij,bjk->bik",
    "bhqd,bhkd->bhqk",
    "bqhd,bkhd->bhqk",
    "bhqk,bkhd->bqhd",
    "btd,de->bte",
    "bij,ijk->bk",
    "i,i->",
    "i,j->ij",
    "i,j->ji",
    "ij->",
    "ij->j",
    "ijk->kji",
    "ij,ij->i",
    "ij,kl->il",
    "ii->i",
    "ii->",
    "iij->j",
    "ii,ij->j",
    "ij,jk,kl->il",
    "ij,ik,il->jkl",
    "...j,jk->...k",
    "b...,b...->b...",
    "i...->...i",
]
SIZES = dict(zip("bdehijklqt", (2, 3, 4, 5, 3, 2, 4, 5, 6, 3)))


def shapes_of(equation):
    """A shape an operand; an ellipsis stands for two axes."""
    terms = equation.split("->")[0].split(",")
    return [
        tuple(SIZES[c] for c in term.replace("...", "xy") if c in SIZES)
        if "..." not in term
        else tuple({"x": 2, "y": 3, **SIZES}[c] for c in term.replace("...", "xy"))
        for term in terms
    ]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation):
    arrays = [draw(*shape) for shape in shapes_of(equation)]
    mine = ours(lambda *nodes: ops.einsum(equation, *nodes), *arrays)
    check_agree(mine, theirs(lambda *xs: jnp.einsum(equation, *xs), *arrays))
    np.testing.assert_allclose(ops.einsum(equation, *arrays), np.einsum(equation, *arrays))
    terms, result = parse(equation, [a.ndim for a in arrays])
    attrs = {"subscripts": f"{','.join(terms)}->{result}"}
    np.testing.assert_allclose(specialized("einsum", arrays, attrs), mine[0], atol=1e-12)


@SETTINGS
@given(st.data())
def test_random_einsums(data):
    """Any two or three operands with letters of 'abcd', repeats included."""
    term = st.text("abcd", min_size=0, max_size=3)
    terms = data.draw(st.lists(term, min_size=1, max_size=3))
    used = sorted(set("".join(terms)))
    result = "".join(data.draw(st.permutations(used)))[: data.draw(st.integers(0, len(used)))]
    sizes = dict(zip("abcd", (2, 3, 4, 2)))
    arrays = [draw(*(sizes[c] for c in t)) for t in terms]
    equation = f"{','.join(terms)}->{result}"
    value, *slopes = ours(lambda *nodes: ops.einsum(equation, *nodes), *arrays)
    np.testing.assert_allclose(value, np.einsum(equation, *arrays), atol=1e-10)
    operand = data.draw(st.integers(0, len(arrays) - 1))
    step = draw(*arrays[operand].shape)
    moved = [step if i == operand else a for i, a in enumerate(arrays)]
    # An einsum is linear in each operand, so the slope along a step is the einsum of the step.
    change = (value * np.einsum(equation, *moved)).sum()
    np.testing.assert_allclose((slopes[operand] * step).sum(), change, rtol=1e-9, atol=1e-9)


def test_einsum_spells_its_subscripts_out():
    a, b = input_node((2, 3)), input_node((3, 4))
    node = ops.einsum(" ij, jk ", a, b)
    assert node.attrs["subscripts"] == "ij,jk->ik"
    assert node is ops.einsum("ij,jk->ik", a, b)
    assert ops.einsum("ij->ji", a) is ops.transpose(a)
    assert ops.einsum("ij->i", a) is ops.sum(a, 1)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "names 2 operands, got 1"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "axis j has sizes 3 and 4"),
        ("ij->ik", [(2, 3)], "must name axes of operands"),
        ("ij->ii", [(2, 3)], "must name axes of operands"),
        ("ijk->i", [(2, 3)], "does not fit an operand of 2 axes"),
        ("i1->i", [(2, 3)], "letters, commas"),
        ("i...jk->i", [(2, 3)], "does not fit"),
        ("...i,...i->...", [(2, 3), (1, 3)], "sizes 2 and 1"),
    ],
)
def test_einsum_refusals(equation, shapes, message):
    with pytest.raises(InferenceError, match=message):
        ops.einsum(equation, *(input_node(s) for s in shapes))


def test_einsum_with_symbolic_sizes():
    n = Dim.symbol("n")
    x, w = input_node((n, 3), "float64", "x"), input_node((3, 2), "float64", "w")
    y = ops.einsum("ni,ij->nj", x, w)
    assert y.shape == (n, 2)
    graph = Graph((x, w), (("y", y), *((str(i), s) for i, s in enumerate(grad(y, [x, w])))))
    a, b = draw(4, 3), draw(3, 2)
    check_agree(interpret(graph, [a, b])[0], [a @ b, np.ones((4, 2)) @ b.T, a.T @ np.ones((4, 2))])
    square = input_node((n, n), name="square")
    with pytest.raises(GradientError, match="repeated axis i"):
        grad(ops.einsum("ii->i", square), [square])


def test_attention_is_one_matmul():
    for equation in ("bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "btd,de->bte", "ij,kj->ik"):
        terms, result = parse(equation, [len(t) for t in equation.split("->")[0].split(",")])
        assert matmul_views(terms, result) is not None
    assert matmul_views(("bij", "ijk"), "bk") is None


def test_constants_of_other_dtypes_promote():
    x = input_node((2, 3), name="x")
    assert ops.einsum("ij,j->i", x, const([1, 2, 3])).dtype == "float32"
