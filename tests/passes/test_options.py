"""Pipelines as one line of text: printed, read back, and errors that name what is known."""

from __future__ import annotations

import dataclasses

import hypothesis.strategies as st
import pytest
from hypothesis import example, given
from rule_checks import BATCH, graph_of

from kgraph import config, ops
from kgraph.ir import input_node
from kgraph.passes import CORE, Pass, Pipeline, Rewrite, Simplify, optimize, parse_pipeline
from kgraph.passes.options import PASSES, snake_case
from kgraph.passes.pipeline import default_pipeline, forward_pipeline

X = input_node((BATCH, 4), name="x")


@dataclasses.dataclass(frozen=True)
class Tune(Pass):
    """A pass with options of every kind of literal."""

    name_: str = "a"
    depth: int = 3
    rate: float = 0.5
    exact: bool = False
    limit: int | None = None
    parts: tuple = ()

    def run(self, graph):
        return graph


LITERALS = {
    "name_": st.text(max_size=5),
    "depth": st.integers(),
    "rate": st.floats(allow_nan=False),
    "exact": st.booleans(),
    "limit": st.none() | st.integers(0, 9),
    "parts": st.lists(st.text(max_size=3) | st.integers() | st.just((1, "}"))).map(tuple),
}
RULES = st.lists(st.sampled_from(Simplify().rule_names), unique=True, max_size=3).map(tuple)
STEPS = st.one_of(
    st.builds(Tune, **LITERALS),
    st.builds(Simplify, without=RULES, numerics=st.sampled_from([None, "strict", "fast"])),
    st.sampled_from(CORE),
)


@given(steps=st.lists(STEPS, min_size=1, max_size=5), left_out=RULES)
@example([Tune(name_="a\"'\\,{", parts=(",", "-x"))], ())
def test_what_is_printed_is_read_back(steps, left_out):
    has_rules = any(isinstance(s, Simplify) for s in steps)
    pipeline = Pipeline(tuple(steps), excluded=left_out if has_rules else ())
    again = parse_pipeline(str(pipeline))
    assert again == pipeline
    assert [type(s) for s in again.passes] == [type(s) for s in steps]
    assert str(again) == str(pipeline)


def test_only_what_differs_from_the_default_is_printed():
    steps = (Simplify(without=("power-two",)), Tune(depth=3, rate=float("-inf")), Simplify())
    text = "simplify{without=('power-two',)},tune{rate=-1e999},simplify"
    assert str(Pipeline(steps)) == text
    assert parse_pipeline(text).passes == steps


def test_every_default_pass_has_a_text():
    assert parse_pipeline(str(Pipeline(CORE))) == Pipeline(CORE)
    for step in CORE:
        assert PASSES[step.name] is type(step)


def test_spaces_and_lists_are_taken():
    text = ' simplify { without = ["power-two", "mul-one"] , numerics="fast" } , finish '
    first = parse_pipeline(text).passes[0]
    assert first == Simplify(without=("power-two", "mul-one"), numerics="fast")


def test_a_value_that_is_no_literal_is_printed_and_refused():
    text = str(Pipeline((Rewrite((Simplify().rules[0],)),)))
    assert text == "rewrite{rules=<tuple of 1>}"
    with pytest.raises(ValueError, match="option rules takes a Python literal"):
        parse_pipeline(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("simplfy", r"(?s)no pass 'simplfy'.*finish.*did you mean 'simplify'"),
        ("simplify{witout=()}", r"(?s)simplify has no option 'witout'.*did you mean 'without'"),
        ("simplify{numerics=fast}", "option numerics takes a Python literal"),
        ("simplify{without='mul-one'}", r"(?s)takes a tuple.*\('mul-one',\)"),
        ("simplify{numerics='fast',numerics='safe'}", "cannot read the option"),
        ("simplify{numerics}", "cannot read the option"),
        ("simplify{", "open bracket"),
        ("simplify,,finish", "nothing between commas"),
        ("simplify,", "nothing between commas"),
        ("Simplify!", "cannot read the pass"),
        ("simplify,-fold", r"(?s)no pass 'fold'.*expected: simplify"),
        ("simplify,-rule:mul-won", r"(?s)no rule 'mul-won'.*did you mean 'mul-one'"),
    ],
)
def test_errors_name_what_is_known(text, message):
    with pytest.raises(ValueError, match=message):
        parse_pipeline(text)


def test_rules_left_out_by_name_fire_nowhere():
    graph = graph_of((X,), ops.log(ops.softmax(X * 1)))
    pipeline = Pipeline(CORE).without("rule:mul-one", "rule:softmax-of-loss")
    assert optimize(graph, pipeline)[1].fired == {"log-softmax": 1}
    assert optimize(graph, pipeline.without("rule:log-softmax"))[1].fired == {}
    assert str(pipeline).endswith(",-rule:mul-one,-rule:softmax-of-loss")


def test_switch_of_the_process(monkeypatch):
    graph = graph_of((X,), ops.log(ops.softmax(X * 1)))
    monkeypatch.setattr(config, "passes", "-rule:mul-one,-stabilize")
    assert optimize(graph)[1].fired == {}
    assert str(forward_pipeline()) == "transposes,pool_first"
    monkeypatch.setattr(config, "passes", "stabilize,finish")
    assert [p.name for p in optimize(graph)[1].passes] == ["stabilize", "finish"]
    assert optimize(graph, (Simplify(),))[1].fired == {"mul-one": 1}  # who names passes gets them
    monkeypatch.setattr(config, "passes", "-fuze")
    with pytest.raises(ValueError, match="no pass 'fuze'"):
        default_pipeline()


def test_names_of_kgraphs_own_passes_are_taken():
    with pytest.raises(
        ValueError, match=r"(?s)'simplify' exists already.*kgraph\.passes\.simplify"
    ):
        type("Simplify", (Pass,), {"__module__": "theirs"})
    assert PASSES["simplify"] is Simplify
    assert snake_case("FoldBatchNorm") == "fold_batch_norm"
