"""Arguments have Keras 2's names, order and defaults; ours come after them."""

import inspect

import keras_preprocessing.image
import keras_preprocessing.sequence
import keras_preprocessing.text
import pytest

from kgraph import preprocessing

NAMES = {
    "sequence": (
        "pad_sequences skipgrams make_sampling_table TimeseriesGenerator "
        "timeseries_generator_from_json"
    ),
    "text": "text_to_word_sequence one_hot hashing_trick Tokenizer tokenizer_from_json",
    "image": (
        "ImageDataGenerator ImageDataGenerator.flow ImageDataGenerator.flow_from_directory "
        "ImageDataGenerator.flow_from_dataframe ImageDataGenerator.fit "
        "ImageDataGenerator.standardize ImageDataGenerator.random_transform "
        "ImageDataGenerator.get_random_transform ImageDataGenerator.apply_transform "
        "NumpyArrayIterator DirectoryIterator DataFrameIterator Iterator "
        "random_rotation random_shift random_shear random_zoom random_channel_shift "
        "random_brightness apply_channel_shift apply_brightness_shift apply_affine_transform "
        "flip_axis load_img save_img img_to_array array_to_img"
    ),
}
# Which Keras 2 reads from its global settings, as `keras.preprocessing` did.
SETTINGS = ("data_format", "dtype")


def arguments(module, path):
    """(name, default) of the arguments of what `path` names, without collecting ones."""
    value = module
    for name in path.split("."):
        value = getattr(value, name)
    # Classes there have a `__new__` that takes anything.
    function = value.__init__ if inspect.isclass(value) else value
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in found if p.kind is not p.VAR_KEYWORD]


@pytest.mark.parametrize("module", NAMES)
def test_arguments_are_those_of_keras(module):
    ours, theirs = getattr(preprocessing, module), getattr(keras_preprocessing, module)
    for path in NAMES[module].split():
        expected = arguments(theirs, path)
        found = arguments(ours, path)[: len(expected)]
        assert [name for name, _ in found] == [name for name, _ in expected], path
        for (name, default), (_, wanted) in zip(found, expected, strict=True):
            assert default == wanted or name in SETTINGS, (path, name)
