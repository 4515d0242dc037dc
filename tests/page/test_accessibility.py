"""axe-core looks at each tab of the page: light and dark, clusters closed and open."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

CLOSED, OPEN = "close all clusters", "open all clusters"
LOOKS = [
    *(
        ("small", tab, way)
        for tab in ("layers", "step", "fused", "passes")
        for way in (CLOSED, OPEN)
    ),
    ("small", "memory", None),
    ("small", "profile", None),
    ("untrained", "ops", CLOSED),
    ("untrained", "ops", OPEN),
    ("difference", "diff", CLOSED),
    ("difference", "diff", OPEN),
    ("measured", "profile", None),
    ("measured", "fused", CLOSED),
    ("measured", "fused", OPEN),
    ("measured", "memory", None),
]


def complaints(page):
    """What axe-core finds, whatever its impact, and its report."""
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    return found.violations_count, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("model", "tab", "clusters"), LOOKS)
def test_axe_finds_nothing(show, model, tab, clusters, scheme):
    page = show(model, f"#{tab}", color_scheme=scheme)
    if clusters is not None:
        for button in page.locator("[role=tabpanel]:not([hidden])").get_by_label(clusters).all():
            button.click()
    count, report = complaints(page)
    assert count == 0, report


def test_axe_finds_what_is_wrong(show):
    page = show("small", "#memory")
    page.evaluate("document.querySelector('.memory').removeAttribute('aria-label')")
    count, report = complaints(page)
    assert (count, "svg-img-alt" in report) == (1, True), report


@pytest.mark.parametrize("model", ["small", "untrained", "difference", "measured"])
def test_every_tab_is_looked_at(show, model):
    tabs = show(model).locator("[role=tab]").evaluate_all("all => all.map((tab) => tab.id)")
    assert set(tabs) <= {f"tab-{tab}" for _, tab, _ in LOOKS}
