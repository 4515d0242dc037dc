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
from kgraph.passes.observers import Dump
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.pipeline import CORE, Finish, optimize
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule, rule
from kgraph.passes.share import ShareSoftmax
from kgraph.passes.simplify import DropMarkers, Simplify
from kgraph.passes.stabilize import Stabilize

__all__ = [
    "CORE",
    "CompileReport",
    "DropMarkers",
    "Dump",
    "Finish",
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
    "ShareSoftmax",
    "Simplify",
    "Stabilize",
    "observing",
    "optimize",
    "rule",
    "unknowns",
]
