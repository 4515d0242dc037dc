"""Colours that say values: scales, legends, lines in the boxes, overlays, times."""

from __future__ import annotations

import itertools
import json
import math
import re

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from viz_models import headlines, nested, recurrent, residual, siamese

from kgraph.errors import RenderError
from kgraph.passes.lower import lower
from kgraph.runtime.executable import compile
from kgraph.tools.timing import Timing
from kgraph.tools.viz import (
    Style,
    build_view,
    to_dot,
    to_json,
    to_mermaid,
    to_svg,
    to_text,
    visible,
)
from kgraph.tools.viz.json_view import SCHEMA
from kgraph.tools.viz.looks import DARK, LIGHT
from kgraph.tools.viz.overlay import nowhere, overlaid
from kgraph.tools.viz.painting import MEASURES, Fill, painting, value_text
from kgraph.tools.viz.palette import KINDS, NEUTRAL, SCALE, ink_on, luminance, shade
from kgraph.tools.viz.scales import scale_of

ENERGY = {"name": "energy", "unit": "mJ", "nodes": {"lstm": 12.5, "hidden": 3}}


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def painted(view, by):
    return painting(view, visible(view), by)


def fill_of(view, paint, label) -> Fill:
    return paint.fills[next(b.id for b in visible(view).boxes if b.label == label)]


def test_letters_can_be_read_on_every_colour():
    colors = [shade(i / 500) for i in range(501)]
    for color in [*colors, *KINDS, NEUTRAL, *(f"#{k:02x}{k:02x}{k:02x}" for k in range(256))]:
        assert contrast(color, ink_on(color)) >= 4.5


def test_the_scale_goes_from_dark_to_light():
    assert [shade(i / 4) for i in range(5)] == list(SCALE)
    lights = [luminance(shade(i / 50)) for i in range(51)]
    assert lights == sorted(lights)
    assert len({*KINDS}) == len(KINDS)


@pytest.mark.parametrize("by", [m for m in MEASURES if m not in ("role", "ms", "overlay")])
def test_every_measure_in_every_format(by):
    view = build_view(headlines().graph, "m")
    paint = painted(view, by)
    style = Style(color_by=by)
    legend = str(paint.legend)
    assert legend.startswith(f"{by}: ")
    assert set(paint.fills) == {b.id for b in view.boxes}
    for text in (to_svg(view, style), to_dot(view, style), to_mermaid(view, style)):
        assert all(fill.color in text for fill in paint.fills.values())
    rows = {fill.row for fill in paint.fills.values()} - {""}
    assert bool(rows) == (by != "op")
    assert all(row in to_text(view, style) for row in rows)
    assert f'"color_by": "{by}"' in to_json(view, color_by=by)


def test_numbers_go_along_the_scale_and_the_legend_has_their_range():
    view = build_view(headlines().graph, dims={"batch": 4})
    paint = painted(view, "params")
    assert str(paint.legend) == "params: 9 to 480, linear"
    assert fill_of(view, paint, "lstm") == Fill(SCALE[-1], "#000000", "480 parameters")
    assert fill_of(view, paint, "joined") == Fill(NEUTRAL, "#ffffff", "")
    text = to_svg(view, Style(color_by="params"))
    legend = re.search(r'<g class="legend">.*?</g>', text)[0]
    assert legend.count("<rect") == 24
    assert re.findall(r">([^<]+)</text>", legend) == ["params", "9", "200", "400", "480  linear"]


def test_costs_that_span_decades_are_told_apart():
    view = build_view(headlines().graph, "m")
    values = {"aux_input": 0, "embedding": 2, "lstm": 20, "hidden": 30, "main_output": 2e6}
    view = overlaid(view, {"name": "cost", "nodes": values})
    paint = painted(view, "overlay")
    assert str(paint.legend) == "cost: 2 to 2,000,000, logarithmic"
    assert paint.legend.kinds == (("0", NEUTRAL),)
    fills = {name: fill_of(view, paint, name).color for name in values}
    assert fills["aux_input"] == NEUTRAL
    assert fills["embedding"] == SCALE[0]
    assert fills["lstm"] == shade(1 / 6)
    assert len(set(fills.values())) == 5
    style = Style(color_by="overlay")
    legend = re.search(r'<g class="legend">.*?</g>', to_svg(view, style))[0]
    assert re.findall(r">([^<]+)</text>", legend) == [
        "cost", "0", "2", "10", "1k", "100k", "2,000,000  logarithmic",
    ]  # fmt: skip
    places = [float(x) for x in re.findall(r"M([\d.]+) 12v4", legend)]
    start = float(re.search(r'<rect x="([\d.]+)" y="1.0" width="6.0"', legend)[1])
    assert places == pytest.approx(
        [start + 144 * math.log(t / 2, 1e6) for t in (10, 1e3, 1e5)], abs=0.1
    )
    ticks = re.findall(r'BGCOLOR="(#\w+)"> </TD><TD><FONT [^>]*>([\w,]+)', to_dot(view, style))
    scale = paint.legend.scale
    assert ticks == [("#66727e", "0"), (SCALE[0], "2")] + [
        (scale.color(tick), text) for tick, text in ((10, "10"), (1e3, "1k"), (1e5, "100k"))
    ] + [(SCALE[-1], "2,000,000")]  # fmt: skip


NUMBERS = st.floats(1e-9, 1e15) | st.just(0.0) | st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=2, unique=True))
def test_scales_are_in_order_and_have_few_ticks(values):
    assume(max(values) - min(values) > 1e-9 * max(map(abs, values)))
    scale = scale_of(values)
    placed = [scale.part(v) for v in sorted(values) if v or not scale.logarithmic]
    assert placed == sorted(placed)
    assert placed[0] == 0
    assert placed[-1] == pytest.approx(1)
    ticks = scale.ticks()
    assert len(ticks) <= 4
    assert all(0 < scale.part(tick) < 1 for tick in ticks)
    if scale.logarithmic:
        assert all(math.log10(tick).is_integer() for tick in ticks)
        assert ticks


def test_one_number_is_a_kind():
    view = overlaid(build_view(headlines().graph), {"nodes": {"lstm": 3, "hidden": 3}})
    paint = painted(view, "overlay")
    assert (str(paint.legend), paint.legend.scale) == ("overlay: 3", None)


def test_kinds_are_told_apart():
    view = build_view(headlines().graph)
    paint = painted(view, "dtype")
    assert str(paint.legend) == "dtype: f32, i32"
    assert {fill.color for fill in paint.fills.values()} == {*KINDS[:2]}
    assert painted(view, "trainable").legend.kinds == (("trainable", KINDS[0]),)


def test_closed_clusters_have_what_is_inside():
    graph = lower(headlines().graph)
    opened, closed = (build_view(graph, view="ops", depth=d, fold=False) for d in (9, 0))
    whole = sum(b.work.flops for b in opened.boxes if b.cluster and b.work)
    inside = [b for b in visible(closed).boxes if b.hidden]
    assert sum(b.work.flops for b in inside) == whole
    values = {c.label: i + 1 for i, c in enumerate(opened.clusters)}
    view = overlaid(closed, {"nodes": values})
    assert fill_of(view, painted(view, "overlay"), "hidden").row == f"overlay = {values['hidden']}"
    some = {b.id: 2 for b in closed.boxes if b.cluster and b.kind == "op"}
    view = overlaid(closed, {"nodes": some})
    inner = {c.id for c in closed.clusters if c.path.split("/")[0] == "hidden"}
    count, label = sum(b.cluster in inner for b in closed.boxes if b.id in some), "hidden"
    assert fill_of(view, painted(view, "overlay"), label).row == f"overlay = {2 * count}"
    view = overlaid(closed, {"nodes": dict.fromkeys(some, "cpu")})
    assert fill_of(view, painted(view, "overlay"), label).row == "overlay = cpu"
    mixed = dict(zip(some, itertools.cycle(["cpu", "gpu"])))
    view = overlaid(closed, {"nodes": mixed})
    assert fill_of(view, painted(view, "overlay"), "lstm").row == ""


def test_overlays_find_names_paths_and_ids():
    view = build_view(nested().graph, calls=True)
    nodes = {"middle/encoder": 1.5, "pre": 2, "n4": 3, "nothing": 4}
    overlay = overlaid(view, {"name": "w", "nodes": nodes}).overlays[0]
    assert overlay.unknown == ("nothing",)
    assert overlay.values["n4"] == 3
    assert sorted(v for v in overlay.values.values() if v == 2) == [2, 2]  # two calls
    assert nowhere([overlay], []) == ("nothing",)
    other = overlaid(view, {"name": "w", "nodes": {"nothing": 4, "encodr": 1}}).overlays[0]
    assert nowhere([overlay, other], []) == ("nothing",)
    with pytest.raises(RenderError, match=r"such as 'nothing'(.|\n)*did you mean anything\?"):
        nowhere([other], ["anything", "x"])
    both = build_view(headlines().graph)
    labelled = overlaid(both, {"nodes": {"main_output": 1}}).overlays[0]
    assert list(labelled.values) == [b.id for b in both.boxes if b.kind == "layer"
                                     and b.label == "main_output"]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "said"),
    [({}, "an object with nodes"), ([], "an object with nodes"), ({"nodes": [1]}, "an object"),
     ({"nodes": {"a": None}}, "numbers or texts"), ({"nodes": {"a": True}}, "numbers or texts"),
     ({"nodes": {"a": float("inf")}}, "numbers or texts"), ({"name": 1, "nodes": {}}, "name and")],
)  # fmt: skip
def test_overlays_of_another_form(document, said):
    with pytest.raises(RenderError, match=said) as caught:
        overlaid(build_view(siamese().graph), document)
    assert caught.value.error == "E0402"


def test_overlays_in_every_format():
    view = overlaid(build_view(headlines().graph, "m"), ENERGY)
    style = Style(color_by="overlay", theme="dark")
    row = "energy = 12.5 mJ"
    for text in (to_svg(view, style), to_dot(view, style), to_text(view, style)):
        assert row in text
    assert row in to_mermaid(view, style)
    assert "energy (mJ)" in to_svg(view, style)
    document = json.loads(to_json(view))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["overlays"] == [
        {"name": "energy", "unit": "mJ", "nodes": {"n3": 12.5, "n5": 3}}
    ]  # fmt: skip


def test_what_nothing_is_known_of():
    view = build_view(siamese().graph, costs=False)
    for by in ("ms", "overlay", "flops"):
        with pytest.raises(ValueError, match=f"nothing is known to colour by {by}"):
            painted(view, by)
    with pytest.raises(ValueError, match="unknown color_by"):
        painted(view, "colour")


def test_times_of_layers_and_of_what_runs():
    executable = compile(recurrent().graph)
    times = Timing(runs=2).of(executable, {"batch": 3})
    whole = sum(row.seconds for row in times.profile.steps) * 1e3
    layers = times.on(build_view(recurrent().graph))
    assert {b.label for b in layers.boxes if b.id in layers.times} == {"lstm", "head"}
    assert sum(layers.times.values()) == pytest.approx(whole)
    fused = times.on(build_view(times.graph, view="fused", fold=False))
    assert sum(fused.times.values()) == pytest.approx(whole)
    loop = next(c for c in fused.clusters if c.kind == "loop")
    assert fused.times[loop.id] > 0
    text = to_svg(fused, Style(color_by="ms"))
    assert re.search(r"scan × 5  [\d.e-]+ ms<", text)
    with pytest.raises(RenderError, match="not of ops before the passes"):
        times.on(build_view(lower(recurrent().graph)))
    document = json.loads(to_json(fused, color_by="ms"))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert sum(n["cost"]["ms"] for n in (*document["nodes"], *document["clusters"])
               if "ms" in n.get("cost", {})) == pytest.approx(whole)  # fmt: skip


def test_calls_share_the_time_of_their_layer():
    times = Timing(runs=1).of(compile(siamese().graph))
    one, two = (times.on(build_view(siamese().graph, calls=c)) for c in (False, True))
    readers = [two.times[b.id] for b in two.boxes if b.label == "reader"]
    assert readers[0] == readers[1]
    both = next(b.id for b in one.boxes if b.label == "reader")
    assert sum(readers) == pytest.approx(one.times[both])


def test_values_for_people():
    assert [value_text(v) for v in (0, 3, 1234567, 0.000123456, 1e9, "x")] == [
        "0", "3", "1,234,567", "0.000123", "1,000,000,000", "x",
    ]  # fmt: skip


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_frames_with_values_are_seen(theme):
    view = overlaid(build_view(nested().graph), {"nodes": {"encoder": 1, "middle": 5}})
    style = Style(color_by="overlay", theme="dark" if theme is DARK else "light")
    text = to_svg(view, style)
    assert f'stroke="{SCALE[-1]}" stroke-width="4"' in text
    assert "encoder (Model)  overlay = 1" in text
    assert "penwidth=4" in to_dot(view, style)
    assert 'subgraph c1["encoder (Model)  overlay = 1"]' in to_mermaid(view, style)


def test_blocks_are_not_drawn_twice_for_a_colour():
    view = build_view(residual(5).graph)
    assert any(c.repeat > 1 for c in view.clusters)
    assert "× 5" in to_svg(view, Style(color_by="params"))
