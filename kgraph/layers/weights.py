"""The weights of a layer: its own, and those of the layers that it holds in its attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from kgraph import config, constraints, initializers, regularizers
from kgraph.errors import explain
from kgraph.ir.context import current_context
from kgraph.ir.types import canonical_dtype
from kgraph.ir.variable import Variable, assign_all
from kgraph.layers.budget import spend
from kgraph.layers.structure import leaves_of

# Keras 2 has the name first, Keras 3 the shape.
_NAME_FIRST = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")
_SHAPE_FIRST = ("shape", "initializer", "dtype", "trainable")
# Keras 3's arguments that mean nothing here.
_IGNORED = ("autocast", "aggregation", "overwrite_with_gradient", "layout", "getter")

# Attributes of every layer that hold no weights or layers of its own.
_RECORDS = (
    "_own_weights", "_inbound_nodes", "_added_losses", "_added_updates", "_added_metrics",
    "_eager", "_given_arguments", "_built_for", "batch_input_shape",
)  # fmt: skip
# Types of most attributes, which hold nothing.
_PLAIN = frozenset([type(None), bool, int, float, str])


class WeightOwner:
    """The part of a layer that makes, lists, reads and writes weights."""

    name: str
    built: bool
    dtype: str
    _trainable: bool
    _weight_scope: str | None
    _own_weights: list[Variable]

    def add_weight(self, *args: Any, **kwargs: Any) -> Variable:
        """Makes a weight of the layer.

        Args:
            *args: in Keras 2's order (name, shape, dtype, initializer, regularizer, trainable,
                constraint) or, starting with a shape, in Keras 3's (shape, initializer, dtype,
                trainable).
            **kwargs: the same by name. The initializer is by default `glorot_uniform` for floats
                and zeros for other dtypes.

        Returns:
            The variable, to be used in `call` as a tensor.

        Raises:
            ValueError: a size is not known.
            TypeError: an argument does not exist.

        Example:
            >>> from kgraph.layers import Layer
            >>> layer = Layer(name="top")
            >>> layer.add_weight("kernel", (3, 2), initializer="zeros")
            <Variable top/kernel: f32[3, 2]>
        """
        shape_first = bool(args) and isinstance(args[0], (tuple, list, int))
        order = _SHAPE_FIRST if shape_first else _NAME_FIRST
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        for key in _IGNORED:
            given.pop(key, None)
        unknown = set(given) - set(_NAME_FIRST)
        if unknown or len(args) > len(order):
            raise TypeError(
                explain(
                    f"add_weight of layer {self.name}: wrong arguments",
                    expected=_NAME_FIRST,
                    got=sorted(unknown) or f"{len(args)} positional ones",
                )
            )
        return self._make_weight(**given)

    def _make_weight(
        self,
        name: str | None = None,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
    ) -> Variable:
        sizes = tuple([shape] if isinstance(shape, int) else shape or ())
        if any(not isinstance(s, (int, np.integer)) for s in sizes):
            raise ValueError(
                explain(
                    f"A weight of layer {self.name} needs known sizes",
                    got=sizes,
                    hint="give the inputs a full shape on the axes that the weight depends on",
                )
            )
        spend(self.name, name, sizes)
        dtype = canonical_dtype(dtype or self.dtype or config.floatx())
        default = "glorot_uniform" if dtype.startswith("float") else "zeros"
        make = initializers.get(default if initializer is None else initializer)
        variable = Variable(
            make(tuple(int(s) for s in sizes), dtype=dtype),
            f"{self._weight_scope or self.name}/{self._free_weight_name(name)}",
            dtype,
            trainable,
            regularizers.get(regularizer),
            constraints.get(constraint),
        )
        self._own_weights.append(variable)
        return variable

    def _free_weight_name(self, name: str | None) -> str:
        taken = {v.name.rpartition("/")[2] for v in self._own_weights}
        base, count = name or "variable", 0
        found = base
        while found in taken:
            count += 1
            found = f"{base}_{count}"
        return found

    def _children(self) -> Iterator[Any]:
        """The layers that this one holds, in the order of its attributes."""
        return self._held(WeightOwner)

    def _held_variables(self) -> Iterable[Variable]:
        """The variables in the layer's attributes."""
        return self._held(Variable)

    def _held(self, kind: type) -> Iterator[Any]:
        """What the attributes hold of a kind, also in lists, tuples and dictionaries."""
        for name, value in list(vars(self).items()):
            if type(value) in _PLAIN:
                continue
            if isinstance(value, kind):
                yield value
            elif isinstance(value, (list, tuple, dict)) and value and name not in _RECORDS:
                yield from leaves_of(value, lambda v: isinstance(v, kind))

    def flattened_layers(self) -> list[Any]:
        """The layer itself and all layers inside it, each once, outer ones first."""
        found: dict[int, WeightOwner] = {}
        stack: list[WeightOwner] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                stack.extend(reversed(list(layer._children())))
        return list(found.values())

    def _split_weights(self, seen: set[int]) -> tuple[list[Variable], list[Variable]]:
        """Trainable and other weights: own ones, then the children's; each layer once."""
        if id(self) in seen:
            return [], []
        seen.add(id(self))
        own = dict.fromkeys([*self._own_weights, *self._held_variables()])
        trained = [v for v in own if v.trainable]
        others = [v for v in own if not v.trainable]
        for child in self._children():
            more_trained, more_others = child._split_weights(seen)
            trained += more_trained
            others += more_others
        return (trained, others) if self._trainable else ([], trained + others)

    @property
    def trainable(self) -> bool:
        """Whether the layer's weights are trained; False also freezes the layers inside."""
        context = current_context()
        return self._trainable and not (context is not None and context.frozen)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that an optimizer may change.

        Keras 2's custom layers assign a list of variables here: these are trained, and no others
        that the layer itself made or holds as attributes.
        """
        return list(dict.fromkeys(self._split_weights(set())[0]))

    @trainable_weights.setter
    def trainable_weights(self, weights: Sequence[Variable]) -> None:
        own = self._adopt("trainable_weights", weights)
        chosen = set(weights)
        for variable in own:
            variable.trainable = variable in chosen

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """State, and the weights of frozen layers; variables assigned here are not trained."""
        return list(dict.fromkeys(self._split_weights(set())[1]))

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: Sequence[Variable]) -> None:
        chosen = set(weights)
        for variable in self._adopt("non_trainable_weights", weights):
            variable.trainable = variable.trainable and variable not in chosen

    def _adopt(self, what: str, weights: Sequence[Variable]) -> list[Variable]:
        """Takes variables that no layer inside has for the layer's own; returns all own ones."""
        for variable in weights:
            if not isinstance(variable, Variable):
                raise TypeError(
                    explain(
                        f"{what} of layer {self.name} must be variables",
                        expected="what add_weight or K.variable returns",
                        got=variable,
                    )
                )
        inner = {v for child in self._children() for v in child.weights}
        known = dict.fromkeys([*self._own_weights, *self._held_variables()])
        self._own_weights += [v for v in weights if v not in known and v not in inner]
        return [*dict.fromkeys([*known, *self._own_weights])]

    @property
    def weights(self) -> list[Variable]:
        """All weights, trainable ones first."""
        trained, others = self._split_weights(set())
        return [*dict.fromkeys(trained), *dict.fromkeys(others)]

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights, in the order of `weights`.

        Returns:
            A list of arrays.

        Example:
            >>> from kgraph.layers import Dense, Input
            >>> layer = Dense(2, bias_initializer="ones")
            >>> y = layer(Input((3,)))
            >>> layer.get_weights()[1].tolist()
            [1.0, 1.0]
        """
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Writes all weights.

        Args:
            weights: one array a weight, in the order of `weights`.

        Raises:
            ValueError: their number or a shape differs.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense, Input
            >>> layer = Dense(2)
            >>> y = layer(Input((3,)))
            >>> layer.set_weights([np.zeros((3, 2)), np.ones(2)])
            >>> layer(np.ones((1, 3))).tolist()
            [[1.0, 1.0]]
        """
        assign_weights(self.name, self.weights, weights)

    def count_params(self) -> int:
        """The number of scalars in the weights.

        Returns:
            The number of elements of all weights.

        Raises:
            RuntimeError: the layer has no weights yet because it is not built.

        Example:
            >>> from kgraph.layers import Dense, Input
            >>> layer = Dense(2)
            >>> y = layer(Input((3,)))
            >>> layer.count_params()
            8
        """
        if not self.built:
            raise RuntimeError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. "
                f"You can build it manually via: `{self.name}.build(batch_input_shape)`."
            )
        return sum(v.value.size for v in self.weights)


@contextlib.contextmanager
def unchanged_on_error(*layers: WeightOwner) -> Iterator[None]:
    """Gives layers and those inside them the attributes back that they had, if the block fails.

    A `build` that fails halfway would else leave weights, and the next one make them again.
    """
    inside = {each: None for layer in layers for each in layer.flattened_layers()}
    kept = [(each, {k: _copied(v) for k, v in vars(each).items()}) for each in inside]
    try:
        yield
    except BaseException:
        for each, attributes in kept:
            vars(each).clear()
            vars(each).update(attributes)
        raise


def _copied(value: Any) -> Any:
    """Lists and dictionaries apart from those that the attributes hold; all else as it is."""
    return value.copy() if type(value) in (list, dict) else value


def assign_weights(name: str, variables: Sequence[Variable], weights: Sequence[Any]) -> None:
    """Writes arrays to the variables of the layer called `name`, all or none."""
    if len(variables) != len(weights):
        raise ValueError(
            f'You called `set_weights(weights)` on layer "{name}" with a weight list of length '
            f"{len(weights)}, but the layer was expecting {len(variables)} weights. "
            f"Provided weights: {str(weights)[:50]}..."
        )
    arrays = [np.asarray(w) for w in weights]
    for variable, array in zip(variables, arrays, strict=True):
        if variable.value.shape != array.shape:
            raise ValueError(
                explain(
                    f"Layer weight shape {variable.value.shape} not compatible with provided "
                    f"weight shape {array.shape}",
                    where=variable.name,
                )
            )
    assign_all(zip(variables, arrays, strict=True))
