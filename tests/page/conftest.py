"""One headless Chromium a process, and pages of models that look at every part of it."""

from __future__ import annotations

import os
import shutil

import pytest
from page_models import PAGES
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("KGRAPH_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Name -> file of the page; each is made once."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def find(name):
        if name not in made:
            made[name] = folder / f"{name}.html"
            made[name].write_text(PAGES[name](), "utf-8")
        return made[name]

    return find


@pytest.fixture
def show(chromium, files):
    """Opens a page; whatever it says on the console or asks from elsewhere fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    complaints = []

    def open_page(name, address="", **emulated):
        page = context.new_page()
        if emulated:
            page.emulate_media(**emulated)
        file = files(name).as_uri()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(file) else complaints.append(r.url))
        page.goto(f"{file}{address}")
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    context.close()
    assert complaints == []
