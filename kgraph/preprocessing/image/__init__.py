"""Images as arrays: files, random changes, batches. Needs SciPy and Pillow (the extra `image`)."""

from kgraph.preprocessing.image.affine import apply_affine_transform
from kgraph.preprocessing.image.arrays import NumpyArrayIterator
from kgraph.preprocessing.image.dataframe import DataFrameIterator
from kgraph.preprocessing.image.directory import DirectoryIterator
from kgraph.preprocessing.image.files import array_to_img, img_to_array, load_img, save_img
from kgraph.preprocessing.image.generator import ImageDataGenerator
from kgraph.preprocessing.image.iterators import Iterator
from kgraph.preprocessing.image.resizing import smart_resize
from kgraph.preprocessing.image.transforms import (
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "flip_axis",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]
