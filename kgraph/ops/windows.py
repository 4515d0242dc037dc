"""Windows that slide over the spatial axes of channels-last tensors: convolution and pooling.

A window covers `size` cells of an axis, `dilation` apart, and moves by `strides` cells. What is
added around the input is a pair (before, after) for each axis. TensorFlow's SAME padding follows
from the size of the input, the odd cell going after it: an axis whose size is not known yet keeps
the word "same" in place of its pair until it is, if the window moves by more than 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim, floor_divide
from kgraph.ops.shapes import moveaxis

Size = int | Dim
Pair = tuple[int, int]

SAME = "same"


@dataclass(frozen=True)
class Windows:
    """How windows lie on the spatial axes: one entry an axis in each field.

    Args:
        size: cells of a window.
        strides: cells from one window to the next.
        padding: pairs (before, after), or "same" where that depends on a size not known yet.
        dilation: cells from one cell of a window to the next.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[Pair | str, ...]
    dilation: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """Cells from the first to the last of a window, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The padding, once all of it is known.

        Raises:
            InferenceError: an axis is padded "same" and nobody has said how long it is.
        """
        found = tuple(p for p in self.padding if not isinstance(p, str))
        if len(found) < len(self.padding):
            raise InferenceError("padding 'same' is a pair only when the input's size is known")
        return found

    def along(self, axis: int) -> Windows:
        """Windows that cover one cell of all spatial axes but one.

        Example:
            >>> windows((3, 2), strides=2).along(1)
            Windows(size=(1, 2), strides=(1, 2), padding=((0, 0), (0, 0)), dilation=(1, 1))
        """
        n = len(self.size)

        def alone(values: tuple[Any, ...], other: Any) -> tuple[Any, ...]:
            return (other,) * axis + (values[axis],) + (other,) * (n - 1 - axis)

        return Windows(
            alone(self.size, 1), alone(self.strides, 1), alone(self.padding, (0, 0)),
            alone(self.dilation, 1),
        )  # fmt: skip

    def on(self, sizes: Sequence[Size]) -> Windows:
        """The same windows on an input of these sizes: "same" becomes pairs where it can.

        Args:
            sizes: of the input's spatial axes.

        Example:
            >>> windows(3, strides=2, padding="same").on((4,)).padding
            ((0, 1),)
        """
        padding = tuple(
            same_padding(n, e, s) if p == SAME else p
            for n, e, s, p in zip(sizes, self.extents, self.strides, self.padding)
        )
        return replace(self, padding=padding)

    def count(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """How many windows fit: the sizes of the output's spatial axes.

        Args:
            sizes: of the input's spatial axes.

        Raises:
            InferenceError: no window fits on an axis.

        Example:
            >>> windows((3, 2), 2).count((7, 7))
            (3, 3)
            >>> windows(3, strides=2, padding="same").count((Dim.symbol("n"),))
            (((n+1)//2),)
        """
        found: list[Size] = []
        for n, extent, stride, pads in zip(sizes, self.extents, self.strides, self.padding):
            least = 0 if isinstance(pads, str) else extent - pads[0] - pads[1]
            count = floor_divide(n + (stride - 1), stride)
            if not isinstance(pads, str):
                count = floor_divide(n - least, stride) + 1
            # SAME padding of nothing is nothing; a window that finds no cells at all fits 0 times.
            if isinstance(count, int) and count < (0 if n == 0 else 1):
                raise InferenceError(
                    explain(
                        "Computed output size would be zero or negative",
                        expected=f"at least {least} cells for a window of {extent}",
                        got=f"input sizes {tuple(sizes)}, windows {self.size}, "
                        f"padding {self.padding}, dilation {self.dilation}",
                        hint="use padding='same', smaller windows, or larger inputs",
                    )
                )
            found.append(count)
        return tuple(found)


def same_padding(size: Size, extent: int, stride: int) -> Pair | str:
    """TensorFlow's SAME padding of one axis, "same" while it is not known.

    total = max((ceil(size / stride) - 1) * stride + extent - size, 0), half of it before.

    Args:
        size: of the input's axis.
        extent: of the window with its dilation.
        stride: of the window.

    Example:
        >>> same_padding(4, 3, 2), same_padding(4, 2, 1), same_padding(Dim.symbol("n"), 3, 2)
        ((0, 1), (0, 1), 'same')
    """
    if stride == 1:
        total = extent - 1
    elif isinstance(size, Dim):
        return SAME
    else:
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def windows(
    size: int | Sequence[int],
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[Any] = "valid",
    dilation: int | Sequence[int] = 1,
    ndim: int | None = None,
) -> Windows:
    """Gives all arguments one entry for each spatial axis.

    Args:
        size: cells of a window.
        strides: cells from one window to the next.
        padding: "valid", "same", "causal", or for each axis a pair or "same".
        dilation: cells from one cell of a window to the next.
        ndim: spatial axes; default as many as `size` has.

    Returns:
        The windows; "same" stands where the padding depends on the size of the input.

    Raises:
        ValueError: an argument has the wrong length or value.

    Example:
        >>> windows(3, padding="causal", dilation=2).padding
        ((4, 0),)
    """
    rank = ndim or (1 if isinstance(size, (int, np.integer)) else len(size))
    sizes = normalize_tuple(size, rank, "kernel_size")
    steps, spread = (
        normalize_tuple(strides, rank, "strides"),
        normalize_tuple(dilation, rank, "dilation_rate"),
    )
    extents = tuple(d * (k - 1) + 1 for k, d in zip(sizes, spread))
    return Windows(sizes, steps, _normalize_padding(padding, extents, steps), spread)


def _normalize_padding(
    padding: Any, extents: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[Pair | str, ...]:
    if isinstance(padding, str):
        name = padding.lower()
        if name == "causal":
            return tuple((e - 1, 0) for e in extents)
        if name not in ("valid", SAME):
            raise ValueError(
                "The `padding` argument must be one of 'valid', 'same', 'causal' or pairs. "
                f"Received: {padding}"
            )
        padding = [(0, 0) if name == "valid" else SAME] * len(extents)
    found: list[Pair | str] = []
    for each, extent, stride in zip(padding, extents, strides):
        if each == SAME:
            found.append(same_padding(Dim.symbol("n"), extent, stride))
            continue
        before, after = each
        if min(before, after) < 0:
            raise ValueError(f"The `padding` argument must not be negative. Received: {padding}")
        found.append((int(before), int(after)))
    if len(found) != len(extents) or len(padding) != len(extents):
        raise ValueError(
            f"The `padding` argument must have {len(extents)} pairs. Received: {padding}"
        )
    return tuple(found)


def normalize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """An int for all axes, or one for each.

    Args:
        value: an int or `n` ints.
        n: number of axes.
        name: of the argument, for the error.
        allow_zero: whether 0 is legal.

    Returns:
        A tuple of `n` ints.

    Raises:
        ValueError: it is neither, or a number is too small.

    Example:
        >>> normalize_tuple(2, 3, "strides")
        (2, 2, 2)
    """
    least = 0 if allow_zero else 1
    given = (value,) * n if isinstance(value, (int, np.integer)) else value
    listed = isinstance(given, (tuple, list)) and len(given) == n
    if not listed or not all(_is_whole(v) for v in given):
        raise ValueError(
            f"The `{name}` argument must be a tuple of {n} integers. Received: {value}"
        )
    found = tuple(int(v) for v in given)
    if min(found) < least:
        raise ValueError(
            f"The `{name}` argument must be a tuple of {n} integers >= {least}. Received: {value}"
        )
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def with_channels_last(function: Callable[[Any], Any], x: Any, data_format: str | None) -> Any:
    """Calls a function of images (n, *sizes, channels) on images of another format.

    Args:
        function: from images to images.
        x: the images.
        data_format: "channels_first" for (n, channels, *sizes); None means channels_last.

    Returns:
        The function's images in the format of `x`.

    Raises:
        InferenceError: there is no such format.

    Example:
        >>> with_channels_last(lambda x: x[..., :1], np.ones((2, 3, 5)), "channels_first").shape
        (2, 1, 5)
    """
    if data_format in (None, "channels_last"):
        return function(x)
    if data_format != "channels_first":
        raise InferenceError(
            explain("unknown data_format", expected="channels_last or channels_first",
                    got=repr(data_format))
        )  # fmt: skip
    return moveaxis(function(moveaxis(x, 1, -1)), -1, 1)
