"""`check_layer`: every promise of a layer, on arrays of several sizes, training and inference."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir.context import CallContext
from kgraph.ir.leaves import RNG_STEP, input_node
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.layers.base import Layer
from kgraph.layers.call_shapes import call_parameters
from kgraph.layers.input import Input
from kgraph.layers.node import keras_shape
from kgraph.layers.structure import is_node, leaves_of
from kgraph.models.model import Model
from kgraph.passes.lower import inline
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing.failures import CheckError
from kgraph.testing.feeds import feed
from kgraph.testing.gradients import check_gradients
from kgraph.testing.targets import arguments_of, as_type, layer_graph

ROWS = (5, 1, 0)
CLOSE = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}


def check_layer(
    layer: Layer | type[Layer],
    *inputs: Any,
    arguments: Mapping[str, Any] | None = None,
    rows: Sequence[int] = ROWS,
    gradients: bool = True,
    order: int = 2,
    seed: int = 0,
) -> Layer:
    """Checks that a layer keeps what every layer promises.

    Configuration and weights survive a round trip; shapes, dtypes and masks are as announced; the
    layer on arrays, its graph and its compiled graph agree, for training and inference and several
    numbers of rows; gradients with respect to inputs and weights are right.

    Args:
        layer: a layer that was not called yet, or a class.
        inputs: types such as "f32[batch, 3]", shapes such as (None, 3), or arrays, one an input.
        arguments: of the class.
        rows: numbers of rows to run.
        gradients: whether gradients exist and are to be checked.
        order: of the gradients.
        seed: of weights and arrays.

    Returns:
        The layer made from the configuration.

    Raises:
        CheckError: a promise is broken; the message says which.

    Example:
        >>> from kgraph.layers import Dense
        >>> check_layer(Dense, "f32[batch, 3]", arguments={"units": 2, "name": "out"}).name
        'out'
    """
    made = layer(**(arguments or {})) if isinstance(layer, type) else layer
    check = _Check(made, [as_type(x, batch=True) for x in inputs], seed)
    again = check.configuration()
    check.types()
    check.masks()
    both = (False, True)
    modes = both if check.trains_otherwise() else (False,)
    for training in both if check.takes_training else modes:
        check.values(training, rows)
    check.weights(again)
    if gradients:
        check.reached()
        for training in modes:
            check_gradients(made, *check.inputs, training=training, order=order, seed=seed)
    return again


class _Check:
    """One layer on inputs of some types, with weights that are not what they start from."""

    def __init__(self, layer: Layer, types: list[TensorType], seed: int) -> None:
        self.layer, self.types_in, self.seed = layer, types, seed
        self.inputs = [str(t) for t in types]
        self.takes_training = "training" in call_parameters(type(layer).call)
        self.nodes = [Input(batch_shape=_keras(t), dtype=t.dtype) for t in types]
        self.config = json.dumps(layer.get_config(), default=repr)
        self.result = layer(*arguments_of(layer, self.nodes))
        self.outputs = leaves_of(self.result, is_node)
        rng = np.random.default_rng(seed)
        for weight in layer.weights:
            if weight.type.is_float:
                # Positive, for variances are among them.
                weight.assign(weight.value + 0.3 * np.abs(rng.normal(size=weight.shape)))

    def fail(self, what: str, **facts: Any) -> CheckError:
        """The error for a broken promise."""
        lines = [("inputs", ", ".join(self.inputs)), *facts.items()]
        return CheckError(f"layer {self.layer.name}: {what}", lines)

    def configuration(self) -> Layer:
        """The configuration is JSON, and a layer made from it has the same one."""
        config = json.loads(json.dumps(self.layer.get_config()))
        try:
            again = type(self.layer).from_config(config)
        except TypeError as error:  # an argument of __init__ that get_config leaves out
            raise self.fail(
                "its configuration makes no layer", config=config, error=error
            ) from error
        found = json.loads(json.dumps(again.get_config()))
        if found != config:
            raise self.fail("its configuration changes on the way", before=config, after=found)
        if json.dumps(self.layer.get_config(), default=repr) != self.config:
            raise self.fail("its configuration changes with the first call", before=self.config)
        return again

    def types(self) -> None:
        """Shapes are those that were announced; floats have the layer's dtype."""
        shapes = arguments_of(self.layer, [_keras(t) for t in self.types_in])
        announced = self.layer.compute_output_shape(*shapes)
        found = [tuple(keras_shape(n)) for n in self.outputs]
        wanted = [announced] if isinstance(announced, tuple) else announced
        if [tuple(s) for s in wanted] != found:
            raise self.fail("compute_output_shape is wrong", announced=wanted, found=found)
        for node in self.outputs:
            if node.type.is_float and node.dtype != self.layer.dtype:
                raise self.fail("another dtype", layer=self.layer.dtype, output=node.dtype)

    def masks(self) -> None:
        """The mask is a tensor of bools over the first axes of the output, or there is none."""
        if not self.layer.supports_masking:
            return
        steps = [t.shape[:2] if t.ndim > 2 else t.shape[:1] for t in self.types_in]
        masks = [input_node(s, "bool", "mask") for s in steps]
        found = self.layer.compute_mask(
            arguments_of(self.layer, self.nodes)[0], arguments_of(self.layer, masks)[0]
        )
        for node, mask in zip(self.outputs, leaves_of(found, is_node)):
            if mask.dtype != "bool" or mask.shape != node.shape[: mask.ndim]:
                raise self.fail("its mask does not fit its output", mask=mask.type, output=node)

    def trains_otherwise(self) -> bool:
        """Whether anything else is computed in training: equal nodes are one object."""
        graphs = []
        for training in (False, True):
            context = CallContext(training)
            roots, _ = inline(self.outputs, context)
            graphs.append([*roots, *context.losses, *(n for pair in context.updates for n in pair)])
        return graphs[0] != graphs[1]

    def values(self, training: bool, rows: Sequence[int]) -> None:
        """On arrays, as a graph and compiled: the same outputs and the same new states."""
        graph = layer_graph(self.layer, self.types_in, training)
        counter = Variable(0, "runs", "int64", trainable=False)
        runs: dict[str, Callable[..., Any]] = {"compiled": compile(graph, rng_step=counter)}
        if self.takes_training or not training:
            named = {"training": training} if self.takes_training else {}
            runs["called on arrays"] = lambda *arrays: self.layer(
                *arguments_of(self.layer, arrays), **named
            )
        for count in rows:
            arrays = feed(graph, np.random.default_rng(self.seed), batch=count, kind="normal")
            before = {v: v.numpy() for v in self.layer.weights}
            outputs, updates = interpret(graph, arrays)
            states = [updates.get(v, before[v]) for v in before]
            for how, run in runs.items():
                if (RNG_STEP,) in graph.kinds:  # random numbers are those of a first run
                    counter.assign(0)
                    self.layer._eager.clear()
                found = leaves_of(run(*arrays), lambda v: isinstance(v, np.ndarray))
                where = f"{how}, {count} rows, {'training' if training else 'inference'}"
                self.same(where, outputs, found)
                self.same(f"states, {where}", states, [v.value for v in before])
                for variable, value in before.items():
                    variable.assign(value)

    def same(self, where: str, wanted: Any, found: Any) -> None:
        """Outputs agree up to rounding."""
        for i, (a, b) in enumerate(zip(wanted, found)):
            limit = CLOSE.get(a.dtype.name, 0.0)
            if (a.shape, a.dtype) != (b.shape, b.dtype) or not np.allclose(
                a, b, limit, limit, equal_nan=True
            ):
                raise self.fail(f"output {i} differs ({where})", interpreted=a, found=b)

    def weights(self, again: Layer) -> None:
        """Weights go to another layer and into a file, and come back as they were."""
        self.compare_with(again, lambda: again.set_weights(self.layer.get_weights()))
        third = type(self.layer).from_config(self.layer.get_config())
        mine = Model(self.nodes, self.result)
        inputs = [Input(batch_shape=_keras(t), dtype=t.dtype) for t in self.types_in]
        theirs = Model(inputs, third(*arguments_of(third, inputs)))
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "layer.weights.h5")
            mine.save_weights(path)
            theirs.load_weights(path)
        self.compare_with(third, lambda: None)

    def compare_with(self, other: Layer, hand_over: Any) -> None:
        """Another layer with the same weights computes the same bits."""
        graphs = [layer_graph(each, self.types_in) for each in (self.layer, other)]
        hand_over()
        arrays = feed(graphs[0], np.random.default_rng(self.seed), kind="normal")
        results = [interpret(graph, arrays)[0] for graph in graphs]
        for a, b in zip(*results, strict=True):
            if not np.array_equal(a, b, equal_nan=True):
                raise self.fail("weights change on their way", before=a, after=b)

    def reached(self) -> None:
        """Every trainable weight gets a gradient."""
        context = CallContext(training=True)
        roots, _ = inline(self.outputs, context)
        floats = [n for n in (*roots, *context.losses) if n.type.is_float]
        weights = list(self.layer.trainable_weights)
        total = sum((ops.sum(ops.sin(n)) for n in floats), start=ops.cast(0.0, floats[0].dtype))
        slopes: list[Node | None] = grad(total, weights) if weights else []
        for weight, slope in zip(weights, slopes, strict=True):
            if slope is None:
                raise self.fail(f"nothing flows back to weight {weight.name}")


def _keras(type_: TensorType) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in type_.shape)
