"""Pooling to a given size: window i of n covers what lies between i / n and (i + 1) / n of an axis,
rounded outwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.spatial import SpatialLayer
from kgraph.ops.resizing import mix
from kgraph.ops.windows import normalize_tuple


class AdaptivePooling(SpatialLayer):
    """What the layers that pool to a given size share."""

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = normalize_tuple(output_size, self.spatial_axes, "output_size")

    def call(self, inputs: Any) -> Any:
        return self.with_channels_last(self._pooled, inputs)

    def _pooled(self, x: Any) -> Any:
        sizes = x.shape[1:-1]
        if not all(isinstance(n, int) for n in sizes):
            raise ValueError(
                explain(
                    f"{type(self).__name__} layer {self.name} needs known spatial sizes",
                    got=f"input {x.type}",
                    hint="give the input a full shape, or use global pooling",
                )
            )
        if all(n and n % new == 0 for n, new in zip(sizes, self.output_size)):
            return self.pool(x, tuple(n // new for n, new in zip(sizes, self.output_size)))
        for axis, (n, new) in enumerate(zip(sizes, self.output_size), 1):
            edges = np.arange(new + 1) * n
            x = self.pool_axis(x, edges[:-1] // new, -(-edges[1:] // new), axis)
        return x

    def pool(self, x: Any, size: tuple[int, ...]) -> Any:
        """Pools over windows of one size that lie side by side."""
        raise NotImplementedError(type(self).__name__)

    def pool_axis(self, x: Any, starts: np.ndarray, stops: np.ndarray, axis: int) -> Any:
        """Pools over the parts from `starts` to `stops` of one axis."""
        raise NotImplementedError(type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}


class AdaptiveAverage(AdaptivePooling):
    """Means."""

    def pool(self, x: Any, size: tuple[int, ...]) -> Any:
        return ops.average_pool(x, size)

    def pool_axis(self, x: Any, starts: np.ndarray, stops: np.ndarray, axis: int) -> Any:
        places = np.arange(x.shape[axis])
        inside = (places >= starts[:, None]) & (places < stops[:, None])
        return mix(x, (inside / inside.sum(1, keepdims=True)).astype(x.dtype), axis)


class AdaptiveMax(AdaptivePooling):
    """Largest elements."""

    def pool(self, x: Any, size: tuple[int, ...]) -> Any:
        return ops.max_pool(x, size)

    def pool_axis(self, x: Any, starts: np.ndarray, stops: np.ndarray, axis: int) -> Any:
        # Shorter parts name their last place again, which changes no maximum.
        width = (stops - starts).max()
        places = np.minimum(starts[:, None] + np.arange(width), stops[:, None] - 1)
        return ops.max(ops.take(x, places, axis), axis=axis + 1)


class AdaptiveAveragePooling1D(AdaptiveAverage):
    """Means of as many parts of sequences as are asked for.

    Args:
        output_size: number of parts.
        data_format: where the channels are.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling1D(4)(np.ones((2, 7, 3))).shape
        (2, 4, 3)
    """

    def __init__(
        self, output_size: Any, data_format: str | None = "channels_last", **kwargs: Any
    ) -> None:
        super().__init__(output_size, data_format, **kwargs)


class AdaptiveAveragePooling2D(AdaptiveAverage):
    """Means of as many parts of images as are asked for.

    Args:
        output_size: number of parts along each axis, or one for all.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling2D(4)(np.ones((2, 7, 9, 3))).shape
        (2, 4, 4, 3)
    """

    spatial_axes = 2


class AdaptiveAveragePooling3D(AdaptiveAverage):
    """Means of as many parts of volumes as are asked for.

    Args:
        output_size: number of parts along each axis, or one for all.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveAveragePooling3D(4)(np.ones((2, 7, 9, 6, 3))).shape
        (2, 4, 4, 4, 3)
    """

    spatial_axes = 3


class AdaptiveMaxPooling1D(AdaptiveMax):
    """Largest elements of as many parts of sequences as are asked for.

    Args:
        output_size: number of parts.
        data_format: where the channels are.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling1D(4)(np.ones((2, 7, 3))).shape
        (2, 4, 3)
    """

    def __init__(
        self, output_size: Any, data_format: str | None = "channels_last", **kwargs: Any
    ) -> None:
        super().__init__(output_size, data_format, **kwargs)


class AdaptiveMaxPooling2D(AdaptiveMax):
    """Largest elements of as many parts of images as are asked for.

    Args:
        output_size: number of parts along each axis, or one for all.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling2D(4)(np.ones((2, 7, 9, 3))).shape
        (2, 4, 4, 3)
    """

    spatial_axes = 2


class AdaptiveMaxPooling3D(AdaptiveMax):
    """Largest elements of as many parts of volumes as are asked for.

    Args:
        output_size: number of parts along each axis, or one for all.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument has the wrong form, or a spatial size is not known.

    Example:
        >>> import numpy as np
        >>> AdaptiveMaxPooling3D(4)(np.ones((2, 7, 9, 6, 3))).shape
        (2, 4, 4, 4, 3)
    """

    spatial_axes = 3
