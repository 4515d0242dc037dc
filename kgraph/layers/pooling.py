"""Pooling over windows, and under Keras's path also that over everything and over equal parts."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from kgraph.layers.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from kgraph.layers.spatial import SpatialLayer
from kgraph.ops.windows import normalize_tuple

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


class Pooling(SpatialLayer):
    """What the layers that pool over windows share."""

    pool: Any = None

    def __init__(
        self, pool_size: Any, strides: Any, padding: str, data_format: str | None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.pool_size = normalize_tuple(pool_size, self.spatial_axes, "pool_size")
        self.strides = normalize_tuple(
            self.pool_size if strides is None else strides, self.spatial_axes, "strides"
        )
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(
                f'The `padding` argument must be one of "valid", "same". Received: {padding}'
            )

    def call(self, inputs: Any) -> Any:
        def pooled(x: Any) -> Any:
            return type(self).pool(x, self.pool_size, self.strides, self.padding)

        return self.with_channels_last(pooled, inputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }


class MaxPooling1D(Pooling):
    """The largest element of each window on sequences.

    Args:
        pool_size: steps of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
        >>> MaxPooling1D(2)(x).ravel().tolist()
        [2.0, 4.0]
    """

    pool = ops.max_pool
    spatial_axes = 1

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling2D(Pooling):
    """The largest element of each window on images.

    Args:
        pool_size: rows and columns of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1)
        >>> MaxPooling2D((1, 2))(x).ravel().tolist()
        [2.0, 4.0]
    """

    pool = ops.max_pool
    spatial_axes = 2

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling3D(Pooling):
    """The largest element of each window on volumes.

    Args:
        pool_size: cells along the three axes of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4, 1)
        >>> MaxPooling3D((1, 1, 2))(x).ravel().tolist()
        [2.0, 4.0]
    """

    pool = ops.max_pool
    spatial_axes = 3

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling1D(Pooling):
    """The mean of each window on sequences.

    Args:
        pool_size: steps of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
        >>> AveragePooling1D(2)(x).ravel().tolist()
        [1.5, 3.5]
    """

    pool = ops.average_pool
    spatial_axes = 1

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling2D(Pooling):
    """The mean of each window on images.

    Args:
        pool_size: rows and columns of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1)
        >>> AveragePooling2D((1, 2))(x).ravel().tolist()
        [1.5, 3.5]
    """

    pool = ops.average_pool
    spatial_axes = 2

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling3D(Pooling):
    """The mean of each window on volumes.

    Args:
        pool_size: cells along the three axes of a window, one number for all or one for each axis.
        strides: from one window to the next; default `pool_size`.
        padding: "valid" keeps windows inside; "same" adds cells that do not count.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or no window fits.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4, 1)
        >>> AveragePooling3D((1, 1, 2))(x).ravel().tolist()
        [1.5, 3.5]
    """

    pool = ops.average_pool
    spatial_axes = 3

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D,
)  # fmt: skip
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D,
)  # fmt: skip
