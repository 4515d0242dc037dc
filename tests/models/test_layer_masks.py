"""What layers accept and pass on: specifications of inputs, masks."""

import numpy as np
import pytest

from kgraph import ops
from kgraph.layers import Activation, Dense, Embedding, Input, Layer, Masking
from kgraph.layers.base import InputSpec
from kgraph.models import Model


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ({"ndim": 4}, (28, 28), "expected ndim=4, found ndim=3"),
        ({"min_ndim": 3}, (28,), "expected min_ndim=3, found ndim=2"),
        ({"max_ndim": 2}, (28, 1), "expected max_ndim=2, found ndim=3"),
        (
            {"axes": {-1: 4}},
            (5,),
            "expected axis -1 of input shape to have value 4 but got shape (None, 5)",
        ),
        ({"shape": (None, 4)}, (5,), "expected shape=(None, 4), found shape=(None, 5)"),
        ({"dtype": "int32"}, (5,), "expected dtype=int32, found dtype=float32"),
    ],
)
def test_input_spec_messages(spec, shape, message):
    layer = Layer(name="picky")
    layer.input_spec = InputSpec(**spec)
    with pytest.raises(ValueError) as error:
        layer(Input(shape))
    assert str(error.value).startswith(f"Input 0 is incompatible with layer picky: {message}")


def test_input_spec_counts_inputs():
    layer = Layer(name="two")
    layer.input_spec = [InputSpec(ndim=2), InputSpec(ndim=2)]
    with pytest.raises(ValueError, match="Layer two expects 2 inputs, but it received 1 input"):
        layer(Input((3,)))


def test_a_built_layer_refuses_another_width():
    layer = Dense(2, name="d")
    layer(Input((3,)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(Input((4,)))


# -- masks ---------------------------------------------------------------------------------------
class NeedsMask(Layer):
    """Counts the steps that its mask leaves."""

    supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return ops.sum(inputs, axis=-1) * 0.0 - 1.0
        return ops.sum(inputs, axis=-1) * ops.cast(mask, "float32")

    def compute_mask(self, inputs, mask=None):
        return None


def test_masks_flow_from_layer_to_layer():
    ids = Input((3,), dtype="int32")
    vectors = Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")(ids)
    y = NeedsMask()(Activation("relu")(vectors))
    assert Model(ids, y)(np.array([[1, 2, 0]])).tolist() == [[2, 2, 0]]


def test_a_mask_may_be_given_explicitly():
    x, mask = Input((3, 2)), Input((3,), dtype="bool")
    model = Model([x, mask], NeedsMask()(x, mask=mask))
    out = model([np.ones((1, 3, 2), "float32"), np.array([[True, False, True]])])
    assert out.tolist() == [[2, 0, 2]]


def test_a_layer_without_mask_support_drops_it_with_a_warning():
    class Plain(Layer):
        def call(self, inputs):
            return inputs + 1

    x = Masking()(Input((3, 2)))
    with pytest.warns(UserWarning, match="Layer plain does not support masking, but was passed an"):
        y = Plain(name="plain")(x)
    assert Plain.compute_mask(Plain(), x, x) is None
    assert NeedsMask()(y).type.shape == (y.shape[0], 3)


def test_masks_are_seen_inside_custom_layers():
    class Outer(Layer):
        supports_masking = True

        def __init__(self):
            super().__init__()
            self.mask_it, self.count = Masking(), NeedsMask()

        def call(self, inputs):
            return self.count(self.mask_it(inputs))

    out = Outer()(np.array([[[1.0, 2.0], [0.0, 0.0]]], "float32"))
    assert out.tolist() == [[3, 0]]


def test_the_same_ops_with_and_without_a_mask_do_not_mix():
    # Both branches are the same tensor once lowered; only one of them is masked.
    x = Input((2, 1))
    masked = Masking(mask_value=9.0)(x)
    plain = Activation("linear")(x)
    counted = [NeedsMask()(masked), NeedsMask()(plain)]
    with_mask, without = Model(x, counted)(np.ones((1, 2, 1), "float32"))
    assert with_mask.tolist() == [[1, 1]]
    assert without.tolist() == [[-1, -1]]
