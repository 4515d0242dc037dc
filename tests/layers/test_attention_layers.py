"""Attention, AdditiveAttention, MultiHeadAttention, GroupQueryAttention against Keras 3."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random

import kgraph
from kgraph import layers, ops
from kgraph.ir import CallContext, Graph
from kgraph.layers import (
    AdditiveAttention,
    Attention,
    Dense,
    GroupQueryAttention,
    Input,
    MultiHeadAttention,
)
from kgraph.layers.serialization import deserialize
from kgraph.models import Model
from kgraph.passes.lower import inline
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.testing.targets import arguments_of

Q, V, K = random(3, 4, 6), random(3, 5, 6, seed=1), random(3, 5, 6, seed=2)
MASK = np.random.RandomState(0).rand(3, 4, 5) < 0.6
MASK[..., 0] = True
NOTHING = MASK.copy()
NOTHING[1, 2] = False  # a query that may see no key
HEADS, GROUPS = {"num_heads": 2, "key_dim": 3}, {"num_query_heads": 4, "num_key_value_heads": 2}
CAUSAL = {"use_causal_mask": True}


def pair(name, arguments):
    """Our layer and Keras's."""
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


def weights_of(layer):
    """The weight list of a Keras layer (its `get_weights` warns under NumPy 2)."""
    return [np.asarray(w.value) for w in layer.weights]


@pytest.mark.parametrize(("name", "arguments", "arrays", "named"), [
    ("Attention", {}, [Q, V], {}),
    ("Attention", {"use_scale": True}, [Q, V, K], CAUSAL),
    ("Attention", {"score_mode": "concat"}, [Q, V], {}),
    ("Attention", {"score_mode": "concat", "use_scale": True}, [Q, V, K], CAUSAL),
    ("AdditiveAttention", {}, [Q, V, K], {}),
    ("AdditiveAttention", {"use_scale": False}, [Q, V], CAUSAL),
])  # fmt: skip
def test_one_head_like_keras(name, arguments, arrays, named):
    check_like_keras(*pair(name, arguments), *arrays, named=named)


RANK4 = random(2, 3, 4, 5)
PLACES = np.random.RandomState(1).rand(2, 3, 4, 2, 3) < 0.7


# With `dropout`, Keras computes as with scores; its other way refuses values of another size.
@pytest.mark.parametrize(("arguments", "arrays", "named"), [
    ({"value_dim": 2, "dropout": 0.3}, [Q, V, K], {}),
    ({"use_bias": False, "output_shape": 5}, [Q, V], CAUSAL),
    ({"output_shape": (2, 5), "use_gate": True}, [Q, V], {"attention_mask": MASK}),
    ({"sliding_window": 2}, [Q, V, K], {"attention_mask": MASK[:, None], **CAUSAL}),
    ({}, [Q, V], {"attention_mask": NOTHING}),
    ({"dropout": 0.3}, [Q, V], {"attention_mask": NOTHING}),
    ({"attention_axes": -2, "value_dim": 2}, [RANK4] * 2,
     {"attention_mask": np.tri(4, dtype=bool)[None, None]}),
    ({"attention_axes": (1, 2)}, [RANK4, random(2, 2, 3, 5)], {"attention_mask": PLACES}),
])  # fmt: skip
def test_multi_head_like_keras(arguments, arrays, named):
    two = pair("MultiHeadAttention", {**HEADS, **arguments})
    check_like_keras(*two, *arrays, named=named, tolerance=1e-4)


@pytest.mark.parametrize(("arguments", "arrays", "named"), [
    ({"num_key_value_heads": 1, "use_bias": False}, [Q, V, K], CAUSAL),
    ({"num_key_value_heads": 4, "sliding_window": 2}, [Q, V], {"attention_mask": MASK[:, None]}),
    ({"use_gate": True}, [Q, V], {"attention_mask": np.repeat(NOTHING[:, None], 4, 1)}),
])  # fmt: skip
def test_group_query_like_keras(arguments, arrays, named):
    two = pair("GroupQueryAttention", {"head_dim": 3, **GROUPS, **arguments})
    check_like_keras(*two, *arrays, named=named, tolerance=1e-4)


ALL = [
    ("Attention", {"use_scale": True}), ("AdditiveAttention", {}),
    ("MultiHeadAttention", HEADS), ("GroupQueryAttention", {"head_dim": 3, **GROUPS}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_scores_like_keras(name, arguments):
    mine, theirs = pair(name, arguments)
    arrays = arguments_of(mine, [Q, V, K])
    masks = [{}, CAUSAL, *([{"attention_mask": NOTHING}] if "head" in str(arguments) else [])]
    for named in masks:
        expected = theirs(*arrays, return_attention_scores=True, **named)
        mine(*arrays)
        mine.set_weights(weights_of(theirs))
        found = mine(*arrays, return_attention_scores=True, **named)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, 2e-5, 2e-5)


IDS = np.array([[1, 2, 0, 0], [3, 1, 2, 0]], "int32"), np.array([[1, 0, 2], [2, 3, 0]], "int32")


def masked_model(kit, name, arguments):
    """A model in which the masks of embeddings reach an attention layer; lengths are unknown."""
    inputs = [kit.layers.Input((None,), dtype="int32") for _ in IDS]
    tables = [kit.layers.Embedding(4, 6, mask_zero=True, name=f"e{i}") for i in range(2)]
    vectors = [table(x) for table, x in zip(tables, inputs, strict=True)]
    layer = getattr(kit.layers, name)(**arguments)
    outputs = layer(vectors) if "head" not in str(arguments) else layer(*vectors)
    return kit.models.Model(inputs, outputs), layer


@pytest.mark.filterwarnings("ignore:Layer '.*' .of type EinsumDense. was passed")
@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_masks_of_the_tensors(name, arguments):
    (theirs, _), (mine, layer) = (masked_model(kit, name, arguments) for kit in (keras, kgraph))
    mine.set_weights(weights_of(theirs))
    expected = theirs(list(IDS))
    np.testing.assert_allclose(mine.predict(list(IDS)), expected, 2e-5, 2e-5)
    assert layer.get_output_mask_at(0).shape == layer.get_output_at(0).shape[:2]
    again = type(mine).from_config(mine.get_config())
    again.set_weights(mine.get_weights())
    np.testing.assert_array_equal(again.predict(list(IDS)), mine.predict(list(IDS)))


@pytest.mark.parametrize(("name", "arguments"), [ALL[0], ALL[2]])
def test_masks_that_are_given(name, arguments):
    mine, theirs = pair(name, arguments)
    query, keys = MASK[0, :3, :4], MASK[:, 0]
    arrays = arguments_of(mine, [Q, V])
    heads = "head" in str(arguments)
    named = {"value_mask": keys} if heads else {"mask": [query, keys]}
    expected = theirs(*arrays, **named)
    mine(*arrays)
    mine.set_weights(weights_of(theirs))
    np.testing.assert_allclose(mine(*arrays, **named), expected, 2e-5, 2e-5)
    if heads:  # Keras 3.15 drops this one
        both = {"attention_mask": query[:, :, None] & keys[:, None, :]}
        found = mine(*arrays, query_mask=query, value_mask=keys)
        np.testing.assert_allclose(found, mine(*arrays, **both), 1e-6, 1e-6)


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_sizes_of_unknown_lengths(name, arguments):
    layer = pair(name, arguments)[0]
    inputs = [Input((None, 8)) for _ in range(3)]
    model = Model(inputs, layer(*arguments_of(layer, inputs), use_causal_mask=True))
    for batch, queries, keys in [(0, 3, 2), (1, 0, 0), (5, 0, 3), (1, 3, 0), (5, 1, 1), (5, 4, 2)]:
        arrays = [random(batch, n, 8) for n in (queries, keys, keys)]
        found = model.predict_on_batch(arrays)
        assert found.shape == (batch, queries, 8)
        assert np.isfinite(found).all()
        fixed = layer(*arguments_of(layer, arrays), use_causal_mask=True)
        np.testing.assert_allclose(found, fixed, 1e-5, 1e-6)


@pytest.mark.parametrize(("name", "arguments"), ALL[2:])
def test_masks_are_inputs_too(name, arguments):
    """Masks of lengths of their own, also with an axis for the heads, go with all other masks."""
    layer = pair(name, arguments)[0]
    query, value = Input((None, 6)), Input((None, 6))
    keys, wide = Input((None,), dtype="bool"), Input((1, None, None), dtype="bool")
    named = {"value_mask": keys, "query_mask": Input((None,), dtype="bool"), **CAUSAL}
    y = layer(query, value, attention_mask=wide, **named)
    model = Model([query, value, keys, wide, named["query_mask"]], y)
    seen, queries = MASK[:, 0], MASK[:, 1, :4]
    found = model.predict_on_batch([Q, V, seen, MASK[:, None], queries])
    whole = MASK & seen[:, None, :] & queries[:, :, None] & np.tri(4, 5, dtype=bool)
    np.testing.assert_allclose(found, layer(Q, V, attention_mask=whole), 1e-5, 1e-6)


def test_keys_of_another_length_are_refused_in_the_run():
    inputs = [Input((None, 8)) for _ in range(3)]
    model = Model(inputs, Attention()(inputs))
    with pytest.raises(ValueError, match="unknown sizes that must be equal are not"):
        model.predict_on_batch([random(2, 3, 8), random(2, 4, 8), random(2, 5, 8)])
    with pytest.raises(ValueError, match="`value` and `key`, except the last one, must be equal"):
        MultiHeadAttention(2, 3)(Input((3, 8)), Input((4, 8)), Input((5, 8)))


@pytest.mark.parametrize(("name", "arguments"), ALL)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_query_that_sees_nothing_has_finite_slopes(name, arguments, dtype):
    layer = pair(name, {**arguments, "dtype": dtype})[0]
    inputs = [Input(a.shape[1:], dtype=dtype) for a in (Q, V)]
    heads = "head" in str(arguments)
    no_key = np.zeros((3, 5), bool)
    named = {"value_mask": no_key} if heads else {"mask": [np.ones((3, 4), bool), no_key]}
    (y,), _ = inline([layer(*arguments_of(layer, inputs), **named)], CallContext(training=False))
    slopes = grad(ops.sum(ops.square(y)), [*inputs, *layer.trainable_weights])
    graph = Graph(tuple(inputs), tuple((f"g{i}", g) for i, g in enumerate([y, *slopes])))
    for array in interpret(graph, [Q.astype(dtype), V.astype(dtype)])[0]:
        assert array.dtype == dtype
        assert np.isfinite(array).all()


def test_dropout_drops_weights_in_training():
    for layer in (Attention(dropout=0.5, seed=1), AdditiveAttention(dropout=0.5, seed=1)):
        value = np.eye(5, dtype="float32")[None]
        whole, dropped = layer([value, value]), layer([value, value], training=True)
        kept = dropped != 0
        assert 0 < kept.sum() < 25
        np.testing.assert_allclose(dropped[kept], 2 * whole[kept], 1e-5)
    for layer in (MultiHeadAttention(2, 3, dropout=0.5), GroupQueryAttention(3, 2, 1, dropout=0.5)):
        assert np.abs(layer(Q, V, training=True) - layer(Q, V)).max() > 1e-3
        assert np.array_equal(layer(Q, V, training=False), layer(Q, V))


def test_weights_and_their_names():
    layer = MultiHeadAttention(2, 3, value_dim=5, use_gate=True, name="mha")
    y = Dense(1)(layer(Input((4, 6)), Input((7, 8))))
    Model(layer.get_input_at(0), y)
    assert [(w.name, w.shape) for w in layer.weights] == [
        ("mha/query/kernel", (6, 2, 3)), ("mha/query/bias", (2, 3)),
        ("mha/key/kernel", (8, 2, 3)), ("mha/key/bias", (2, 3)),
        ("mha/gate/kernel", (6, 2, 5)), ("mha/gate/bias", (2, 5)),
        ("mha/value/kernel", (8, 2, 5)), ("mha/value/bias", (2, 5)),
        ("mha/attention_output/kernel", (2, 5, 6)), ("mha/attention_output/bias", (6,)),
    ]  # fmt: skip


def test_penalties_of_projections():
    layer = MultiHeadAttention(2, 3, activity_regularizer="l2", kernel_regularizer="l2")
    x = Input((4, 6))
    layer(x, x)
    assert len(layer.losses) == 4 + 4
    other = keras.layers.MultiHeadAttention(2, 3, activity_regularizer="l2")
    other(Q, Q)
    layer.set_weights(weights_of(other))
    context = CallContext(training=True)
    inline([layer.get_output_at(0)], context)
    (found,), _ = interpret(Graph((x,), (("loss", sum(context.losses)),)), [Q])
    np.testing.assert_allclose(found, float(sum(other.losses)), 1e-5)


@pytest.mark.parametrize(("name", "arguments"), [
    *ALL, ("Attention", {"score_mode": "concat", "dropout": 0.5, "seed": 3}),
    ("MultiHeadAttention", {**HEADS, "output_shape": 5, "attention_axes": [1], "use_gate": True}),
])  # fmt: skip
def test_configurations(name, arguments):
    mine, theirs = pair(name, arguments)
    again = check_config(mine)
    assert set(mine.get_config()) == set(theirs.get_config())
    stored = keras.saving.serialize_keras_object(theirs)
    assert deserialize(stored).get_config() == {**again.get_config(), "name": theirs.name}


def test_errors():
    with pytest.raises(ValueError, match=r"Expected one of \{.dot., .concat.\}"):
        Attention(score_mode="product")
    with pytest.raises(ValueError, match="must be called on a list of inputs"):
        Attention()(Input((3, 4)))
    with pytest.raises(ValueError, match="layer mask must be a list"):
        Attention()([Input((3, 4))] * 2, mask=Input((3,), dtype="bool"))
    with pytest.raises(ValueError, match="invalid value for `num_heads`, expected a positive int"):
        MultiHeadAttention(0, 3)
    with pytest.raises(ValueError, match="there is no flash attention"):
        MultiHeadAttention(2, 3, flash_attention=True)
    with pytest.raises(ValueError, match="`sliding_window` must be `None` or a positive integer"):
        GroupQueryAttention(3, 2, 1, sliding_window=0)
    with pytest.raises(ValueError, match="must be divisible by `num_key_value_heads`"):
        GroupQueryAttention(3, 4, 3)
    with pytest.raises(ValueError, match="attends over several axes"):
        MultiHeadAttention(2, 3)(Input((3, 4, 5)), Input((3, 4, 5)), use_causal_mask=True)
