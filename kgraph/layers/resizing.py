"""Layers that enlarge, surround and cut images: UpSampling, ZeroPadding, Cropping."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.spatial import SpatialLayer, pairs_of
from kgraph.ops.slicing import slice_
from kgraph.ops.windows import normalize_tuple


class UpSampling(SpatialLayer):
    """What the layers that repeat pixels share."""

    def __init__(
        self, size: Any, data_format: str | None, interpolation: str, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.factors = normalize_tuple(size, self.spatial_axes, "size")
        self.interpolation = str(interpolation).lower()
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                "The `interpolation` argument must be one of 'nearest', 'bilinear'. "
                f"Received: {interpolation}"
            )

    def call(self, inputs: Any) -> Any:
        sizes = [inputs.shape[a] * factor for a, factor in zip(self.axes, self.factors)]
        return ops.resize(inputs, sizes, self.interpolation, self.axes)


class UpSampling1D(UpSampling):
    """Repeats each time step.

    Args:
        size: how often.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> UpSampling1D(2)(np.array([[[1.0], [2.0]]])).ravel().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(size, "channels_last", "nearest", **kwargs)
        self.size = self.factors[0]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return {**config, "size": self.size}


class UpSampling2D(UpSampling):
    """Enlarges images by whole factors.

    Args:
        size: the factors of rows and columns, or one for both.
        data_format: where the channels are; default the global setting.
        interpolation: "nearest" repeats pixels, "bilinear" mixes neighbours, with the centres of
            pixels half a pixel from their edges.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> layer = UpSampling2D((1, 2), interpolation="bilinear")
        >>> layer(np.array([[[[0.0], [1.0]]]])).ravel().tolist()
        [0.0, 0.25, 0.75, 1.0]
    """

    spatial_axes = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(size, data_format, interpolation, **kwargs)
        self.size = self.factors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "interpolation": self.interpolation}


class UpSampling3D(UpSampling):
    """Repeats each cell of volumes.

    Args:
        size: how often along each axis, or once for all.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> UpSampling3D(2)(np.ones((1, 2, 3, 4, 5))).shape
        (1, 4, 6, 8, 5)
    """

    spatial_axes = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, "nearest", **kwargs)
        self.size = self.factors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class ZeroPadding(SpatialLayer):
    """What the layers that put zeros around share."""

    def __init__(self, padding: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.pairs = pairs_of("padding", padding, self.spatial_axes)
        self.padding: Any = self.pairs

    def call(self, inputs: Any) -> Any:
        widths = [(0, 0)] * inputs.ndim
        for axis, pair in zip(self.axes, self.pairs):
            widths[axis] = pair
        return ops.pad(inputs, tuple(widths))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


class ZeroPadding1D(ZeroPadding):
    """Puts zeros before and after sequences.

    Args:
        padding: how many at both ends, or a pair.
        data_format: where the channels are.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the padding has the wrong form.

    Example:
        >>> import numpy as np
        >>> ZeroPadding1D((1, 2))(np.array([[[5.0]]])).ravel().tolist()
        [0.0, 5.0, 0.0, 0.0]
    """

    def __init__(
        self, padding: Any = 1, data_format: str | None = "channels_last", **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)
        self.padding = self.pairs[0]


class ZeroPadding2D(ZeroPadding):
    """Puts rows and columns of zeros around images.

    Args:
        padding: how many on all sides, (above and below, left and right), or
            ((above, below), (left, right)).
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the padding has the wrong form.

    Example:
        >>> import numpy as np
        >>> ZeroPadding2D((1, (0, 3)))(np.ones((2, 5, 5, 1))).shape
        (2, 7, 8, 1)
    """

    spatial_axes = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(ZeroPadding):
    """Puts zeros around volumes.

    Args:
        padding: how many on all sides, a number an axis, or a pair an axis.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the padding has the wrong form.

    Example:
        >>> import numpy as np
        >>> ZeroPadding3D(1)(np.ones((2, 3, 4, 5, 1))).shape
        (2, 5, 6, 7, 1)
    """

    spatial_axes = 3

    def __init__(
        self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class Cropping(SpatialLayer):
    """What the layers that cut off edges share."""

    def __init__(self, cropping: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.pairs = pairs_of("cropping", cropping, self.spatial_axes)
        self.cropping: Any = self.pairs

    def call(self, inputs: Any) -> Any:
        starts, stops = [0] * inputs.ndim, list(inputs.shape)
        for axis, (before, after) in zip(self.axes, self.pairs):
            size = inputs.shape[axis]
            if isinstance(size, int) and size <= before + after:
                raise ValueError(
                    explain(
                        f"`cropping` of layer {self.name} leaves nothing of axis {axis}",
                        expected=f"an input of more than {before + after} there",
                        got=f"cropping={self.cropping}, input {inputs.type}",
                    )
                )
            starts[axis], stops[axis] = before, size - after
        return slice_(inputs, tuple(starts), tuple(stops))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class Cropping1D(Cropping):
    """Cuts time steps off both ends.

    Args:
        cropping: how many at both ends, or a pair.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the cropping has the wrong form, or nothing is left.

    Example:
        >>> import numpy as np
        >>> Cropping1D((1, 0))(np.array([[[1.0], [2.0], [3.0]]])).ravel().tolist()
        [2.0, 3.0]
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, "channels_last", **kwargs)
        self.cropping = self.pairs[0]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return config


class Cropping2D(Cropping):
    """Cuts rows and columns off images.

    Args:
        cropping: how many on all sides, (above and below, left and right), or
            ((above, below), (left, right)).
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the cropping has the wrong form, or nothing is left.

    Example:
        >>> import numpy as np
        >>> Cropping2D(((1, 2), (0, 3)))(np.ones((2, 5, 5, 1))).shape
        (2, 2, 2, 1)
    """

    spatial_axes = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(Cropping):
    """Cuts the surface off volumes.

    Args:
        cropping: how many on all sides, a number an axis, or a pair an axis.
        data_format: where the channels are; default the global setting.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the cropping has the wrong form, or nothing is left.

    Example:
        >>> import numpy as np
        >>> Cropping3D(1)(np.ones((2, 3, 4, 5, 1))).shape
        (2, 1, 2, 3, 1)
    """

    spatial_axes = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)
