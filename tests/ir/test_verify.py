"""Every invariant, broken on purpose, and what the message shows."""

from __future__ import annotations

import inspect

import pytest
from ir_graphs import BATCH, rich_graph

from kgraph import ops
from kgraph.errors import VerifyError
from kgraph.ir import Graph, Node, Stage, TensorType, Variable, input_node
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.node import fill
from kgraph.ir.op import OPS
from kgraph.ir.origin import Lineage, Origin
from kgraph.ir.verify import verify

X = input_node((BATCH, 3), name="x")
W = Variable([1.0, 2.0, 3.0], name="w")


def forged(op: str, inputs: tuple[Node, ...], type_: TensorType, **attrs: object) -> Node:
    """A node that no op would have built, as a broken pass might make."""
    node = Node.__new__(Node)
    lineage = (Lineage("simplify", "mul-one", ("%1",)), Lineage("fold", "fold-const", ()))
    origin = Origin(None, "dense_1", "/home/me/model.py", 31, lineage)
    fill(node, OPS[op], inputs, attrs, (type_,), origin)
    return node


def test_good_graphs_pass():
    for graph in (rich_graph(), Graph((), ()), Graph((X,), ()), Graph((X,), (("x", X),))):
        assert verify(graph) is None


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Graph((), (("y", ops.tanh(X)),)), "input 'x' is used but not declared"),
        (Graph((ops.tanh(X),), ()), "not an input"),
        (Graph((W,), ()), "not an input"),
        (Graph((X, X), ()), "an input twice"),
        (Graph((X, input_node((), name="x")), ()), "two inputs are called 'x'"),
        (Graph((X,), (("y", X), ("y", ops.tanh(X)))), "two outputs are called 'y'"),
        (Graph((X,), (("y", ops.top_k(X, 2)[0].inputs[0]),)), "several outputs"),
        (Graph((), (), ((W, W + 1), (W, W * 2))), "state 'w' is updated twice"),
        (Graph((X,), (), ((W, ops.sum(X)),)), "updated by another type"),
        (Graph((), (), ((W, ops.cast(W, "float16")),)), "updated by another type"),
        (Graph((X,), (), ((X, ops.tanh(X)),)), "only a state"),
        (Graph((X,), (("y", forged("tanh", (X, X), X.type)),)), "tanh refuses its operands"),
        (Graph((X,), (("y", forged("tanh", (X,), W.type)),)), "tanh infers another type"),
    ],
)
def test_broken_graphs(graph, message):
    with pytest.raises(VerifyError, match=message):
        verify(graph)


def test_ops_of_another_stage():
    class Record:
        types, mask_types, layer = (X.type,), (None,), None

    call = forged("layer_call", (X,), X.type, call=Record())
    assert LAYER_CALL.stages == ("LAYERS",)
    verify(Graph((X,), (("y", call),), (), Stage.LAYERS))
    with pytest.raises(VerifyError, match=r"(?s)layer_call does not belong to stage CORE.*LAYERS"):
        verify(Graph((X,), (("y", call),)))


def test_the_message_shows_the_place():
    before = ops.exp(X)
    culprit = forged("tanh", (before,), TensorType((BATCH, 4), "float32"))
    users = [ops.multiply(culprit, float(i)) for i in range(6)]
    line = inspect.currentframe().f_lineno - 1
    with pytest.raises(VerifyError) as caught:
        verify(Graph((X,), tuple((str(i), n) for i, n in enumerate(users))))
    assert str(caught.value).split("\n") == [
        "tanh infers another type",
        "  expected: f32[batch, 3]",
        "  got: f32[batch, 4]",
        "  at: /home/me/model.py:31",
        "  made by: fold/fold-const",
        "  made by: simplify/mul-one from %1",
        f"    %1 = exp(%0) : f32[batch, 3]  # test_verify.py:{line - 2}",
        "  > %2 = tanh(%1) : f32[batch, 4]  # dense_1 model.py:31 <- fold/fold-const"
        " <- simplify/mul-one",
        f"    %4 = multiply(%2, %3) : f32[batch, 4]  # test_verify.py:{line}",
        f"    %6 = multiply(%2, %5) : f32[batch, 4]  # test_verify.py:{line}",
        f"    %8 = multiply(%2, %7) : f32[batch, 4]  # test_verify.py:{line}",
        f"    %10 = multiply(%2, %9) : f32[batch, 4]  # test_verify.py:{line}",
        "    ... and 2 more users",
    ]
