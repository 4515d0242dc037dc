"""Convolutions over 1, 2 or 3 spatial axes, channels last; their gradients are ops of their own.

The kernel is not flipped (cross-correlation, as in every neural network library):
y[n, o, f] = sum over t, c of x[n, o * strides + t * dilation - before, c] * kernel[t, c, f].
All three are linear in both operands, so the gradients of each one are the other two.

`padding` is "valid", "same", "causal" or a pair (before, after) for each spatial axis.
float16 is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim, product
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.convolution_kernels import FilterGrad, Forward, Problem, ScatteredGrad
from kgraph.ops.depthwise import DepthwiseFilterGrad, DepthwiseForward, DepthwiseInputGrad
from kgraph.ops.linalg import matmul
from kgraph.ops.patches import Call, run_calls
from kgraph.ops.phases import PhasedGrad
from kgraph.ops.shapes import as_shape, reshape, shape_of
from kgraph.ops.specialized import Prepared, Specialized
from kgraph.ops.windows import Windows, windows, with_channels_last

Sizes = tuple[int | Dim, ...]

# Filters for each channel above which adding up the cells of windows beats convolving backwards.
_FEW_CHANNELS = 16


class Convolution(Specialized):
    """What the three ops share; each says which types it maps to which, and by which kernel."""

    # Attributes beside padding, strides, dilation and groups.
    own: ClassVar[tuple[str, ...]] = ()

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        types = [n.type for n in inputs]
        check_operands(*types)
        own = {name: as_shape(attrs[name]) for name in self.own}
        size = self.window_size(*types, **own)
        if any(isinstance(n, Dim) for n in size):
            raise InferenceError(f"the size of the windows must be known, got {tuple(size)}")
        given = windows(
            size,
            attrs.get("strides", 1),
            attrs.get("padding", "valid"),
            attrs.get("dilation", 1),
            types[0].ndim - 2,
        )
        found = given.on(self.image_sizes(*types, **own))
        return {
            **own,
            "strides": found.strides,
            "padding": found.padding,
            "dilation": found.dilation,
            "groups": int(attrs.get("groups", 1)),
        }

    def window_size(self, *types: TensorType, **attrs: Any) -> Sequence[Any]:
        """The spatial sizes of the kernel."""
        return types[1].shape[:-2]

    def image_sizes(self, *types: TensorType, **attrs: Any) -> Sizes:
        """The spatial sizes of the images."""
        return types[0].shape[1:-1]

    def windows(self, *types: TensorType, **attrs: Any) -> Windows:
        """The windows on these images."""
        given = windows(
            self.window_size(*types, **attrs), attrs["strides"], attrs["padding"], attrs["dilation"]
        )
        return given.on(self.image_sizes(*types, **attrs))

    def types_of(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        """The types of images, kernel and outputs."""
        raise NotImplementedError(self.name)

    def kernel_of(self, problem: Problem) -> Any:
        """What computes the op: it has `types` and `calls`."""
        raise NotImplementedError(self.name)

    def problem(self, *types: TensorType, **attrs: Any) -> Problem:
        """The convolution as numbers."""
        images, _, outputs = self.types_of(*types, **attrs)
        batch, *sizes, channels = (int(d) for d in images.shape)
        dtype = "float32" if images.dtype == "float16" else images.dtype
        found = self.windows(*types, **attrs)
        filters = int(outputs.shape[-1])
        return Problem(batch, tuple(sizes), channels, filters, found, attrs["groups"], dtype)

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        found = self.kernel_of(self.problem(*types, **attrs)).types
        if types[0].dtype != "float16":
            return tuple(found)
        result: Any = self.infer(*types, **attrs)
        return tuple(t.with_dtype("float32") for t in (*types, result)) + tuple(found)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        kernel = self.kernel_of(self.problem(*inputs, **attrs))

        def views(a: np.ndarray, b: np.ndarray, out: np.ndarray, *work: np.ndarray) -> Any:
            return (kernel.calls(a, b, out, *work),)

        def widened(
            a: np.ndarray, b: np.ndarray, out: np.ndarray, *work: np.ndarray
        ) -> tuple[list[Call]]:
            wide_a, wide_b, wide_out, *others = work
            calls = kernel.calls(wide_a, wide_b, wide_out, *others)
            before: list[Call] = [(np.copyto, wide_a, a), (np.copyto, wide_b, b)]
            return ([*before, *calls, (_narrow, out, wide_out)],)

        return Prepared(widened if inputs[0].dtype == "float16" else views, run_calls)

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        _, kernel, results = self.types_of(*inputs, **attrs)
        moved = super().cost(inputs, outputs, attrs)[1]
        return 2 * results.size * product(kernel.shape[:-1]), moved


class Conv(Convolution):
    """Weighted sums over windows: (n, *s, c), (*k, c / groups, f) -> (n, *o, f).

    Args:
        inputs: images; with `data_format="channels_first"` they and the result are (n, c, *s).
        kernel: (*k, c / groups, f).
        strides: cells from one window to the next, an int or one for each spatial axis.
        padding: "valid", "same", "causal" or a pair (before, after) for each spatial axis.
        data_format: "channels_last" or "channels_first"; default channels_last.
        dilation_rate: cells from one cell of a window to the next.
        groups: into how many parts channels are cut; default what the shapes say.

    Example:
        >>> conv(np.ones((1, 4, 1)), np.ones((2, 1, 1)))[0, :, 0].tolist()
        [2.0, 2.0, 2.0]
    """

    name = "conv"

    def __call__(
        self,
        inputs: Any,
        kernel: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int | None = None,
    ) -> Any:
        attrs = {"strides": strides, "padding": padding, "dilation": dilation_rate}

        def convolved(x: Any) -> Any:
            count = groups_of(x, kernel) if groups is None else groups
            return self.apply((x, kernel), groups=count, **attrs)

        return with_channels_last(convolved, inputs, data_format)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return self.types_of(*types, **attrs)[2]

    def types_of(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x, kernel = types
        check_groups(x.shape[-1], kernel.shape[-2], kernel.shape[-1], attrs["groups"])
        counts = self.windows(*types, **attrs).count(x.shape[1:-1])
        return x, kernel, x.with_shape((x.shape[0], *counts, kernel.shape[-1]))

    def kernel_of(self, problem: Problem) -> Any:
        return DepthwiseForward(problem) if problem.is_depthwise else Forward(problem)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, kernel = inputs
        sizes = {"sizes": x.shape[1:-1], **attrs}
        return (
            conv_input_grad.apply((g, kernel), **sizes),
            conv_filter_grad.apply((x, g), size=kernel.shape[:-2], **attrs),
        )

    def samples(self) -> Iterable[Sample]:
        for x, kernel, _, attrs in _cases():
            yield Sample((_draw(*x), _draw(*kernel)), attrs)


class ConvInputGrad(Convolution):
    """The gradient of `conv` by its images of these `sizes`, also called transposed convolution.

    Example:
        >>> g, kernel = np.ones((1, 2, 1)), np.ones((3, 1, 1))
        >>> conv_input_grad(g, kernel, sizes=(5,), strides=2)[0, :, 0].tolist()
        [1.0, 1.0, 2.0, 1.0, 1.0]
    """

    name = "conv_input_grad"
    own = ("sizes",)

    def __call__(
        self,
        g: Any,
        kernel: Any,
        sizes: Any,
        strides: Any = 1,
        padding: Any = "valid",
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        attrs = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        return self.apply((g, kernel), sizes=sizes, **attrs)

    def image_sizes(self, *types: TensorType, **attrs: Any) -> Sizes:
        return tuple(attrs["sizes"])

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return self.types_of(*types, **attrs)[0]

    def types_of(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        g, kernel = types
        channels = kernel.shape[-2] * attrs["groups"]
        check_groups(channels, kernel.shape[-2], kernel.shape[-1], attrs["groups"])
        sizes = tuple(attrs["sizes"])
        if len(sizes) != g.ndim - 2:
            raise InferenceError(f"sizes must name {g.ndim - 2} axes, got {sizes}")
        images = g.with_shape((g.shape[0], *sizes, channels))
        counts = self.windows(*types, **attrs).count(sizes)
        check_outputs(g, (g.shape[0], *counts, kernel.shape[-1]))
        return images, kernel, g

    def kernel_of(self, problem: Problem) -> Any:
        if problem.is_depthwise:
            many = problem.filters > problem.channels
            return DepthwiseInputGrad(problem) if many else PhasedGrad(problem, DepthwiseForward)
        few = problem.channels * _FEW_CHANNELS <= problem.filters
        return ScatteredGrad(problem) if few else PhasedGrad(problem)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        outputs, kernel = inputs
        others = {name: value for name, value in attrs.items() if name != "sizes"}
        return (
            conv.apply((g, kernel), **others),
            conv_filter_grad.apply((g, outputs), size=kernel.shape[:-2], **others),
        )

    def samples(self) -> Iterable[Sample]:
        for x, kernel, y, attrs in _cases():
            yield Sample((_draw(*y), _draw(*kernel)), {"sizes": x[1:-1], **attrs})


class ConvFilterGrad(Convolution):
    """The gradient of `conv` by its kernel, whose windows have this `size`.

    Example:
        >>> x, g = np.ones((1, 4, 1)), np.ones((1, 3, 1))
        >>> conv_filter_grad(x, g, size=(2,))[:, 0, 0].tolist()
        [3.0, 3.0]
    """

    name = "conv_filter_grad"
    own = ("size",)

    def __call__(
        self,
        x: Any,
        g: Any,
        size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        attrs = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        return self.apply((x, g), size=size, **attrs)

    def window_size(self, *types: TensorType, **attrs: Any) -> Sequence[Any]:
        return tuple(attrs["size"])

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return self.types_of(*types, **attrs)[1]

    def types_of(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x, g = types
        channels, filters, groups = x.shape[-1], g.shape[-1], attrs["groups"]
        if groups < 1 or isinstance(channels, Dim) or channels % groups:
            raise InferenceError(f"{groups} groups do not divide {channels} channels")
        check_groups(channels, channels // groups, filters, groups)
        counts = self.windows(*types, **attrs).count(x.shape[1:-1])
        check_outputs(g, (x.shape[0], *counts, filters))
        return x, x.with_shape((*attrs["size"], channels // groups, filters)), g

    def kernel_of(self, problem: Problem) -> Any:
        return DepthwiseFilterGrad(problem) if problem.is_depthwise else FilterGrad(problem)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, outputs = inputs
        others = {name: value for name, value in attrs.items() if name != "size"}
        return (
            conv_input_grad.apply((outputs, g), sizes=x.shape[1:-1], **others),
            conv.apply((x, g), **others),
        )

    def samples(self) -> Iterable[Sample]:
        for x, kernel, y, attrs in _cases():
            yield Sample((_draw(*x), _draw(*y)), {"size": kernel[:-2], **attrs})


def _narrow(out: np.ndarray, wide: np.ndarray) -> None:
    np.copyto(out, wide, casting="same_kind")


def groups_of(x: Any, kernel: Any) -> int:
    """How many groups make the channels of images those that the kernel takes."""
    channels, seen = shape_of(x)[-1], shape_of(kernel)[-2]
    if isinstance(channels, Dim) or isinstance(seen, Dim) or not (seen and channels):
        return 1  # which the op refuses, and says why
    return channels // seen if channels % seen == 0 else 1


# -- checks -------------------------------------------------------------------------------------
def check_operands(a: TensorType, b: TensorType) -> None:
    """Requires float tensors of one dtype, with the same number of spatial axes."""
    if a.dtype != b.dtype or not a.is_float:
        raise InferenceError("operands must have one float dtype")
    if a.ndim != b.ndim or not 3 <= a.ndim <= 5:
        raise InferenceError(
            explain(
                "operands must have the same 1, 2 or 3 spatial axes",
                expected="images (n, *s, c), kernel (*k, c, f)",
                got=f"{a}, {b}",
            )
        )


def check_groups(channels: Any, seen: Any, filters: Any, groups: int) -> None:
    """Requires known channels that the groups divide.

    Args:
        channels: of the images.
        seen: channels that the kernel takes.
        filters: of the kernel.
        groups: into how many parts both are cut.
    """
    if any(isinstance(n, Dim) or n < 1 for n in (channels, seen, filters)):
        raise InferenceError("the numbers of channels must be known and at least 1")
    if groups < 1 or seen * groups != channels or filters % groups:
        raise InferenceError(
            explain(
                "channels of the images and the kernel differ",
                expected=f"{channels} channels = {groups} groups of {seen}, "
                f"and {groups} groups dividing {filters} filters",
            )
        )


def check_outputs(g: TensorType, shape: Sizes) -> None:
    """Requires the shape that the convolution's outputs have."""
    if g.shape != shape:
        raise InferenceError(
            explain("outputs have another shape", expected=str(g.with_shape(shape)), got=str(g))
        )


# -- samples ------------------------------------------------------------------------------------
def _draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.normal(size=shape).astype("float32")


def _cases() -> Iterable[tuple[Any, Any, Any, dict[str, Any]]]:
    """Shapes of images, kernel and outputs, and attributes."""
    yield (2, 5, 3), (3, 3, 2), (2, 3, 2), {}
    yield (2, 5, 4, 2), (3, 2, 2, 3), (2, 3, 2, 3), {"strides": (2, 2), "padding": "same"}
    yield (2, 4, 5, 24), (2, 3, 24, 2), (2, 4, 5, 2), {"padding": "same"}
    yield (2, 7, 4), (3, 2, 4), (2, 4, 4), {"padding": ((1, 0),), "dilation": 2, "groups": 2}
    yield (2, 5, 6, 3), (3, 3, 1, 6), (2, 3, 3, 6), {"groups": 3, "strides": 2, "padding": "same"}
    yield (2, 3, 2, 4, 1), (2, 1, 3, 1, 2), (2, 2, 2, 2, 2), {}


conv, conv_input_grad, conv_filter_grad = Conv(), ConvInputGrad(), ConvFilterGrad()
register(conv)
register(conv_input_grad)
register(conv_filter_grad)


def convolve(x: Any, kernel: Any, bias: Any = None, **attrs: Any) -> Any:
    """`conv(x, kernel) + bias`; a window of one cell that moves by 1 is a product of matrices.

    Args:
        x: (n, *sizes, channels).
        kernel: (*window, channels / groups, filters).
        bias: (filters,) or None.
        **attrs: strides, padding, dilation, groups of `conv`.

    Returns:
        (n, *counts, filters).

    Example:
        >>> convolve(np.ones((1, 4, 2)), np.ones((1, 2, 3))).shape
        (1, 4, 3)
    """
    *size, seen, filters = shape_of(kernel)
    strides = attrs.get("strides", 1)
    moves = strides if isinstance(strides, (tuple, list)) else (strides,)
    plain = isinstance(attrs.get("padding", ""), str) and attrs.get("groups", 1) == 1
    if not plain or any(n != 1 for n in (*size, *moves)):
        sums = conv.apply((x, kernel), **attrs)
        return sums if bias is None else sums + bias
    lead = shape_of(x)[:-1]
    rows = matmul(reshape(x, (product(lead), seen)), reshape(kernel, (seen, filters)))
    return reshape(rows if bias is None else rows + bias, (*lead, filters))
