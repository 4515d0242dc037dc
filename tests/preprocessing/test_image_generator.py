"""ImageDataGenerator: whole streams of batches like keras-preprocessing 1.1.2 under equal seeds."""

import keras_preprocessing.image as keras2
import numpy as np
import pytest
from same_batches import KERAS2_WARNINGS, assert_same

import kgraph
from kgraph.preprocessing.image import ImageDataGenerator, Iterator
from kgraph.utils import Sequence

pytestmark = [
    *KERAS2_WARNINGS,
    pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies"),
]
SETTINGS = [
    {},
    {"rescale": 1 / 255, "horizontal_flip": True, "vertical_flip": True},
    {"rotation_range": 30, "fill_mode": "constant", "cval": 5.0},
    {"width_shift_range": 0.3, "height_shift_range": 0.2, "fill_mode": "wrap"},
    {"width_shift_range": 3, "height_shift_range": 2.5},
    {"width_shift_range": [-2, 0, 1], "height_shift_range": [0.1, 0.2]},
    {"shear_range": 20, "zoom_range": 0.4, "interpolation_order": 3},
    {"zoom_range": (0.5, 1.5), "fill_mode": "reflect", "interpolation_order": 0},
    {"channel_shift_range": 50.0, "brightness_range": (0.5, 1.5)},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 0.01},
    {"featurewise_std_normalization": True, "rotation_range": 10},
    {"samplewise_std_normalization": True},
    {"zca_whitening": True, "featurewise_std_normalization": True, "dtype": "float64"},
    {"preprocessing_function": np.tanh, "dtype": "float64", "rotation_range": 5},
    {
        "rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 3,
        "shear_range": 5, "zoom_range": 0.2, "horizontal_flip": True, "vertical_flip": True,
        "channel_shift_range": 9.0, "brightness_range": [0.4, 1.0], "rescale": 1 / 255,
    },
]  # fmt: skip


def pictures(count=7, height=6, width=8, channels=3):
    """Random images from 0 to 255."""
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, height, width, channels)).astype("float32")


def stream(module, settings, x, flow, batches=7, **fit):
    """Batches of a generator, some by `next` and some by number, over more than two epochs."""
    np.random.seed(11)
    generator = module.ImageDataGenerator(**settings)
    generator.fit(x, **fit)
    iterator = generator.flow(x, **flow)
    made = [next(iterator) for _ in range(batches)]
    iterator.on_epoch_end()
    made += [iterator[i] for i in range(len(iterator))]
    iterator.reset()
    return [*made, iterator.next()]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
@pytest.mark.parametrize("seed", [None, 5])
def test_streams_like_keras(settings, seed):
    flow = {"y": np.arange(7), "batch_size": 3, "seed": seed}
    x = pictures()
    ours = stream(kgraph.preprocessing.image, settings, x, flow)
    theirs = stream(keras2, {"data_format": "channels_last", **settings}, x, flow)
    tolerance = 1e-5 if settings.get("zca_whitening") else 0.0  # SciPy's LAPACK or NumPy's
    for found, expected in zip(ours, theirs, strict=True):
        assert_same(found, expected, tolerance)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
def test_channels_first_is_the_same_turned(settings):
    x = pictures()
    flow = {"batch_size": 4, "seed": 3, "shuffle": True}
    last = stream(kgraph.preprocessing.image, settings, x, flow)
    settings = {**settings, "data_format": "channels_first"}
    first = stream(kgraph.preprocessing.image, settings, x.transpose(0, 3, 1, 2), flow)
    for found, expected in zip(first, last, strict=True):
        assert_same(found.transpose(0, 2, 3, 1), expected, 1e-3)  # sums go another way


def test_channels_first_like_keras():
    settings = {"data_format": "channels_first", "rotation_range": 30, "height_shift_range": 0.3}
    settings |= {"featurewise_center": True, "channel_shift_range": 20.0, "horizontal_flip": True}
    x = pictures().transpose(0, 3, 1, 2)
    ours = stream(kgraph.preprocessing.image, settings, x, {"seed": 1, "batch_size": 2})
    theirs = stream(keras2, settings, x, {"seed": 1, "batch_size": 2})
    for found, expected in zip(ours, theirs, strict=True):
        assert_same(found, expected)


FLOWS = [
    {"shuffle": False, "batch_size": 2},
    {"y": np.arange(7), "sample_weight": np.linspace(0, 1, 7), "batch_size": 3, "seed": 2},
    {"y": np.array([0, 1, 0, 1, 0, 1, 1]), "subset": "training", "batch_size": 2, "seed": 2},
    {"y": np.array([0, 1, 0, 1, 0, 1, 1]), "subset": "validation", "batch_size": 5},
    {"subset": "training", "batch_size": 32},
    {"y": np.eye(7), "batch_size": 7},
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda f: "-".join(f))
def test_what_flows_like_keras(flow):
    x, settings = pictures(), {"validation_split": 0.3, "rotation_range": 10}
    for images in (x, (x, np.arange(7)), [x, [np.arange(7), pictures()[:, 0]]]):
        made = []
        for module in (kgraph.preprocessing.image, keras2):
            np.random.seed(0)
            iterator = module.ImageDataGenerator(**settings).flow(images, **flow)
            made.append([next(iterator) for _ in range(4)])
        for found, expected in zip(*made, strict=True):
            assert_same(found, expected)


def test_weights_are_split_with_their_images():
    x = np.arange(8.0).reshape(8, 1, 1, 1) * np.ones((1, 2, 2, 1))
    generator = ImageDataGenerator(validation_split=0.25)
    for subset, expected in (("validation", [0, 1]), ("training", [2, 3, 4, 5, 6, 7])):
        labels = np.arange(8) % 2
        batches = generator.flow(x, labels, sample_weight=np.arange(8), subset=subset)
        images, _, weights = batches[0]
        np.testing.assert_array_equal(images[:, 0, 0, 0], weights)
        assert sorted(weights) == expected


@pytest.mark.parametrize("rounds", [1, 3])
def test_fitting_on_changed_images_like_keras(rounds):
    settings = {"featurewise_center": True, "featurewise_std_normalization": True}
    settings |= {"rotation_range": 40, "horizontal_flip": True}
    x, fit = pictures(), {"augment": True, "rounds": rounds, "seed": 4}
    ours, theirs = ImageDataGenerator(**settings), keras2.ImageDataGenerator(**settings)
    before = x.copy()
    ours.fit(x, **fit)
    theirs.fit(x, **fit)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-5)
    np.testing.assert_allclose(ours.std, theirs.std, rtol=1e-5)
    assert ours.mean.shape == theirs.mean.shape == (1, 1, 3)


def test_whitening_decorrelates():
    x = np.random.default_rng(0).normal(size=(400, 2, 2, 1))
    x[:, 1] += 3 * x[:, 0]
    generator = ImageDataGenerator(zca_whitening=True, dtype="float64", zca_epsilon=0)
    generator.fit(x)
    flat = generator.standardize(x.copy()).reshape(400, 4)
    np.testing.assert_allclose(flat.T @ flat / 400, np.eye(4), atol=1e-8)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
def test_drawn_parameters_like_keras(settings):
    ours, theirs = ImageDataGenerator(**settings), keras2.ImageDataGenerator(**settings)
    for seed in range(5):
        found = ours.get_random_transform((6, 8, 3), seed)
        rest = np.random.random()
        assert found == theirs.get_random_transform((6, 8, 3), seed)
        assert np.random.random() == rest
    x = pictures(1)[0]
    assert_same(ours.random_transform(x, seed=3), theirs.random_transform(x, seed=3))


def test_copies_are_saved(tmp_path):
    x = pictures(3)
    batches = ImageDataGenerator().flow(
        x, batch_size=2, shuffle=False, save_to_dir=tmp_path, save_prefix="p", save_format="jpeg"
    )
    next(batches)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:4] for name in names] == ["p_0_", "p_1_"]
    assert all(name.endswith(".jpeg") for name in names)


def test_an_iterator_is_a_sequence():
    batches = ImageDataGenerator().flow(pictures(5), batch_size=2)
    assert isinstance(batches, Sequence)
    assert isinstance(batches, Iterator)
    assert iter(batches) is batches
    assert len(batches) == 3
    assert batches.batch_index == batches.total_batches_seen == 0
    for idx in (3, -1):
        with pytest.raises(
            ValueError, match=f"retrieve element {idx}, but the Sequence has length 3"
        ):
            batches[idx]
    with pytest.raises(NotImplementedError, match="Iterator does not define"):
        Iterator(1, 1, False, None)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_format": "last"}, "Unknown data_format: last"),
        ({"validation_split": 1.5}, "`validation_split` must be strictly between 0 and 1"),
        ({"zoom_range": (1, 2, 3)}, "`zoom_range` should be a tuple or list of two floats"),
        ({"brightness_range": 0.5}, "`brightness_range` should be a tuple or list of two floats"),
        ({"width_shift_range": "a"}, "`width_shift_range` has no meaning"),
        ({"height_shift_range": -2}, "`height_shift_range` has no meaning"),
    ],
)
def test_arguments_without_meaning(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator(**arguments)


@pytest.mark.filterwarnings("error:This ImageDataGenerator")
@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ({"zca_whitening": True}, {"featurewise_center": True}),
        ({"featurewise_std_normalization": True}, {"featurewise_center": True}),
        ({"samplewise_std_normalization": True}, {"samplewise_center": True}),
    ],
)
def test_overrides_are_told(arguments, changed):
    ((name, value),) = changed.items()
    with pytest.warns(UserWarning, match=f"overrides setting of `{name}`") as caught:
        generator = ImageDataGenerator(**arguments)
    assert getattr(generator, name) is value
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("error:This ImageDataGenerator")
@pytest.mark.parametrize("name", ["featurewise_center", "zca_whitening"])
def test_unfitted_generators_warn(name):
    generator = ImageDataGenerator(**{"featurewise_center": True, name: True})
    generator.mean = np.float32(0) if name == "zca_whitening" else None
    with pytest.warns(UserWarning, match=f"`{name}`, but it hasn't been fit on any training data"):
        generator.standardize(pictures(1)[0])


def test_data_that_do_not_fit():
    flow, x = ImageDataGenerator(validation_split=0.5).flow, pictures(4)
    with pytest.raises(ValueError, match=r"Found: x.shape = \(4, 6, 8, 3\), y.shape = \(3,\)"):
        flow(x, np.arange(3))
    with pytest.raises(ValueError, match=r"`sample_weight`.*sample_weight.shape = \(2,\)"):
        flow(x, np.arange(4), sample_weight=[1, 2])
    with pytest.raises(ValueError, match=r"len\(x\[0\]\) = 4, len\(x\[\?\]\) = 5"):
        flow((x, np.arange(5)))
    with pytest.raises(ValueError, match="`x` is a list or tuple that is no pair"):
        flow([x, x, x])
    with pytest.raises(ValueError, match=r"should have rank 4. You passed .* \(6, 8, 3\)"):
        flow(x[0])
    with pytest.raises(ValueError, match="Invalid subset name: test"):
        flow(x, subset="test")
    with pytest.raises(ValueError, match="different number of classes after the split"):
        flow(x, np.array([0, 0, 1, 1]), subset="training")
    with pytest.raises(ValueError, match=r"`.fit\(\)` should have rank 4"):
        ImageDataGenerator().fit(x[0])
    with pytest.warns(UserWarning, match=r"1, 3 or 4 channels on axis 3.*\(5 channels\)"):
        flow(pictures(channels=5))
    with pytest.warns(UserWarning, match="1, 3 or 4 channels on axis 1"):
        ImageDataGenerator(data_format="channels_first").fit(x)
