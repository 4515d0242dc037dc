"""Pooling to a given size: window i of n covers what lies between i / n and (i + 1) / n of an axis,
rounded outwards."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.spatial import SpatialLayer
from kgraph.ops.windows import normalize_tuple


class AdaptivePooling(SpatialLayer):
    """What the layers that pool to a given size share."""

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = normalize_tuple(output_size, self.spatial_axes, "output_size")

    def call(self, inputs: Any) -> Any:
        return self.with_channels_last(self._pooled, inputs)

    def _pooled(self, x: Any) -> Any:
        if not all(isinstance(n, int) for n in x.shape[1:-1]):
            raise ValueError(
                explain(
                    f"{type(self).__name__} layer {self.name} needs known spatial sizes",
                    got=f"input {x.type}",
                    hint="give the input a full shape, or use global pooling",
                )
            )
        return self.pool(x, self.output_size)

    def pool(self, x: Any, output_size: tuple[int, ...]) -> Any:
        """Pools images whose channels stand last."""
        raise NotImplementedError(type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}


class AdaptiveAverage(AdaptivePooling):
    """Means."""

    def pool(self, x: Any, output_size: tuple[int, ...]) -> Any:
        return ops.adaptive_average_pool(x, output_size)


class AdaptiveMax(AdaptivePooling):
    """Largest elements."""

    def pool(self, x: Any, output_size: tuple[int, ...]) -> Any:
        return ops.adaptive_max_pool(x, output_size)


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
