"""`kgraph passes`: what the passes do to a model, which rules fired, and which one broke it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from kgraph import config
from kgraph.errors import KGraphError, StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.serialize import save
from kgraph.passes.blame import describe
from kgraph.passes.manager import CompileReport, Observer, Pipeline, observing
from kgraph.passes.observers import Dump, VerifyPhases
from kgraph.passes.options import unknown
from kgraph.passes.pipeline import default_pipeline
from kgraph.passes.report import show_step, show_table
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import ADMITTED
from kgraph.passes.statistics import RuleStatistics
from kgraph.runtime.executable import compile
from kgraph.tools.answers import add_json, add_no_clobber, answer, refuse_existing
from kgraph.tools.arguments import whole
from kgraph.tools.bisection import bisect, load_check
from kgraph.tools.complaints import BAD_INPUT, NO, USAGE, CommandError, complain, unwritable
from kgraph.tools.explaining import did_data, did_text, rule_text, statistics_of
from kgraph.tools.models import add_model, find_model
from kgraph.tools.pass_changes import pass_changes
from kgraph.tools.passes_listing import (
    all_rules,
    chosen,
    firings,
    list_text,
    listed,
    passes_table,
    peaks,
    trace_text,
)  # fmt: skip
from kgraph.tools.progress import doing, watching
from kgraph.tools.training_step import add_training, source_graph


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
    add_training(parser)
    parser.add_argument(
        "--pipeline",
        metavar="TEXT",
        help='such as "simplify,finish", or =-fuse,-rule:mul-one for what to leave out',
    )
    parser.add_argument("--only", metavar="A,B", help="only these passes")
    parser.add_argument("--skip", metavar="A,B", help="all but these passes, and rule:NAME")
    parser.add_argument(
        "--verify",
        choices=("off", "phase", "every"),
        help="no graph, what each pipeline returns, or what each pass does",
    )
    parser.add_argument("--limit", type=whole, metavar="N", help="stop after N firings")
    parser.add_argument("--numerics", choices=tuple(ADMITTED), help="which rules may fire")
    _add_questions(parser)
    parser.add_argument("--dump", metavar="DIR", help="write the graph after every pass")
    add_no_clobber(parser)
    add_json(parser)
    parser.add_argument(
        "-o", "--output", default="reproduction.json", help="what --bisect writes; %(default)s"
    )
    parser.set_defaults(run=run)


def _add_questions(parser: argparse.ArgumentParser) -> None:
    """What may be asked for instead of the table."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--stats", action="store_true", help="a line a rule as well")
    kind.add_argument(
        "--explain", metavar="RULE", help="what a rule says, where it fired, or why not"
    )
    kind.add_argument("--trace", metavar="RULE", nargs="?", const="",
                      help="every firing in its order, or those of one rule")  # fmt: skip
    kind.add_argument("--list", action="store_true", help="the passes and their rules; no MODEL")
    kind.add_argument("--bisect", metavar="CHECK.py", help="find the firing that breaks a check")


def run(args: argparse.Namespace) -> int:
    """Runs the passes; returns 0, or 1 if --bisect finds nothing."""
    complaint = _contradiction(args)
    if complaint:
        return complain(complaint, USAGE)
    try:
        with _switches(args), watching():
            return _show(args)
    except _UsageError as error:
        return complain(str(error), USAGE)
    except (BrokenPipeError, CommandError):
        raise  # nobody reads any more, or it has its words
    except (KGraphError, ValueError) as error:
        return complain(f"{args.model}: {error}", BAD_INPUT)
    except OSError as error:
        raise unwritable(args.dump or args.output, error) from error


def _contradiction(args: argparse.Namespace) -> str:
    """What is wrong with the options together, or nothing."""
    if sum(option is not None for option in (args.pipeline, args.only, args.skip)) > 1:
        return "--pipeline, --only and --skip exclude one another"
    if args.limit is not None and args.bisect:
        return "--bisect finds the number of firings itself: leave out --limit"
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
    refuse_existing(args, *filter(None, (args.dump, args.output if args.bisect else None)))
    graph = source_graph(found, args.training, args.loss, args.optimizer)
    if graph.stage is Stage.FUSED:
        raise StageError("the graph is optimized already")
    if args.bisect:
        return _bisect(args, graph, pipeline)
    watchers: list[Observer] = [Dump(args.dump)] if args.dump else []
    watchers += [VerifyPhases()] if args.verify == "phase" else []
    with observing(*watchers):
        report = compile(graph, pipeline=pipeline).report
    assert report is not None
    if args.trace and args.trace not in all_rules(report, pipeline):
        raise _UsageError(unknown("no rule", args.trace, all_rules(report, pipeline)))
    if args.explain:
        return _explain(args, report, pipeline)
    if args.trace is not None:
        rows = firings(report, args.trace or None)
        return answer(args, {"firings": rows}, trace_text(rows))
    if not args.json:
        return answer(args, {}, _table(report, args.stats))
    peak_bytes = [peaks(record) for record in report.passes]
    document = {**report.as_dict(), "peaks": peak_bytes, "changes": pass_changes(report)}
    return answer(args, document, "")


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


def _table(report: CompileReport, stats: bool) -> str:
    lines = [f"pipeline: {report.pipeline}", passes_table(report)]
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


def _explain(args: argparse.Namespace, report: CompileReport, pipeline: Pipeline) -> int:
    """What a rule says, and what it did to this model."""
    name, passes = args.explain, pipeline.passes
    rules = {r.name: (r, p.name) for p in passes if isinstance(p, Rewrite) for r in p.rules}
    known = all_rules(report, pipeline)
    if name not in known:
        inside = [rule for step in passes if step.name == name for rule in step.rule_names]
        if inside:
            message = explain(f"{name!r} is a pass", expected=", ".join(inside[:24]))
            raise _UsageError(message)
        raise _UsageError(unknown("no rule", name, known))
    owners = [p.name for p in passes if name in (p.name, *p.rule_names)]
    owner = ", ".join(dict.fromkeys(owners))
    says = rule_text(*rules[name]) if name in rules else f"{name}\n  pass: {owner}"
    found = [did_data(name, r) for r in report.passes if statistics_of(name, r) is not None]
    nothing = "no node of this model has the ops that the rule looks at"
    done = [did_text(each) for each in found] or [nothing]
    document = {"rule": name, "pass": owner, "text": says, "passes": found}
    return answer(args, document, "\n".join([says, *done]))


def _bisect(args: argparse.Namespace, graph: Graph, pipeline: Pipeline) -> int:
    with doing("looking for the guilty firing"):
        found = bisect(graph, load_check(args.bisect), pipeline)
    if found is None:
        text = "the check passes with all passes: there is nothing to find"
        return answer(args, {"found": False}, text, NO)
    save(found.reproduction, args.output)
    reason = found.failure.strip().splitlines()[0]
    guilty = describe(found.firing, found.reproduction.stage)
    verdict = "differ" if found.differs else "agree in every bit"
    text = (
        f"the check fails from firing {found.number} of {found.firings} on: {reason}\n"
        f"pass {found.step}, {guilty}\n"
        f"the two sides {verdict} on drawn inputs; wrote {args.output}"
    )
    document = {"found": True, "number": found.number, "firings": found.firings,
                "failure": reason, "pass": found.step, "rule": found.firing.rule, "text": guilty,
                "differs": found.differs, "output": args.output}  # fmt: skip
    return answer(args, document, text)
