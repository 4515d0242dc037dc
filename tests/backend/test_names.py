"""Every name of Keras 2.3's backend that its users call is there, and what is not says so."""

import pytest

import kgraph
from kgraph import backend as K
from kgraph import ops

NAMES = [
    "abs", "all", "any", "arange", "argmax", "argmin", "backend", "batch_dot", "batch_flatten",
    "batch_get_value", "batch_normalization", "batch_set_value", "bias_add",
    "binary_crossentropy", "cast", "cast_to_floatx", "categorical_crossentropy", "clear_session",
    "clip", "concatenate", "constant", "control_dependencies",
    "ctc_batch_cost", "ctc_decode", "conv1d", "conv2d",
    "conv2d_transpose", "conv3d", "conv3d_transpose", "cos", "count_params", "cumprod", "cumsum",
    "depthwise_conv2d", "dot", "dropout", "dtype", "elu", "epsilon", "equal", "eval", "exp",
    "expand_dims", "eye", "flatten", "floatx", "foldl", "foldr", "function", "gather",
    "get_session", "get_uid", "get_value", "get_variable_shape", "gradients", "greater",
    "greater_equal", "hard_sigmoid", "identity", "image_data_format", "image_dim_ordering",
    "in_test_phase", "in_top_k", "in_train_phase", "int_shape", "is_keras_tensor",
    "is_placeholder", "is_sparse", "is_tensor", "is_variable", "l2_normalize", "learning_phase",
    "less", "less_equal", "local_conv1d", "local_conv2d", "log", "logsumexp",
    "manual_variable_initialization", "map_fn", "max", "maximum", "mean", "min", "minimum",
    "moving_average_update", "name_scope", "ndim", "normalize_batch_in_training",
    "normalize_data_format", "not_equal", "one_hot", "ones", "ones_like", "permute_dimensions",
    "placeholder", "pool2d", "pool3d", "pow", "print_tensor", "prod", "random_binomial",
    "random_normal", "random_normal_variable", "random_uniform", "random_uniform_variable",
    "relu", "repeat", "repeat_elements", "reset_uids", "reshape", "resize_images",
    "resize_volumes", "reverse", "rnn", "round", "separable_conv1d", "separable_conv2d",
    "set_epsilon", "set_floatx", "set_image_data_format", "set_image_dim_ordering",
    "set_learning_phase", "set_session", "set_value", "shape", "sigmoid", "sign", "sin", "size",
    "slice", "softmax", "softplus", "softsign", "sparse_categorical_crossentropy",
    "spatial_2d_padding", "spatial_3d_padding", "sqrt", "square", "squeeze", "stack", "std",
    "stop_gradient", "sum", "switch", "tanh", "temporal_padding", "tile", "to_dense", "transpose",
    "truncated_normal", "update", "update_add", "update_sub", "var", "variable", "zeros",
    "zeros_like",
]  # fmt: skip


def test_all_names():
    assert [n for n in NAMES if not callable(getattr(K, n, None))] == []
    assert set(NAMES) == set(K.__all__)
    assert kgraph.backend is K


@pytest.mark.parametrize("name", ["tensorflow_backend", "tf", "theano_backend"])
def test_backends_below_are_told_apart_from_typing_errors(name):
    with pytest.raises(AttributeError, match="there is no T"):
        getattr(K, name)
    with pytest.raises(AttributeError, match=r"no attribute 'sqare'\n  hint: .* 'square'"):
        _ = K.sqare


def test_misspelt_ops_are_told_what_is_near():
    with pytest.raises(AttributeError, match=r"no attribute 'sofmax'\n  hint: .* 'softmax'"):
        _ = ops.sofmax


def test_sessions():
    with pytest.raises(NotImplementedError, match=r"K\.function"):
        K.get_session()
    with pytest.raises(NotImplementedError, match="leave the call out"):
        K.set_session(None)
    K.manual_variable_initialization(True)
    with K.control_dependencies([K.variable(1)]):
        assert K.backend() == "tensorflow"


def test_names_start_again():
    K.clear_session()
    assert (K.get_uid("dense"), K.get_uid("dense"), K.get_uid("conv")) == (1, 2, 1)
    K.reset_uids()
    assert K.get_uid("dense") == 1
    K.clear_session()


def test_settings():
    try:
        K.set_floatx("float16")
        assert K.variable([1, 2]).dtype == K.floatx() == "float16"
        K.set_floatx("float64")
        assert K.cast_to_floatx([1]).dtype == "float64"
        assert K.dtype(K.cast_to_floatx(K.constant(1, "float32"))) == "float64"
    finally:
        K.set_floatx("float32")
    try:
        K.set_image_dim_ordering("th")
        assert K.image_data_format() == "channels_first" == K.normalize_data_format(None)
    finally:
        K.set_image_data_format("channels_last")
    assert K.image_dim_ordering() == "tf"
    with pytest.raises(ValueError, match="'tf' or 'th'"):
        K.set_image_dim_ordering("channels_last")
    assert K.epsilon() == 1e-7


def test_scopes_reach_what_is_built_inside():
    with K.name_scope("outer"), K.name_scope("inner"):
        y = K.placeholder((2,)) + 1
    assert y.origin.scope == "outer/inner"


def test_printing(capsys):
    assert K.print_tensor([1.5], "x = ") == [1.5]
    assert capsys.readouterr().out == "x = [1.5]\n"
    with pytest.raises(NotImplementedError, match="make it an output"):
        K.print_tensor(K.placeholder((2,)))
