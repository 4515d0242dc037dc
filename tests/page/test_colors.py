"""Colours of the interactive page: those of the static pictures, a legend, values beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_models import COSTS

from kgraph.tools.viz.looks import LIGHT
from kgraph.tools.viz.palette import KINDS, NEUTRAL, SCALE, shade
from kgraph.tools.viz.scales import scale_of, tick_text

CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def header(page, label: str) -> str:
    """The colour of the header of a box, as #rrggbb."""
    box = page.locator(".boxes > g", has=page.locator(f"text.name:text-is('{label}')"))
    found = box.locator(".header").evaluate("(e) => getComputedStyle(e).fill")
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", found))


def test_roles_have_the_bands_of_static_pictures(show):
    page = show("two_headed", "#layers")
    assert header(page, "words (input)") == LIGHT.bands["input"]
    assert header(page, "lstm (LSTM)") == LIGHT.bands["trainable"]
    assert header(page, "both (Concatenate)") == LIGHT.bands["forward"]
    kinds = page.locator(".legend").first.locator(".kind")
    assert kinds.all_text_contents() == [" input", " trainable", " forward", " output"]


def test_an_overlay_is_shown_at_first(show):
    page = show("colored", "#layers")
    assert page.get_by_label("Colour by").first.input_value() == "overlay"
    legend = page.locator(".legend").first
    assert legend.text_content() == "energy: 2 510 12.5 mJ, linear"
    assert legend.locator("text").all_text_contents() == ["5", "10"]
    assert header(page, "lstm (LSTM)") == SCALE[-1]
    assert header(page, "main (Dense)") == shade((5 - 2) / 10.5)
    assert header(page, "words (input)") == NEUTRAL
    assert "12.5 mJ" in page.locator(".boxes > g .badge").all_text_contents()
    page.get_by_label("Colour by").first.select_option("role")
    assert header(page, "lstm (LSTM)") == LIGHT.bands["trainable"]
    assert page.url.endswith("color=role")
    page.locator("[role=treeitem]", has_text="lstm").click()
    assert "energy12.5 mJ" in page.locator(".facts dl").first.text_content()


def test_costs_that_span_decades_have_the_colours_of_static_pictures(show):
    page = show("costly", "#layers")
    scale = scale_of(COSTS.values())
    assert scale.logarithmic
    for name, kind in (("embedding", "Embedding"), ("lstm", "LSTM"), ("both", "Concatenate")):
        assert header(page, f"{name} ({kind})") == scale.color(COSTS[name])
    assert header(page, "words (input)") == NEUTRAL
    legend = page.locator(".legend").first
    assert legend.locator(".kind").all_text_contents() == [" 0"]
    ticks = legend.locator("text.tick")
    assert ticks.all_text_contents() == [tick_text(tick) for tick in scale.ticks()]
    places = [float(x) for x in ticks.evaluate_all("(all) => all.map((e) => e.getAttribute('x'))")]
    assert places == pytest.approx([120 * scale.part(tick) for tick in scale.ticks()])
    assert "70,000 s, logarithmic" in legend.text_content()


def test_kinds_are_told_apart_in_the_legend(show):
    page = show("two_headed", "#layers&color=dtype")
    assert page.locator(".legend .kind").all_text_contents() == [" f32", " i32"]
    assert header(page, "words (input)") == KINDS[1]
    assert header(page, "lstm (LSTM)") == KINDS[0]


def test_open_frames_and_closed_clusters_have_values(show):
    page = show("two_headed", "#fused&color=ms")
    panel = page.locator("#panel-fused")
    panel.get_by_role("button", name="open all clusters").click()
    assert panel.locator(".frames > g .badge").count() >= 1
    assert all(
        re.fullmatch(r"[\d.e-]+ ms", text) for text in panel.locator(".badge").all_text_contents()
    )
    panel.get_by_role("button", name="close all clusters").click()
    assert panel.locator(".boxes > g.cluster .badge").count() >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_can_be_read_on_every_colour(show, scheme):
    page = show("colored", "#layers", color_scheme=scheme, reduced_motion="reduce")
    chooser = page.get_by_label("Colour by").first
    for name in chooser.locator("option").evaluate_all("(all) => all.map((e) => e.value)"):
        chooser.select_option(name)
        assert page.evaluate(CONTRAST) >= 4.5, name


def test_calls_of_a_shared_layer(show):
    page = show("circular", "#layers")
    marks = page.locator(".labels text").all_text_contents()
    assert sorted(marks) == ["#1", "#1 → #2", "#2", "#3", "#3"]
    loop = page.locator(".edge[data-s='n1'][data-d='n1'] path").bounding_box()
    box = page.locator(".boxes > g[data-id='n1'] .body").bounding_box()
    assert loop["x"] >= box["x"] + box["width"] - 3
    assert box["y"] <= loop["y"] <= loop["y"] + loop["height"] <= box["y"] + box["height"] + 3
    page.locator("[role=treeitem]").nth(1).click()
    assert "calls #1 to #3" in page.locator(".facts dl").first.text_content()
