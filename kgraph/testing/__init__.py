"""Property-based tests of models, layers, ops, passes and rules: strategies and checks.

A strategy that hypothesis shrinks has a twin that draws from a NumPy generator and is faster:
`graphs()` and `draw_graph(rng)`.
"""

from kgraph.testing.choices import seeds
from kgraph.testing.drawn_layers import LayerCase, draw_layer, layers
from kgraph.testing.drawn_models import draw_model, models
from kgraph.testing.drawn_ops import OpCall, draw_op_call, op_calls
from kgraph.testing.failures import CheckError
from kgraph.testing.feeds import feed
from kgraph.testing.gradients import check_gradients
from kgraph.testing.graphs import draw_graph
from kgraph.testing.layer_check import check_layer
from kgraph.testing.pass_check import check_pass
from kgraph.testing.reduction import smallest
from kgraph.testing.rule_check import check_rule
from kgraph.testing.specials import special_values
from kgraph.testing.strategies import arrays, dtypes, graphs, shapes

__all__ = [
    "CheckError",
    "LayerCase",
    "OpCall",
    "arrays",
    "check_gradients",
    "check_layer",
    "check_pass",
    "check_rule",
    "draw_graph",
    "draw_layer",
    "draw_model",
    "draw_op_call",
    "dtypes",
    "feed",
    "graphs",
    "layers",
    "models",
    "op_calls",
    "seeds",
    "shapes",
    "smallest",
    "special_values",
]
