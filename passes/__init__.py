"""Passes: a graph goes in, a better graph of the same signature comes out."""

from kgraph.passes.batch_norm import FoldBatchNorm
from kgraph.passes.contraction import Contract
from kgraph.passes.extending import register, unregister, using
from kgraph.passes.fold import Fold
from kgraph.passes.fuse import Fuse
from kgraph.passes.gradients import Gradients
from kgraph.passes.horizontal import MergeProducts
from kgraph.passes.journal import fueled
from kgraph.passes.manager import (
    CompileReport,
    NearMiss,
    Observer,
    Pass,
    PassRecord,
    Pipeline,
    observing,
    parse_pipeline,
)
from kgraph.passes.observers import Dump
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.pipeline import CORE, Finish, optimize
from kgraph.passes.rematerialize import Rematerialize
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule, rule
from kgraph.passes.share import ShareSoftmax
from kgraph.passes.simplify import DropMarkers, Simplify
from kgraph.passes.stabilize import Stabilize

__all__ = [
    "CORE",
    "CompileReport",
    "Contract",
    "DropMarkers",
    "Dump",
    "Finish",
    "Fold",
    "FoldBatchNorm",
    "FunctionRule",
    "Fuse",
    "Gradients",
    "MergeProducts",
    "NearMiss",
    "Observer",
    "P",
    "Pass",
    "PassRecord",
    "Pipeline",
    "Rematerialize",
    "Rewrite",
    "Rule",
    "ShareSoftmax",
    "Simplify",
    "Stabilize",
    "fueled",
    "observing",
    "optimize",
    "parse_pipeline",
    "register",
    "rule",
    "unknowns",
    "unregister",
    "using",
]
