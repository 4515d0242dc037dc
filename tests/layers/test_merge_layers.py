"""Merges: values and gradients like Keras 3's, masks like Keras 2's, and its error texts."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, mask_values, random, step

from kgraph import layers, ops
from kgraph.errors import InferenceError
from kgraph.ir import CallContext, Graph, Stage
from kgraph.layers import Input, Masking, merge
from kgraph.passes.lower import inline, lower
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

NAMES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
A, B, C = random(2, 3, 4), random(2, 3, 4, seed=1), random(2, 3, 4, seed=2)


def pair(name, **arguments):
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


@pytest.mark.parametrize(
    ("name", "other"),
    [*[(n, B) for n in NAMES], ("Multiply", B[:, :1]), ("Maximum", B[:, :, :1]), ("Add", B[:, 0])],
)
def test_like_keras(name, other):
    layer, theirs = pair(name)
    check_like_keras(layer, theirs, A, other)
    found = layer.compute_output_shape([(None, 3, 4), (None, *other.shape[1:])])
    assert found == (None, 3, 4) == layer.output_shape


def test_three_inputs():
    np.testing.assert_allclose(layers.add([A, B, C]), A + B + C, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layers.multiply([A, B, C]), A * B * C, rtol=1e-5)
    np.testing.assert_allclose(layers.average([A, B, C]), (A + B + C) / 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layers.maximum([A, B, C]), np.maximum(A, np.maximum(B, C)))
    np.testing.assert_array_equal(layers.minimum([A, B, C]), np.minimum(A, np.minimum(B, C)))


def test_shorter_inputs_get_axes_right_after_the_batch():
    x, y = random(2, 3, 5, 4), random(2, 4)
    np.testing.assert_allclose(layers.add([x, y]), x + y[:, None, None])
    symbolic = layers.add([Input((4,)), Input((3, 5, 4))])
    assert symbolic._keras_shape == (None, 3, 5, 4)


@pytest.mark.parametrize(("axis", "other"), [(-1, B[:, :, :2]), (1, B[:, :2]), (2, B), (-2, B)])
def test_concatenate(axis, other):
    check_like_keras(*pair("Concatenate", axis=axis), A, other, A)
    layer = layers.Concatenate(axis)
    layer([Input((3, 4)), Input(other.shape[1:])])
    shapes = [(None, 3, 4), (None, *other.shape[1:])]
    assert layer.output_shape == layer.compute_output_shape(shapes)


def test_concatenate_of_unknown_sizes():
    tensors = [Input((None, 4)), Input((7, 4))]
    assert layers.concatenate(tensors, axis=1)._keras_shape == (None, None, 4)
    shape = layers.Concatenate(1).compute_output_shape([(None, None, 4), (None, 7, 4)])
    assert shape == (None, None, 4)


D = [
    (1, A[:, :, 0], B[:, :, 0]), (-1, A, B), (1, A, B), (2, A, B), ((2, 1), A, random(2, 4, 5)),
    ((1, 2), A, random(2, 5, 3)), ((1, 1), A, B[:, :, 0]), ((1, 2), B[:, 0], A),
    ((-1, -1), A, B[:, 0]), ((2, 3), A, random(2, 5, 6, 4)),
    ((1, 3), random(2, 4, 5), random(2, 3, 6, 4)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("axes", "a", "b", "normalize"), [*[(*d, False) for d in D], *[(*d, True) for d in D[:5]]]
)
def test_dot(axes, a, b, normalize):
    layer, theirs = pair("Dot", axes=axes, normalize=normalize)
    check_like_keras(layer, theirs, a, b, tolerance=1e-4)
    shapes = [(None, *a.shape[1:]), (None, *b.shape[1:])]
    assert layer.output_shape == layer.compute_output_shape(shapes)


def test_cosine_of_two_vectors():
    x = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    y = np.array([[4.0, 3.0], [1.0, 1.0]], "float32")
    np.testing.assert_allclose(
        layers.dot([x, y], axes=1, normalize=True), [[0.96], [0.0]], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("layer", "a", "b"),
    [
        (layers.Add(), A, B), (layers.Average(), A, B[:, :1]), (layers.Concatenate(), A, B),
        (layers.Concatenate(1), A, B[:, :2]), (layers.Dot(1), A, B), (layers.Dot(2), A, B[:, :2]),
        (layers.Dot(1), A[:, :, 0], B[:, :, 0]),
    ],
)  # fmt: skip
def test_unknown_sizes_are_taken_for_equal(layer, a, b):
    def unknown(x):
        return (None if x.shape[1] != 1 else 1, *x.shape[2:])

    x, y = Input(unknown(a)), Input(unknown(b))
    output = layer([x, y])
    slopes = grad(ops.sum(ops.sin(inline([output], CallContext(True))[0][0])), [x, y])
    graph = lower(Graph((x, y), (("y", output),), stage=Stage.LAYERS))
    found = compile(graph)(a, b)[0]
    np.testing.assert_allclose(found, layer([a, b]), rtol=1e-5)
    expected = step(type(layer).from_config(layer.get_config()), a, b)["input_gradients"]
    found = interpret(Graph((x, y), (("a", slopes[0]), ("b", slopes[1]))), [a, b])[0]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_unknown_sizes_that_differ_are_refused_by_the_run():
    x, y = Input((None, 4)), Input((None, 4))
    run = compile(Graph((x, y), (("y", layers.add([x, y])),), stage=Stage.LAYERS))
    assert run(A, B)[0].shape == A.shape
    with pytest.raises(ValueError, match="unknown sizes that must be equal are not"):
        run(A, B[:, :2])
    with pytest.raises(InferenceError, match=r"the shape cannot be \[batch, 4, 4\]"):
        ops.ensure_shape(Input((3, 4)), (x.shape[0], 4, 4))
    known = Input((3, 4))
    assert layers.add([x, known])._keras_shape == (None, 3, 4)
    assert layers.concatenate([x, y])._keras_shape == (None, None, 8)


def test_masks_of_unknown_lengths():
    x, y = (Masking()(Input((None, 4))) for _ in range(2))
    output = layers.add([x, y])
    assert layers.add([x, y]).origin.history[0].output_mask._keras_shape == (None, None)
    assert output._keras_shape == (None, None, 4)


def test_functions_make_a_layer_and_call_it():
    for name in NAMES:
        found = getattr(layers, name.lower())([A, B], name="it")
        np.testing.assert_array_equal(found, getattr(layers, name)()([A, B]))
    tensor = layers.multiply([Input((3,)), Input((3,))], name="product")
    assert tensor.origin.history[0].name == "product"


def test_user_subclasses_of_keras_2s_base():
    class Blend(merge._Merge):
        def _merge_function(self, inputs):
            return inputs[0] * 0.25 + inputs[1] * 0.75

    np.testing.assert_allclose(Blend()([A, B]), A / 4 + B * 0.75, rtol=1e-6)

    class Empty(merge.Merge):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define merge"):
        Empty()([A, B])


# -- masks -------------------------------------------------------------------------------------
M = np.array([[True, True, False], [True, False, False]])
N = np.array([[True, False, True], [True, True, False]])


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_combined_by_and(name):
    layer = getattr(layers, name)()
    np.testing.assert_array_equal(mask_values(layer, [A, B], [M, N]), M & N)
    np.testing.assert_array_equal(mask_values(layer, [A, B], [None, N]), N)
    assert mask_values(layer, [A, B], [None, None]) is None


def test_concatenate_masks():
    features, times = layers.Concatenate(-1), layers.Concatenate(1)
    np.testing.assert_array_equal(mask_values(features, [A, B], [M, N]), M & N)
    np.testing.assert_array_equal(mask_values(features, [A, B], [M, None]), M)
    np.testing.assert_array_equal(mask_values(times, [A, B], [M, N]), np.concatenate([M, N], 1))
    ones = np.ones_like(M)
    np.testing.assert_array_equal(
        mask_values(times, [A, B], [None, N]), np.concatenate([ones, N], 1)
    )
    assert mask_values(times, [A, B], [None, None]) is None


def test_dot_has_no_mask():
    assert mask_values(layers.Dot(2), [A, B], [M, N]) is None


def test_mask_arguments():
    layer = layers.Add()
    assert layer.compute_mask([A, B], None) is None
    with pytest.raises(ValueError, match="`mask` should be a list"):
        layer.compute_mask([A, B], M)
    with pytest.raises(ValueError, match="`inputs` should be a list"):
        layer.compute_mask(A, [M, N])
    with pytest.raises(ValueError, match="should have the same length"):
        layer.compute_mask([A, B], [M])


# -- errors and configurations -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("layer", "inputs", "text"),
    [
        (layers.Add(), A, "A merge layer should be called on a list of inputs."),
        (layers.Add(), [A], "on a list of at least 2 inputs. Got 1 inputs."),
        (layers.Add(), [A, B[:, :2]],
         r"Operands could not be broadcast together with shapes \(3, 4\) \(2, 4\)"),
        (layers.Subtract(), [A, B, C], "should be called on exactly 2 inputs"),
        (layers.Concatenate(), [A], "A `Concatenate` layer should be called on a list of at least"),
        (layers.Concatenate(), [A, B[:, :2]],
         "requires inputs with matching shapes except for the concat axis. Got inputs shapes: "),
        (layers.Concatenate(1), [A, B[:, 0]], "requires inputs with matching shapes"),
        (layers.Concatenate(5), [A, B], "the axis is 5"),
        (layers.Dot(1), [A], "A `Dot` layer should be called on a list of 2 inputs."),
        (layers.Dot((1, 2)), [A, B], "Dimension incompatibility 3 != 4. Layer shapes:"),
        (layers.Dot(0), [A, B], "cannot take the products over axes"),
        (layers.Dot(3), [A, B], "cannot take the products over axes"),
    ],
)  # fmt: skip
def test_errors(layer, inputs, text):
    with pytest.raises(ValueError, match=text):
        layer(inputs)
    tensors = [Input(x.shape[1:]) for x in inputs] if isinstance(inputs, list) else Input((3, 4))
    with pytest.raises(ValueError, match=text):
        layer(tensors)


def test_batches_must_agree():
    with pytest.raises(ValueError, match="Can not merge tensors with different batch sizes"):
        layers.add([Input(batch_shape=(2, 3)), Input(batch_shape=(4, 3))])


def test_dot_arguments():
    with pytest.raises(TypeError, match="Invalid type for `axes`"):
        layers.Dot("1")
    with pytest.raises(ValueError, match="should contain two elements"):
        layers.Dot((1, 2, 3))
    with pytest.raises(ValueError, match='list elements should be "int"'):
        layers.Dot((1, "2"))


def test_configurations():
    for name in NAMES:
        check_config(getattr(layers, name)(name="m"))
    assert check_config(layers.Concatenate(1)).axis == 1
    assert check_config(layers.Dot((1, 2), normalize=True)).normalize
