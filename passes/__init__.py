"""Passes: a graph goes in, a better graph of the same signature comes out."""

from kgraph.passes.fold import Fold
from kgraph.passes.manager import (
    CompileReport,
    NearMiss,
    Observer,
    Pass,
    PassRecord,
    Pipeline,
    observing,
)
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule, rule
from kgraph.passes.simplify import DropMarkers, Simplify

__all__ = [
    "CompileReport",
    "DropMarkers",
    "Fold",
    "FunctionRule",
    "NearMiss",
    "Observer",
    "P",
    "Pass",
    "PassRecord",
    "Pipeline",
    "Rewrite",
    "Rule",
    "Simplify",
    "observing",
    "rule",
    "unknowns",
]
