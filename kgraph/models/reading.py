"""Models from plain data: the layouts of Keras 1, 2 and 3, told apart entry by entry.

Layers are made once. Their calls are replayed in the order of the file; a call whose inputs do not
exist yet waits, and so do the later calls of its layer, so that node numbers come out the same.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from kgraph.errors import explain
from kgraph.ir.graph import substitute
from kgraph.ir.node import API, Node
from kgraph.ir.serialize import loads
from kgraph.layers.input import InputLayer
from kgraph.layers.naming import to_snake_case
from kgraph.layers.serialization import deserialize
from kgraph.layers.structure import is_node, leaves_of
from kgraph.models.config import OPERATION

Outputs = tuple[Node, ...]


def read_network(
    config: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Any] = deserialize
) -> tuple[Any, Any]:
    """Builds the tensors of a functional model.

    Args:
        config: has `layers`, `input_layers` and `output_layers`.
        make: entry of a layer -> the layer.

    Returns:
        Inputs and outputs, each a tensor or a structure of them.

    Raises:
        ValueError: a layer is unknown, or a call needs a tensor that never comes.
    """
    ends = config["input_layers"], config["output_layers"]
    replay = _Replay(config["layers"], make)
    replay.run()
    inputs, outputs = map(replay.tensors, ends)
    return inputs, outputs


class _Replay:
    """Layers of a file by name, the calls that wait, and what the calls so far returned."""

    def __init__(self, entries: Any, make: Callable[[Mapping[str, Any]], Any]) -> None:
        self.make = make
        self.waiting: dict[str, deque[Any]] = {}
        self.callers: dict[str, Callable[[Any], Any]] = {}
        self.results: dict[str, list[Outputs]] = {}
        self.models: dict[str, str] = {}  # name of a nested model -> its kind
        self.keras_3 = any(map(_is_keras_3, entries))
        for entry in entries:
            name = entry.get("name") or entry["config"]["name"]
            if name in self.callers:
                raise ValueError(
                    f'The name "{name}" is used 2 times in the model. '
                    "All layer names should be unique."
                )
            self.results[name] = []
            self.waiting[name] = deque(entry.get("inbound_nodes") or ())
            self.callers[name] = self._caller(name, entry)

    def run(self) -> None:
        """Replays all calls."""
        while any(self.waiting.values()):
            progress = False
            for name, calls in self.waiting.items():
                while calls and self._ready(calls[0]):
                    self.results[name].append(self.callers[name](calls.popleft()))
                    progress = True
            if not progress:
                stuck = {n: references(c[0]) for n, c in self.waiting.items() if c}
                raise ValueError(
                    explain(
                        "The model's configuration does not say where tensors come from",
                        got=f"calls that wait for others: {stuck}"[:500],
                    )
                )

    def tensors(self, structure: Any) -> Any:
        """The tensors of `input_layers` or `output_layers`, one alone without its list."""
        if _is_reference(structure):
            return self._tensor(structure, self.keras_3, inside=False)
        if isinstance(structure, Mapping):
            return {k: self.tensors(v) for k, v in structure.items()}
        found = [self.tensors(v) for v in structure]
        return found[0] if len(found) == 1 else found

    def _ready(self, call: Any) -> bool:
        """Whether all tensors of a call exist."""
        keras_3 = self.keras_3 and isinstance(call, Mapping)
        return all(self._find(r, keras_3) is not None for r in references(call))

    def _tensor(self, reference: Any, keras_3: bool, inside: bool = True) -> Node:
        found = self._find(reference, keras_3, inside)
        if found is None:
            raise ValueError(
                explain(
                    "The model's configuration names a tensor that no layer makes",
                    got=list(reference[:3]),
                )
            )
        return found

    def _find(self, reference: Any, keras_3: bool, inside: bool = True) -> Node | None:
        name, index, position = reference[:3]
        calls = self.results.get(name, [])
        index -= self._offset(name, keras_3, inside)
        if not 0 <= index < len(calls) or not 0 <= position < len(calls[index]):
            return None
        return calls[index][position]

    def _offset(self, name: str, keras_3: bool, inside: bool) -> int:
        """The number that a file gives the first call of `name`.

        Keras 2 counts the calls of nested models from 1. Keras 3 counts them from 0 in calls, and
        those of functional models from 1 in `input_layers` and `output_layers`.
        """
        if not keras_3:
            return int(name in self.models)
        return 0 if inside else int(self.models.get(name) == "functional")

    def _caller(self, name: str, entry: Mapping[str, Any]) -> Callable[[Any], Outputs]:
        """What replays one call of an entry."""
        if entry["class_name"] == OPERATION and "graph" in entry["config"]:
            graph = loads(json.dumps(entry["config"]["graph"]))

            def rebuild(call: Any) -> Outputs:
                operands = [self._tensor(r, keras_3=False) for r in references(call)]
                table = dict(zip(graph.inputs, operands, strict=True))
                return substitute(graph.roots, table)

            return rebuild
        if str(entry.get("module", "")).startswith(("keras.src.ops", "keras.ops")):
            return lambda call: _call(_keras_op(entry), *self._arguments(call))
        layer = self.make(entry)
        if layer.first_call:
            self.models[name] = "stack" if entry["class_name"] == "Sequential" else "functional"
        if isinstance(layer, InputLayer):
            self.results[name].append((layer.output,))

        def call_layer(call: Any) -> Outputs:
            args, kwargs = self._arguments(call)
            if self.keras_3 and kwargs.get("training") is False:
                # Keras 3 writes this for calls that said nothing, and its fit overrides it.
                del kwargs["training"]
            return _call(layer, args, kwargs)

        return call_layer

    def _arguments(self, call: Any) -> tuple[list[Any], dict[str, Any]]:
        """Positional and named arguments of a call, with tensors in place."""
        if isinstance(call, Mapping):
            return self._fill(call.get("args", [])), self._fill(call.get("kwargs", {}))
        tensors = [self._tensor(one, keras_3=False) for one in call]
        kwargs = dict(call[0][3]) if len(call[0]) > 3 else {}
        return [tensors[0] if len(tensors) == 1 else tensors], self._fill(kwargs)

    def _fill(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._fill(v) for v in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("class_name") == "__keras_tensor__":
            return self._tensor(value["config"]["keras_history"], self.keras_3)
        if value.get("class_name") == "__tuple__":
            return tuple(self._fill(v) for v in value["items"])
        return {k: self._fill(v) for k, v in value.items()}


def references(call: Any) -> list[tuple[str, int, int]]:
    """The (layer, node, tensor) triples that a call of a file refers to."""
    found: list[tuple[str, int, int]] = []
    stack = [call]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            if value.get("class_name") == "__keras_tensor__":
                found.append(tuple(value["config"]["keras_history"]))  # type: ignore[arg-type]
            else:
                stack.extend(reversed(list(value.values())))
        elif _is_reference(value):
            found.append(tuple(value[:3]))
            stack.extend(reversed(value[3:]))
        elif isinstance(value, list):
            stack.extend(reversed(value))
    return found


def _is_keras_3(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is in Keras 3's layout; in .h5 files it has no module either."""
    if entry["class_name"] == "InputLayer" and "batch_shape" in entry["config"]:
        return True
    calls = entry.get("inbound_nodes") or ()
    return "module" in entry and any(isinstance(call, Mapping) for call in calls)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(v, int) and not isinstance(v, bool) for v in value[1:3])
    )


def _call(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Outputs:
    return leaves_of(function(*args, **kwargs), is_node)


def _keras_op(entry: Mapping[str, Any]) -> Callable[..., Any]:
    """The op that Keras 3 calls by a class name, with the static arguments of its config."""
    name = to_snake_case(entry["class_name"])
    name = {"get_item": "getitem", "true_divide": "divide", "absolute": "abs"}.get(name, name)
    if name not in API:
        raise ValueError(f"Unknown operation: {entry['class_name']}")
    function = API[name]
    fixed = {k: v for k, v in entry["config"].items() if k not in ("name", "dtype")}
    return lambda *args, **kwargs: function(*args, **{**fixed, **kwargs})
