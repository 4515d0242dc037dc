"""Graphs as networkx sees them."""

from __future__ import annotations

import subprocess
import sys

import networkx
from ir_graphs import BATCH, rich_graph

from kgraph import ops
from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.origin import scope


def test_nodes_and_edges():
    x = input_node((BATCH,), name="x")
    weight = Variable(2.0, name="w")
    with scope("layer"):
        y = ops.multiply(x + x, weight)
    picture = Graph((x,), (("y", y),), ((weight, weight * 0.5),)).to_networkx()
    assert picture.nodes[0] == {
        "node": x, "op": "input", "name": "x", "scope": "", "types": ("f32[batch]",),
        "trainable": False,
    }  # fmt: skip
    assert picture.nodes[2]["trainable"]
    assert picture.nodes[1]["scope"] == "layer"
    assert list(picture.edges(data="operand")) == [
        (0, 1, 0), (0, 1, 1), (1, 3, 0), (2, 3, 1), (2, 5, 0), (4, 5, 1),
    ]  # fmt: skip
    assert picture.graph == {
        "stage": "core", "inputs": [0], "outputs": [("y", 3)], "updates": [(2, 5)],
    }  # fmt: skip


def test_algorithms_apply():
    picture = rich_graph().to_networkx()
    assert networkx.is_directed_acyclic_graph(picture)
    assert networkx.descendants(picture, 0)
    assert len(picture) == len({data["node"] for _, data in picture.nodes(data=True)})


def test_networkx_is_imported_by_the_first_use_only():
    code = (
        "import sys, kgraph.ir as ir\n"
        "x = ir.input_node((2,))\n"
        "graph = ir.Graph((x,), (('y', x),))\n"
        "assert 'networkx' not in sys.modules\n"
        "graph.to_networkx()\n"
        "assert 'networkx' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
