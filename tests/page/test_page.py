"""The interactive page in a browser: what it shows, how one gets around, what it never does."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from page_models import EVIL

GEOMETRY, CONTRAST = (
    Path(__file__).with_name(name).read_text() for name in ("geometry.js", "contrast.js")
)
FOCUSED = """(() => {
  const element = document.activeElement;
  element.dataset.seen ??= String(Math.random());
  const control = element.matches("button, input, select, summary, .viewport");
  return control ? element.dataset.seen : "";
})()"""
# Notes for each cluster how many places dagre makes for lines that go past ranks.
COUNTING = """() => {
  const { layout } = dagre;
  window.places = [];
  window.dagre = { ...dagre, layout: (g) => {
    const passed = g.edges().map(({ v, w }) => g.node(w).rank - g.node(v).rank - 2);
    places.push(passed.reduce((sum, count) => sum + count, 0));
    layout(g);
  } };
}"""
GRAPH_TABS = ("layers", "step", "fused")


def overlap(a, b):
    apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    return not (apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])


def contains(outer, inner):
    right, below = outer["x"] + outer["w"], outer["y"] + outer["h"]
    across = outer["x"] <= inner["x"] and inner["x"] + inner["w"] <= right
    return across and outer["y"] <= inner["y"] and inner["y"] + inner["h"] <= below


def check_picture(page, crossings=0, rankdir="TB"):
    """No box lies on another, frames hold or miss, lines meet their boxes and go round the rest."""
    (across, breadth), (along, depth) = (("x", "w"), ("y", "h"))[:: -1 if rankdir == "LR" else 1]
    found = page.evaluate(GEOMETRY)
    places = {box["id"]: box for box in (*found["boxes"], *found["frames"])}
    assert not [p for p in itertools.combinations(found["boxes"], 2) if overlap(*p)]
    for frame in found["frames"]:
        others = [box for box in places.values() if box is not frame and overlap(frame, box)]
        assert all(contains(frame, box) or contains(box, frame) for box in others)
    for line in found["lines"]:
        for end, id in zip(line["ends"], (line["s"], line["d"]), strict=True):
            box = places[id]
            assert box[across] - 1 <= end[across] <= box[across] + box[breadth] + 1
            near, far = box[along], box[along] + box[depth]
            assert min(abs(end[along] - near), abs(end[along] - far)) < 2
    assert sum(bool(line["through"]) for line in found["lines"]) <= crossings
    return found


def tab_data(page, name):
    return json.loads(page.locator(f"#data-{name}").text_content())


@pytest.mark.parametrize("model", ["nested", "two_headed"])
@pytest.mark.parametrize("tab", GRAPH_TABS)
def test_pictures_keep_their_order_closed_and_open(show, model, tab):
    page = show(model, f"#{tab}")
    panel = page.locator(f"#panel-{tab}")
    panel.get_by_role("button", name="close all clusters").click()
    closed = check_picture(page)
    assert closed["frames"] == []
    panel.get_by_role("button", name="open all clusters").click()
    opened = check_picture(page, crossings=2)
    assert {box["id"] for box in opened["boxes"]} == {
        n["id"] for n in tab_data(page, tab)["view"]["nodes"]
    }


def test_two_arrows_between_the_same_boxes_stay_two(show):
    page = show("nested", "#layers")
    nodes = {node["label"]: node["id"] for node in tab_data(page, "layers")["view"]["nodes"]}
    lines = [line for line in page.evaluate(GEOMETRY)["lines"] if line["d"] == nodes["self"]]
    assert len(lines) == 2
    assert lines[0]["ends"] != lines[1]["ends"] or lines[0]["s"] == lines[1]["s"]


def test_closed_clusters_bundle_their_arrows(show):
    page = show("large")
    found = check_picture(page)
    assert len(found["boxes"]) == 100
    assert page.locator(".labels text").first.text_content() == "×2"
    page.locator('.boxes > g[data-id="c3"]').dblclick()
    assert len(check_picture(page)["boxes"]) == 199


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT"])
def test_long_lines_go_in_lanes_at_the_sides(show, rankdir):
    page = show(f"wide {rankdir}")
    page.evaluate(COUNTING)
    page.get_by_role("button", name="open all clusters").click()
    found = check_picture(page, rankdir=rankdir)
    assert (len(found["boxes"]), len(found["lines"])) == (48, 47 + 2 * 32)
    # dagre takes seconds for thousands of them, which is what clusters of 100 boxes would have.
    assert max(page.evaluate("window.places")) <= 400


def test_search_finds_in_closed_clusters_and_opens_them(show):
    page = show("large")
    page.keyboard.press("/")
    page.keyboard.type("dense_4321")
    assert page.locator('.boxes > g[data-id="c43"]').get_attribute("class").endswith("found")
    page.keyboard.press("Enter")
    chosen = page.locator("g.selected")
    assert chosen.get_attribute("data-id") == "n4321"
    box, picture = chosen.bounding_box(), page.locator(".viewport").bounding_box()
    assert abs(box["x"] + box["width"] / 2 - picture["x"] - picture["width"] / 2) < 2
    assert page.locator(".facts h2").text_content() == "dense_4321"


def test_queries(show):
    page = show("large")
    for query, count in (
        ("op:matmul", 0), ("shape:*,8 params>71", 10000), ("/dense_99$/", 1), ("params<5", 0),
        ("dense_99 block_0", 1), ("dtype:f32", 10000),
    ):  # fmt: skip
        page.locator("input[type=search]").fill(query)
        assert page.locator(".results .count").text_content() == f"{count} found", query
    page.locator("input[type=search]").fill("/(/")
    assert "regular expression" in page.locator(".results .count").text_content().lower()


def test_the_tree_is_walked_by_keys(show):
    page = show("nested", "#layers")
    page.get_by_role("button", name="close all clusters").click()
    page.locator("[role=treeitem][tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    focused = page.locator("[role=treeitem]:focus")
    assert focused.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    assert focused.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowRight")
    assert focused.get_attribute("aria-level") == "2"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused.get_attribute("aria-level") == "1"
    page.keyboard.press("End")
    last = page.locator("[role=treeitem]").last.text_content()
    assert last.startswith(page.locator(".facts h2").text_content())
    check_picture(page)


def test_every_control_is_reached_by_tab(show):
    page = show("two_headed", "#layers")
    wanted = page.evaluate(
        "[...document.querySelectorAll('button, input, select, summary, .viewport')]"
        ".filter((e) => e.tabIndex >= 0 && e.checkVisibility() && !e.closest('[hidden]')).length"
    )
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    assert len(reached - {""}) == wanted


def test_arrows_follow_the_graph_and_marks_show_what_depends_on_what(show):
    page = show("two_headed", "#layers")
    page.locator("#panel-layers .viewport").focus()
    page.keyboard.press("ArrowDown")
    first = page.locator(".facts h2").text_content()
    page.keyboard.press("ArrowDown")
    assert page.locator(".facts h2").text_content() != first
    page.keyboard.press("u")
    assert page.locator("g.before").count() >= 1
    assert "before" in page.locator(".status").text_content()
    page.keyboard.press("d")
    assert page.locator("g.after").count() >= 4


def test_differences_lead_to_their_boxes(show):
    page = show("difference")
    items = tab_data(page, "diff")["diff"]["items"]
    side = page.get_by_role("navigation", name="Differences")
    assert side.get_by_role("button").count() == len(items)
    for number, item in enumerate(items):
        side.get_by_role("button").nth(number).click()
        for pane, boxes in zip(page.locator(".pane").all(), item["boxes"], strict=True):
            if boxes:
                selected = pane.locator(".selected")
                assert selected.get_attribute("data-id") == boxes[0]
                assert item["kind"] in selected.get_attribute("class").split()
    assert {item["kind"] for item in items} == {"changed"}
    assert "activation: " in side.inner_text()
    assert page.evaluate("window.__pwned") is None


def test_passes_are_stepped_through(show):
    page = show("two_headed", "#passes")
    steps = tab_data(page, "passes")["passes"]
    marks = []
    for _ in steps:
        marks.append(page.locator(".added").count() + page.locator(".removed").count())
        assert (
            page.locator("button[aria-current=step]")
            .text_content()
            .startswith(steps[len(marks) - 1]["pass"])
        )
        page.locator("#panel-passes .side").get_by_role("button", name="next pass").click()
    assert all(marks)
    page.keyboard.press("[")
    assert page.url.endswith(f"pass={len(steps) - 2}")


def test_profile_is_sorted_by_its_heads(show):
    page = show("two_headed", "#profile")
    column = page.locator("#panel-profile tbody td:nth-child(4)")
    times = [float(text.replace(",", "")) for text in column.all_text_contents()]
    assert times == sorted(times, reverse=True)
    page.get_by_role("button", name="ms", exact=True).click()
    times = [float(text.replace(",", "")) for text in column.all_text_contents()]
    assert times == sorted(times)


def test_times_lead_to_boxes_and_colour_them(show):
    page = show("two_headed", "#profile")
    page.locator("#panel-profile tbody button").first.click()
    shown = page.locator("#panel-fused")
    assert "ms" in shown.locator(".facts").text_content()
    shown.get_by_label("Colour by").select_option("ms")
    assert shown.locator(".badge").count() > 3
    assert shown.locator(".legend").text_content().startswith("ms: 0.")


def test_what_was_taken_out_of_a_fused_region_leads_to_it(show):
    page = show("two_headed", "#profile")
    view = tab_data(page, "fused")["view"]
    fused = {c["id"]: c["details"] for c in view["clusters"] if c["kind"] == "fused"}
    rows = tab_data(page, "profile")["profile"]["rows"]
    taken = [row for row in rows if row["id"] in fused]
    assert {row["id"] for row in rows} <= {
        *fused,
        *(b["id"] for k in ("nodes", "clusters") for b in view[k]),
    }
    assert taken
    assert all(row["op"] in re.findall(r"\w+", " ".join(fused[row["id"]])) for row in taken)
    links = (
        page.locator("#panel-profile tbody tr").filter(has_text="relu_grad").get_by_role("button")
    )
    links.first.click()
    assert page.locator("#panel-fused g.selected").get_attribute("data-id") in fused


def test_memory_shows_every_buffer(show):
    page = show("two_headed", "#memory")
    items = tab_data(page, "memory")["memory"]["items"]
    assert page.locator(".buffer").count() == len(items) > 5


def test_links_restore_what_was_shown(show):
    page = show("nested", "#fused")
    page.get_by_label("Colour by").nth(0).select_option("bytes")
    page.locator("[role=treeitem]").nth(1).click()
    address = page.url[page.url.index("#") :]
    again = show("nested", address)
    for selector in (".facts h2", ".legend"):
        panel = "[role=tabpanel]:not([hidden]) "
        assert again.locator(panel + selector).text_content() == page.locator(
            panel + selector
        ).text_content()  # fmt: skip
    assert again.evaluate(GEOMETRY)["frames"] == page.evaluate(GEOMETRY)["frames"]


def test_zoom_keeps_the_place_under_the_pointer(show):
    page = show("two_headed", "#layers")
    box = page.locator(".boxes > g").nth(3)
    before = box.bounding_box()
    x, y = before["x"] + 1, before["y"] + 1
    page.mouse.move(x, y)
    page.mouse.wheel(0, -240)
    wider = "(w) => document.querySelectorAll('.boxes > g')[3].getBoundingClientRect().width > w"
    page.wait_for_function(wider, arg=before["width"] * 1.2)
    after = box.bounding_box()
    scale = after["width"] / before["width"]
    assert abs(after["x"] + scale - x) < 3
    assert abs(after["y"] + scale - y) < 3


def test_names_never_become_markup(show):
    page = show("nested", "#layers")
    for tab in GRAPH_TABS:
        page.locator(f"#tab-{tab}").click()
    page.locator("#tab-passes").click()
    assert page.evaluate("window.__pwned") is None
    assert page.locator("img").count() == 0
    assert EVIL in page.locator("h1").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["#step", "#layers&color=params", "#passes", "#profile"])
def test_contrast(show, scheme, address):
    page = show("two_headed", address, color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate(CONTRAST) >= 4.5
    page.keyboard.press("t")
    assert page.evaluate(CONTRAST) >= 4.5


def test_nothing_moves_where_that_is_not_wanted(show):
    page = show("nested", reduced_motion="reduce")
    style = "getComputedStyle(document.querySelector('.body')).transitionDuration"
    assert page.evaluate(style) == "0s"


def test_print_is_one_page(show):
    page = show("nested", "#layers")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 1
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    paper, picture = (page.locator(name).bounding_box() for name in (".viewport", ".graph"))
    assert contains(*({k[0]: v for k, v in box.items()} for box in (paper, picture)))
    assert picture["height"] > 0.6 * paper["height"] or picture["width"] > 0.9 * paper["width"]


def test_text_for_whoever_cannot_see_the_picture(show):
    page = show("two_headed")
    text = page.locator(".as-text pre").text_content()
    assert "embedding (Embedding)" in text
    assert page.locator("[role=tree] [role=treeitem]").count() >= 9
