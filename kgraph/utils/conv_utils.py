"""Keras 2's helpers around windows: arguments made regular, lengths of outputs and inputs."""

from __future__ import annotations

from kgraph.layers.arguments import normalize_data_format
from kgraph.ops.composite.convolving import transposed_size
from kgraph.ops.windows import normalize_tuple, windows

__all__ = [
    "conv_input_length",
    "conv_output_length",
    "deconv_output_length",
    "normalize_data_format",
    "normalize_padding",
    "normalize_tuple",
]


def normalize_padding(value: str) -> str:
    """The name of a padding in small letters.

    Args:
        value: "valid", "same" or "causal".

    Returns:
        The same word.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> normalize_padding("SAME")
        'same'
    """
    padding = str(value).lower()
    if padding not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be one of "valid", "same" (or "causal" for Conv1D). '
            f"Received: {value}"
        )
    return padding


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """How many windows fit on an axis.

    Args:
        input_length: cells of the axis; None if that is not known.
        filter_size: cells of a window.
        padding: "valid", "same", "causal", or "full".
        stride: cells from one window to the next.
        dilation: cells from one cell of a window to the next.

    Returns:
        The number, None for None.

    Example:
        >>> conv_output_length(28, 3, "same", 2)
        14
    """
    if input_length is None:
        return None
    around = (filter_size - 1) * dilation
    given = ((around, around),) if padding == "full" else padding
    return int(windows(filter_size, stride, given, dilation).count((input_length,))[0])


def conv_input_length(
    output_length: int | None, filter_size: int, padding: str, stride: int
) -> int | None:
    """The length of an axis on which so many windows fit: the least for "valid" padding.

    Args:
        output_length: windows; None if that is not known.
        filter_size: cells of a window.
        padding: "valid", "same" or "full".
        stride: cells from one window to the next.

    Returns:
        The number of cells, None for None.

    Example:
        >>> conv_input_length(26, 3, "valid", 1)
        28
    """
    if output_length is None:
        return None
    pad = {"same": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return (output_length - 1) * stride - 2 * pad + filter_size


def deconv_output_length(
    input_length: int | None,
    filter_size: int,
    padding: str,
    output_padding: int | None = None,
    stride: int = 1,
    dilation: int = 1,
) -> int | None:
    """The length of an axis of a transposed convolution's output.

    Args:
        input_length: cells of the input's axis; None if that is not known.
        filter_size: cells of a window.
        padding: "valid", "same" or "full".
        output_padding: cells that are added at the end; None for Keras's choice.
        stride: cells from one window to the next.
        dilation: cells from one cell of a window to the next.

    Returns:
        The number of cells, None for None.

    Example:
        >>> deconv_output_length(14, 3, "same", stride=2)
        28
    """
    if input_length is None:
        return None
    extent = dilation * (filter_size - 1) + 1
    if padding == "full":
        if output_padding is None:
            return input_length * stride - (stride + extent - 2)
        return (input_length - 1) * stride + extent - 2 * (extent - 1) + output_padding
    return int(transposed_size(input_length, extent, stride, padding, output_padding)[0])
