"""Dragging and zooming: what is drawn once the gesture has ended, and where clicks go."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

GEOMETRY = Path(__file__).with_name("geometry.js").read_text()
# How the picture is drawn: what is moved without being drawn anew, and where it was drawn.
STATE = """() => {
  const pane = document.querySelector("[role=tabpanel]:not([hidden]) .viewport");
  const [glass, sheet] = [".glass", ".sheet"].map((name) => pane.querySelector(name));
  const { a, d, e, f } = new DOMMatrix(getComputedStyle(sheet).transform);
  return {
    moving: pane.matches(".moving"), far: pane.matches(".far"), drawn: [a, d, e, f],
    layer: getComputedStyle(glass).willChange, moved: getComputedStyle(glass).transform,
  };
}"""
# A busy machine must not end a gesture before the test has looked at it.
PATIENT = """() => {
  const wait = window.setTimeout;
  window.setTimeout = (call, milliseconds) => wait(call, milliseconds * 20);
}"""
AT_REST = {"moving": False, "layer": "auto", "moved": "none"}


def middle(box):
    found = box.bounding_box()
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2


def rests(page):
    """What is drawn when the gesture has ended: nothing is only moved, all is at whole pixels."""
    page.wait_for_function("() => !document.querySelector('.moving')")
    state = page.evaluate(STATE)
    assert {key: state[key] for key in AT_REST} == AT_REST
    across, down, x, y = state["drawn"]
    assert (across, x, y) == (down, round(x), round(y))
    return across


def test_a_drag_moves_the_picture_and_leaves_it_drawn(show):
    page = show("two_headed", "#layers")
    address, box = page.url, page.locator(".boxes > g").nth(3)
    scale, (x, y) = rests(page), middle(box)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20)
    page.mouse.move(x + 100, y + 50)
    held = page.evaluate(STATE)
    assert (held["moving"], held["layer"]) == (True, "transform")
    assert held["moved"] == "matrix(1, 0, 0, 1, 100, 50)"
    assert middle(box) == pytest.approx((x + 100, y + 50), abs=0.1)
    page.mouse.up()
    assert rests(page) == scale
    assert middle(box) == pytest.approx((x + 100, y + 50), abs=1)
    assert page.locator(".selected").count() == 0
    assert page.url == address
    page.mouse.click(*middle(box))
    assert page.locator(".selected").get_attribute("data-id") == box.get_attribute("data-id")


def test_a_button_let_go_elsewhere_ends_the_drag(show):
    page = show("two_headed", "#layers")
    box = page.locator(".boxes > g").nth(3)
    x, y = middle(box)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2, y)
    # The pointer is not taken yet, so this is what a release outside of the window looks like.
    page.evaluate("addEventListener('pointerup', (e) => e.stopImmediatePropagation(), true)")
    page.mouse.up()
    page.mouse.move(x + 60, y + 60)
    page.mouse.move(x + 90, y + 90)
    assert rests(page) > 0
    assert middle(box) == pytest.approx((x + 2, y), abs=1)


def test_the_wheel_redraws_on_its_way_and_at_its_end(show):
    page = show("two_headed", "#layers")
    box, scale = page.locator(".boxes > g").nth(3), rests(page)
    x, y = middle(box)
    page.mouse.move(x, y)
    for _ in range(5):
        page.mouse.wheel(0, -100)
    larger = "(least) => document.querySelector('.boxes > g').getScreenCTM().a > least"
    page.wait_for_function(larger, arg=scale * 3.4)
    # e ** (500 / 400) is more than it may be blurred.
    assert page.evaluate(STATE)["drawn"][0] > 1.9 * scale
    assert middle(box) == pytest.approx((x, y), abs=2)
    assert rests(page) == pytest.approx(scale * math.exp(500 / 400))
    assert middle(box) == pytest.approx((x, y), abs=2)


def test_a_click_finds_its_box_before_the_wheel_has_come_to_rest(show):
    page = show("two_headed", "#layers")
    box = page.locator(".boxes > g").nth(3)
    x, y = middle(box)
    page.evaluate(PATIENT)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -20)
    page.wait_for_selector(".moving")
    page.mouse.click(x, y)
    assert page.locator(".selected").get_attribute("data-id") == box.get_attribute("data-id")
    assert rests(page) > 0


def test_all_is_in_the_window_after_it_was_moved_away(show):
    page = show("large", "#layers&open=c1,c2,c3")
    pane = page.locator(".viewport").bounding_box()
    page.evaluate(PATIENT)
    page.mouse.move(pane["x"] + 200, pane["y"] + 200)
    page.mouse.wheel(0, -300)
    page.wait_for_selector(".moving")
    page.get_by_role("button", name="show all").click()
    scale = rests(page)
    assert page.evaluate(STATE)["far"]
    assert page.locator(".boxes text").first.evaluate("(e) => getComputedStyle(e).visibility") == (
        "hidden"
    )
    size = page.evaluate(GEOMETRY)["boxes"]
    assert max(box["y"] + box["h"] for box in size) * scale <= pane["height"]
    seen = page.locator(".graph").bounding_box()
    assert pane["x"] <= seen["x"]
    assert pane["y"] <= seen["y"]
    assert seen["y"] + seen["height"] <= pane["y"] + pane["height"]
    page.locator(".viewport").focus()
    page.keyboard.press("+")
    assert rests(page) == pytest.approx(scale * 1.25, rel=1e-4)
    page.keyboard.press("ArrowDown")
    assert rests(page) == pytest.approx(0.8)
    assert not page.evaluate(STATE)["far"]
    assert middle(page.locator(".selected")) == pytest.approx(
        middle(page.locator(".viewport")), abs=2
    )
    again = show("large", page.url[page.url.index("#") :])
    assert again.evaluate(GEOMETRY) == page.evaluate(GEOMETRY)
    assert middle(again.locator(".selected")) == pytest.approx(
        middle(page.locator(".selected")), abs=2
    )
