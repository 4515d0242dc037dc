"""`check_layer`: a right layer passes, and each broken promise is found."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.layers import Dense, Embedding, Layer, Masking
from kgraph.testing import CheckError, check_layer
from kgraph.testing.targets import as_type

TYPE = "f32[batch, 3]"


class Scale(Layer):
    """A right layer to break: a weight for each column, and a moving sum."""

    def __init__(self, power=2, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.supports_masking = True

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.total = self.add_weight(
            shape=(input_shape[-1],), initializer="zeros", trainable=False, name="total"
        )
        super().build(input_shape)

    def call(self, inputs, training=False):
        if training:
            self.add_update([(self.total, self.total + ops.sum(inputs, axis=0))])
        return inputs * self.gain**self.power + ops.stop_gradient(self.total)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


class LosesArgument(Scale):
    def get_config(self):
        config = super().get_config()
        config["power"] = 3
        return config if self.power != 3 else {**config, "power": 4}


class KeepsNoArgument(Layer):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def call(self, inputs):
        return inputs**self.power


class WrongShape(Scale):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 7)


class WrongDtype(Scale):
    def call(self, inputs, training=False):
        return ops.cast(super().call(inputs, training), "float64")


class WrongMask(Scale):
    def compute_mask(self, inputs, mask=None):
        return ops.cast(inputs > 0, "float32")


class UnusedWeight(Scale):
    def call(self, inputs, training=False):
        return inputs * 2


class RandomConfiguration(Scale):
    def call(self, inputs, training=False):
        return super().call(inputs, training) + np.float32(np.random.default_rng().random())


class HiddenState(Scale):
    calls = 0

    def call(self, inputs, training=False):
        HiddenState.calls += 1
        return super().call(inputs, training) * float(HiddenState.calls)


class WrongGradient(Scale):
    def call(self, inputs, training=False):
        return inputs * ops.stop_gradient(self.gain) + 0 * self.gain


BROKEN = {
    "configuration": (LosesArgument, "its configuration changes on the way"),
    "shape": (WrongShape, "compute_output_shape is wrong"),
    "dtype": (WrongDtype, "another dtype"),
    "mask": (WrongMask, "its mask does not fit its output"),
    "weight": (UnusedWeight, "nothing flows back to weight .*gain"),
    "state": (HiddenState, "differs|weights change"),
}


def test_the_unbroken_layer_passes():
    again = check_layer(Scale(3, name="scaled"), TYPE)
    assert (again.name, again.power) == ("scaled", 3)


def test_a_configuration_that_makes_no_layer_is_found():
    with pytest.raises(CheckError, match="its configuration makes no layer"):
        check_layer(KeepsNoArgument(2), TYPE)


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_found(fault):
    kind, message = BROKEN[fault]
    with pytest.raises(CheckError, match=message) as caught:
        check_layer(kind(name="broken"), TYPE)
    assert "layer broken" in str(caught.value)


def test_classes_arrays_and_several_inputs():
    check_layer(Dense, np.ones((2, 3), "float32"), arguments={"units": 4, "activation": "relu"})
    check_layer(Masking(), "f32[batch, 4, 2]")
    check_layer(Embedding(5, 2), "i32[batch, 4]")


def test_a_shape_as_layers_print_it_is_a_type():
    assert check_layer(Dense(2), (None, 3)).units == 2
    assert str(as_type((None, None, 4))) == "f32[batch, n1, 4]"


def test_layers_that_only_jump():
    class Counts(Layer):
        def call(self, inputs):
            return ops.cast(ops.sum(ops.cast(inputs > 0, "int32"), axis=1), "float32")

        def compute_output_shape(self, input_shape):
            return input_shape[:1]

    check_layer(Counts(), TYPE)  # its derivative is zero, and says so
    check_layer(Counts(), "i32[batch, 3]", gradients=False)
    with pytest.raises(CheckError, match="nothing to differentiate"):
        check_layer(Counts(), "i32[batch, 3]")
