"""Initial values: limits, moments, fans, seeds and configurations."""

import json

import keras
import numpy as np
import pytest
from scipy import stats

from kgraph import initializers
from kgraph.layers import Dense

SPELLINGS = {
    "Zeros": ("zero", "zeros", "Zeros"),
    "Ones": ("one", "ones", "Ones"),
    "Constant": ("constant", "Constant"),
    "RandomUniform": ("uniform", "random_uniform", "RandomUniform"),
    "RandomNormal": ("normal", "random_normal", "RandomNormal"),
    "TruncatedNormal": ("truncated_normal", "TruncatedNormal"),
    "Orthogonal": ("orthogonal", "Orthogonal", "OrthogonalInitializer"),
    "Identity": ("identity", "Identity", "IdentityInitializer"),
    "VarianceScaling": ("VarianceScaling", "glorot_uniform", "GlorotNormal", "he_normal",
                        "HeUniform", "lecun_uniform", "LecunNormal"),
}  # fmt: skip


@pytest.mark.parametrize("name", initializers.NAMES)
def test_every_name_gives_an_initializer(name):
    found = initializers.get(name)
    values = found((3, 4))
    assert values.shape == (3, 4)
    assert values.dtype == np.float32
    again = initializers.get(json.loads(json.dumps(initializers.serialize(found))))
    assert initializers.serialize(again) == initializers.serialize(found)


@pytest.mark.parametrize(("kind", "names"), SPELLINGS.items())
def test_spellings_mean_one_class(kind, names):
    assert {type(initializers.get(n)).__name__ for n in names} == {kind}


@pytest.mark.parametrize(
    "name",
    ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform",
     "lecun_normal"],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(50, 30), (7, 50, 30), (3, 3, 20, 16), (2, 3, 3, 8, 8)])
def test_deviation_follows_the_fans(name, shape):
    fan_in, fan_out = initializers.compute_fans(shape)
    assert (fan_in, fan_out) == keras.src.initializers.random_initializers.compute_fans(shape)
    n = {"glorot": (fan_in + fan_out) / 2, "he": fan_in / 2, "lecun": fan_in}[name.split("_")[0]]
    values = np.stack([initializers.get(name)(shape, "float64") for _ in range(40)])
    assert values.std() == pytest.approx(np.sqrt(1 / n), rel=0.02)
    assert abs(values.mean()) < 0.02 * values.std()
    bound = np.sqrt(3 / n) if "uniform" in name else 2 * np.sqrt(1 / n) / 0.87962566103423978
    assert 0.98 * bound < abs(values).max() <= bound


def test_dense_limit_of_the_mnist_layer():
    values = initializers.glorot_uniform()((784, 128), "float64")
    assert abs(values).max() <= np.sqrt(6 / 912)
    assert abs(values).max() == pytest.approx(0.08111, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((9,), (3, 3)), ((4, 5), (4, 5)), ((3, 4, 5), (12, 15)),
     ((3, 3, 4, 5), (36, 45)), ((2, 3, 3, 4, 5), (72, 90)), ((2, 2, 2, 2, 2, 2), (8, 8))],
)  # fmt: skip
def test_fans_of_every_rank(shape, fans):
    assert initializers.compute_fans(shape) == fans


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["uniform", "normal", "untruncated_normal"])
def test_variance_scaling(mode, distribution):
    n = {"fan_in": 60, "fan_out": 40, "fan_avg": 50}[mode]
    values = initializers.VarianceScaling(3.0, mode, distribution, seed=1)((60, 40), "float64")
    assert values.var() == pytest.approx(3 / n, rel=0.06)


def test_distributions_are_the_named_ones():
    def fits(values, law):
        return stats.kstest(values.ravel(), law.cdf).pvalue > 1e-3

    shape = (100, 60)
    assert fits(initializers.RandomNormal(1.0, 2.0, seed=1)(shape, "float64"), stats.norm(1, 2))
    assert fits(initializers.RandomUniform(-1, 3, seed=1)(shape, "float64"), stats.uniform(-1, 4))
    cut = stats.truncnorm(-2, 2, 1, 0.5)
    assert fits(initializers.TruncatedNormal(1.0, 0.5, seed=1)(shape, "float64"), cut)


def test_truncation_constant_is_the_deviation_of_the_cut_normal():
    assert pytest.approx(stats.truncnorm(-2, 2).std(), rel=1e-12) == initializers.TRUNCATED_STDDEV


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4), (3, 2, 10)])
def test_orthogonal(shape):
    values = initializers.Orthogonal(gain=2.0)(shape, "float64").reshape(-1, shape[-1])
    small = min(values.shape)
    product = values.T @ values if values.shape[1] == small else values @ values.T
    np.testing.assert_allclose(product, 4 * np.eye(small), atol=1e-12)


def test_orthogonal_is_not_biased_in_sign():
    corners = [initializers.Orthogonal()((2, 2))[0, 0] for _ in range(200)]
    assert abs(np.mean(corners)) < 0.2


def test_identity_of_any_matrix_shape():
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 4)), 2 * np.eye(2, 4))
    with pytest.raises(ValueError, match="can only be used for 2D matrices"):
        initializers.Identity()((2, 2, 2))


def test_constant_takes_numbers_and_arrays():
    np.testing.assert_array_equal(initializers.Constant(3)((2,), "int32"), [3, 3])
    np.testing.assert_array_equal(initializers.Constant([1, 2])((2, 2)), [[1, 2], [1, 2]])
    assert initializers.Constant(np.ones(2)).get_config() == {"value": [1.0, 1.0]}


def test_numpy_seed_fixes_the_values():
    def draw():
        np.random.seed(1671)
        return [initializers.get(n)((4, 4)) for n in ("glorot_uniform", "orthogonal", "normal")]

    first, second = draw(), draw()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(initializers.get("normal")((4, 4)), first[2])


def test_int_seed_gives_the_same_values_each_call():
    initializer = initializers.he_normal(seed=7)
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(initializer((4, 4)), initializer((4, 4)))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_configurations_have_the_layout_of_keras_2():
    assert initializers.serialize(initializers.get("glorot_uniform")) == {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
    }
    assert initializers.serialize(initializers.get("uniform")) == {
        "class_name": "RandomUniform",
        "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
    }
    assert initializers.serialize(None) is None


@pytest.mark.parametrize("name", ["GlorotUniform", "HeNormal", "Orthogonal", "Zeros"])
def test_keras_3_configurations_load(name):
    config = keras.initializers.serialize(keras.initializers.get(name))
    assert initializers.get(config)((3, 3)).shape == (3, 3)


def test_what_get_accepts():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)
    assert isinstance(initializers.get(initializers.glorot_uniform), initializers.VarianceScaling)
    zeros = initializers.Zeros()
    assert initializers.get(zeros) is zeros

    def mine(shape, dtype=None):
        return np.full(shape, 7, dtype)

    layer = Dense(2, kernel_initializer=mine)
    layer(np.ones((1, 3), "float32"))
    assert set(layer.get_weights()[0].ravel()) == {7.0}
    assert initializers.get("mine", {"mine": mine}) is mine


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: initializers.get("glorot"), "Unknown initializer: glorot"),
        (lambda: initializers.get(3), "Could not interpret initializer identifier: 3"),
        (lambda: initializers.get({"name": "zeros"}), "Improper config format"),
        (lambda: initializers.VarianceScaling(0.0), "`scale` must be a positive float"),
        (lambda: initializers.VarianceScaling(mode="fan"), "Invalid `mode` argument"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), "Invalid `distribution`"),
        (lambda: initializers.Orthogonal()((3,)), "at least two-dimensional"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_unknown_names_suggest_a_near_one():
    with pytest.raises(ValueError, match="did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")


def test_bases_say_what_to_define():
    with pytest.raises(NotImplementedError, match="must define __call__"):
        initializers.Initializer()((2,))
    with pytest.raises(NotImplementedError):
        initializers.RandomInitializer()((2,))
    assert repr(initializers.Constant(2)) == "Constant(value=2)"
