"""Layers: a call on symbolic tensors becomes one `layer_call` node, which lowering replaces later.

`Layer` is Keras's contract (build, call, compute_mask, get_config). `__call__` does one of three
things: outside of any inlining it records the call; while a graph is inlined it builds the layer's
ops in place; on arrays it runs at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgraph import config, regularizers
from kgraph.errors import explain
from kgraph.ir.call import layer_call
from kgraph.ir.context import CallContext, calling, current_context
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import ITEM, input_node
from kgraph.ir.node import Node, build
from kgraph.ir.op import as_node
from kgraph.ir.origin import Origin, here, making, scope
from kgraph.ir.variable import Variable
from kgraph.layers.call_shapes import (
    call_parameters,
    dtype_name,
    first_shape,
    map_shapes,
    shapes_of,
)
from kgraph.layers.configurable import COMMON_ARGUMENTS, Configurable, not_understood
from kgraph.layers.eager import call_eagerly
from kgraph.layers.effects import EffectOwner, Update
from kgraph.layers.naming import to_snake_case, unique_name
from kgraph.layers.node import Call, CallHistory, keras_shape, mask_of_tensor
from kgraph.layers.spec import InputSpec, check_inputs
from kgraph.layers.structure import flatten, is_node, leaves_of, map_structure, pack
from kgraph.layers.weights import WeightOwner, unchanged_on_error

__all__ = ["InputSpec", "Layer"]


class Layer(CallHistory, Configurable, EffectOwner, WeightOwner):
    """Base of all layers.

    Args:
        name: unique in a model; default the class and a number, such as `dense_1`.
        trainable: whether the weights are trained.
        dtype: of weights and computation; default `kgraph.config.floatx()`.
        input_shape: shape of the input without the batch, for the first layer of a Sequential.
        batch_input_shape: the same with the batch.
        batch_size: size of the batch that goes with `input_shape`.
        input_dim: the last axis of `input_shape`, alone or after `input_length`.
        weights: arrays that the weights start from.
        activity_regularizer: penalty on the outputs, divided by the batch size.

    Raises:
        TypeError: an argument is unknown.

    Example:
        >>> class Double(Layer):
        ...     def call(self, inputs):
        ...         return inputs * 2
        >>> Double(name="twice")(np.ones(3, "float32"))
        array([2., 2., 2.], dtype=float32)
    """

    # Number of the first call in `inbound_nodes`; Keras 2 counts the calls of models from 1.
    first_call = 0

    def __init__(self, **kwargs: Any) -> None:
        for key in kwargs:
            if key not in COMMON_ARGUMENTS:
                raise not_understood(type(self), key)
        self._name: str = str(kwargs.get("name") or unique_name(to_snake_case(type(self).__name__)))
        self._trainable = bool(kwargs.get("trainable", True))
        self.dtype = dtype_name(kwargs.get("dtype") or kwargs.get("input_dtype"))
        shape = first_shape(kwargs)
        if shape is not None:
            self.batch_input_shape = shape
        self.activity_regularizer = regularizers.get(kwargs.get("activity_regularizer"))
        self.built = False
        self.stateful = getattr(self, "stateful", False)
        self.supports_masking = getattr(self, "supports_masking", False)
        self.input_spec = getattr(self, "input_spec", None)
        self._initial_weights = kwargs.get("weights")
        self._built_for: list[Any] | None = None
        self._weight_scope: str | None = None
        self._own_weights: list[Variable] = []
        self._added_losses: list[Node] = []
        self._added_updates: list[Update] = []
        self._added_metrics: list[tuple[str, Node]] = []
        self._inbound_nodes: list[tuple[Any, tuple[Node, ...]]] = []
        self._eager: dict[Any, Any] = {}

    @property
    def name(self) -> str:
        """The layer's name."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = str(value)

    # -- what a subclass overrides -------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Makes the weights.

        Args:
            input_shape: tuple with None for unknown sizes; a list of them for a list of inputs.
        """
        del input_shape
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The layer's meaning: tensors -> tensors. It may also take `training` and `mask`."""
        return inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output, or None.

        Args:
            inputs: as in `call`.
            mask: their masks in the same structure, each a boolean tensor or None.

        Returns:
            The mask of the outputs, or None.
        """
        del inputs
        return mask if self.supports_masking else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, found by running `call` on stand-ins.

        Args:
            input_shape: as in `build`.

        Returns:
            A shape with None for what is unknown, or a list of them.

        Example:
            >>> from kgraph.layers import Dense
            >>> Dense(4).compute_output_shape((None, 3))
            (None, 4)
        """
        counter = iter(range(1, 1_000_000))

        def stand_in(shape: Any) -> Node:
            sizes = [
                d if d is not None else "batch" if i == 0 else f"d{next(counter)}"
                for i, d in enumerate(shape)
            ]
            dims = tuple(Dim.symbol(d) if isinstance(d, str) else int(d) for d in sizes)
            return input_node(dims, self.dtype)

        inputs = map_shapes(stand_in, input_shape)
        outputs, _ = self._trace_call((inputs,), {}, here())
        return map_structure(keras_shape, outputs)

    # -- calling -------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer on tensors, arrays, or structures of them.

        Args:
            *args: the inputs first, then what `call` takes.
            **kwargs: `training`, `mask`, and what else `call` takes.

        Returns:
            Tensors for tensors, arrays for arrays, in the structure that `call` returns.

        Raises:
            ValueError: the inputs do not fit the layer.
        """
        args, kwargs = self._order_arguments(args, kwargs)
        if current_context() is not None:
            return self._call_in_place(args, kwargs)
        kwargs = self._in_fixed_phase(kwargs)
        if leaves_of((args, kwargs), is_node):
            return self._record_call(args, kwargs)
        return call_eagerly(self, args, kwargs)

    def _order_arguments(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Puts the inputs first, also where they were given by name."""
        if "_inbound_nodes" not in vars(self):
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` "
                "in the `__init__()` method."
            )
        if not args:
            named = [p for p in ("inputs", *call_parameters(type(self).call)) if p in kwargs]
            if not named:
                raise TypeError(f"Layer {self.name} was called without inputs.")
            args, kwargs = (kwargs[named[0]],), {k: v for k, v in kwargs.items() if k != named[0]}
        return args, kwargs

    def _in_fixed_phase(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The named arguments with the phase that `set_learning_phase` has fixed, if any."""
        if config.learning_phase is None or kwargs.get("training") is not None:
            return kwargs
        takes = "training" in call_parameters(type(self).call)
        return {**kwargs, "training": bool(config.learning_phase)} if takes else kwargs

    def _record_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Makes the `layer_call` node of a call."""
        args = (map_structure(self._lift_input, args[0]), *args[1:])
        place = here()
        call = self.make_call(args, kwargs, len(self._inbound_nodes), place)
        tensors = bind_call(call, replace(place, name=self.name))[1]
        self._inbound_nodes.append((call, tensors))
        return pack(call.result, tensors)

    def make_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], index: int, place: Origin
    ) -> Call:
        """The record of a call on tensors; the layer does not note it.

        Args:
            args: positional arguments, the inputs first.
            kwargs: the others.
            index: position among the layer's calls.
            place: the user's line.
        """
        says_nothing = ("training", "mask")
        kwargs = {k: v for k, v in kwargs.items() if v is not None or k not in says_nothing}
        outputs, masks = self._trace_call(args, kwargs, place)
        nodes, result = flatten(outputs, is_node)
        inputs, arguments = flatten((args, kwargs), is_node)
        return Call(
            layer=self,
            arguments=arguments,
            inputs=inputs,
            result=result,
            types=tuple(n.type for n in nodes),
            mask_types=tuple(None if m is None else m.type for m in masks),
            index=index,
        )

    def _trace_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], place: Origin
    ) -> tuple[Any, tuple[Node | None, ...]]:
        """Builds the layer if needed and runs `call` in a context that nobody reads."""
        scratch = CallContext(training=False)
        mask = map_structure(lambda v: mask_of_tensor(v) if is_node(v) else None, args[0])
        with making(place.inside(self.name)):
            self._prepare_call(args, kwargs)
            with calling(scratch):
                kwargs = self.with_masks(args, kwargs, mask_of_tensor)
                outputs, masks = self.run_call(args, kwargs, mask, scratch)
        ignored = type(self).compute_mask is Layer.compute_mask and not self.supports_masking
        if ignored and leaves_of(mask, is_node):
            warnings.warn(
                f"Layer {self.name} does not support masking, but was passed an input_mask: "
                f"{mask}. The layers after it will not see the mask.",
                stacklevel=4,
            )
        return outputs, masks

    def _call_in_place(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Builds the layer's ops where a model or another layer is being inlined."""
        context = current_context()
        assert context is not None
        args = (map_structure(self._lift_input, args[0]), *args[1:])
        mask = map_structure(lambda v: context.masks.get(v) if is_node(v) else None, args[0])
        with scope(self.name):
            self._prepare_call(args, kwargs)
            kwargs = self.with_masks(args, kwargs, context.masks.get)
            outputs, masks = self.run_call(args, kwargs, mask, context)
        for node, out_mask in zip(leaves_of(outputs, is_node), masks, strict=True):
            if out_mask is None:
                context.masks.pop(node, None)
            else:
                context.masks[node] = out_mask
        return outputs

    def run_call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mask: Any, context: CallContext
    ) -> tuple[Any, tuple[Node | None, ...]]:
        """Runs `call` inside a context.

        Args:
            args: positional arguments, the inputs first.
            kwargs: the other arguments; `training` and `mask` win over the context's.
            mask: masks of the inputs, in their structure.
            context: takes up updates and losses.

        Returns:
            What `call` returned, and the mask of each tensor in it.
        """
        named = dict(kwargs)
        mask = named.pop("mask", None) if named.get("mask") is not None else mask
        named.pop("mask", None)
        explicit = named.pop("training", None)
        known = call_parameters(type(self).call)
        before, first = (context.training, context.frozen, context.masks), len(context.built)
        context.training = before[0] if explicit is None else bool(explicit)
        context.frozen = before[1] or not self._trainable
        context.masks = _mask_table(args[0], mask)
        try:
            if "training" in known:
                named["training"] = context.training
            if "mask" in known and context.masks:
                named["mask"] = mask
            outputs = map_structure(self._lift_output, self.call(*args, **named))
            self._check_held(context.built[first:])
            nodes = leaves_of(outputs, is_node)
            if self.activity_regularizer is not None:
                context.losses.extend(self._activity_loss(n) for n in nodes)
            return outputs, _mask_tuple(self._masks_of_outputs(args[0], mask, nodes), len(nodes))
        finally:
            context.training, context.frozen, context.masks = before

    def _check_held(self, built: Sequence[Any]) -> None:
        """Refuses layers with weights that `call` brought to life and the layer does not hold."""
        lost = [each for each in built if each.weights and each not in self.flattened_layers()]
        if lost:
            raise ValueError(
                explain(
                    f"`call` of layer {self.name} made weights that the layer does not hold, so "
                    "they would never be trained or saved",
                    got=f"layers {', '.join(each.name for each in lost)}",
                    hint="make layers in `__init__` or `build` and keep them as attributes; the "
                    "function of a Lambda can hold none, so call the layer outside of it",
                )
            )

    def with_masks(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        find: Callable[[Node], Node | None],
    ) -> dict[str, Any]:
        """The named arguments, and `<argument>_mask` for each tensor whose mask `call` asks for.

        Args:
            args: positional arguments.
            kwargs: the others; masks among them stay as they are.
            find: the mask of a tensor.
        """
        names = call_parameters(type(self).call)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        found = dict(kwargs)
        for name, value in given.items():
            key = f"{name}_mask"
            if key in names[len(args) :] and given.get(key) is None and is_node(value):
                found[key] = find(value)
        return found

    def _masks_of_outputs(self, inputs: Any, mask: Any, outputs: tuple[Node, ...]) -> Any:
        """The masks of what `call` just returned; a model knows them from its inlining."""
        del outputs
        return self.compute_mask(inputs, mask)

    def _prepare_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Checks the inputs and builds the layer before its first call."""
        nodes = leaves_of(args[0], is_node)
        check_inputs(self, nodes)
        if self.built:
            return
        self._weight_scope = here().scope
        self._build_with(self._build_shapes(args, kwargs))
        context = current_context()
        if context is not None:
            context.built.append(self)
        check_inputs(self, nodes)

    def build_inside(self, layer: Layer, *shapes: Any) -> None:
        """Builds a layer that this one holds; its weights are named after both.

        Args:
            layer: not built yet.
            *shapes: what its `build` takes.
        """
        layer._weight_scope = f"{self._weight_scope or self.name}/{layer.name}"
        layer._build_with(list(shapes))

    def _build_with(self, shapes: list[Any]) -> None:
        with unchanged_on_error(self):
            with calling(None):
                self.build(*shapes)
            self.built, self._built_for = True, shapes
            if self._initial_weights is not None:
                self.set_weights(self._initial_weights)
                self._initial_weights = None

    def _build_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """One shape, or one for each `<argument>_shape` that `build` takes."""
        wanted = call_parameters(type(self).build)
        if len(wanted) < 2:
            return [shapes_of(args[0])]
        given = dict(zip(call_parameters(type(self).call), args, strict=False)) | kwargs
        return [shapes_of(given.get(name.removesuffix("_shape"))) for name in wanted]

    def _lift_input(self, value: Any) -> Any:
        """Makes constants of arrays that stand beside tensors."""
        if isinstance(value, (np.ndarray, np.generic, int, float)):
            return as_node(value)
        if isinstance(value, Node) or value is None:
            return value
        raise ValueError(
            f"Layer {self.name} was called with an input that isn't a symbolic tensor. "
            f"Received type: {type(value)}. Full input: [{value!r}]. "
            "All inputs to the layer should be tensors."
        )

    def _lift_output(self, value: Any) -> Node:
        if value is None:
            raise ValueError(
                explain(
                    f"`call` of layer {self.name} returned None",
                    expected="a tensor, or a list, tuple or dict of tensors",
                    hint="does `call` end with a return?",
                )
            )
        return as_node(value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def bind_call(call: Call, place: Origin) -> tuple[Node, tuple[Node, ...]]:
    """Makes the node of a call; returns it and its outputs."""

    def label(index: int) -> Origin:
        return replace(place, history=(call.layer, call.index, index))

    with making(label(0)):
        node = layer_call(call, call.inputs)
    if len(call.types) == 1:
        return node, (node,)
    outputs = (build(ITEM, (node,), {"index": i}, label(i)) for i in range(len(call.types)))
    return node, tuple(outputs)


def _mask_table(inputs: Any, mask: Any) -> dict[Node, Node]:
    nodes = leaves_of(inputs, is_node)
    masks = leaves_of(mask, lambda v: v is None or is_node(v))
    return {n: m for n, m in zip(nodes, masks, strict=False) if m is not None}


def _mask_tuple(mask: Any, count: int) -> tuple[Node | None, ...]:
    """One mask or None for each of `count` outputs."""
    masks = leaves_of(mask, lambda v: v is None or is_node(v))
    return (*masks, *[None] * count)[:count]
