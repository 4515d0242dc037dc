"""What programs find: a folder of their own, and data sets in their official formats."""

import hashlib
import io
import urllib.request
from dataclasses import replace

import pytest
from file_server import homes

from kgraph.datasets.sources import SOURCES

__all__ = ["homes"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that a program is started in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def keep(homes, monkeypatch):
    """A function that puts a data set into kgraph's folder of downloads, with its hash."""

    def run(key, content):
        path = homes[0] / SOURCES[key].subdir / SOURCES[key].name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(SOURCES, key, replace(SOURCES[key], file_hash=digest))

    return run


@pytest.fixture
def internet(monkeypatch):
    """A dictionary: bytes by addresses that `urlopen` finds."""
    pages = {}
    monkeypatch.setattr(urllib.request, "urlopen", lambda url: io.BytesIO(pages[url]))
    return pages
