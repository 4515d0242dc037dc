"""The pages that the tests look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kgraph.layers import LSTM, Add, Concatenate, Dense, Dropout, Embedding, Input
from kgraph.models import Model, Sequential
from kgraph.runtime.executable import compile
from kgraph.tools.comparison import compare_graphs
from kgraph.tools.diff_page import diff_page
from kgraph.tools.interactive import interactive_page, profile_page
from kgraph.tools.timing import Timing
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.looks import Style

EVIL = "</script><img src=x onerror=window.__pwned=1>"


def nested_model() -> Model:
    """Models three deep, called twice, one name full of markup, an Add of one tensor to itself."""
    inner = Sequential(
        [Dense(4, activation="relu", input_dim=4, name=EVIL), Dense(4)], name="inner"
    )
    middle = Sequential([inner, Dense(4)], name="middle")
    x = Input((4,), name="x")
    twice = middle(middle(x))
    return Model(x, Dense(2, name="top")(Add(name="self")([twice, twice])), name="outer")


def two_headed_model() -> Model:
    """An embedding and an LSTM beside plain numbers; two outputs."""
    words, numbers = Input((6,), dtype="int32", name="words"), Input((3,), name="numbers")
    read = LSTM(4, name="lstm")(Embedding(20, 8, name="embedding")(words))
    both = Concatenate(name="both")([read, numbers])
    main = Dense(1, activation="sigmoid", name="main")(Dense(5, activation="relu")(both))
    return Model([words, numbers], [main, Dense(1, activation="sigmoid", name="aux")(read)])


def small_model() -> Model:
    """A model in a model."""
    inner = Sequential([Dense(3, activation="relu", input_dim=4)], name="inner")
    return Sequential([inner, Dense(1, name="top")], name="small")


def siamese_model() -> Model:
    """Two inputs read by one model, whose two results are joined."""
    inner = Sequential([Dense(3, activation="relu", input_dim=4, name="read")], name="reader")
    left, right = Input((4,), name="left"), Input((4,), name="right")
    both = Concatenate(name="both")([inner(left), inner(right)])
    return Model([left, right], Dense(1, name="top")(both), name="siamese")


def circular_model() -> Model:
    """A layer after itself, and after one that comes after it."""
    x = Input((4,), name="x")
    f, g = Dense(4, name="f"), Dense(4, name="g")
    return Model(x, Dense(2, name="top")(f(g(f(f(x))))), name="circular")


def colored_page() -> str:
    """A page with values from outside."""
    energy = {"name": "energy", "unit": "mJ", "nodes": {"lstm": 12.5, "main": 5, "embedding": 2}}
    style = Style(color_by="overlay")
    return interactive_page(two_headed_model(), "colored", overlay=energy, style=style)


COSTS = {"words": 0, "embedding": 0.003, "lstm": 12.5, "both": 40, "main": 70000}


def costly_page() -> str:
    """A page with values that span decades."""
    style, costs = Style(color_by="overlay"), {"name": "cost", "unit": "s", "nodes": COSTS}
    return interactive_page(two_headed_model(), "costly", overlay=costs, style=style)


def page_of(model: Model, title: str, **options: str) -> str:
    """A page with all tabs."""
    return interactive_page(model, title, training=True, passes=True, runs=2, **options)


def chain_page(
    clusters: int, size: int, reads: Callable[[int], list[int]], rankdir: str = "TB"
) -> str:
    """Nodes in a chain, in clusters by layer path; each may read others that came before it."""
    view = {
        "title": "chain",
        "rankdir": rankdir,
        "clusters": [
            {"id": f"c{k}", "label": f"block_{k}", "path": f"block_{k}", "open": False}
            for k in range(clusters)
        ],
        "nodes": [
            {"id": f"n{k}", "label": f"dense_{k}", "type": "Dense", "cluster": f"c{k // size}",
             "shape": ["batch", 8], "dtype": "f32", "params": 72, "trainable": True}
            for k in range(clusters * size)
        ],
        "edges": [
            {"s": f"n{source}", "sp": 0, "d": f"n{k}", "dp": place, "kind": "data", "t": f"v{k}"}
            for k in range(1, clusters * size)
            for place, source in enumerate((k - 1, *reads(k)))
        ],
    }  # fmt: skip
    return make_page("chain", [{"id": "layers", "label": "Layers", "kind": "graph", "view": view}])


def skips_a_cluster(k: int) -> list[int]:
    """The first node of each cluster of 100 reads the first of the one before."""
    return [k - 100] if k >= 100 and k % 100 == 0 else []


def reads_a_cluster(k: int) -> list[int]:
    """Nodes of clusters of 16 read the first node of the cluster before, and their like there."""
    return [(k // 16 - 1) * 16, k - 16] if k >= 16 else []


def difference_page() -> str:
    """Two models: a layer was taken out, one came, one has another activation."""

    def made(activation: str, *, dropped: bool) -> Model:
        x = Input((4,), name="x")
        y = Dense(4, activation=activation, name=EVIL)(x)
        y = Dropout(0.5, name="drop")(y) if dropped else Add(name="twice")([y, y])
        return Model(x, Dense(2, name="top")(y), name="m")

    graphs = made("relu", dropped=True).graph, made("tanh", dropped=False).graph
    return diff_page(graphs, compare_graphs(*graphs), (f"old {EVIL}", "new"))


def measured_page() -> str:
    """What `kgraph profile -o FILE.html` writes."""
    times = Timing(runs=2).of(compile(two_headed_model().graph))
    return profile_page(times.plan, times.profile, times.runs, "measured", ["2 runs"])


PAGES = {
    "measured": measured_page,
    "difference": difference_page,
    "nested": lambda: page_of(nested_model(), f"nested {EVIL}"),
    "small": lambda: page_of(small_model(), "small", optimizer="sgd"),
    "untrained": lambda: interactive_page(small_model(), "untrained"),
    "two_headed": lambda: page_of(two_headed_model(), "two heads"),
    "large": lambda: chain_page(100, 100, skips_a_cluster),
    **{
        f"wide {rankdir}": partial(chain_page, 3, 16, reads_a_cluster, rankdir)
        for rankdir in ("TB", "LR", "BT")
    },
    "siamese": lambda: page_of(siamese_model(), "siamese", optimizer="adam"),
    "circular": lambda: interactive_page(circular_model(), "circular"),
    "colored": colored_page,
    "costly": costly_page,
}
