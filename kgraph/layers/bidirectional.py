"""Bidirectional: a recurrent layer that runs forwards and backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.call_shapes import call_parameters, is_shape
from kgraph.layers.lookup import deserialize, serialize
from kgraph.layers.recurrent_inputs import join_inputs, split_inputs
from kgraph.layers.wrapper import Wrapper, require_layer
from kgraph.utils.registry import custom_object_scope

_MERGE = {
    "concat": lambda y, z: ops.concatenate([y, z], axis=-1),
    "sum": lambda y, z: y + z,
    "mul": lambda y, z: y * z,
    "ave": lambda y, z: (y + z) * 0.5,
}
_IN_COMMON = ("stateful", "return_sequences", "return_state")


class Bidirectional(Wrapper):
    """Runs a recurrent layer over the sequence and over the reversed sequence.

    The layers inside are copies called `forward_<name>` and `backward_<name>`; the outputs of both
    are in the order of time.

    Args:
        layer: a recurrent layer, from whose configuration both copies are made.
        merge_mode: what becomes of the two outputs: "concat", "sum", "mul", "ave", or None for
            both in a list.
        weights: arrays that the weights start from, the forward layer's first.
        backward_layer: another layer for the backward direction, with the other `go_backwards`.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the two directions do not fit together, or `merge_mode` is unknown.

    Example:
        >>> import numpy as np
        >>> from kgraph.layers import LSTM
        >>> Bidirectional(LSTM(3))(np.ones((2, 5, 4), "float32")).shape
        (2, 6)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        _require_recurrent(type(self).__name__, "layer", layer)
        if merge_mode not in (*_MERGE, None):
            raise ValueError(
                f"Invalid merge mode. Received: {merge_mode}. Merge mode should be one of "
                '{"sum", "mul", "ave", "concat", None}'
            )
        self._num_constants = int(kwargs.pop("num_constants", None) or 0)
        name = layer.name.removeprefix("forward_")
        forward = _copy(layer, name=f"forward_{name}")
        super().__init__(forward, weights=weights, **kwargs)
        self.forward_layer, self.merge_mode = forward, merge_mode
        self._own_backward = backward_layer is not None
        if self._own_backward:
            _require_recurrent(type(self).__name__, "backward_layer", backward_layer)
            self.backward_layer = backward_layer
        else:
            backwards = not layer.go_backwards
            self.backward_layer = _copy(layer, name=f"backward_{name}", go_backwards=backwards)
        self._check_directions()
        self._zeros_asked = bool(getattr(layer, "zero_output_for_mask", False))
        for each in (self.forward_layer, self.backward_layer):
            if hasattr(each, "zero_output_for_mask"):
                each.zero_output_for_mask = layer.return_sequences
        self.stateful, self.return_state = layer.stateful, layer.return_state
        self.return_sequences = layer.return_sequences
        self.supports_masking = True

    def _check_directions(self) -> None:
        ahead, back = self.forward_layer, self.backward_layer
        if ahead.go_backwards == back.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. "
                f"Received: forward_layer.go_backwards={ahead.go_backwards}, "
                f"backward_layer.go_backwards={back.go_backwards}"
            )
        for name in _IN_COMMON:
            if getattr(ahead, name) != getattr(back, name):
                raise ValueError(
                    "Forward layer and backward layer are expected to have the same value for "
                    f'attribute "{name}", got "{getattr(ahead, name)}" for forward layer and '
                    f'"{getattr(back, name)}" for backward layer'
                )

    def build(self, input_shape: Any) -> None:
        shape = input_shape
        if not is_shape(input_shape):
            shape, constants = input_shape[0], input_shape[len(input_shape) - self._num_constants :]
            shape = [shape, *constants] if self._num_constants else shape
        for each in (self.forward_layer, self.backward_layer):
            if self._num_constants:
                each._num_constants = self._num_constants
            self.build_inner(each, shape)
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        found = self.forward_layer.compute_output_shape(input_shape)
        output, *states = found if self.return_state else [found]
        if self.merge_mode is None:
            outputs = [output, output]
        else:
            width = output[-1] * (2 if self.merge_mode == "concat" else 1)
            outputs = [(*output[:-1], width)]
        result = [*outputs, *states, *states]
        return result[0] if len(result) == 1 else result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        output = mask if self.return_sequences else None
        outputs = [output] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            inner = self.forward_layer.compute_mask(inputs, mask)
            outputs += [None] * (2 * (len(inner) - 1))
        return outputs[0] if len(outputs) == 1 else outputs

    # -- calling -------------------------------------------------------------------------------
    def __call__(
        self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any
    ) -> Any:
        """Calls the layer.

        Args:
            inputs: shape (batch, time, features), or a list [inputs, *initial_state, *constants].
            initial_state: the forward layer's states, then as many of the backward layer.
            constants: tensors for the cells that are the same at all time steps.
            **kwargs: `mask` of shape (batch, time), and `training`.

        Returns:
            The merged output, or a list of both; with `return_state` a list that goes on with the
            states of the forward and of the backward layer.

        Raises:
            ValueError: the states do not fit, or symbolic tensors and arrays are mixed.
        """
        inputs, arrays, count = join_inputs(self.name, inputs, initial_state, constants)
        if count is not None:
            self._num_constants = count
        return super().__call__(inputs, **arrays, **kwargs)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        initial_state: Any = None,
        constants: Any = None,
    ) -> Any:
        x, states, fixed = split_inputs(inputs, initial_state, constants, self._num_constants)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        if len(states) % 2:
            raise ValueError(
                explain(
                    "When passing `initial_state` to a Bidirectional RNN, the state should be a "
                    "list containing the states of the underlying RNNs",
                    expected="an even number: the forward layer's, then the backward layer's",
                    got=f"{len(states)} states for layer {self.name}",
                )
            )
        half = len(states) // 2
        found = []
        for each, own in (
            (self.forward_layer, states[:half]),
            (self.backward_layer, states[half:]),
        ):
            known = call_parameters(type(each).call)
            named = {"training": training, "mask": mask, "initial_state": own or None,
                     "constants": fixed or None}  # fmt: skip
            result = each(x, **{k: v for k, v in named.items() if k in known and v is not None})
            found.append(list(result) if self.return_state else [result])
        (y, *ahead), (z, *back) = found
        if self.return_sequences:
            z = ops.flip(z, 1)
        outputs = [y, z] if self.merge_mode is None else [_MERGE[self.merge_mode](y, z)]
        result = [*outputs, *ahead, *back]
        return result[0] if len(result) == 1 else result

    def reset_states(self, states: Any = None) -> None:
        """Sets the states of both layers back to zeros.

        Args:
            states: the forward layer's states, then the backward layer's; default zeros.

        Raises:
            AttributeError: the layers are not stateful.
        """
        half = None if states is None else len(states) // 2
        self.forward_layer.reset_states(None if states is None else states[:half])
        self.backward_layer.reset_states(None if states is None else states[half:])

    # -- configuration -------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode}
        # The layer as it was given; what this one changes it changes again when it is made.
        inner = config["layer"]["config"]
        inner["name"] = self.forward_layer.name.removeprefix("forward_")
        if not self._zeros_asked:
            inner.pop("zero_output_for_mask", None)
        if self._own_backward:
            config["backward_layer"] = serialize(self.backward_layer)
        if self._num_constants:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Bidirectional:
        """The layer that `get_config` describes."""
        inner = {
            key: deserialize(config[key], custom_objects)
            for key in ("layer", "backward_layer")
            if config.get(key) is not None
        }
        return cls(**{**config, **inner})


def _require_recurrent(name: str, argument: str, layer: Any) -> None:
    """Refuses a layer that cannot go backwards."""
    require_layer(name, argument, layer)
    lacking = [a for a in ("go_backwards", *_IN_COMMON) if not hasattr(layer, a)]
    if lacking:
        raise ValueError(
            explain(
                f"`{name}` takes recurrent layers",
                expected="a layer with `go_backwards`, `return_sequences` and `return_state`",
                got=f"{argument}={layer!r}, which has no `{lacking[0]}`",
            )
        )


def _copy(layer: Layer, **changes: Any) -> Any:
    """A layer of the same configuration but for the changes, with fresh weights."""
    with custom_object_scope(layer._own_names()):
        return type(layer).from_config({**layer.get_config(), **changes})
