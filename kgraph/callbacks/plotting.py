"""plot_history: the logs of a run as curves, one panel a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.errors import explain

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        explain("curves need the library matplotlib", hint="pip install 'kgraph[plot]'"),
        name=missing.name,
    ) from missing


def plot_history(
    history: Any, names: Sequence[str] | None = None, path: Any = None, width: float = 4.0
) -> Figure:
    """Draws the curves of training and validation.

    Args:
        history: what `fit` returned, or its `history`.
        names: which values, in this order; default all. The curve of `val_` and the name is drawn
            in the same panel.
        path: a file to write to besides, such as "curves.png".
        width: of a panel, in inches.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there is nothing to draw, or no such value.

    Example:
        >>> figure = plot_history({"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "acc": [0.1, 0.2]})
        >>> [axes.get_title() for axes in figure.axes]
        ['loss', 'acc']
    """
    logs: Mapping[str, Any] = getattr(history, "history", history)
    epochs = [epoch + 1 for epoch in getattr(history, "epoch", [])]
    chosen = [n for n in logs if not n.startswith("val_")] if names is None else list(names)
    absent = [name for name in chosen if name not in logs]
    if absent or not chosen:
        raise ValueError(
            explain(
                "There is no curve to draw",
                expected=f"names among {list(logs)}",
                got=absent or "no names",
                hint="train for an epoch first",
            )
        )
    figure = Figure(figsize=(width * len(chosen), 0.75 * width), layout="constrained")
    panels = figure.subplots(1, len(chosen), squeeze=False)[0]
    for axes, name in zip(panels, chosen, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in logs:
                values = logs[key]
                # Validation may not have run in every epoch; its values are the last ones then.
                steps = epochs if len(epochs) == len(values) else range(1, len(values) + 1)
                axes.plot(steps, values, marker="." if len(values) < 20 else None, label=label)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.legend()
    if path is not None:
        figure.savefig(path)
    return figure
