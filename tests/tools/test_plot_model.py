"""`kgraph.utils.plot_model` and its kin under Keras's arguments; what notebooks show."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import graphviz
import pytest
from viz_models import nested, siamese

import kgraph.tools.viz.notebook
from kgraph.errors import RenderError
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.passes.lower import lower
from kgraph.utils import model_to_dot, plot_model, to_html, to_mermaid, to_svg, vis_utils


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_arguments_of_keras():
    model = siamese()
    plot_model(model, "plain.svg", engine="own")
    plain = Path("plain.svg").read_text()
    assert "(Dense)" in plain  # in the tooltip
    assert ">Dense<" in plain
    assert ">reader<" not in plain
    assert ">f32[batch, 4]<" not in plain
    plot = plot_model(
        model, to_file="full.svg", show_shapes=True, show_dtype=True, show_layer_names=True,
        rankdir="LR", expand_nested=True, dpi=96, show_layer_activations=True,
        show_trainable=True, engine="own",
    )  # fmt: skip
    full = Path("full.svg").read_text()
    for part in (">reader<", ">activation = relu<", ">f32[batch, 8] → f32[batch, 4]<", ">T<"):
        assert part in full
    assert os.fspath(plot) == str(plot) == "full.svg"
    assert plot._repr_svg_().startswith("<svg")
    assert plot._repr_png_() is None
    with pytest.raises(TypeError):
        plot_model(model, "x.svg", show_shape=True)
    assert vis_utils.plot_model is plot_model


def test_nested_models_open_when_asked():
    closed = model_to_dot(nested()).source
    assert ("middle" in closed, "e1" in closed) == (True, False)
    opened = model_to_dot(nested(), expand_nested=True)
    assert isinstance(opened, graphviz.Digraph)
    assert "e1" in opened.source
    inner = model_to_dot(nested(), subgraph=True)
    assert inner.name == "cluster_outer"


def test_a_training_goes_on_without_a_picture(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RenderError, match="apt-get install graphviz"):
        plot_model(siamese(), "m.png")
    with pytest.warns(UserWarning, match=r"m.png was not drawn(.|\n)*apt-get install graphviz"):
        assert plot_model(siamese(), "m.png", on_error="warn") is None
    with pytest.warns(UserWarning, match="not drawn"):
        plot_model(siamese(), "no/m.svg", on_error="warn")
    with pytest.raises(ValueError, match="raise or warn"):
        plot_model(siamese(), "m.svg", on_error="ignore")
    assert not os.listdir()


def test_what_cannot_be_drawn():
    model = Sequential([Dense(3, name="first")], name="open")
    with pytest.raises(ValueError, match="its first layer, first, has no input shape"):
        plot_model(model, "m.svg")
    with pytest.raises(ValueError, match="it is empty"):
        model_to_dot(Sequential(name="nothing"))
    with pytest.raises(ValueError, match="extension"):
        plot_model(siamese(), "m")


def test_texts():
    assert to_mermaid(siamese(), rankdir="LR").startswith("flowchart LR\n")
    assert to_svg(siamese(), theme="dark") != to_svg(siamese())
    assert "matmul" in to_svg(lower(siamese().graph), view="ops")


def test_values_and_calls_from_python():
    model, energy = siamese(), {"name": "energy", "unit": "mJ", "nodes": {"reader": 2.5}}
    assert ">36 parameters<" in to_svg(model, color_by="params")
    assert "energy = 2.5 mJ" in to_svg(model, overlay=energy)
    assert "energy (mJ): 2.5" in to_mermaid(model, overlay=energy).replace("#58;", ":")
    assert " ms<" in to_svg(model, color_by="ms", runs=1)
    assert to_svg(model, calls=True).count(">reader<") == 2 * to_svg(model).count(">reader<")
    assert model_to_dot(model, calls=True, color_by="op").source.count("<B>reader</B>") == 2
    page = to_html(model, runs=1, overlay=energy, theme="dark")
    assert 'data-theme="dark"' in page
    assert '"color_by":"overlay"' in page
    plot_model(model, "m.svg", color_by="flops", engine="own")
    assert "flops" in Path("m.svg").read_text()
    with pytest.raises(ValueError, match="nothing is known to colour by ms"):
        to_svg(model, color_by="ms")
    with pytest.raises(ValueError, match="unknown color_by"):
        plot_model(model, "n.svg", color_by="colour", engine="own")
    assert not Path("n.svg").exists()


def test_notebooks_never_raise(monkeypatch):
    model = siamese()
    assert model._repr_html_() == model._repr_svg_() != model.graph._repr_svg_()
    assert "reader" in model._repr_html_()
    assert model.graph._repr_html_().startswith("<svg")
    assert Sequential([Dense(3)])._repr_html_() is None

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("no")

    monkeypatch.setattr(kgraph.tools.viz.notebook, "to_svg", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model._repr_svg_() is None
        assert model.graph._repr_html_() is None
