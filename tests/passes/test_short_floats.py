"""Rules leave float16 its range: 65504 is its largest number, and it has eleven binary digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rule_checks import BATCH

from kgraph import config, ops
from kgraph.ir import Graph, Node, input_node
from kgraph.passes import optimize
from kgraph.runtime.executable import compile

X = input_node((100, 3), "float16", "x")
W = input_node((3, 200), "float16", "w")
ROW = input_node((3,), "float16", "row")
ROWS = input_node((BATCH, 3), "float16", "rows")

# What is computed, the value of all elements of x, w, row and rows, and the result.
IN_RANGE: dict[str, tuple[Callable[[], Node], float, float]] = {
    "the mean of large numbers": (lambda: ops.mean(X, axis=0) * 2, 1000, 2000),
    "a sum of small parts": (lambda: ops.sum(X * 0.01, axis=0), 1000, 1000),
    "a sum of quotients": (lambda: ops.sum(X / 100, axis=0), 1000, 1000),
    "a mean of products": (lambda: ops.mean(X * 64, axis=0), 900, 57600),
    "many equal numbers": (lambda: ops.sum(ops.broadcast_to(ROW, (70000, 3)), axis=0), 0.5, 35000),
    "many zeros": (lambda: ops.sum(ops.broadcast_to(ROW, (70000, 3)), axis=0), 0, 0),
    "a sum of a product": (lambda: ops.sum(X @ (W * 0)), 1000, 0),
    "a small factor of a product": (lambda: (X @ (W * 32768)) * 1e-4, 2**-8, 1.5e-4),
    "the reciprocal of a square": (lambda: X**-2, 300, 1 / 90000),
}  # fmt: skip


def filled(nodes, value):
    """An array of one value for each input."""
    return [np.full([int(d) for d in n.shape], value, n.dtype) for n in nodes]


@pytest.mark.parametrize("numerics", ["safe", "fast"])
@pytest.mark.parametrize("what", IN_RANGE)
def test_what_is_in_range_stays_there(what, numerics, monkeypatch):
    monkeypatch.setattr(config, "numerics", numerics)
    make, value, expected = IN_RANGE[what]
    node = make()
    inputs = tuple(n for n in (X, W, ROW) if n in Graph((), (("y", node),)).nodes)
    (found,) = compile(Graph(inputs, (("y", node),)))(*filled(inputs, value))
    np.testing.assert_allclose(found.astype("float64"), expected, rtol=4e-3)


@pytest.mark.parametrize("rows", [0, 1, 70000])
def test_a_batch_may_have_more_rows_than_the_largest_number(rows):
    total = ops.sum(ops.broadcast_to(ROW, ROWS.shape), axis=0)
    graph = Graph((ROW, ROWS), (("y", total),))
    found, report = optimize(graph)
    assert report.fired["reduce-broadcast"] == 1
    row = np.array([0, 0.5, -0.25], "float16")
    for each in (graph, found):
        expected = row.astype("float64") * rows
        got = compile(each)(row, np.zeros((rows, 3), "float16"))[0]
        np.testing.assert_allclose(got.astype("float64"), expected, rtol=1e-3)


def test_the_report_says_why():
    graph = Graph((X, W), (("y", ops.sum(X @ W) + ops.sum(ops.mean(X, axis=0) * 2 + X * 3)),))
    _, report = optimize(graph)
    reasons = {miss.reason for step in report.passes for miss in step.near_misses}
    assert "float16 may overflow on the way" in reasons
