"""What users add to the default pipeline or take out of it: for a block of code, or for good.

Both reach everything that is compiled from then on, `fit` and `predict` included; what is compiled
already stays as it is.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgraph import config
from kgraph.errors import explain
from kgraph.passes.manager import Pass, Pipeline
from kgraph.passes.options import PASSES, RULE, parse_items, unknown
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import Rule


@dataclass(frozen=True)
class _Addition:
    """A rule, a pass, or the name of something to leave out, and where it goes."""

    what: Any
    to: str
    before: str | None


_FOR_GOOD: list[_Addition] = []
_IN_BLOCK: contextvars.ContextVar[tuple[_Addition, ...]] = contextvars.ContextVar(
    "additions", default=()
)


@contextlib.contextmanager
def using(
    *additions: Rule | Pass | str, to: str = "simplify", before: str | None = None
) -> Iterator[None]:
    """Extends the default pipeline for what is compiled in the block.

    Args:
        additions: rules, passes, and texts such as "-fuse" or "-rule:mul-one" for what to leave
            out.
        to: the pass that tries the rules, before its own; "stabilize" also runs on the forward
            graph before gradients are taken.
        before: the pass that the passes precede; default the one that hands the graph over.

    Raises:
        TypeError: an addition is none of these.
        ValueError: there is nothing of that name.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import P, optimize, rule, unknowns
        >>> (x,) = unknowns("x")
        >>> a = input_node((3,), name="a")
        >>> with using(rule("tanh-odd", P.tanh(-x), lambda x: -ops.tanh(x))):
        ...     graph, _ = optimize(Graph((a,), (("y", -ops.tanh(-a)),)))
        >>> graph.outputs[0][1] is ops.tanh(a)
        True
    """
    token = _IN_BLOCK.set((*_IN_BLOCK.get(), *_checked(additions, to, before)))
    try:
        yield
    finally:
        _IN_BLOCK.reset(token)


def register(
    *additions: Rule | Pass | str, to: str = "simplify", before: str | None = None
) -> None:
    """Extends the default pipeline for good, in all threads.

    Args:
        additions: as for `using`.
        to: the pass that tries the rules.
        before: the pass that the passes precede.

    Example:
        >>> from kgraph.passes import Fold
        >>> register(Fold())
        >>> unregister(Fold())
    """
    _FOR_GOOD.extend(_checked(additions, to, before))


def unregister(*additions: Rule | Pass | str) -> None:
    """Takes back what `register` added.

    Args:
        additions: the same objects.

    Raises:
        ValueError: one of them is not registered.
    """
    for what in additions:
        found = [a for a in _FOR_GOOD if a.what is what or a.what == what]
        if not found:
            raise ValueError(explain("not registered", got=what))
        _FOR_GOOD.remove(found[-1])


def extended(passes: Sequence[Pass], family: Sequence[Pass], main: bool = True) -> Pipeline:
    """Passes with what users added, less what they or `config.passes` left out.

    Args:
        passes: the default ones.
        family: all default passes, for names that may be left out but do not occur in `passes`.
        main: whether `config.passes` and additions may bring other passes; else only rules.
    """
    additions = [*_FOR_GOOD, *_IN_BLOCK.get()]
    if not additions and not config.passes:
        return Pipeline(tuple(passes))
    given, left_out = parse_items(config.passes)
    names = [*left_out, *(a.what.removeprefix("-") for a in additions if isinstance(a.what, str))]
    # Passes go first, so that a rule whose pass has gone finds that out.
    chosen = [p for p in (given if given and main else passes) if p.name not in names]
    for addition in additions:
        if isinstance(addition.what, Pass):
            # A line of passes that was given says which passes run.
            chosen = _with_pass(chosen, addition) if main and not given else chosen
        elif not isinstance(addition.what, str):
            chosen = _with_rule(chosen, addition, main)
    return _less(Pipeline(tuple(chosen)), names, (*family, *passes, *chosen))


def _checked(additions: Sequence[Any], to: str, before: str | None) -> list[_Addition]:
    for what in additions:
        is_rule = all(hasattr(what, name) for name in ("name", "kind", "match", "build"))
        if not (is_rule or isinstance(what, Pass) or (isinstance(what, str) and what[:1] == "-")):
            raise TypeError(
                explain("not an addition to the pipeline", got=repr(what)[:200],
                        expected='a rule, a pass, or a text such as "-fuse" or "-rule:mul-one"')
            )  # fmt: skip
    for name in filter(None, (to, before)):
        if name not in PASSES:
            raise unknown("no pass", name, PASSES)
    return [_Addition(what, to, before) for what in additions]


def _with_rule(passes: list[Pass], addition: _Addition, main: bool) -> list[Pass]:
    """The rule joins the passes it names; where there is none, it gets a pass of its own."""
    rule = addition.what
    joined = [
        replace(step, rules=(rule, *step.rules))
        if isinstance(step, Rewrite) and step.name == addition.to
        else step
        for step in passes
    ]
    return joined if joined != passes or not main else [Rewrite((rule,)), *passes]


def _with_pass(passes: list[Pass], addition: _Addition) -> list[Pass]:
    names = [step.name for step in passes]
    if addition.before is not None and addition.before not in names:
        raise unknown("no pass", addition.before, names)
    places = [
        i
        for i, step in enumerate(passes)
        if (step.name == addition.before if addition.before else step.needs is not step.gives)
    ]
    place = places[0] if places else len(passes)
    return [*passes[:place], addition.what, *passes[place:]]


def _less(pipeline: Pipeline, names: Sequence[str], family: Sequence[Pass]) -> Pipeline:
    """The pipeline less passes and rules; a name must occur in the family, not in the pipeline."""
    known = {step.name for step in family}
    rules = {name for step in family for name in step.rule_names}
    here = {step.name for step in pipeline.passes}
    own = {f"{RULE}{name}" for step in pipeline.passes for name in step.rule_names}
    for name in names:
        if name.startswith(RULE) and name.removeprefix(RULE) not in rules:
            raise unknown("no rule", name.removeprefix(RULE), rules)
        if not name.startswith(RULE) and name not in known:
            raise unknown("no pass", name, known)
    return pipeline.without(*[name for name in names if name in here | own])
