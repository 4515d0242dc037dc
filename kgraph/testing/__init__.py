"""Property-based tests of models, layers, ops, passes and rules: strategies and checks.

A strategy that hypothesis shrinks has a twin that draws from a NumPy generator and is faster:
`graphs()` and `draw_graph(rng)`. Names are imported when they are first used: hypothesis takes as
long to load as everything else.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CheckError": "kgraph.testing.failures",
    "LayerCase": "kgraph.testing.drawn_layers",
    "OpCall": "kgraph.testing.drawn_ops",
    "arrays": "kgraph.testing.strategies",
    "check_gradients": "kgraph.testing.gradients",
    "check_layer": "kgraph.testing.layer_check",
    "check_pass": "kgraph.testing.pass_check",
    "check_rule": "kgraph.testing.rule_check",
    "draw_graph": "kgraph.testing.drawn_graphs",
    "draw_layer": "kgraph.testing.drawn_layers",
    "draw_model": "kgraph.testing.drawn_models",
    "draw_op_call": "kgraph.testing.drawn_ops",
    "dtypes": "kgraph.testing.strategies",
    "feed": "kgraph.testing.feeds",
    "graphs": "kgraph.testing.strategies",
    "layers": "kgraph.testing.drawn_layers",
    "models": "kgraph.testing.drawn_models",
    "op_calls": "kgraph.testing.drawn_ops",
    "seeds": "kgraph.testing.choices",
    "shapes": "kgraph.testing.strategies",
    "smallest": "kgraph.testing.reduction",
    "special_values": "kgraph.testing.specials",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
