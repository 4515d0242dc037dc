"""Constructors take Keras 1's names of arguments, with a warning, and refuse both names at once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from kgraph import config, layers, ops
from kgraph.layers.configurable import COMMON_ARGUMENTS
from kgraph.layers.dialects import KERAS_1, known_arguments
from kgraph.layers.serialization import NAMES, deserialize, serialize

L2 = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}
# Class, Keras 1's arguments, Keras 2's.
CALLS = [
    ("Dense", {"output_dim": 3, "init": "uniform"}, {"units": 3, "kernel_initializer": "uniform"}),
    ("Dense", {"output_dim": 3, "W_regularizer": L2, "b_regularizer": L2, "bias": False},
     {"units": 3, "kernel_regularizer": L2, "bias_regularizer": L2, "use_bias": False}),
    ("Dense", {"output_dim": 3, "W_constraint": "maxnorm", "b_constraint": "nonneg"},
     {"units": 3, "kernel_constraint": "maxnorm", "bias_constraint": "nonneg"}),
    ("Dropout", {"p": 0.3}, {"rate": 0.3}),
    ("SpatialDropout2D", {"p": 0.3, "dim_ordering": "th"},
     {"rate": 0.3, "data_format": "channels_first"}),
    ("GaussianDropout", {"p": 0.3}, {"rate": 0.3}),
    ("GaussianNoise", {"sigma": 0.3}, {"stddev": 0.3}),
    ("Conv1D", {"nb_filter": 3, "filter_length": 2, "subsample_length": 2, "border_mode": "same"},
     {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}),
    ("Conv2D", {"nb_filter": 3, "nb_row": 2, "nb_col": 4, "subsample": (2, 1),
                "dim_ordering": "tf"},
     {"filters": 3, "kernel_size": (2, 4), "strides": (2, 1), "data_format": "channels_last"}),
    ("Conv3D", {"nb_filter": 3, "kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3},
     {"filters": 3, "kernel_size": (1, 2, 3)}),
    ("SeparableConv2D", {"nb_filter": 3, "nb_row": 2, "nb_col": 2, "init": "zero"},
     {"filters": 3, "kernel_size": (2, 2), "depthwise_initializer": "zero"}),
    ("LocallyConnected1D", {"nb_filter": 3, "filter_length": 2},
     {"filters": 3, "kernel_size": 2}),
    ("ConvLSTM2D", {"nb_filter": 3, "nb_row": 2, "nb_col": 2, "inner_activation": "tanh"},
     {"filters": 3, "kernel_size": (2, 2), "recurrent_activation": "tanh"}),
    ("MaxPooling1D", {"pool_length": 3, "stride": 1}, {"pool_size": 3, "strides": 1}),
    ("MaxPooling2D", {"border_mode": "same", "dim_ordering": "default"},
     {"padding": "same", "data_format": None}),
    ("UpSampling1D", {"length": 3}, {"size": 3}),
    ("LSTM", {"output_dim": 3, "init": "zero", "inner_init": "one", "dropout_W": 0.1,
              "dropout_U": 0.2, "U_regularizer": L2, "forget_bias_init": "zero",
              "consume_less": "mem"},
     {"units": 3, "kernel_initializer": "zero", "recurrent_initializer": "one", "dropout": 0.1,
      "recurrent_dropout": 0.2, "recurrent_regularizer": L2, "unit_forget_bias": False,
      "implementation": 1}),
    ("GRU", {"output_dim": 3, "inner_activation": "relu"},
     {"units": 3, "recurrent_activation": "relu"}),
    ("Embedding", {"input_dim": 9, "output_dim": 3, "init": "one", "W_regularizer": L2,
                   "W_constraint": "nonneg", "dropout": 0.0},
     {"input_dim": 9, "output_dim": 3, "embeddings_initializer": "one",
      "embeddings_regularizer": L2, "embeddings_constraint": "nonneg"}),
    ("BatchNormalization", {"mode": 0, "beta_init": "one", "gamma_init": "zero"},
     {"beta_initializer": "one", "gamma_initializer": "zero"}),
    ("PReLU", {"init": "one"}, {"alpha_initializer": "one"}),
]  # fmt: skip


def config_of(name, arguments):
    return getattr(layers, name)(name="layer", **arguments).get_config()


@pytest.mark.parametrize(("name", "old", "new"), CALLS)
def test_old_names_mean_the_new_ones(name, old, new):
    expected = config_of(name, new)
    with pytest.warns(UserWarning, match=f"Update your `{name}` call to the Keras 2 API") as seen:
        assert config_of(name, old) == expected
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_every_old_name_is_tried():
    tried = {key for _, old, _ in CALLS for key in old}
    assert set(KERAS_1) - {"atrous_rate"} <= tried


def test_the_warning_writes_the_call():
    with pytest.warns(UserWarning, match="Update") as seen:
        layers.Dense(3, init="uniform", input_dim=4, weights=[np.ones((4, 3)), np.zeros(3)])
    assert str(seen[0].message) == (
        "Update your `Dense` call to the Keras 2 API: "
        "`Dense(3, input_dim=4, weights=..., kernel_initializer='uniform')`"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Dense", {"units": 3, "output_dim": 3}, "Dense: units is given twice"),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "nb_row": 3, "nb_col": 3}, "kernel_size is"),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "dim_ordering": "th",
                    "data_format": "channels_last"}, "data_format is given twice"),
        ("Embedding", {"input_dim": 3, "output_dim": 3, "dropout": 0.2}, "SpatialDropout1D"),
        ("BatchNormalization", {"mode": 2}, "mode 0 only"),
        ("Dense", {"units": 3, "nonsense": None}, "not understood: nonsense"),
        ("Dense", {"units": 3, "p": 0.5}, "not understood: p"),
        ("Flatten", {"init": "one"}, "not understood: init"),
        ("Dense", {"unitz": 3}, r"(?s)not understood: unitz.*units, activation.*mean 'units'"),
        ("LSTM", {"unit": 3, "time_major": False}, r"(?s)not understood: unit\n.*mean 'units'"),
        ("GRU", {"units": 3, "stateful_": True}, r"(?s)not understood: .*mean 'stateful'"),
        ("Dense", {}, "missing 1 required positional argument: 'units'"),
    ],
)  # fmt: skip
def test_what_is_refused(name, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(layers, name)(**arguments)


def test_an_argument_by_position_is_not_given_again_by_an_old_name():
    with pytest.raises(TypeError, match=r"units is given twice\n  got: units=3 .* output_dim=4"):
        layers.Dense(3, output_dim=4)


def test_no_current_name_is_taken_for_an_old_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cls in set(NAMES.values()):
            known = known_arguments(cls)
            assert not {*KERAS_1.values()} & {*KERAS_1} & known
            assert set(COMMON_ARGUMENTS) <= known


def test_a_layer_of_a_users_own():
    class Mine(layers.Dense):
        def __init__(self, output_dim, **kwargs):
            super().__init__(output_dim=output_dim, **kwargs)

    class Plain(layers.Layer):
        def __init__(self, init, **kwargs):
            super().__init__(**kwargs)
            self.init = init

    with pytest.warns(UserWarning, match="Update your `Dense` call"):
        layer = Mine(3, init="one")
    assert layer.units == 3
    assert layer.kernel_initializer.get_config() == {}
    assert Plain("x").init == "x"
    assert Plain("x").get_config()["init"] == "x"


def test_a_layer_with_old_names_is_copied_and_saved():
    def double(x):
        return 2 * x

    with pytest.warns(UserWarning, match="Update"):
        layer = layers.Dense(output_dim=2, activation=double)
    again = layer.fresh_copy()
    assert (again.units, again.activation) == (2, double)
    with pytest.warns(UserWarning, match="Update"):
        layer = layers.Conv2D(nb_filter=2, nb_row=3, nb_col=3)
    assert deserialize(serialize(layer)).get_config() == layer.get_config()


# -- kernels by position ---------------------------------------------------------------------------
def two_numbers(name, *arguments, **named):
    layer = getattr(layers, name)(*arguments, **named)
    return layer.kernel_size, layer.strides


def test_two_numbers_are_a_kernel_and_a_stride():
    assert two_numbers("Conv2D", 4, 3, 2) == ((3, 3), (2, 2))


@pytest.mark.parametrize(
    ("name", "numbers", "kernel", "strides"),
    [
        ("Conv2D", (4, 3, 2), (3, 2), (1, 1)),
        ("Conv2DTranspose", (4, 3, 2), (3, 2), (1, 1)),
        ("SeparableConv2D", (4, 3, 3), (3, 3), (1, 1)),
        ("LocallyConnected2D", (4, 1, 2), (1, 2), (1, 1)),
        ("ConvLSTM2D", (4, 3, 3), (3, 3), (1, 1)),
        ("Conv3D", (4, 1, 2, 3), (1, 2, 3), (1, 1, 1)),
    ],
)
def test_in_keras_scripts_they_are_rows_and_columns(name, numbers, kernel, strides, monkeypatch):
    monkeypatch.setattr(config, "rows_and_columns", True)
    with pytest.warns(UserWarning, match=r"as the sizes of the kernel; a stride is written"):
        assert two_numbers(name, *numbers) == (kernel, strides)


def test_what_can_be_nothing_else_stays(monkeypatch):
    monkeypatch.setattr(config, "rows_and_columns", True)
    assert two_numbers("Conv1D", 4, 3, 2) == ((3,), (2,))
    assert two_numbers("Conv2D", 4, (3, 2), 2) == ((3, 2), (2, 2))
    assert two_numbers("Conv2D", 4, 3, (2, 1)) == ((3, 3), (2, 1))
    assert two_numbers("Conv2D", 4, 3, 2, "same") == ((3, 3), (2, 2))
    assert two_numbers("Conv3D", 4, 3, 2) == ((3, 3, 3), (2, 2, 2))
    with pytest.warns(UserWarning, match=r"Conv2D\(4, kernel_size=\(3, 2\)\)"):
        assert two_numbers("Conv2D", 4, 3, nb_col=2)[0] == (3, 2)


def test_the_shape_that_keras_1_wanted_to_know():
    with pytest.warns(UserWarning, match="it follows from strides, padding and output_padding"):
        layer = layers.Deconvolution2D(2, (3, 3), output_shape=(None, 14, 14, 2))
    assert layer.compute_output_shape((None, 12, 12, 1)) == (None, 14, 14, 2)


def test_a_call_without_old_names_costs_nothing_and_says_nothing():
    layer = layers.Dense(3, activation="relu", input_dim=2)
    assert layer(np.ones((1, 2), "float32")).shape == (1, 3)
    assert ops.shape(layer.kernel) == (2, 3)
