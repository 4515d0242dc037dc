"""ImageDataGenerator: how images are changed at random and normalised, batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph.config import floatx
from kgraph.preprocessing.image.affine import apply_affine_transform
from kgraph.preprocessing.image.arrays import NumpyArrayIterator
from kgraph.preprocessing.image.dataframe import DataFrameIterator
from kgraph.preprocessing.image.directory import DirectoryIterator
from kgraph.preprocessing.image.drawing import (
    check_shift,
    draw_around,
    draw_shift,
    draw_zoom,
    pair,
)
from kgraph.preprocessing.image.files import known_format
from kgraph.preprocessing.image.normalising import fit, standardize
from kgraph.preprocessing.image.transforms import (
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
)


@dataclass(eq=False)
class ImageDataGenerator:
    """Makes batches of images that are changed at random and normalised.

    An image goes through: rotation, shift, shear and zoom in one interpolation; channel shift;
    horizontal flip; vertical flip; brightness; then `preprocessing_function`, `rescale`, the
    samplewise and the featurewise steps, and whitening. Random numbers come from NumPy's global
    generator in Keras 2's order: equal seeds give Keras's images.

    Args:
        featurewise_center: whether to subtract the mean of the data that `fit` saw.
        samplewise_center: whether to subtract the mean of each image.
        featurewise_std_normalization: whether to divide by the deviation of what `fit` saw.
        samplewise_std_normalization: whether to divide by the deviation of each image.
        zca_whitening: whether to decorrelate the pixels.
        zca_epsilon: what keeps whitening from dividing by zero.
        rotation_range: the largest angle, in degrees.
        width_shift_range: a float below 1 is a fraction of the width, one from 1 on pixels; an
            integer n draws from 0, ..., n - 1 pixels, a list from its entries, either way.
        height_shift_range: the same along the height.
        brightness_range: the least and the largest factor. Values are stretched to 0 to 255.
        shear_range: the largest angle, in degrees.
        zoom_range: the least and the largest factor; a float z means [1 - z, 1 + z].
        channel_shift_range: the largest number that is added to all pixels of an image.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        horizontal_flip: whether half of the images are mirrored left to right.
        vertical_flip: whether half of the images are mirrored top to bottom.
        rescale: a factor for all values; None or 0 for none.
        preprocessing_function: called with each changed image, returns one of the same shape.
        data_format: axis order of the images; default the global setting.
        validation_split: the first fraction of the data is `subset="validation"`.
        interpolation_order: of the splines that interpolate.
        dtype: of the batches; None for floatx.

    Raises:
        ValueError: an argument has no meaning.

    Example:
        >>> generator = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True)
        >>> batches = generator.flow(np.ones((5, 8, 8, 3)), np.arange(5), batch_size=2, seed=1)
        >>> len(batches), next(batches)[0].shape
        (3, (2, 8, 8, 3))
    """

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6
    rotation_range: float = 0
    width_shift_range: Any = 0.0
    height_shift_range: Any = 0.0
    brightness_range: Any = None
    shear_range: float = 0.0
    zoom_range: Any = 0.0
    channel_shift_range: float = 0.0
    fill_mode: str = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rescale: float | None = None
    preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None
    data_format: Any = None
    validation_split: float = 0.0
    interpolation_order: int = 1
    dtype: Any = "float32"
    mean: np.ndarray | None = field(default=None, init=False, repr=False)
    std: np.ndarray | None = field(default=None, init=False, repr=False)
    principal_components: np.ndarray | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.data_format = known_format(self.data_format)
        self.dtype = floatx() if self.dtype is None else self.dtype
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        if self.validation_split and not 0 < self.validation_split < 1:
            raise ValueError(
                "`validation_split` must be strictly between 0 and 1. "
                f"Received: {self.validation_split}"
            )
        if np.ndim(self.zoom_range) == 0:
            self.zoom_range = [1 - self.zoom_range, 1 + self.zoom_range]
        self.zoom_range = list(pair("zoom_range", self.zoom_range))
        if self.brightness_range is not None:
            pair("brightness_range", self.brightness_range)
        for name in ("width_shift_range", "height_shift_range"):
            check_shift(name, getattr(self, name))
        self._settle_normalisations()

    def _settle_normalisations(self) -> None:
        """What one normalisation needs of another; a warning says what was changed."""
        if self.zca_whitening:
            self._override("zca_whitening", "featurewise_center", True)
            self._override("zca_whitening", "featurewise_std_normalization", False)
        for kind in ("featurewise", "samplewise"):
            if getattr(self, f"{kind}_std_normalization"):
                self._override(f"{kind}_std_normalization", f"{kind}_center", True)

    def _override(self, by: str, name: str, value: bool) -> None:
        if bool(getattr(self, name)) is not value:
            setattr(self, name, value)
            warnings.warn(
                f"This ImageDataGenerator specifies `{by}`, which overrides setting of `{name}`.",
                stacklevel=5,
            )

    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True,
        sample_weight: Any = None, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
    ) -> NumpyArrayIterator:  # fmt: skip
        """Batches of images in memory.

        Args:
            x: images, an array of four axes; or a pair (images, array or list of arrays), where
                what stands second goes into the batches as it is.
            y: targets, passed on.
            batch_size: images in a batch.
            shuffle: whether each epoch has an order of its own.
            sample_weight: weights of the images, passed on.
            seed: of order and changes.
            save_to_dir: a folder for copies of what is given out.
            save_prefix: of the names of the copies.
            save_format: "png" or "jpeg".
            subset: "training" or "validation", the parts of `validation_split`.

        Returns:
            An endless iterator over x, (x, y) or (x, y, sample_weight); also a `Sequence`.

        Raises:
            ValueError: lengths or axes do not fit.

        Example:
            >>> batches = ImageDataGenerator().flow(np.ones((3, 4, 4, 1)), shuffle=False)
            >>> batches[0].shape
            (3, 4, 4, 1)
        """
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, sample_weight, seed, self.data_format, save_to_dir,
            save_prefix, save_format, subset, self.dtype,
        )  # fmt: skip

    def flow_from_directory(
        self, directory: Any, target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical", batch_size: int = 32,
        shuffle: bool = True, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", follow_links: bool = False,
        subset: str | None = None, interpolation: str = "nearest",
    ) -> DirectoryIterator:  # fmt: skip
        """Batches of image files, one folder a class.

        Args:
            directory: the folder of the folders.
            target_size: (height, width) of the batches.
            color_mode: "rgb", "rgba" or "grayscale".
            classes: names of the folders, in the order of their numbers; default all, sorted.
            class_mode: "categorical" (one-hot rows), "binary" or "sparse" (numbers), "input" (the
                images themselves) or None (no targets).
            batch_size: images in a batch.
            shuffle: whether each epoch has an order of its own.
            seed: of order and changes.
            save_to_dir: a folder for copies of what is given out.
            save_prefix: of the names of the copies.
            save_format: "png" or "jpeg".
            follow_links: whether to follow links to folders.
            subset: "training" or "validation", the parts of `validation_split` in each class.
            interpolation: of the resizing.

        Returns:
            An endless iterator over (x, y) or x; also a `Sequence`.

        Raises:
            ValueError: an argument has no meaning.
            FileNotFoundError: a folder does not exist.
        """
        return DirectoryIterator(
            directory, self, target_size, color_mode, classes, class_mode, batch_size, shuffle,
            seed, self.data_format, save_to_dir, save_prefix, save_format, follow_links, subset,
            interpolation, self.dtype,
        )  # fmt: skip

    def flow_from_dataframe(
        self, dataframe: Any, directory: Any = None, x_col: str = "filename", y_col: Any = "class",
        weight_col: str | None = None, target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        subset: str | None = None, interpolation: str = "nearest", validate_filenames: bool = True,
    ) -> DataFrameIterator:  # fmt: skip
        """Batches of image files that a pandas table names.

        Args:
            dataframe: the table, one row an image.
            directory: the folder to which the paths are relative.
            x_col: the column of the paths.
            y_col: the column of the targets; a list of columns for "multi_output" and "raw".
            weight_col: the column of the weights.
            target_size: (height, width) of the batches.
            color_mode: "rgb", "rgba" or "grayscale".
            classes: rows of other classes are left out; numbers go by the sorted names.
            class_mode: as in `flow_from_directory`; "categorical" takes lists of names too, "raw"
                gives the values of the columns, "multi_output" a list of them.
            batch_size: images in a batch.
            shuffle: whether each epoch has an order of its own.
            seed: of order and changes.
            save_to_dir: a folder for copies of what is given out.
            save_prefix: of the names of the copies.
            save_format: "png" or "jpeg".
            subset: "training" or "validation", the parts of `validation_split`.
            interpolation: of the resizing.
            validate_filenames: whether to leave out rows whose file does not exist.

        Returns:
            An endless iterator over (x, y), (x, y, weights) or x; also a `Sequence`.

        Raises:
            ValueError: an argument has no meaning.
            TypeError: a column holds other values than `class_mode` needs.
        """
        return DataFrameIterator(
            dataframe, directory, self, x_col, y_col, weight_col, target_size, color_mode, classes,
            class_mode, batch_size, shuffle, seed, self.data_format, save_to_dir, save_prefix,
            save_format, subset, interpolation, self.dtype, validate_filenames,
        )  # fmt: skip

    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None
    ) -> dict[str, Any]:
        """Draws what is to be done to one image.

        Args:
            img_shape: of the image, without batch axis.
            seed: of NumPy's global generator.

        Returns:
            theta, tx, ty, shear, zx, zy, flip_horizontal, flip_vertical,
            channel_shift_intensity and brightness; None for what is not asked for.

        Example:
            >>> ImageDataGenerator(rotation_range=5).get_random_transform((4, 4, 3))["tx"]
            0
        """
        if seed is not None:
            np.random.seed(seed)
        # Each line draws; their order is what makes seeds give Keras's numbers.
        theta = draw_around(self.rotation_range)
        tx = draw_shift(self.height_shift_range, img_shape[self.row_axis - 1])
        ty = draw_shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = draw_around(self.shear_range)
        zx, zy = draw_zoom(*self.zoom_range)
        flip_horizontal = bool(np.random.random() < 0.5) and self.horizontal_flip
        flip_vertical = bool(np.random.random() < 0.5) and self.vertical_flip
        shift = draw_around(self.channel_shift_range) if self.channel_shift_range else None
        light = None if self.brightness_range is None else np.random.uniform(*self.brightness_range)
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": flip_horizontal,
            "flip_vertical": flip_vertical,
            "channel_shift_intensity": shift,
            "brightness": light,
        }

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """Changes one image.

        Args:
            x: an image of three axes.
            transform_parameters: as from `get_random_transform`; what is absent is not done.

        Returns:
            An array of the same shape.

        Example:
            >>> x = np.arange(2.0).reshape(1, 2, 1)
            >>> ImageDataGenerator().apply_transform(x, {"flip_horizontal": True})[0, :, 0]
            array([1., 0.])
        """
        do = transform_parameters
        rows, cols, channels = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x, do.get("theta", 0), do.get("tx", 0), do.get("ty", 0), do.get("shear", 0),
            do.get("zx", 1), do.get("zy", 1), row_axis=rows, col_axis=cols, channel_axis=channels,
            fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order,
        )  # fmt: skip
        if do.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, do["channel_shift_intensity"], channels)
        x = flip_axis(x, cols) if do.get("flip_horizontal") else x
        x = flip_axis(x, rows) if do.get("flip_vertical") else x
        if do.get("brightness") is not None:
            x = apply_brightness_shift(x, do["brightness"], data_format=self.data_format)
        return x

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Changes one image at random.

        Args:
            x: an image of three axes.
            seed: of NumPy's global generator.

        Returns:
            An array of the same shape.

        Example:
            >>> ImageDataGenerator(zoom_range=0.2).random_transform(np.ones((4, 4, 1))).shape
            (4, 4, 1)
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Normalises one image or a batch, in place where that is possible.

        Args:
            x: a float array.

        Returns:
            An array of the same shape; often x itself.

        Example:
            >>> ImageDataGenerator(rescale=0.5).standardize(np.array([[[2.0]]])).tolist()
            [[[1.0]]]
        """
        return standardize(self, x)

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Measures what the featurewise steps and whitening need.

        Args:
            x: images, an array of four axes; `rescale` is applied first.
            augment: whether to measure randomly changed images.
            rounds: how often each image is changed for that.
            seed: of NumPy's global generator.

        Raises:
            ValueError: x has another number of axes.

        Example:
            >>> generator = ImageDataGenerator(featurewise_center=True)
            >>> generator.fit(np.full((2, 4, 4, 1), 3.0)); generator.mean.tolist()
            [[[3.0]]]
        """
        fit(self, x, augment, rounds, seed)
