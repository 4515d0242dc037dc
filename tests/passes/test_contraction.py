"""Products in the order that costs least, whatever the batch; and what needs no product at all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from product_checks import (
    BATCH,
    check_gradient,
    check_rewrite,
    check_values,
    feeds,
    fire,
    graph_from,
    keeps,
    misses,
)

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.passes.contraction import Contract
from kgraph.passes.report import estimate
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

CONTRACT = Contract()
BIG, THIN = 96, 3


def a(m, rows=BIG, columns=BIG, name="a"):
    return m.input(name, rows, columns)


def thin(m):
    """A product that is larger than its operands."""
    return a(m, BIG, 2) @ a(m, 2, BIG, "b")


def lora(m):
    """A weight of low rank, multiplied out by the user."""
    return m.input("x", BATCH, BIG) @ (a(m, BIG, THIN) @ a(m, THIN, BIG, "b"))


POSITIVE = {
    "low rank": (lora, {"matmul-chain": 1}, {"matmul": 2}),
    "a vector last": (lambda m: (a(m) @ a(m, name="b")) @ m.input("v", BIG), {"matmul-chain": 1},
                      {"matmul": 2}),
    "a vector first": (lambda m: m.input("v", BIG) @ (a(m) @ a(m, name="b")), {"matmul-chain": 1},
                       {"matmul": 2}),
    "vectors at both ends": (
        lambda m: m.input("u", BIG) @ ((a(m) @ a(m, name="b")) @ m.input("v", BIG)),
        {"matmul-chain": 1}, {"matmul": 3},
    ),
    "four": (
        lambda m: (a(m, 2, BIG) @ (a(m, name="b") @ a(m, name="c"))) @ m.input("v", BIG),
        {"matmul-chain": 1}, {"matmul": 3},
    ),
    "through a transpose": (
        lambda m: ops.transpose(a(m) @ a(m, name="b")) @ m.input("v", BIG),
        {"matmul-chain": 1}, {"matmul": 2, "transpose": 2},
    ),
    "leading axes": (
        lambda m: m.input("x", BATCH, 2, BIG) @ (m.input("p", BIG, THIN) @ m.input("q", THIN, BIG)),
        {"matmul-chain": 1}, {"matmul": 2},
    ),
    "leading axes that stretch": (
        lambda m: (m.input("p", 2, 4, BIG, BIG) @ m.input("q", 1, 4, BIG, BIG))
        @ m.input("v", 2, 1, BIG, 1),
        {"matmul-chain": 1}, {"matmul": 2},
    ),
    "sum of all": (lambda m: ops.sum(a(m) @ a(m, name="b")), {"sum-of-product": 1},
                   {"matmul": 1, "sum": 2}),
    "sum of columns": (lambda m: ops.sum(a(m) @ a(m, name="b"), axis=0), {"sum-of-product": 1},
                       {"matmul": 1, "sum": 1}),
    "sum of rows": (lambda m: ops.sum(a(m) @ a(m, name="b"), axis=1, keepdims=True),
                    {"sum-of-product": 1}, {"matmul": 1, "sum": 1}),
    "sum of rows, any batch": (lambda m: ops.sum(a(m, BATCH) @ a(m, name="b"), axis=1),
                               {"sum-of-product": 1}, {"matmul": 1, "sum": 1}),
    "mean": (lambda m: ops.mean(a(m) @ a(m, name="b")), {"sum-of-product": 1},
             {"matmul": 1, "mean": 2}),
    "a factor of a gradient": (
        lambda m: m.input("rate") * (ops.transpose(a(m, BATCH)) @ a(m, BATCH, 200, "d")),
        {"scale-product": 1}, {"matmul": 1, "multiply": 1},
    ),
    "divided scores": (lambda m: a(m, BIG, 4) @ a(m, 4, BIG, "k") / m.input("c"),
                       {"scale-product": 1}, {"matmul": 1, "divide": 1}),
    "many outer products": (lambda m: m.input("u", BATCH, 4, 1) @ m.input("v", BATCH, 1, 5),
                            {"outer-product": 1}, {"matmul": 0, "multiply": 1}),
    "einsum of three": (
        lambda m: ops.einsum("ij,jk,kl->il", m.input("x", BATCH, 8), a(m, 8, 9), a(m, 9, 70, "b")),
        {"einsum-pairs": 1, "einsum-matmul": 2}, {"matmul": 2, "einsum": 0},
    ),
    "einsum of heads": (
        lambda m: ops.einsum("bqhd,bkhd->bhqk", m.input("q", BATCH, 4, 2, 3),
                             m.input("k", BATCH, 5, 2, 3)),
        {"einsum-matmul": 1}, {"matmul": 1, "einsum": 0},
    ),
    "einsum with a shared weight": (
        lambda m: ops.einsum("bij,jk->bik", m.input("x", BATCH, 4, 3), a(m, 3, 5)),
        {"einsum-matmul": 1}, {"matmul": 1, "einsum": 0, "transpose": 0},
    ),
    "einsum over two letters": (
        lambda m: ops.einsum("bij,kji->kb", m.input("x", BATCH, 4, 3), m.input("w", 5, 3, 4)),
        {"einsum-matmul": 1}, {"matmul": 1, "einsum": 0},
    ),
    "einsum with a vector": (
        lambda m: ops.einsum("bi,i->b", m.input("x", BATCH, 4), m.input("v", 4)),
        {"einsum-matmul": 1}, {"matmul": 1, "einsum": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POSITIVE)
def test_contracts(name):
    check_rewrite(CONTRACT, *POSITIVE[name])


def tied(m):
    """The inner product is an output, and leaving it out would not pay by itself."""
    inner = a(m, THIN, BIG) @ a(m, name="b")
    return inner, inner @ a(m, name="c")


NEGATIVE = {
    "the best order already": lambda m: (a(m, BATCH) @ a(m, BIG, THIN, "b")) @ a(m, THIN, BIG, "c"),
    "all orders alike": lambda m: a(m) @ (a(m, name="b") @ a(m, name="c")),
    "less than a third faster": lambda m: (a(m, 96, 90) @ a(m, 90, 100, "b")) @ a(m, 100, 80, "c"),
    "better for small batches only": lambda m: a(m, BATCH) @ (a(m, name="b") @ a(m, name="c")),
    "needed anyway": tied,
    "a column becomes a row": lambda m: (a(m) @ m.input("v", BIG)) @ a(m, name="b"),
    "something in between": lambda m: ops.relu(a(m) @ a(m, name="b")) @ m.input("v", BIG),
    "sum of a shared product": lambda m: (y := a(m) @ a(m, name="b"), ops.sum(y)),
    "sum of few columns": lambda m: ops.sum(a(m, BATCH, 9) @ a(m, 9, 2, "b"), axis=1),
    "mean over an unknown inner size": lambda m: ops.mean(a(m, BIG, BATCH) @ a(m, BATCH, BIG, "b")),
    "mean over nothing": lambda m: ops.mean(a(m, 5, 0) @ a(m, 0, 5, "b")),
    "a factor of a small product": lambda m: m.input("rate") * (a(m, THIN) @ a(m, BIG, THIN, "b")),
    "a factor of a shared product": lambda m: (y := thin(m), m.input("c") * y),
    "a factor that the product gives": lambda m: (y := thin(m)) * ops.max(y),
    "a factor for each column": lambda m: thin(m) * m.input("s", BIG),
    "a scalar divided": lambda m: m.input("c") / thin(m),
    "smaller at one batch only": lambda m: m.input("c") * (a(m, BATCH, 60) @ a(m, 60, 60, "b")),
    "one outer product": lambda m: a(m, 32, 1) @ a(m, 1, 64, "b"),
    "einsum of a diagonal": lambda m: ops.einsum("bii,bi->b", m.input("x", 5, 3, 3), a(m, 5, 3)),
    "einsum of rows": lambda m: ops.einsum("bi,bi->b", a(m, 5, 3), a(m, 5, 3, "b")),
    "einsum without a sum": lambda m: ops.einsum("i,j->ij", m.input("u", 3), m.input("v", 4)),
    "einsum that sums one operand": lambda m: ops.einsum("ij,jk->k", a(m, 5, 3), a(m, 3, 4, "b")),
}  # fmt: skip


@pytest.mark.parametrize("name", NEGATIVE)
def test_leaves_alone(name):
    assert keeps(CONTRACT, NEGATIVE[name])


def test_says_why_not():
    assert misses(CONTRACT, graph_from(NEGATIVE["mean over nothing"])) == {
        "sum-of-product": "the mean of no rows is NaN, the product over no elements is 0"
    }
    assert misses(CONTRACT, graph_from(NEGATIVE["a factor of a small product"])) == {
        "scale-product": "no operand has fewer elements than the product"
    }


def trees(first, last):
    """All ways to put brackets around operands first..last."""
    if first == last:
        return [first]
    pairs = (
        itertools.product(trees(first, split), trees(split + 1, last))
        for split in range(first, last)
    )
    return [tree for some in pairs for tree in some]


def product_of(tree, operands):
    if isinstance(tree, int):
        return operands[tree]
    return product_of(tree[0], operands) @ product_of(tree[1], operands)


@pytest.mark.parametrize("seed", range(6))
def test_every_order_comes_out_as_good_as_the_best(seed):
    """The work of the result is within the threshold of that of all 42 orders of six operands."""
    rng = np.random.default_rng(seed)
    edges = [int(n) for n in rng.choice([4, 16, 64, 256, 1024], 7)]
    operands = [
        input_node((i, j), name=f"x{n}") for n, (i, j) in enumerate(itertools.pairwise(edges))
    ]
    results = []
    for tree in trees(0, 5):
        graph = Graph(tuple(operands), (("y", product_of(tree, operands)),))
        results.append((estimate(graph).flops, estimate(CONTRACT.run(graph)).flops))
    best = min(before for before, _ in results)
    assert max(after for _, after in results) <= 1.5 * best
    assert len(results) == 42


def test_chains_of_twelve_and_of_more():
    def build(m, count):
        y = a(m, name="x0")
        for n in range(1, count):
            y = y @ a(m, name=f"x{n}")
        return y @ m.input("v", BIG)

    for count in (11, 30):
        result, fired = fire(CONTRACT, graph_from(lambda m, count=count: build(m, count)))
        assert fired["matmul-chain"] >= 1
        flops = estimate(result).flops
        assert flops == 2 * BIG * BIG * count


def test_two_thousand_products_in_a_row():
    node = matrix = input_node((4, 4), name="x")
    for _ in range(2000):
        node = node @ matrix
    graph = Graph((matrix,), (("y", node),))
    assert CONTRACT.run(graph) is graph


def test_the_gradients_of_a_low_rank_weight_do_without_it():
    """The product of the factors is gone, though the forward pass and both gradients read it."""
    graph = graph_from(lambda m: ops.sum(ops.square(lora(m))))
    slopes = grad(graph.outputs[0][1], graph.inputs)
    whole = Graph(graph.inputs, tuple((f"d{i}", s) for i, s in enumerate(slopes)))
    before = estimate(whole).flops
    result, fired = fire(CONTRACT, whole)
    assert fired["matmul-chain"] == 4
    assert estimate(result).flops < before / 4
    assert all(n.size != BIG * BIG for n in result.nodes)
    arrays = feeds(whole, 5)
    for old, new in zip(interpret(whole, arrays)[0], interpret(result, arrays)[0]):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-3)


def test_a_fixed_product_is_free_at_inference_but_not_in_training():
    """W1 @ W2 is computed once a call, unless the graph updates a variable."""

    def build(m):
        x = m.input("x", BATCH, BIG)
        return (x @ m.state("w", BIG, BIG)) @ m.state("v", BIG, BIG)

    graph = graph_from(build)
    result, fired = fire(CONTRACT, graph)
    assert fired == {"matmul-chain": 1}
    assert result.outputs[0][1].inputs[0] is graph.inputs[0]
    check_values(CONTRACT, build)
    check_gradient(CONTRACT, build)
    counter = graph_from(lambda m: m.state("total")).states[0]
    training = Graph(graph.inputs, graph.outputs, ((counter, ops.sum(graph.outputs[0][1])),))
    assert CONTRACT.run(training) is training


def test_a_bottleneck_stays_one_even_where_its_product_is_free():
    def build(m):
        x = m.input("x", BATCH, BIG)
        return (x @ m.state("w", BIG, THIN)) @ m.state("v", THIN, BIG)

    assert keeps(CONTRACT, build)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ab,bc,cd,de->ae", [(3, 40), (40, 2), (2, 50), (50, 3)]),
        ("abc,cd,be->ade", [(2, 3, 4), (4, 5), (3, 6)]),
        ("ij,jk,ki->ij", [(3, 4), (4, 5), (5, 3)]),
        ("i,j,k->ijk", [(2,), (3,), (4,)]),
        ("bhqd,bhkd,bkhe->bqhe", [(2, 3, 4, 5), (2, 3, 6, 5), (2, 6, 3, 7)]),
    ],
)
def test_einsums_of_many_are_those_of_numpy(subscripts, shapes):
    graph = graph_from(lambda m: ops.einsum(
        subscripts, *[m.input(f"x{i}", *s) for i, s in enumerate(shapes)]))  # fmt: skip
    result, fired = fire(CONTRACT, graph)
    assert fired["einsum-pairs"] == 1
    assert all(len(n.inputs) == 2 for n in result.nodes if n.op is ops.einsum)
    arrays = feeds(graph, 1)
    expected = np.einsum(subscripts, *[x.astype("float64") for x in arrays], optimize=True)
    np.testing.assert_allclose(interpret(result, arrays)[0][0], expected, rtol=1e-5, atol=1e-5)


def test_einsum_orders_that_depend_on_the_batch_are_left_to_the_plan():
    def chain(m, *sizes):
        operands = [m.input(f"x{i}", *pair) for i, pair in enumerate(itertools.pairwise(sizes))]
        return ops.einsum("ab,bc,cd->ad", *operands)

    assert not keeps(CONTRACT, lambda m: chain(m, 30, BATCH, 30, 2))
    graph = graph_from(lambda m: chain(m, BATCH, 30, 300, BATCH * 2))
    reason = "the best order depends on symbolic sizes"
    assert misses(CONTRACT, graph) == {"einsum-pairs": reason}


def test_nine_operands_are_too_many():
    subscripts = ",".join(["ab"] * 9) + "->ab"
    graph = graph_from(lambda m: ops.einsum(subscripts, *[a(m, 2, 2, f"x{i}") for i in range(9)]))
    assert misses(CONTRACT, graph) == {"einsum-pairs": "more than 8 operands"}
