"""The intermediate representation: types, interned nodes, graphs."""

from kgraph.ir.context import AddedMetric, CallContext, calling, current_context
from kgraph.ir.dim import Dim, evaluate, floor_divide, product
from kgraph.ir.graph import Graph, Stage, substitute, toposort, transform
from kgraph.ir.leaves import const, const_value, input_node, is_const, item, items, size
from kgraph.ir.node import API, Node, build, rebuild
from kgraph.ir.op import OPS, Op, Sample, as_array, as_node, cast_to, find_op, register
from kgraph.ir.types import TensorType, promote
from kgraph.ir.variable import Variable

__all__ = [
    "API",
    "OPS",
    "AddedMetric",
    "CallContext",
    "Dim",
    "Graph",
    "Node",
    "Op",
    "Sample",
    "Stage",
    "TensorType",
    "Variable",
    "as_array",
    "as_node",
    "build",
    "calling",
    "cast_to",
    "const",
    "const_value",
    "current_context",
    "evaluate",
    "find_op",
    "floor_divide",
    "input_node",
    "is_const",
    "item",
    "items",
    "product",
    "promote",
    "rebuild",
    "register",
    "size",
    "substitute",
    "toposort",
    "transform",
]
