"""Drawn layers against Keras 3: outputs, gradients, three training steps, configurations.

A layer of each kind is drawn with its arguments, and its configuration makes the layer of real
Keras. Both get equal weights and arrays.
"""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from layer_harness import single

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.layers import GroupQueryAttention, Input, deserialize, serialize
from kgraph.layers.structure import is_node, leaves_of
from kgraph.models import Model
from kgraph.optimizers import SGD
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.testing import draw_layer, feed
from kgraph.testing.drawn_layers import MAKERS
from kgraph.testing.targets import arguments_of, layer_graph

# Keras's own variables are not yet up to NumPy 2's `__array__`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Keras 3 has no such layer.
NOT_IN_KERAS = {
    "ThresholdedReLU", "MaxoutDense", "Highway", "LocallyConnected1D", "LocallyConnected2D",
    "ConvLSTM1DCell", "ConvLSTM2DCell", "ConvLSTM3DCell",
}  # fmt: skip
# Compared in their own tests: another configuration, another order of weights, and stacks, most of
# which Keras 3 on JAX does not run.
OTHERWISE = {"Lambda", "SpectralNormalization", "StackedRNNCells"}
NOISE = {
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise",
    "GaussianDropout", "AlphaDropout",
}  # fmt: skip
WITHOUT_GRADIENTS = {"CategoryEncoding", "Discretization"}
LEFT_OUT = NOT_IN_KERAS | OTHERWISE | NOISE | WITHOUT_GRADIENTS
KINDS = [kind for kind in MAKERS if kind.__name__ not in LEFT_OUT]
WITH_MANY_ARGUMENTS = (
    "Dense", "EinsumDense", "BatchNormalization", "GroupNormalization", "Conv1D", "Conv2D",
    "Conv1DTranspose", "SeparableConv2D", "MaxPooling2D", "ZeroPadding2D", "LSTM", "GRU",
    "MultiHeadAttention",
)  # fmt: skip
RATE, ROWS, STEPS = 0.1, 3, 3
# Arguments that are called otherwise in Keras 3, or that it does not have.
RENAMED = {("LeakyReLU", "alpha"): "negative_slope", ("Embedding", "batch_input_shape"): None}
MODULES = ("layers", "initializers", "regularizers", "constraints")


# No noise, no masked loss; and Keras 3 on JAX fails where values are not as wide as keys.
FIXED = {"dropout": 0.0, "recurrent_dropout": 0.0, "mask_zero": False, "value_dim": None}


def fixed(config):
    """The configuration with what cannot be compared set to one value."""
    if isinstance(config, list):
        return [fixed(c) for c in config]
    if not isinstance(config, dict):
        return config
    return {k: FIXED[k] if k in FIXED else fixed(v) for k, v in config.items()}


def in_keras_3(config):
    """A configuration in Keras 3's layout, where each object names its module."""
    if isinstance(config, list):
        return [in_keras_3(c) for c in config]
    if not isinstance(config, dict):
        return config
    found = {k: in_keras_3(v) for k, v in config.items()}
    if {"class_name", "config"} <= set(config):
        name = config["class_name"]
        module = next(m for m in MODULES if hasattr(getattr(keras, m), name))
        for (owner, old), new in RENAMED.items():
            if owner == name and old in found["config"]:
                value = found["config"].pop(old)
                if new:
                    found["config"][new] = value
        found.update(module=f"keras.{module}", registered_name=None)
    return found


def in_both(config):
    """The configuration without what Keras 3 forgets (SimpleRNN's seed) or always fills in."""
    if isinstance(config, list):
        return [in_both(c) for c in config]
    if not isinstance(config, dict):
        return config
    left_out = ("seed", "backward_layer", "attention_axes", "zero_output_for_mask")
    return {k: in_both(v) for k, v in config.items() if k not in left_out}


class Case:
    """A drawn layer here and in Keras, with equal weights, on equal arrays."""

    def __init__(self, kind, number):
        rng = np.random.default_rng([KINDS.index(kind), number])
        drawn = draw_layer(rng, kind)
        self.config = fixed(json.loads(json.dumps(serialize(drawn.layer))))
        if kind is GroupQueryAttention:  # Keras 3.15 counts it twice: of the output too
            self.config["config"]["activity_regularizer"] = None
        self.layer = deserialize(self.config)
        self.graph = layer_graph(self.layer, drawn.types, training=True)
        self.arrays = feed(self.graph, rng, batch=ROWS, kind="normal")
        for weight in self.layer.weights:
            if weight.type.is_float:  # positive, for variances are among them
                weight.assign(weight.value + 0.3 * np.abs(rng.normal(size=weight.shape)))
        self.other = keras.layers.deserialize(in_keras_3(self.config))
        shapes = [a.shape for a in self.arrays]
        self.other.build(*arguments_of(self.layer, shapes))
        self.other.set_weights(self.layer.get_weights())
        if hasattr(self.other, "finalize_state"):  # Normalization
            self.other.finalize_state()
        self.outputs = [n for name, n in self.graph.outputs if name[0] == "y"]
        shapes = [y.type.bind(dict.fromkeys(self.graph.symbols, ROWS)).shape for y in self.outputs]
        self.targets = [rng.normal(size=s).astype("float32") for s in shapes]

    def here(self):
        """Outputs, then gradients of the trainable weights and of the inputs that are floats."""
        losses = [n for name, n in self.graph.outputs if name[0] != "y"]
        losses += [w.regularizer(w) for w in self.layer.trainable_weights if w.regularizer]
        targets = [input_node(y.shape, y.dtype, f"t{i}") for i, y in enumerate(self.outputs)]
        pairs = zip(self.outputs, targets, strict=True)
        loss = sum([ops.mean(ops.square(y - t)) for y, t in pairs] + losses)
        floats = [n for n in self.graph.inputs if n.dtype == "float32"]
        slopes = grad(loss, [*self.layer.trainable_weights, *floats])
        found = [*self.outputs, *slopes]
        assert None not in found
        named = tuple((f"n{i}", n) for i, n in enumerate(found))
        graph = Graph((*self.graph.inputs, *targets), named)
        return compile(graph)(*self.arrays, *self.targets)

    def trained_here(self):
        """The losses of three steps of SGD, and the weights after them."""
        inputs = [Input(a.shape[1:], dtype=a.dtype.name) for a in self.arrays]
        outputs = leaves_of(self.layer(*arguments_of(self.layer, inputs)), is_node)
        model = Model(inputs, outputs)
        model.compile(SGD(RATE), "mse")
        fed = single(self.arrays), single(self.targets)
        losses = [np.ravel(model.train_on_batch(*fed))[0] for _ in range(STEPS)]
        return [*losses, *self.layer.get_weights()]

    def there(self):
        """What `here` and `trained_here` return, by Keras and JAX."""
        differentiate, layer = (
            jax.jit(jax.value_and_grad(self.keras_loss, (0, 1), True)),
            self.other,
        )
        trained = [v.value for v in layer.trainable_variables]
        state = [v.value for v in layer.non_trainable_variables]
        floats = [jnp.asarray(a) for a in self.arrays if a.dtype == "float32"]
        losses, first = [], None
        for _ in range(STEPS):
            (loss, (ys, state)), (slopes, by_input) = differentiate(trained, floats, state)
            first = first or [*ys, *slopes, *by_input]
            losses.append(loss)
            trained = [w - RATE * g for w, g in zip(trained, slopes, strict=True)]
            for i, variable in enumerate(layer.trainable_variables):
                if variable.constraint is not None:
                    trained[i] = variable.constraint(trained[i])
        for variables, values in (
            (layer.trainable_variables, trained), (layer.non_trainable_variables, state),
        ):  # fmt: skip
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return first, [*losses, *layer.get_weights()]

    def keras_loss(self, trained, floats, state):
        """The loss of one step of Keras's layer, with its outputs and new state."""
        rest, layer = iter(floats), self.other
        full = [next(rest) if a.dtype == "float32" else a for a in self.arrays]
        kwargs = {"training": True} if layer._call_has_training_arg else {}
        # `stateless_call` leaves out penalties on the output.
        held = [
            *zip(layer.trainable_variables, trained, strict=True),
            *zip(layer.non_trainable_variables, state, strict=True),
        ]
        with keras.StatelessScope(held, collect_losses=True) as scope:
            result = layer(*arguments_of(self.layer, full), **kwargs)
            added = layer.losses
        new = [scope.get_current_value(v) for v in layer.non_trainable_variables]
        ys = list(result) if isinstance(result, (list, tuple)) else [result]
        pairs = zip(ys, self.targets, strict=True)
        loss = sum([jnp.mean(jnp.square(y - t)) for y, t in pairs] + list(added))
        return loss, (ys, new)


def close(found, expected, tolerance, what):
    """Compares arrays relative to the largest element of each."""
    assert len(found) == len(expected), what
    for a, b in zip(found, expected, strict=True):
        b = np.asarray(b)
        scale = max(np.abs(b).max(initial=0), 0.5)
        np.testing.assert_allclose(a, b, 0, tolerance * scale, err_msg=what)


def check(kind, number):
    case = Case(kind, number)
    shown = f"{kind.__name__} {number}: {case.config['config']} on {[a.shape for a in case.arrays]}"
    by_step, after = case.there()
    close(case.here(), by_step, 1e-5, shown)
    close(case.trained_here(), after, 2e-5, f"trained {shown}")
    # Keras's own configuration of it makes the layer here again.
    again = deserialize(json.loads(json.dumps(keras.layers.serialize(case.other))))
    assert in_both(again.get_config()) == in_both(case.layer.get_config()), shown


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_like_keras(kind):
    check(kind, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WITH_MANY_ARGUMENTS)
@pytest.mark.parametrize("number", [1, 2])
def test_more_draws_like_keras(kind, number):
    check(next(k for k in KINDS if k.__name__ == kind), number)


def test_every_layer_is_compared_or_named():
    names = {kind.__name__ for kind in MAKERS}
    assert names >= LEFT_OUT
    assert not [name for name in NOT_IN_KERAS if hasattr(keras.layers, name)]
