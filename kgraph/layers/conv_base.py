"""What convolutional layers share: windows, axis order, weights, output shapes, configurations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.ir.dim import Dim
from kgraph.layers.arguments import normalize_data_format, positive_int
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec
from kgraph.ops.windows import Windows, normalize_tuple, windows

Shape = tuple[int | None, ...]


class WindowLayer(Layer):
    """A layer whose weights slide over the spatial axes of its input.

    Subclasses set `rank`, the number of spatial axes. Inside `call` channels come last; with
    `data_format="channels_first"` the input and the output are transposed.
    """

    rank: ClassVar[int] = 2
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def set_windows(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
    ) -> None:
        """Checks and keeps the arguments that say how windows lie."""
        self.kernel_size = normalize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = normalize_tuple(strides, self.rank, "strides")
        self.dilation_rate = normalize_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = str(padding).lower()
        if self.padding not in self.paddings:
            names = ", ".join(repr(p) for p in self.paddings)
            raise ValueError(
                f"The `padding` argument must be one of {names}. Received: padding={padding}"
            )
        if self.rank == 1 and data_format is None:
            data_format = "channels_last"
        self.data_format = normalize_data_format(data_format)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def set_outputs(self, filters: Any, activation: Any, use_bias: bool) -> None:
        """Checks and keeps what becomes of the sums; `filters` is None where inputs decide it."""
        if filters is not None:
            self.filters = positive_int("filters", filters)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)

    def set_weight(self, role: str, initializer: Any, regularizer: Any, constraint: Any) -> None:
        """Keeps how the weight of a role ("kernel", "bias") starts and what binds it."""
        setattr(self, f"{role}_initializer", initializers.get(initializer))
        setattr(self, f"{role}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{role}_constraint", constraints.get(constraint))

    def make_weight(self, role: str, shape: tuple[int, ...], name: str | None = None) -> Any:
        """Adds the weight of a role."""
        return self.add_weight(
            name=name or role,
            shape=shape,
            initializer=getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
        )

    def make_bias(self, shape: tuple[int, ...]) -> None:
        """Adds the bias, if there is to be one."""
        self.bias = self.make_weight("bias", shape) if self.use_bias else None

    @property
    def channel_axis(self) -> int:
        """The axis of the channels."""
        return 1 if self.data_format == "channels_first" else -1

    def input_channels(self, input_shape: Shape) -> int:
        """The number of channels of the input.

        Raises:
            ValueError: it is not known.
        """
        if len(input_shape) != self.rank + 2:
            raise ValueError(
                f"Input 0 is incompatible with layer {self.name}: expected "
                f"ndim={self.rank + 2}, found ndim={len(input_shape)}"
            )
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ValueError(
                explain(
                    "The channel dimension of the inputs should be defined. Found `None`.",
                    got=f"input shape {input_shape}, {self.data_format}",
                    where=f"layer {self.name}",
                )
            )
        return channels

    def require_channels(self, input_shape: Shape) -> int:
        """The number of channels, which is required of all inputs from now on."""
        channels = self.input_channels(input_shape)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        return channels

    def windows(self) -> Windows:
        """The windows on an input of any size."""
        return windows(self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def channels_last(self, inputs: Any) -> Any:
        """The input with its channels at the end."""
        first = self.data_format == "channels_first"
        return ops.moveaxis(inputs, -self.rank - 1, -1) if first else inputs

    def biased(self, sums: Any) -> Any:
        """Adds the bias, if there is one."""
        return sums if self.bias is None else sums + self.bias

    def finish(self, sums: Any) -> Any:
        """Gives the axes their order and applies the activation."""
        if self.data_format == "channels_first":
            sums = ops.moveaxis(sums, -1, 1)
        return self.activation(sums)

    def spatial(self, input_shape: Shape) -> Shape:
        """The spatial sizes of an input shape."""
        return input_shape[2:] if self.data_format == "channels_first" else input_shape[1:-1]

    def output_sizes(self, sizes: Sequence[Any]) -> tuple[Any, ...]:
        """The spatial sizes of the output; some may be symbols."""
        return self.windows().count(sizes)

    def shape_with(self, input_shape: Shape, filters: int) -> Shape:
        """The output shape for a number of filters.

        Raises:
            ValueError: a window does not fit into the input.
        """
        known = [
            Dim.symbol(f"d{i}") if n is None else n for i, n in enumerate(self.spatial(input_shape))
        ]
        sizes = [None if isinstance(n, Dim) else n for n in self.output_sizes(known)]
        if self.data_format == "channels_first":
            return (input_shape[0], filters, *sizes)
        return (input_shape[0], *sizes, filters)

    def window_config(self) -> dict[str, Any]:
        """The arguments of `set_windows`."""
        return {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }

    def output_config(self, *roles: str) -> dict[str, Any]:
        """The activation, and the arguments of the weights of some roles."""
        found: dict[str, Any] = {
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }
        modules = (initializers, regularizers, constraints)
        for kind, module in zip(("initializer", "regularizer", "constraint"), modules):
            for role in roles:
                name = f"{role}_{kind}"
                found[name] = module.serialize(getattr(self, name))  # type: ignore[attr-defined]
        return found
