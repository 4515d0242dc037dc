"""A model as a Python script of the functional API: layers, then calls, in the order of the graph.

Every layer is made again from the text and compared, every raw op is built again and must be the
same node, before a line is written: what cannot be said in Python is refused.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kgraph import layers as known_layers
from kgraph.errors import KGraphError, explain
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.leaves import CONST, INPUT, ITEM, const_value, is_const, items
from kgraph.ir.node import API, Node
from kgraph.ir.variable import Variable
from kgraph.layers.input import InputLayer
from kgraph.layers.node import keras_shape
from kgraph.layers.structure import Slot, pack
from kgraph.models import Model, Sequential
from kgraph.models.config import to_json

_HEAD = '''"""{name}, as `kgraph convert` wrote it: `model` has fresh weights."""

import numpy as np

from kgraph import layers, ops
from kgraph.ir import Variable, const
from kgraph.models import Model, Sequential

'''
_TAKEN = {"np", "layers", "ops", "const", "Variable", "Model", "Sequential", "model"}


class _Word(str):
    """A text that stands in a structure for a variable of the script."""

    def __repr__(self) -> str:
        return str(self)


def to_python(model: Any) -> str:
    """A script whose `model` is the same model with fresh weights.

    Args:
        model: a functional or sequential model of kgraph's own layers.

    Returns:
        The text.

    Raises:
        KGraphError: a layer, an argument or an op has no such form.

    Example:
        >>> from kgraph.layers import Dense
        >>> small = Sequential([Dense(2, input_dim=3, name="out")], name="small")
        >>> print(to_python(small).split("Sequential\\n\\n")[1], end="")
        out = layers.Dense(name='out', units=2, batch_input_shape=[None, 3])
        small = Sequential([out], name='small')
        model = small
    """
    writer = _Writer()
    for each in _inner_first(model):
        writer.write_model(each)
    last = f"model = {writer.names[model]}\n"
    return _HEAD.format(name=model.name.replace('"', "'")) + "\n".join([*writer.lines, last])


def _inner_first(model: Any) -> Iterator[Any]:
    """The models inside, each before those that hold it, and the model itself."""
    done: dict[Any, None] = {}
    stack = [(model, False)]
    while stack:
        each, opened = stack.pop()
        if each in done:
            continue
        if opened:
            done[each] = None
            yield each
            continue
        stack.append((each, True))
        stack += [(layer, False) for layer in reversed(each.layers) if isinstance(layer, Model)]


class _Writer:
    """The lines so far, and the variables that stand for layers and tensors."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[Any, str] = {}
        self.used = set(_TAKEN)

    def fresh(self, name: str) -> _Word:
        """A variable that nothing has yet, as near to a name as Python allows."""
        plain = re.sub(r"\W", "_", name)
        plain = plain if plain.isidentifier() and not keyword.iskeyword(plain) else f"_{plain}"
        found, number = plain, 1
        while found in self.used:
            found, number = f"{plain}_{number}", number + 1
        self.used.add(found)
        return _Word(found)

    def write_model(self, model: Any) -> None:
        if type(model) not in (Model, Sequential):
            raise KGraphError(explain(f"{model.name} is a {type(model).__name__}, which has no "
                                      "text", expected="a Model or a Sequential"))  # fmt: skip
        if model._graph_losses or model._graph_metrics:
            raise KGraphError(
                f"{model.name} adds losses or metrics to its graph, which has no text"
            )
        if isinstance(model, Sequential):
            self.write_sequential(model)
        else:
            self.write_functional(model)
        if not model.get_config().get("trainable", True):
            self.lines.append(f"{self.names[model]}.trainable = False")

    def write_sequential(self, model: Sequential) -> None:
        given = [model._given] if model._given is not None else []
        stack = [self.layer(layer) for layer in (*given, *model.layers)]
        self.names[model] = name = self.fresh(model.name)
        self.lines.append(f"{name} = Sequential([{', '.join(stack)}], name={model.name!r})")
        if model._build_shape is not None:
            self.lines.append(f"{name}.build({model._build_shape!r})")

    def write_functional(self, model: Model) -> None:
        network = model.network
        tensors: dict[Node, _Word] = {}
        for node in network.inputs:
            tensors[node] = self.fresh(node.name)
            self.lines.append(
                f"{tensors[node]} = layers.Input(batch_shape={keras_shape(node)!r}, "
                f"dtype={node.dtype!r}, name={node.name!r})"
            )
        for node in network.graph.nodes:
            if node.op is LAYER_CALL:
                self.write_call(node, tensors)
            elif node.op is not INPUT and node not in tensors and not is_const(node):
                tensors[node] = self.op(node, tensors)
        ends = [pack(network.input_structure, [tensors[n] for n in network.inputs]),
                pack(network.output_structure, [tensors[n] for n in network.outputs])]  # fmt: skip
        self.names[model] = name = self.fresh(model.name)
        self.lines.append(f"{name} = Model({ends[0]!r}, {ends[1]!r}, name={model.name!r})")

    def write_call(self, node: Node, tensors: dict[Node, _Word]) -> None:
        call = node.attrs["call"]
        layer = self.layer(call.layer)
        args, kwargs = pack(call.arguments, [self.operand(n, tensors) for n in call.inputs])
        texts = [_literal(v, call.layer.name) for v in args]
        texts += [f"{k}={_literal(v, call.layer.name)}" for k, v in kwargs.items()]
        result = self.fresh(f"{layer}_out")
        self.lines.append(f"{result} = {layer}({', '.join(texts)})")
        tensors[node] = result
        for i, path in enumerate(_paths(call.result)):
            tensors[items(node)[i]] = _Word(f"{result}{path}")

    def layer(self, layer: Any) -> str:
        """The variable of a layer, which is written when it is first needed."""
        if layer not in self.names:
            self.names[layer] = name = self.fresh(layer.name)
            self.lines.append(f"{name} = {_construction(layer)}")
        return self.names[layer]

    def operand(self, node: Node, tensors: Mapping[Node, _Word]) -> _Word:
        if node in tensors:
            return tensors[node]
        if node.op is not CONST:
            raise KGraphError(f"{node!r} has no text")
        array = const_value(node)
        return _Word(f"const(np.array({array.tolist()!r}, {array.dtype.name!r}))")

    def op(self, node: Node, tensors: dict[Node, _Word]) -> _Word:
        """The variable of a raw op or a free variable."""
        name = self.fresh(node.name)
        if isinstance(node, Variable):
            shape = tuple(node.value.shape)
            self.lines.append(
                f"{name} = Variable(np.zeros({shape!r}), name={node.name!r}, "
                f"dtype={node.dtype!r}, trainable={node.trainable!r})"
            )
            return name
        words = [self.operand(n, tensors) for n in node.inputs]
        self.lines.append(f"{name} = {_expression(node, words)}")
        return name


def _paths(result: Any) -> list[str]:
    """How to get from what a call returned to each of its tensors, by number."""
    found: dict[int, str] = {}
    stack = [(result, "")]
    while stack:
        value, path = stack.pop()
        if isinstance(value, Slot):
            found[value.index] = path
        elif isinstance(value, Mapping):
            stack += [(v, f"{path}[{k!r}]") for k, v in value.items()]
        elif isinstance(value, (list, tuple)):
            stack += [(v, f"{path}[{i}]") for i, v in enumerate(value)]
    return [found[i] for i in sorted(found)]


def _construction(layer: Any) -> str:
    """The call that makes a layer again; arguments at their defaults are left out."""
    kind = type(layer)
    if getattr(known_layers, kind.__name__, None) is not kind and not isinstance(layer, InputLayer):
        raise KGraphError(
            explain(f"layer {layer.name} is a {kind.__name__}, which is none of kgraph's layers",
                    hint="a script needs its class: convert to kgraph JSON instead")
        )  # fmt: skip
    config = _plain(layer.get_config())
    for kwargs in _shorter(kind, config):
        try:
            if _plain(kind(**kwargs).get_config()) == config:
                texts = [f"{k}={v!r}" for k, v in kwargs.items()]
                return f"layers.{kind.__name__}({', '.join(texts)})"
        except Exception:
            continue  # such arguments go through from_config, which is told how to read them
    return f"layers.{kind.__name__}.from_config({config!r})"


def _shorter(kind: Any, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """First the name, what has no default, and what differs from it; then everything."""
    parameters = inspect.signature(kind).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.name in config]
    given = {k: config[k] for k in ("name", *needed) if k in config}
    with contextlib.suppress(Exception):
        usual = _plain(kind(**given).get_config())
        yield given | {k: v for k, v in config.items() if k not in usual or usual[k] != v}
    yield dict(config)


def _plain(config: Any) -> Any:
    """A configuration as it comes back from JSON."""
    return json.loads(to_json(config))


def _literal(value: Any, layer: str) -> str:
    text = repr(value)
    if "<" in text and " at 0x" in text:
        raise KGraphError(explain(f"an argument of a call of {layer} has no text", got=text))
    return text


def _expression(node: Node, words: Sequence[str]) -> str:
    """A call of `ops` that gives this very node."""
    attrs = dict(node.attrs)
    if node.op is ITEM:
        return f"{words[0]}[{attrs['index']}]"
    name, function = node.op.name, API.get(node.op.name)
    keywords = ", ".join(f"{k}={v!r}" for k, v in attrs.items())
    for together in (False, True):
        operands = [list(node.inputs)] if together else list(node.inputs)
        try:
            same = function is not None and function(*operands, **attrs) is node
        except Exception:
            same = False  # it wants its operands in another form
        if same:
            inner = f"[{', '.join(words)}]" if together else ", ".join(words)
            return f"ops.{name}({', '.join(filter(None, (inner, keywords)))})"
    raise KGraphError(
        explain(f"the op {name} has no text", got=keywords, where=node.origin.where,
                hint="convert to kgraph JSON instead")
    )  # fmt: skip
