"""What a reader sees first: order, names that no line goes through, how much of it is shown."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

GEOMETRY = Path(__file__).with_name("geometry.js").read_text()
# Where letters are, without what keeps lines away from them.
LETTERS = """(all) => all.map((text) => {
  const { x, y, width, height } = text.getBBox();
  return { x, y, width, height };
})"""


def places(page):
    """Where the boxes of the tab that is shown are on the screen, by what their headers say."""
    boxes = page.locator("[role=tabpanel]:not([hidden]) .boxes > g")
    return {box.locator(".name").text_content(): box.bounding_box() for box in boxes.all()}


def apart(a, b):
    beside = a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1
    return beside or a["y"] + a["height"] <= b["y"] + 1 or b["y"] + b["height"] <= a["y"] + 1


def test_inputs_stand_in_their_order_and_lines_do_not_cross(show):
    page = show("siamese", "#layers")
    found = places(page)
    assert found["left (input)"]["x"] < found["right (input)"]["x"]
    page.get_by_role("button", name="open all clusters").click()
    ends = {line["s"]: line["ends"][1]["x"] for line in page.evaluate(GEOMETRY)["lines"]}
    assert ends["n0"] < ends["n1"]


@pytest.mark.parametrize("tab", ["layers", "step", "fused"])
def test_names_and_numbers_lie_over_the_lines_and_not_on_each_other(show, tab):
    page = show("siamese", f"#{tab}")
    panel = page.locator(f"#panel-{tab}")
    order = panel.locator(".graph > g").evaluate_all("(all) => all.map((g) => g.classList[0])")
    assert order == ["frames", "edges", "titles", "labels", "boxes"]
    texts = panel.locator(".labels text").evaluate_all(LETTERS)
    assert texts
    assert all(apart(a, b) for a, b in itertools.combinations(texts, 2))


def test_the_phases_of_a_step_are_listed_as_they_run(show):
    page = show("siamese", "#step")
    names = page.locator("#panel-step [role=tree] > [role=treeitem] > .label").all_text_contents()
    found = [name.split()[1] for name in names if name[0] in "▸▾"]
    assert found == ["forward", "loss", "backward", "metric", "update"]


def test_a_first_look_at_a_large_picture_is_readable_and_shows_its_beginning(show):
    page = show("siamese", "#fused")
    page.get_by_role("button", name="open all clusters").click()
    again = show("siamese", page.url[page.url.index("#") :])
    sheet = again.locator("#panel-fused .sheet")
    scale = sheet.evaluate("(e) => new DOMMatrix(getComputedStyle(e).transform).a")
    assert 0.55 <= scale <= 1
    pane = again.locator("#panel-fused .viewport").bounding_box()
    first = places(again)["left (input)"]
    assert pane["x"] <= first["x"] <= pane["x"] + pane["width"] - first["width"]
    assert pane["y"] <= first["y"] <= pane["y"] + pane["height"] - first["height"]


def test_where_nothing_is_selected_the_panel_says_what_is_known_of_the_whole(show):
    page = show("siamese", "#layers")
    assert page.locator(".facts dl").first.text_content() == "boxes6clusters1parameters22"
    page.locator(".boxes > g").first.click()
    assert "boxes" not in page.locator(".facts dl").first.text_content()
    page.keyboard.press("Escape")


def test_memory_has_lines_at_round_numbers(show):
    page = show("two_headed", "#memory")
    axis = page.locator(".memory .axis").all_text_contents()
    assert len(axis) == 2 + page.locator(".memory .grid").count()
    assert 1 <= page.locator(".memory .grid").count() <= 4
    names = page.locator(".memory-tab tbody td:first-child").all_text_contents()
    assert all(len(set(name.split())) == len(name.split()) for name in names)
