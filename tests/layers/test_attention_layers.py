"""Attention, AdditiveAttention, MultiHeadAttention, GroupQueryAttention against Keras 3."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random, single

from kgraph import layers
from kgraph.layers import (
    AdditiveAttention,
    Attention,
    Embedding,
    GroupQueryAttention,
    Input,
    MultiHeadAttention,
)
from kgraph.layers.serialization import deserialize, serialize
from kgraph.models import Model

Q, V, K = random(3, 4, 6), random(3, 5, 6, seed=1), random(3, 5, 6, seed=2)
MASK = np.random.RandomState(0).rand(3, 4, 5) < 0.6
MASK[..., 0] = True
NOTHING = MASK.copy()
NOTHING[1, 2] = False

ONE_HEAD = [
    ("Attention", {}, [Q, V]),
    ("Attention", {"use_scale": True}, [Q, V, K]),
    ("Attention", {"score_mode": "concat"}, [Q, V]),
    ("Attention", {"score_mode": "concat", "use_scale": True}, [Q, V, K]),
    ("AdditiveAttention", {}, [Q, V, K]),
    ("AdditiveAttention", {"use_scale": False}, [Q, V]),
]  # fmt: skip


def pair(name, arguments):
    """Our layer and Keras's."""
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("name", "arguments", "arrays"), ONE_HEAD)
def test_one_head_like_keras(name, arguments, arrays, causal):
    named = {"use_causal_mask": causal}
    check_like_keras(*pair(name, arguments), *arrays, named=named)
    check_config(pair(name, arguments)[0])


HEADS = [
    ({}, [Q, V], {}),
    ({"value_dim": 2}, [Q, V, K], {}),
    ({"use_bias": False, "output_shape": 5}, [Q, V], {"use_causal_mask": True}),
    ({"output_shape": (2, 5), "use_gate": True}, [Q, V], {"attention_mask": MASK}),
    ({"sliding_window": 2}, [Q, V, K], {"attention_mask": MASK[:, None]}),
    ({"sliding_window": 2}, [Q, Q], {"use_causal_mask": True}),
    ({}, [Q, V], {"attention_mask": NOTHING}),
    ({"kernel_initializer": "he_normal", "kernel_constraint": "max_norm"}, [Q[:, :, None], V[:, :, None]], {}),
    ({"attention_axes": 2}, [random(2, 3, 4, 5), random(2, 3, 6, 5)], {}),
    ({"attention_axes": -2, "value_dim": 2}, [random(2, 3, 4, 5)] * 2, {"attention_mask": np.tri(4, dtype=bool)[None, None]}),
    ({"attention_axes": (1, 2)}, [random(2, 3, 4, 5), random(2, 2, 3, 5)], {"attention_mask": np.random.RandomState(1).rand(2, 3, 4, 2, 3) < 0.7}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "arrays", "named"), HEADS)
def test_multi_head_like_keras(arguments, arrays, named):
    arguments = {"num_heads": 2, "key_dim": 3, **arguments}
    check_like_keras(*pair("MultiHeadAttention", arguments), *arrays, named=named)
    check_config(MultiHeadAttention(**arguments))


GROUPS = [
    ({}, [Q, V], {"attention_mask": NOTHING}),
    ({"num_key_value_heads": 1, "use_bias": False}, [Q, V, K], {"use_causal_mask": True}),
    ({"num_key_value_heads": 4, "sliding_window": 2}, [Q, V], {"attention_mask": MASK[:, None]}),
    ({"use_gate": True}, [Q, V], {"attention_mask": np.repeat(MASK[:, None], 4, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "arrays", "named"), GROUPS)
def test_group_query_like_keras(arguments, arrays, named):
    arguments = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, **arguments}
    check_like_keras(*pair("GroupQueryAttention", arguments), *arrays, named=named)
    check_config(GroupQueryAttention(**arguments))


ALL = [
    ("Attention", {"use_scale": True}), ("AdditiveAttention", {}),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
    ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
]  # fmt: skip


def with_same_weights(name, arguments, arrays, **named):
    """Both layers, built; the weight list goes from Keras's to ours."""
    mine, theirs = pair(name, arguments)
    given = [arrays] if "head" not in str(arguments) else arrays
    theirs(*given, **named)
    mine(*given, **named)
    mine.set_weights(theirs.get_weights())
    return (lambda **kw: mine(*given, **kw)), (lambda **kw: theirs(*given, **kw))


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_scores_like_keras(name, arguments):
    mine, theirs = with_same_weights(name, arguments, [Q, V, K])
    masked = "head" in str(arguments)
    for named in ({}, {"use_causal_mask": True}, {"attention_mask": NOTHING})[: 2 + masked]:
        found = mine(return_attention_scores=True, **named)
        for a, b in zip(found, theirs(return_attention_scores=True, **named), strict=True):
            np.testing.assert_allclose(a, b, 2e-5, 2e-5)


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_masks_of_the_tensors(name, arguments):
    """Masks of embeddings reach the layer by themselves; the output has that of the query."""
    ids = np.array([[1, 2, 0, 0], [3, 1, 2, 0]], "int32"), np.array([[1, 0, 2], [2, 3, 0]], "int32")

    def model(kit):
        inputs = [kit.Input((None,), dtype="int32") for _ in ids]
        vectors = [kit.layers.Embedding(4, 6, mask_zero=True, name=f"e{i}")(x) for i, x in enumerate(inputs)]
        layer = getattr(kit.layers, name)(**arguments)
        outputs = layer(vectors) if "head" not in str(arguments) else layer(*vectors)
        pooled = kit.layers.LayerNormalization()(outputs)
        return kit, inputs, outputs, kit.Model(inputs, [outputs, pooled]), layer

    import kgraph

    theirs, mine = model(keras), model(kgraph)
    mine[3].set_weights(theirs[3].get_weights())
    for a, b in zip(mine[3].predict(list(ids)), theirs[3].predict(list(ids), verbose=0), strict=True):
        np.testing.assert_allclose(a, b, 2e-5, 2e-5)
    assert mine[4].get_output_mask_at(0) is not None
