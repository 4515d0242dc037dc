"""What layers of images share: where the channels are, and arguments for each spatial axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.arguments import normalize_data_format
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec

Pair = tuple[int, int]


class SpatialLayer(Layer):
    """A layer of tensors of a batch, `spatial_axes` and channels; a subclass says how many."""

    spatial_axes = 1

    def __init__(self, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.spatial_axes + 2)

    @property
    def axes(self) -> tuple[int, ...]:
        """The spatial axes of the input."""
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self.spatial_axes))

    def with_channels_last(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        """Applies a function of channels-last tensors in the layer's format."""
        if self.data_format == "channels_last":
            return function(inputs)
        return ops.moveaxis(function(ops.moveaxis(inputs, 1, -1)), -1, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


def pairs_of(name: str, value: Any, n: int) -> tuple[Pair, ...]:
    """What an argument means for the two ends of each of `n` spatial axes.

    Args:
        name: of the argument, for the error.
        value: an int for all ends; for one axis a pair of ints; for several an int or a pair each.
        n: number of spatial axes.

    Returns:
        A pair (before, after) for each axis.

    Raises:
        ValueError: it is neither, or negative.

    Example:
        >>> pairs_of("padding", (1, (2, 3)), 2)
        ((1, 1), (2, 3))
    """
    given = [value] * n if isinstance(value, int) else value
    if n == 1 and _is_pair(given):
        given = [given]
    if not isinstance(given, (tuple, list)) or len(given) != n:
        raise _wrong_pairs(name, value, n)
    pairs = [(each, each) if isinstance(each, int) else each for each in given]
    if not all(_is_pair(pair) for pair in pairs):
        raise _wrong_pairs(name, value, n)
    return tuple((int(before), int(after)) for before, after in pairs)


def _is_pair(value: Any) -> bool:
    numbers = isinstance(value, Sequence) and all(
        isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value
    )
    return numbers and len(value) == 2


def _wrong_pairs(name: str, value: Any, n: int) -> ValueError:
    several = f"a tuple of {n} ints, or a tuple of {n} tuples of 2 ints"
    return ValueError(
        explain(
            f"`{name}` should have {n if n > 1 else 2} elements, none of them negative",
            expected=f"an int, or {'a tuple of 2 ints' if n == 1 else several}",
            got=f"{name}={value}",
        )
    )
