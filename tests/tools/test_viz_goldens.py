"""Pictures of small models byte for byte; run as a program, this file writes them anew.

Lines of the source are left out, for they move with every edit of `viz_models.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from viz_models import MODELS

from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.viz import Style, build_view, render
from kgraph.tools.viz.model import GraphView

FOLDER = Path(__file__).parent / "goldens"
FORMATS = {"svg": "svg", "dot": "dot", "mermaid": "mmd", "json": "json"}
OF_OPS = ("doubled", "raw_ops", "sequential")


def views() -> dict[str, GraphView]:
    found = {name: build_view(make().graph, name) for name, make in MODELS.items()}
    for name in OF_OPS:
        graph = lower(MODELS[name]().graph)
        found[f"{name}_ops"] = build_view(graph, f"{name}, ops")
    fused = optimize(lower(MODELS["siamese"]().graph))[0]
    found["siamese_fused"] = build_view(fused, "siamese, fused", view="fused")
    return found


def drawn(view: GraphView, format: str) -> str:
    text = render(view, format, Style(), "own").data.decode("utf-8")
    text = re.sub(r"\.py:\d+", ".py:0", text)
    return re.sub(r'("file": "[^"]*", "line": )\d+', r"\g<1>0", text)


@pytest.fixture(scope="module")
def made() -> dict[str, GraphView]:
    return views()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [*MODELS, *(f"{n}_ops" for n in OF_OPS), "siamese_fused"])
def test_goldens(name, format, made):
    path = FOLDER / f"{name}.{FORMATS[format]}"
    assert drawn(made[name], format) == path.read_text(encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, view in views().items():
        for format, extension in FORMATS.items():
            (FOLDER / f"{name}.{extension}").write_text(drawn(view, format), encoding="utf-8")
