"""Image files in folders and tables: batches like keras-preprocessing 1.1.2 under equal seeds."""

import keras_preprocessing.image as keras2
import numpy as np
import pandas as pd
import pytest
from folders import fill
from same_batches import KERAS2_WARNINGS, assert_same

from kgraph.preprocessing import image
from kgraph.preprocessing.image import ImageDataGenerator
from kgraph.preprocessing.image.dataframe import DataFrameIterator

pytestmark = KERAS2_WARNINGS
COUNTS = {"cats": 4, "dogs": 3, "owls": 2}
SETTINGS = {"rotation_range": 20, "horizontal_flip": True, "rescale": 1 / 255}


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of three folders with 4, 3 and 2 images."""
    folder = fill(tmp_path_factory.mktemp("pets"), COUNTS)
    (folder / "cats" / "old").mkdir()
    image.save_img(folder / "cats" / "old" / "deep.PNG", np.eye(6)[..., None])
    return folder


@pytest.fixture(scope="module")
def table(pets):
    """A table of the images, with names, several names, numbers and weights."""
    paths = sorted(path.relative_to(pets).as_posix() for path in pets.rglob("*.png"))
    names = [path.split("/")[0] for path in paths]
    rows = {
        "filename": paths,
        "class": names,
        "pair": [["cats", "big"] if name == "cats" else (name,) for name in names],
        "two": ["odd" if i % 2 else "even" for i in range(len(paths))],
        "size": np.arange(len(paths)) / 2,
        "count": range(len(paths)),
        "weight": np.linspace(1, 2, len(paths)),
    }
    return pd.DataFrame(rows)


def assert_flows_same(method, settings, *arguments, **options):
    """Both packages find the same files and give the same batches; returns our iterator."""
    iterators = []
    for module in (image, keras2):
        np.random.seed(0)
        generator = module.ImageDataGenerator(**settings)
        iterator = getattr(generator, method)(*arguments, **options)
        iterators.append((iterator, [next(iterator) for _ in range(5)] + [iterator[0]]))
    (ours, found), (theirs, expected) = iterators
    for name in ("filenames", "samples", "n", "image_shape", "class_mode", "batch_size"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert [str(p) for p in ours.filepaths] == [str(p) for p in theirs.filepaths]
    assert getattr(ours, "class_indices", None) == getattr(theirs, "class_indices", None)
    assert list(getattr(ours, "classes", [])) == list(getattr(theirs, "classes", []))
    for batch, wanted in zip(found, expected, strict=True):
        assert_same(batch, wanted)
    return ours


DIRECTORIES = [
    {},
    {"class_mode": "sparse", "color_mode": "grayscale", "seed": 4},
    {"class_mode": "binary", "classes": ["owls", "cats"], "color_mode": "rgba"},
    {"class_mode": "input", "interpolation": "bilinear"},
    {"class_mode": None, "shuffle": False, "target_size": [5, 4]},
    {"subset": "training", "seed": 1},
    {"subset": "validation", "shuffle": False},
]


@pytest.mark.parametrize("options", DIRECTORIES, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_folders_like_keras(pets, options, data_format, capsys):
    settings = {**SETTINGS, "validation_split": 0.4, "data_format": data_format}
    options = {"target_size": (8, 6), "batch_size": 3, **options}
    assert_flows_same("flow_from_directory", settings, str(pets), **options)
    ours, theirs = capsys.readouterr().out.splitlines()
    assert ours == theirs
    assert ours.startswith("Found ")


def test_what_an_iterator_of_folders_tells(pets, capsys):
    batches = ImageDataGenerator().flow_from_directory(pets, shuffle=False, batch_size=4)
    assert capsys.readouterr().out == "Found 10 images belonging to 3 classes.\n"
    assert batches.class_indices == {"cats": 0, "dogs": 1, "owls": 2}
    assert batches.classes.tolist() == [0] * 5 + [1] * 3 + [2] * 2
    assert batches.filenames[4].endswith("deep.PNG")
    assert len(batches) == 3
    assert batches[2][0].shape == (2, 256, 256, 3)


def test_copies_of_files_are_saved(pets, tmp_path):
    options = {"save_prefix": "x", "save_format": "png", "target_size": (4, 4), "batch_size": 2}
    batches = ImageDataGenerator().flow_from_directory(pets, save_to_dir=tmp_path, **options)
    next(batches)
    assert len(list(tmp_path.glob("x_*.png"))) == 2


def test_links_and_tiffs(pets, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "cats").symlink_to(pets / "cats")
    flow = ImageDataGenerator().flow_from_directory
    assert flow(tmp_path).samples == 0
    assert flow(tmp_path, follow_links=True).samples == 5
    image.save_img(tmp_path / "all" / "a.tiff", np.ones((4, 4, 3)))
    with pytest.warns(UserWarning, match='".tiff" files with multiple bands'):
        assert flow(tmp_path).samples == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"color_mode": "cmyk"}, ValueError, "Invalid color mode: cmyk"),
        ({"class_mode": "raw"}, ValueError, "Invalid class_mode: raw; expected one of:"),
        ({"subset": "test"}, ValueError, "Invalid subset name: test"),
        ({"classes": ["cats", "cows"]}, FileNotFoundError, "No such class directory: '.*cows'"),
    ],
)
def test_folders_refuse(pets, options, error, message):
    with pytest.raises(error, match=message):
        ImageDataGenerator(validation_split=0.5).flow_from_directory(pets, **options)


TABLES = [
    {"class_mode": "categorical", "seed": 2},
    {"class_mode": "categorical", "y_col": "pair"},
    {"class_mode": "categorical", "y_col": "pair", "classes": ["big", "owls"]},
    {"class_mode": "sparse", "classes": ["owls", "cats"], "weight_col": "weight"},
    {"class_mode": "binary", "y_col": "two"},
    {"class_mode": "raw", "y_col": "size"},
    {"class_mode": "raw", "y_col": ["size", "count"], "weight_col": "weight"},
    {"class_mode": "multi_output", "y_col": ["size", "class"], "subset": "validation"},
    {"class_mode": "input", "subset": "training"},
    {"class_mode": None, "shuffle": False, "validate_filenames": False},
]


@pytest.mark.parametrize("options", TABLES, ids=lambda o: f"{o['class_mode']}-{len(o)}")
def test_tables_like_keras(pets, table, options, capsys):
    settings = {**SETTINGS, "validation_split": 0.4}
    options = {"target_size": (6, 6), "batch_size": 4, **options}
    before = table.copy()
    assert_flows_same("flow_from_dataframe", settings, table, str(pets), **options)
    ours, theirs = capsys.readouterr().out.splitlines()
    assert ours == theirs
    pd.testing.assert_frame_equal(table, before)


def test_missing_files_are_left_out(pets, table):
    rows = pd.concat([table[:2], pd.DataFrame({"filename": ["no.png"], "class": ["cats"]})])
    with pytest.warns(UserWarning, match='Found 1 invalid image filename.* x_col="filename"'):
        batches = ImageDataGenerator().flow_from_dataframe(rows, pets)
    assert batches.samples == 2


def test_absolute_paths_and_no_generator(pets, table):
    rows = table.assign(filename=[str(pets / name) for name in table["filename"]])
    batches = DataFrameIterator(rows, target_size=(3, 3), class_mode="sparse", shuffle=False)
    x, y = batches[0]
    assert x.shape == (9, 3, 3, 3)
    assert y.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"class_mode": "other"}, ValueError, "Invalid class_mode: other"),
        ({"class_mode": "multi_output"}, TypeError, "y_col must be a list. Received str"),
        ({"y_col": ["class", "two"]}, TypeError, "y_col must be one column"),
        ({"class_mode": "sparse", "y_col": "count"}, TypeError, "values must be strings"),
        ({"class_mode": "categorical", "y_col": "size"}, TypeError, "string, list or tuple"),
        ({"class_mode": "binary"}, ValueError, "there must be 2 classes. Found 3 classes"),
        ({"class_mode": "binary", "classes": ["a"]}, ValueError, "1 class/es were given"),
        ({"weight_col": "class"}, TypeError, "Column weight_col=class must be numeric"),
        ({"x_col": "count"}, TypeError, "All values in column x_col=count must be strings"),
        ({"y_col": "klass"}, ValueError, "no column 'klass'"),
    ],
)
def test_tables_refuse(pets, table, options, error, message):
    with pytest.raises(error, match=message):
        ImageDataGenerator().flow_from_dataframe(table, pets, **options)


def test_unused_classes_are_told(pets, table):
    with pytest.warns(UserWarning, match='`classes` will be ignored given the class_mode="raw"'):
        ImageDataGenerator().flow_from_dataframe(
            table, pets, y_col="size", class_mode="raw", classes=["cats"]
        )
