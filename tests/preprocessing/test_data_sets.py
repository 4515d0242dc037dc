"""Data sets that give batches by number: folders, texts, windows, splits; order like Keras 3."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from folders import fill
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.utils import dataset_utils  # its order of files, without TensorFlow

import kgraph
from kgraph.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from kgraph.preprocessing.image.resizing import resize
from kgraph.utils import (
    PyDataset,
    Sequence,
    image_dataset_from_directory,
    split_dataset,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)

COUNTS = {"a": 3, "b": 4, "c": 1}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of three folders with 3, 4 and 1 images, and a hidden one."""
    folder = fill(tmp_path_factory.mktemp("pictures"), COUNTS)
    (folder / ".cache").mkdir()
    return folder


def file_order(folder, seed, **options):
    """Keras 3's files of a folder."""
    return dataset_utils.index_directory(
        str(folder), "inferred", formats=(".png",), seed=seed, verbose=False, **options
    )


@pytest.mark.parametrize("options", [{}, {"class_names": ["c", "a"]}, {"shuffle": False}])
def test_files_in_the_order_of_keras(pictures, options, capsys):
    found = image_dataset_from_directory(pictures, seed=5, image_size=4, **options)
    paths, labels, names = file_order(pictures, 5, **options)
    assert found.file_paths == paths
    assert found.class_names == names
    assert np.concatenate([y for _, y in found]).tolist() == labels.tolist()
    out = capsys.readouterr().out
    assert out == f"Found {len(paths)} files belonging to {len(names)} classes.\n"


def test_the_pixels_of_a_batch(pictures):
    batches = image_dataset_from_directory(
        pictures, label_mode="categorical", batch_size=3, seed=1, image_size=(5, 6), verbose=False
    )
    assert isinstance(batches, PyDataset)
    assert [len(x) for x, _ in batches] == [3, 3, 2]
    x, y = batches[0]
    assert x.dtype == y.dtype == np.float32
    assert y.shape == (3, 3)
    for i, path in enumerate(batches.file_paths[:3]):
        np.testing.assert_array_equal(x[i], resize(img_to_array(load_img(path)), (5, 6)))
        assert batches.class_names[int(y[i].argmax())] in path


@pytest.mark.parametrize("way", [{"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])
def test_shapes_without_distortion(pictures, way):
    options = {"image_size": (4, 4), "labels": None, "verbose": False, "seed": 0, **way}
    last = image_dataset_from_directory(pictures, **options)[0]
    first = image_dataset_from_directory(pictures, data_format="channels_first", **options)[0]
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
    grey = image_dataset_from_directory(pictures, color_mode="grayscale", **options)[0]
    assert grey.shape == (8, 4, 4, 1)


def test_other_processes_can_read(pictures):
    batches = image_dataset_from_directory(pictures, seed=1, image_size=3, verbose=False)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(batches))[0][0], batches[0][0])
    flow = ImageDataGenerator(rotation_range=9).flow_from_directory(pictures, (4, 4), seed=2)
    again = pickle.loads(pickle.dumps(flow))
    np.testing.assert_array_equal(again[0][0], flow[0][0])
    np.testing.assert_array_equal(next(again)[0], next(flow)[0])


def test_epochs_are_shuffled(pictures):
    options = {"image_size": 2, "batch_size": 8, "verbose": False}
    moving = image_dataset_from_directory(pictures, seed=3, **options)
    same = image_dataset_from_directory(pictures, seed=3, **options)
    still = image_dataset_from_directory(pictures, shuffle=False, **options)
    first, resting = moving[0][0], still[0][0]
    for batches in (moving, same, still):
        batches.on_epoch_end()
    assert not np.array_equal(moving[0][0], first)
    np.testing.assert_array_equal(moving[0][0], same[0][0])
    np.testing.assert_array_equal(still[0][0], resting)


def test_parts_do_not_overlap(pictures, capsys):
    options = {"validation_split": 0.3, "seed": 2, "image_size": 2}
    train, valid = image_dataset_from_directory(pictures, subset="both", **options)
    paths = file_order(pictures, 2)[0]
    assert train.file_paths == paths[:6]
    assert valid.file_paths == paths[6:]
    assert "Using 6 files for training.\nUsing 2 files for validation." in capsys.readouterr().out
    for subset, both in (("training", train), ("validation", valid)):
        alone = image_dataset_from_directory(pictures, subset=subset, **options)
        assert alone.file_paths == both.file_paths


def test_single_samples_and_given_labels(pictures):
    options = {"shuffle": False, "verbose": False, "image_size": 2}
    single = image_dataset_from_directory(pictures, batch_size=None, **options)
    assert len(single) == 8
    assert single[7][0].shape == (2, 2, 3)
    assert single[7][1] == 2
    given = image_dataset_from_directory(pictures, labels=[5, 6] * 4, **options)
    assert given.class_names == ["5", "6"]
    assert given[0][1].tolist() == [5, 6] * 4
    pair = image_dataset_from_directory(
        pictures, label_mode="binary", class_names=["a", "b"], **options
    )
    assert pair[0][1].tolist() == [[0.0]] * 3 + [[1.0]] * 4
    with pytest.raises(IndexError, match="batch 8 of 8"):
        single[8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "all"}, "`labels` argument should be a list/tuple of integer labels"),
        ({"labels": [1]}, r"len\(labels\) is 1 while we found 8 files"),
        ({"labels": None, "class_names": ["a"]}, "You can only pass `class_names`"),
        ({"class_names": ["z"]}, "`class_names` passed did not match"),
        ({"label_mode": "one"}, "`label_mode` argument must be one of"),
        ({"label_mode": "binary"}, "there must be exactly 2 class_names"),
        ({"validation_split": 2.0, "subset": "both"}, "must be between 0 and 1, received: 2.0"),
        ({"validation_split": 0.2}, "If `subset` is set, `validation_split` must be set"),
        ({"validation_split": 0.2, "subset": "test"}, "`subset` must be one of"),
        ({"validation_split": 0.2, "subset": "both"}, "you must provide a `seed`"),
        (
            {"validation_split": 0.01, "subset": "both", "seed": 1},
            "No validation image files found in directory",
        ),
        ({"color_mode": "cmyk"}, "`color_mode` must be one of"),
        ({"image_size": (1, 2, 3)}, "Invalid `image_size` value"),
        ({"interpolation": "area"}, "Unknown interpolation: 'area'"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
    ],
)
def test_folders_refuse(pictures, options, message):
    with pytest.raises(ValueError, match=message):
        image_dataset_from_directory(pictures, verbose=False, **options)


def test_texts_of_folders(tmp_path, capsys):
    for name, texts in {"bad": ["dull", "ünder"], "good": ["fine film"]}.items():
        (tmp_path / name).mkdir()
        for i, text in enumerate(texts):
            (tmp_path / name / f"{i}.txt").write_text(text, encoding="utf-8")
    batches = text_dataset_from_directory(tmp_path, shuffle=False, max_length=4, batch_size=2)
    assert capsys.readouterr().out == "Found 3 files belonging to 2 classes.\n"
    assert [(x.tolist(), y.tolist()) for x, y in batches] == [
        (["dull", "ünde"], [0, 0]),
        (["fine"], [1]),
    ]
    alone = text_dataset_from_directory(tmp_path, label_mode=None, batch_size=None, shuffle=False)
    assert list(alone) == ["dull", "ünder", "fine film"]
    assert capsys.readouterr().out == "Found 3 files.\n"
    with pytest.raises(ValueError, match="No text files found in directory"):
        text_dataset_from_directory(tmp_path / "bad", verbose=False)
    assert kgraph.preprocessing.text_dataset_from_directory is text_dataset_from_directory


@settings(max_examples=50)
@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([None, 1, 4, 50]),
    st.sampled_from([(None, None), (0, 9), (3, None), (2, 17)]),
    st.booleans(),
)
def test_windows_start_at_their_target(length, stride, rate, batch_size, bounds, with_targets):
    data, targets = np.random.rand(20, 2), np.arange(20)
    found = timeseries_dataset_from_array(
        data, targets if with_targets else None, length, stride, rate, batch_size,
        start_index=bounds[0], end_index=bounds[1],
    )  # fmt: skip
    start, end = bounds[0] or 0, bounds[1] or 20
    rows = list(range(start, end - (length - 1) * rate, stride))
    expected = [data[row : row + (length - 1) * rate + 1 : rate] for row in rows]
    made = list(found)
    windows = [x for x, _ in made] if with_targets else made
    ys = [y for _, y in made] if with_targets else []
    if batch_size is not None:
        windows = [x for batch in windows for x in batch]
        ys = [y for batch in ys for y in batch]
    assert len(windows) == len(rows)
    for window, wanted in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window, wanted)
    assert not with_targets or ys == rows


def test_shuffled_windows():
    first, again = (
        timeseries_dataset_from_array(np.arange(30), None, 2, shuffle=True, seed=1)
        for _ in range(2)
    )
    order = np.arange(29)
    np.random.RandomState(1).shuffle(order)  # Keras's order before its buffer
    assert first[0][:, 0].tolist() == order.tolist()
    first.on_epoch_end()
    assert first[0][:, 0].tolist() != order.tolist()
    assert again[0][:, 0].tolist() == order.tolist()
    assert sorted(first[0][:, 0]) == list(range(29))
    short = timeseries_dataset_from_array(np.arange(30), np.arange(5), 2)
    assert short[0][1].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_index": 9}, "`start_index` must be 0 or greater and lower"),
        ({"end_index": 9}, "`end_index` must be higher than `start_index` and lower"),
        ({"start_index": 4, "end_index": 4}, "`end_index` must be higher than `start_index`"),
        ({"sampling_rate": 0}, "`sampling_rate` must be higher than 0"),
        ({"sequence_stride": 9}, "`sequence_stride` must be higher than 0 and lower"),
    ],
)
def test_windows_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(9), None, 2, **options)


def test_splits():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    left, right = split_dataset((x, y), left_size=0.6, right_size=0.2)
    assert isinstance(left, tuple)
    assert left[1].tolist() == [0, 1, 2, 3, 4, 5]
    assert right[1].tolist() == [8, 9]
    left, right = split_dataset([x, y], right_size=3, shuffle=True, seed=1)
    np.testing.assert_array_equal(left[0][:, 0], 2 * left[1])
    assert sorted([*left[1], *right[1]]) == list(range(10))
    order = list(range(10))
    random.Random(1).shuffle(order)
    assert left[1].tolist() == order[:7]
    sizes = dataset_utils._rescale_dataset_split_sizes(None, 0.25, 10)
    assert tuple(len(part) for part in split_dataset(y, right_size=0.25)) == sizes


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.arange(4),), ValueError, "At least one of the `left_size` or `right_size`"),
        ((np.arange(4), 4), ValueError, "`left_size` should be either a positive integer"),
        ((np.arange(4), None, 1.5), ValueError, "`right_size` should be either"),
        ((np.arange(4), "half"), TypeError, "Invalid `left_size` Type"),
        ((np.arange(4), 3, 3), ValueError, "do not split 4 samples into two parts"),
        ((np.arange(4), 0.01), ValueError, "do not split 4 samples into two parts"),
        (({1: 2}, 1), TypeError, "must be an array or a list/tuple of arrays"),
        (([[1, 2], [3, 4]], 1), TypeError, "Expected a list of `numpy.ndarray` objects"),
        (([np.arange(4), np.arange(5)], 1), ValueError, "array 1 has another length"),
    ],
)
def test_splits_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        split_dataset(*arguments)


class Counting(Sequence):
    """Three batches; the constructor of the base class is not called."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index

    def on_epoch_end(self):
        self.epochs += 1


def test_the_base_class():
    assert Sequence is PyDataset
    numbers = Counting()
    assert list(numbers) == list(numbers) == [0, 1, 2]
    assert (numbers.workers, numbers.use_multiprocessing, numbers.max_queue_size) == (1, False, 10)
    assert numbers.num_batches == 3
    assert PyDataset(workers=3).workers == 3
    with pytest.raises(NotImplementedError, match="PyDataset does not define __len__"):
        len(PyDataset())
    with pytest.raises(NotImplementedError, match="does not define __getitem__"):
        PyDataset()[0]


def test_data_without_end():
    class Endless(Counting):
        num_batches = None

    numbers = iter(Endless())
    assert [next(numbers) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_texts_and_sequences_need_numpy_alone():
    code = "import sys, kgraph.preprocessing.text, kgraph.preprocessing.sequence\n"
    code += "print([m for m in ('PIL', 'scipy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_lazy_face():
    assert kgraph.preprocessing.sequence.pad_sequences is kgraph.utils.pad_sequences
    assert kgraph.preprocessing.image.load_img is kgraph.utils.load_img
    assert kgraph.utils.data_utils.Sequence is Sequence
    assert "text" in dir(kgraph.preprocessing)
    with pytest.raises(AttributeError, match="no attribute 'sound'"):
        kgraph.preprocessing.sound  # noqa: B018
