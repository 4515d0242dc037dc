"""Pictures of models under Keras's names: `plot_model`, `model_to_dot`, and the formats of text."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgraph.errors import RenderError, explain
from kgraph.ir.graph import Graph
from kgraph.runtime.executable import compile
from kgraph.tools.interactive import interactive_page
from kgraph.tools.timing import Timing
from kgraph.tools.viz.dot import to_digraph
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.mermaid import to_mermaid as mermaid_of
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.notebook import svg_of
from kgraph.tools.viz.overlay import overlaid
from kgraph.tools.viz.painting import usual_measure
from kgraph.tools.viz.svg import to_svg as svg_of_view
from kgraph.tools.viz.view import build_view
from kgraph.tools.viz.write import format_of, save_picture


@dataclass(frozen=True)
class Plot(os.PathLike):
    """A picture that `plot_model` wrote: a path, and in notebooks the picture itself.

    Args:
        path: of the file.
        graph: what it shows.
        title: above it.
    """

    path: str
    graph: Graph
    title: str = ""

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def _repr_png_(self) -> bytes | None:
        found = Path(self.path)
        return found.read_bytes() if found.suffix == ".png" and found.exists() else None

    def _repr_svg_(self) -> str | None:
        return svg_of(self.graph, self.title)


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    *,
    splines: str = "polyline",
    view: str | None = None,
    engine: str = "auto",
    on_error: str = "raise",
    calls: bool = False,
    color_by: str | None = None,
    overlay: Mapping[str, Any] | None = None,
    runs: int = 0,
) -> Plot | None:
    """Draws a model into a file.

    Args:
        model: a built model, or a graph.
        to_file: its extension is the format: png, pdf, svg, dot, mmd, json, txt or html.
        show_shapes: whether boxes say the shapes of their outputs.
        show_dtype: whether they say the dtypes.
        show_layer_names: whether they say the layers' names besides their classes.
        rankdir: TB, BT, LR or RL.
        expand_nested: whether models inside of the model are open.
        dpi: of png.
        show_layer_activations: whether boxes say the activations.
        show_trainable: whether layers are marked as trainable or frozen.
        splines: polyline, curved, straight or ortho.
        view: layers or ops; see `kgraph.tools.viz.build_view`.
        engine: auto, own or dot.
        on_error: raise, or warn if the picture cannot be drawn, so that a training goes on.
        calls: whether a layer that is called k times is k boxes instead of one.
        color_by: role, op, trainable, dtype, ms, bytes, flops, params or overlay; default role, or
            overlay if there is one.
        overlay: values from outside: name, unit, and under `nodes` a number or text a name.
        runs: how often to run each step for times on the boxes; 0 for none.

    Returns:
        The path, which notebooks show as the picture; None if it was only warned.

    Raises:
        ValueError: the model is not built, the extension says no format, or nothing is known to
            colour by.
        RenderError: the program `dot` is needed and missing, or failed.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2, name="top")], name="tiny")
        >>> str(plot_model(model, "tiny.svg", show_shapes=True))
        'tiny.svg'
    """
    if on_error not in ("raise", "warn"):
        raise ValueError(explain("unknown on_error", expected="raise or warn", got=on_error))
    graph, path = _graph(model), os.fspath(to_file)
    by = usual_measure(color_by, overlay)
    style = _style(show_shapes, show_dtype, show_layer_names, show_layer_activations,
                   show_trainable, rankdir, splines, dpi, by)  # fmt: skip
    _check_format(path)
    try:
        drawn = _view(graph, model, expand_nested, view, calls, by, overlay, runs)
        save_picture(drawn, path, style, engine)
    except (RenderError, OSError) as error:
        if on_error == "raise":
            raise
        warnings.warn(f"{path} was not drawn: {error}", stacklevel=2)
        return None
    return Plot(path, graph, getattr(model, "name", ""))


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    *,
    splines: str = "polyline",
    view: str | None = None,
    calls: bool = False,
    color_by: str = "role",
) -> Any:
    """A model as a graph of the graphviz package.

    Args:
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi: see
            `plot_model`.
        subgraph: whether the graph is to stand in another one, as a cluster.
        show_layer_activations, show_trainable, splines, view, calls, color_by: see `plot_model`.

    Returns:
        A `graphviz.Digraph`; its `source` is the text.

    Raises:
        ValueError: the model is not built.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2, name="top")], name="tiny")
        >>> "top" in model_to_dot(model).source
        True
    """
    style = _style(show_shapes, show_dtype, show_layer_names, show_layer_activations,
                   show_trainable, rankdir, splines, dpi, color_by)  # fmt: skip
    drawn = _view(_graph(model), model, expand_nested, view, calls, color_by)
    made = to_digraph(drawn, style)
    made.attr(dpi=str(dpi))
    if subgraph:
        made.name = f"cluster_{getattr(model, 'name', 'graph')}"
    return made


def to_mermaid(
    model: Any,
    view: str | None = None,
    rankdir: str = "TB",
    *,
    calls: bool = False,
    color_by: str | None = None,
    overlay: Mapping[str, Any] | None = None,
    runs: int = 0,
) -> str:
    """A model as a Mermaid flowchart, for READMEs.

    Args:
        model: a built model, or a graph.
        view: layers or ops.
        rankdir: TB, BT, LR or RL.
        calls, color_by, overlay, runs: see `plot_model`.

    Returns:
        The source.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> to_mermaid(Sequential([Dense(1, input_dim=2, name="top")])).split("\\n")[0]
        'flowchart TD'
    """
    by = usual_measure(color_by, overlay)
    drawn = _view(_graph(model), model, False, view, calls, by, overlay, runs)
    return mermaid_of(drawn, Style(rankdir=rankdir, color_by=by))


def to_html(
    model: Any,
    training: bool = False,
    passes: bool = False,
    runs: int = 0,
    *,
    calls: bool = False,
    color_by: str | None = None,
    overlay: Mapping[str, Any] | None = None,
    theme: str = "auto",
) -> str:
    """A model as one page that a browser opens without asking for anything else.

    Args:
        model: a built model, or a graph.
        training: whether to show the training step instead of inference.
        passes: whether the page steps through what the passes did.
        runs: how often to run each step for a table of times; 0 for none.
        calls, color_by, overlay: see `plot_model`.
        theme: light, dark, or auto for what the reader's system wants.

    Returns:
        HTML with the views layers, ops or step, fused and memory.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> to_html(Sequential([Dense(1, input_dim=2, name="top")]))[:15]
        '<!doctype html>'
    """
    _graph(model)  # complains about a model that is not built
    title = getattr(model, "name", "graph")
    by = usual_measure(color_by, overlay)
    return interactive_page(
        model, title, training=training, passes=passes, runs=runs, overlay=overlay,
        style=Style(theme=theme, color_by=by), calls=calls,
    )  # fmt: skip


def to_svg(
    model: Any,
    view: str | None = None,
    rankdir: str = "TB",
    theme: str = "light",
    *,
    calls: bool = False,
    color_by: str | None = None,
    overlay: Mapping[str, Any] | None = None,
    runs: int = 0,
) -> str:
    """A model as SVG, without any program.

    Args:
        model: a built model, or a graph.
        view: layers or ops.
        rankdir: TB, BT, LR or RL.
        theme: light or dark.
        calls, color_by, overlay, runs: see `plot_model`.

    Returns:
        Text of an SVG file.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> to_svg(Sequential([Dense(1, input_dim=2, name="top")]))[:4]
        '<svg'
    """
    by = usual_measure(color_by, overlay)
    drawn = _view(_graph(model), model, False, view, calls, by, overlay, runs)
    return svg_of_view(drawn, Style(rankdir=rankdir, theme=theme, color_by=by))


def _check_format(path: str) -> None:
    try:
        format_of(path)
    except RenderError as error:
        raise ValueError(str(error)) from error


def _graph(model: Any) -> Graph:
    """The graph of a model that is built."""
    graph = model if isinstance(model, Graph) else model.graph
    if isinstance(graph, Graph):
        return graph
    layers = getattr(model, "layers", ())
    first = f"its first layer, {layers[0].name}, has no input shape" if layers else "it is empty"
    raise ValueError(
        explain(f"{model.name} cannot be drawn before it is built: {first}",
                hint="give it an input_shape, or call build()")
    )  # fmt: skip


def _view(
    graph: Graph, model: Any, expand_nested: bool, view: str | None, calls: bool = False,
    by: str = "role", overlay: Mapping[str, Any] | None = None, runs: int = 0,
) -> GraphView:  # fmt: skip
    depth = 1 << 30 if expand_nested else 0 if view in (None, "layers") else None
    name = "" if isinstance(model, Graph) else model.name
    costs = by in ("flops", "bytes")
    made = build_view(graph, name, view=view, depth=depth, fold=False, costs=costs, calls=calls)
    if runs:
        made = Timing(runs).of(compile(graph)).on(made)
    return made if overlay is None else overlaid(made, overlay)


def _style(
    shapes: bool, dtypes: bool, names: bool, acts: bool, trainable: bool,
    rankdir: str, splines: str, dpi: int, by: str,
) -> Style:  # fmt: skip
    flags = {"shapes": shapes, "dtypes": dtypes, "names": names, "acts": acts,
             "trainable": trainable}  # fmt: skip
    show = frozenset(name for name, wanted in flags.items() if wanted)
    return Style(show, rankdir, "light", splines, None, dpi, color_by=by)
