"""`kgraph passes`: what the passes do to a model, which rules fired, and which one broke it."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import os
from collections.abc import Iterator
from textwrap import dedent, indent
from typing import Any

from kgraph import config
from kgraph.errors import KGraphError, StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.serialize import save
from kgraph.passes.blame import describe
from kgraph.passes.lower import lower
from kgraph.passes.manager import CompileReport, Pipeline, observing
from kgraph.passes.observers import Dump
from kgraph.passes.options import unknown
from kgraph.passes.pipeline import default_pipeline
from kgraph.passes.report import PassRecord, show_step, show_table
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import ADMITTED, PatternRule
from kgraph.passes.statistics import RuleStatistics
from kgraph.runtime.executable import compile
from kgraph.tools.answers import answer
from kgraph.tools.bisection import bisect, load_check
from kgraph.tools.complaints import BAD_INPUT, USAGE, complain
from kgraph.tools.models import add_model, find_model, graph_of
from kgraph.tools.passes_listing import all_rules, chosen, firing_line, list_text, listed, trace
from kgraph.tools.training_step import training_step

_SHOWN = 8  # places that `--explain` lists


def add_parser(subparsers: Any) -> None:
    """Adds the `passes` command to the command line."""
    parser = subparsers.add_parser(
        "passes",
        description="Compiles a model and shows a line a pass: milliseconds, nodes, flops and "
        "bytes before -> after, and the rules that fired.",
    )
    add_model(parser, needed=False)
    parser.add_argument(
        "--training", action="store_true", help="the training step instead of the prediction"
    )
    parser.add_argument("--optimizer", default="adam", help="of a model that is not compiled")
    parser.add_argument("--loss", help="of such a model; default by the op of each output")
    parser.add_argument(
        "--pipeline",
        metavar="TEXT",
        help='such as "simplify,finish", or =-fuse,-rule:mul-one for what to leave out',
    )
    parser.add_argument("--only", metavar="A,B", help="only these passes")
    parser.add_argument("--skip", metavar="A,B", help="all but these passes, and rule:NAME")
    parser.add_argument("--verify", choices=("off", "every"), help="the graph after every pass")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N firings")
    parser.add_argument("--numerics", choices=tuple(ADMITTED), help="which rules may fire")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--stats", action="store_true", help="a line a rule as well")
    kind.add_argument(
        "--explain", metavar="RULE", help="what a rule says, where it fired, or why not"
    )
    kind.add_argument("--trace", metavar="RULE", nargs="?", const="",
                      help="every firing in its order, or those of one rule")  # fmt: skip
    kind.add_argument("--list", action="store_true", help="the passes and their rules; no MODEL")
    kind.add_argument("--bisect", metavar="CHECK.py", help="find the firing that breaks a check")
    parser.add_argument("--dump", metavar="DIR", help="write the graph after every pass")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument(
        "-o", "--output", default="reproduction.json", help="what --bisect writes; %(default)s"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the passes; returns 0, 2 for wrong options, 4 for a model or a check that fails."""
    complaint = _contradiction(args)
    if complaint:
        return complain(complaint, USAGE)
    try:
        with _switches(args):
            return _show(args)
    except _UsageError as error:
        return complain(str(error), USAGE)
    except BrokenPipeError:
        raise  # nobody reads any more: no fault of the model
    except (KGraphError, OSError, ValueError) as error:
        return complain(f"{args.model}: {error}", BAD_INPUT)


def _contradiction(args: argparse.Namespace) -> str:
    """What is wrong with the options together, or nothing."""
    if args.json and (args.explain or args.bisect or args.trace is not None):
        return "--json goes with the table and --list only"
    if sum(option is not None for option in (args.pipeline, args.only, args.skip)) > 1:
        return "--pipeline, --only and --skip exclude one another"
    if args.limit is not None and (args.limit < 0 or args.bisect):
        return "--limit takes a number from 0 on, and does not go with --bisect"
    if args.model is None and not args.list:
        return "the following arguments are required: MODEL\n  hint: kgraph passes --help"
    return ""


class _UsageError(Exception):
    """The command line asks for what is not there."""


def _show(args: argparse.Namespace) -> int:
    found = None if args.model is None else find_model(args.model, args.weights)
    try:
        pipeline = default_pipeline()  # after the model's module, which may add passes of its own
    except ValueError as error:
        raise _UsageError(error) from error
    if args.list:
        return answer(args, {"passes": listed(pipeline)}, list_text(pipeline))
    graph = _source(args, found)
    if graph.stage is Stage.FUSED:
        raise StageError("the graph is optimized already")
    if args.bisect:
        return _bisect(args, graph, pipeline)
    watchers = (Dump(args.dump),) if args.dump else ()
    with observing(*watchers):
        report = compile(graph, pipeline=pipeline).report
    assert report is not None
    if args.trace and args.trace not in all_rules(report, pipeline):
        raise _UsageError(unknown("no rule", args.trace, all_rules(report, pipeline)))
    if args.explain:
        return _explain(args.explain, report, pipeline)
    if args.json:
        return answer(args, report.as_dict(), "")
    print(trace(report, args.trace or None) if args.trace is not None
          else _table(report, args.stats))  # fmt: skip
    return 0


@contextlib.contextmanager
def _switches(args: argparse.Namespace) -> Iterator[None]:
    kept = config.numerics, config.stats, config.passes, config.verify, config.fuel
    config.numerics = args.numerics or config.numerics
    config.stats = args.stats or config.stats
    config.passes = config.passes if args.pipeline is None else args.pipeline
    config.passes = chosen(args.only, args.skip) or config.passes
    config.verify = config.verify if args.verify is None else args.verify == "every"
    config.fuel = config.fuel if args.limit is None else args.limit
    try:
        yield
    finally:
        config.numerics, config.stats, config.passes, config.verify, config.fuel = kept


def _source(args: argparse.Namespace, found: Any) -> Graph:
    """The graph that the passes get."""
    if not args.training:
        return lower(graph_of(found))
    if isinstance(found, Graph):
        hint = "give a model, or leave out --training"
        raise KGraphError(explain("a bare graph has no training step", hint=hint))
    report = training_step(found, args.loss, args.optimizer).report
    assert report is not None
    return report.source


def _table(report: CompileReport, stats: bool) -> str:
    text = str(report).split("\nheld back:")[0]
    lines = [f"pipeline: {report.pipeline}", text]
    if stats:
        rows: list[tuple[str, ...]] = [
            ("rule", "kind", "looked", "matched", "fired", "ms", "nodes", "flops", "refused")
        ]
        rows += [_rule_row(s) for s in report.statistics if s.looked or s.fired]
        lines += ["", show_table(rows)]
    elif report.near_misses:
        lines.append(f"{len(report.near_misses)} kinds of near misses: see --stats, --explain RULE")
    return "\n".join(lines)


def _rule_row(s: RuleStatistics) -> tuple[str, ...]:
    refused = "; ".join(f"{reason} x{n}" for reason, n in (s.refused or {}).items())
    return (s.rule, s.kind, str(s.looked), str(s.matched), str(s.fired), f"{s.seconds * 1e3:.2f}",
            show_step(s.removed.nodes, s.made.nodes), show_step(s.removed.flops, s.made.flops),
            refused)  # fmt: skip


def _explain(name: str, report: CompileReport, pipeline: Pipeline) -> int:
    """What a rule says, and what it did to this model."""
    passes = pipeline.passes
    rules = {r.name: (r, p.name) for p in passes if isinstance(p, Rewrite) for r in p.rules}
    known = all_rules(report, pipeline)
    if name not in known:
        raise _UsageError(unknown("no rule", name, known))
    owners = [p.name for p in passes if name in (p.name, *p.rule_names)]
    owner = ", ".join(dict.fromkeys(owners))
    print(_says(*rules[name]) if name in rules else f"{name}\n  pass: {owner}")
    done = [text for text in (_did(name, record) for record in report.passes) if text]
    print("\n".join(done) or "no node of this model has the ops that the rule looks at")
    return 0


def _says(rule: Any, pass_name: str) -> str:
    equation = f": {rule.pattern}" if isinstance(rule, PatternRule) else ""
    levels = [level for level, kinds in ADMITTED.items() if rule.kind in kinds]
    lines = [f"{rule.name}{equation}", f"  pass: {pass_name}",
             f"  kind: {rule.kind}, fires at numerics {', '.join(levels)}"]  # fmt: skip
    if rule.users is not None:
        lines.append(f"  condition: no inner node has more than {rule.users} user")
    function = rule.right if isinstance(rule, PatternRule) else getattr(rule, "find", None)
    if function is not None:
        lines += _written(function)
    return "\n".join(lines)


def _written(function: Any) -> list[str]:
    """Where a rule stands in the source, and how it reads there."""
    code = function.__code__
    place = f"  written in: {os.path.basename(code.co_filename)}:{code.co_firstlineno}"
    try:
        source = inspect.getsource(function).rstrip().splitlines()
    except OSError:  # made in a session that kept no source
        source = []
    return [place, *indent(dedent("\n".join(source[:_SHOWN])), "    ").splitlines()]


def _did(name: str, record: PassRecord) -> str:
    stats = next((s for s in record.statistics if s.rule == name), None)
    if stats is None:
        return ""
    tried = f"tried at {stats.looked} nodes, fitted at {stats.matched}, " if stats.looked else ""
    lines = [f"in {record.name}: {tried}fired at {stats.fired}"]
    firings = [f for f in record.firings if f.rule == name]
    for firing in firings[:_SHOWN]:
        lines.append(f"  {firing_line(firing)}")
    if len(firings) > _SHOWN:
        lines.append(f"  ... and {len(firings) - _SHOWN} more")
    lines += [f"  held back: {m}" for m in record.near_misses if m.rule == name]
    return "\n".join(lines)


def _bisect(args: argparse.Namespace, graph: Graph, pipeline: Pipeline) -> int:
    found = bisect(graph, load_check(args.bisect), pipeline)
    if found is None:
        print("the check passes with all passes: there is nothing to find")
        return 0
    save(found.reproduction, args.output)
    reason = found.failure.strip().splitlines()[0]
    print(f"the check fails from firing {found.number} of {found.firings} on: {reason}")
    print(f"pass {found.step}, {describe(found.firing, found.reproduction.stage)}")
    verdict = "differ" if found.differs else "agree in every bit"
    print(f"the two sides {verdict} on drawn inputs; wrote {args.output}")
    return 0
