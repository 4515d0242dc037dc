"""Pooling over all steps, pixels or cells."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.layers.spatial import SpatialLayer


class GlobalPooling(SpatialLayer):
    """What the layers that pool over all spatial axes share."""

    reduce: Any = None

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = bool(keepdims)

    def call(self, inputs: Any) -> Any:
        return type(self).reduce(inputs, axis=self.axes, keepdims=self.keepdims)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class GlobalAveragePooling1D(GlobalPooling):
    """The mean over all steps that a mask admits.

    Args:
        data_format: where the channels are.
        keepdims: whether the time axis stays, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1.0], [2.0], [6.0]]])
        >>> GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]])).tolist()
        [[1.5]]
    """

    def __init__(
        self, data_format: str | None = "channels_last", keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        options: dict[str, Any] = {"axis": self.axes, "keepdims": self.keepdims}
        if mask is None:
            return ops.mean(inputs, **options)
        steps = ops.expand_dims(mask, 1 if self.data_format == "channels_first" else -1)
        steps = ops.cast(steps, "bool")
        count = ops.sum(ops.cast(steps, inputs.dtype), **options)
        return ops.sum(ops.where(steps, inputs, 0), **options) / count

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(GlobalPooling):
    """The mean over all pixels.

    Args:
        data_format: where the channels are; default the global setting.
        keepdims: whether the spatial axes stay, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> GlobalAveragePooling2D()(np.ones((2, 3, 4, 7))).shape
        (2, 7)
    """

    reduce = ops.mean
    spatial_axes = 2


class GlobalAveragePooling3D(GlobalPooling):
    """The mean over all cells.

    Args:
        data_format: where the channels are; default the global setting.
        keepdims: whether the spatial axes stay, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> GlobalAveragePooling3D()(np.ones((2, 3, 4, 5, 7))).shape
        (2, 7)
    """

    reduce = ops.mean
    spatial_axes = 3


class GlobalMaxPooling1D(GlobalPooling):
    """The largest over all steps.

    Args:
        data_format: where the channels are.
        keepdims: whether the time axis stays, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> GlobalMaxPooling1D()(np.ones((2, 3, 7))).shape
        (2, 7)
    """

    reduce = ops.max

    def __init__(
        self, data_format: str | None = "channels_last", keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)


class GlobalMaxPooling2D(GlobalPooling):
    """The largest over all pixels.

    Args:
        data_format: where the channels are; default the global setting.
        keepdims: whether the spatial axes stay, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> GlobalMaxPooling2D()(np.ones((2, 3, 4, 7))).shape
        (2, 7)
    """

    reduce = ops.max
    spatial_axes = 2


class GlobalMaxPooling3D(GlobalPooling):
    """The largest over all cells.

    Args:
        data_format: where the channels are; default the global setting.
        keepdims: whether the spatial axes stay, with size 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> GlobalMaxPooling3D()(np.ones((2, 3, 4, 5, 7))).shape
        (2, 7)
    """

    reduce = ops.max
    spatial_axes = 3
