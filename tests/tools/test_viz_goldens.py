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
from kgraph.tools.viz.overlay import overlaid

FOLDER = Path(__file__).parent / "goldens"
FORMATS = {"svg": "svg", "dot": "dot", "mermaid": "mmd", "json": "json"}
OF_OPS = ("doubled", "raw_ops", "sequential")
ENERGY = {"name": "energy", "unit": "mJ",
          "nodes": {"lstm": 12.5, "hidden": 3, "embedding": 0.4, "aux_output": 0.9}}  # fmt: skip
# Name -> model, what its colours say, theme.
COLORED = {
    "headlines_energy": ("headlines", "overlay", "light"),
    "headlines_flops": ("headlines", "flops", "dark"),
    "frozen_trainable": ("frozen", "trainable", "light"),
    "image_op": ("image", "op", "light"),
}


NAMES = [*MODELS, *(f"{n}_ops" for n in OF_OPS), "siamese_calls", "siamese_fused", *COLORED]


def views() -> dict[str, GraphView]:
    found = {name: build_view(make().graph, name) for name, make in MODELS.items()}
    for name in OF_OPS:
        graph = lower(MODELS[name]().graph)
        found[f"{name}_ops"] = build_view(graph, f"{name}, ops")
    found["siamese_calls"] = build_view(MODELS["siamese"]().graph, "siamese, calls", calls=True)
    fused = optimize(lower(MODELS["siamese"]().graph))[0]
    found["siamese_fused"] = build_view(fused, "siamese, fused", view="fused")
    for name, (model, *_) in COLORED.items():
        found[name] = build_view(MODELS[model]().graph, name)
    found["headlines_energy"] = overlaid(found["headlines_energy"], ENERGY)
    return found


def drawn(name: str, view: GraphView, format: str) -> str:
    _, by, theme = COLORED.get(name, ("", "role", "light"))
    style = Style(theme=theme, color_by=by)
    text = render(view, format, style, "own").data.decode("utf-8")
    text = re.sub(r"\.py:\d+", ".py:0", text)
    return re.sub(r'("file": "[^"]*", "line": )\d+', r"\g<1>0", text)


@pytest.fixture(scope="module")
def made() -> dict[str, GraphView]:
    return views()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_goldens(name, format, made):
    path = FOLDER / f"{name}.{FORMATS[format]}"
    assert drawn(name, made[name], format) == path.read_text(encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, view in views().items():
        for format, extension in FORMATS.items():
            (FOLDER / f"{name}.{extension}").write_text(drawn(name, view, format), encoding="utf-8")
