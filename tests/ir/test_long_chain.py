"""Nothing in the IR recurses over the graph, and nothing is slower than linear."""

from __future__ import annotations

import gc
import weakref

import pytest
from ir_graphs import tower

from kgraph.ir import Graph
from kgraph.ir.parser import parse
from kgraph.ir.printer import anchors
from kgraph.ir.serialize import dumps, load, save
from kgraph.ir.verify import verify

DEPTH = 100_000


@pytest.fixture(scope="module")
def chain() -> Graph:
    return tower(DEPTH)


def test_walks(chain):
    assert len(chain) == DEPTH + 1
    assert len(chain.users) == DEPTH + 1
    assert chain.symbols == ("batch",)
    verify(chain)
    assert chain.rewrite(lambda node: node) is chain


def test_text(chain):
    text = str(chain)
    assert text.count("\n") == DEPTH + 2
    assert parse(text, anchors(chain)) == chain


def test_json(chain, tmp_path):
    save(chain, tmp_path / "chain.json")
    again = load(tmp_path / "chain.json")
    assert len(again) == DEPTH + 1
    assert dumps(again) == (tmp_path / "chain.json").read_text()


def test_a_long_chain_dies_without_overflow():
    graph = tower(DEPTH)
    ghosts = [weakref.ref(node) for node in graph.nodes[::1000]]
    del graph
    gc.collect()
    assert all(ghost() is None for ghost in ghosts)
