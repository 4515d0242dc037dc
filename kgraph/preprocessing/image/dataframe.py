"""Batches of image files that a pandas table names; pandas is never imported here."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.file_batches import FilesIterator

# Class modes whose targets are classes, given by names.
NAMED = ("binary", "categorical", "sparse")


class DataFrameIterator(FilesIterator):
    """Endless batches of the image files of a table; see `ImageDataGenerator.flow_from_dataframe`.

    Args:
        dataframe: the table, one row an image.
        directory: the folder to which the paths are relative.
        image_data_generator: what changes and normalises each image; None for nothing.
        x_col: the column of the paths.
        y_col: the column of the targets; a list of columns for "multi_output" and "raw".
        weight_col: the column of the weights.
        target_size: (height, width) of the batches.
        color_mode: "rgb", "rgba" or "grayscale".
        classes: rows of other classes are left out; numbers go by the sorted names.
        class_mode: "categorical", "binary", "sparse", "input", "raw", "multi_output" or None.
        batch_size: images in a batch.
        shuffle: whether each epoch has an order of its own.
        seed: of order and changes.
        data_format: axis order of the batches; default the global setting.
        save_to_dir: a folder for copies of what is given out.
        save_prefix: of the names of the copies.
        save_format: "png" or "jpeg".
        subset: "training" or "validation".
        interpolation: of the resizing.
        dtype: of the batches.
        validate_filenames: whether to leave out rows whose file does not exist.

    Raises:
        ValueError: an argument has no meaning.
        TypeError: a column holds other values than `class_mode` needs.
    """

    allowed_class_modes = (*NAMED, "input", "multi_output", "raw", None)

    def __init__(
        self, dataframe: Any, directory: Any = None, image_data_generator: Any = None,
        x_col: str = "filename", y_col: Any = "class", weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb", classes: Any = None,
        class_mode: str | None = "categorical", batch_size: int = 32, shuffle: bool = True,
        seed: int | None = None, data_format: str | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
        interpolation: str = "nearest", dtype: Any = "float32", validate_filenames: bool = True,
    ) -> None:  # fmt: skip
        self.set_processing_attrs(
            image_data_generator, target_size, color_mode, class_mode, data_format, save_to_dir,
            save_prefix, save_format, subset, interpolation, dtype,
        )  # fmt: skip
        self.directory = "" if directory is None else os.fspath(directory)
        _check_columns(dataframe, class_mode, x_col, y_col, weight_col, classes)
        table = self._existing(dataframe, x_col) if validate_filenames else dataframe
        found = "validated" if validate_filenames else "non-validated"
        if class_mode in NAMED:
            table, names = _of_classes(table, y_col, classes)
            self.class_indices = {name: i for i, name in enumerate(names)}
        table = table.iloc[self.part(len(table))]
        self._set_targets(table, y_col)
        self.filenames = table[x_col].tolist()
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self.sample_weight = table[weight_col].to_numpy() if weight_col else None
        end = f" belonging to {len(self.class_indices)} classes." if class_mode in NAMED else "."
        print(f"Found {len(self.filenames)} {found} image filenames{end}")
        self.start(batch_size, shuffle, seed)

    def _set_targets(self, table: Any, y_col: Any) -> None:
        if self.class_mode in NAMED:
            self.classes = self.labels = [
                [self.class_indices[name] for name in names]
                if isinstance(names, (list, tuple))
                else self.class_indices[names]
                for names in table[y_col]
            ]
        elif self.class_mode == "multi_output":
            self.labels = [np.array(table[column].tolist()) for column in y_col]
        elif self.class_mode == "raw":
            self.labels = table[y_col].to_numpy()

    def _existing(self, table: Any, x_col: str) -> Any:
        """The rows whose path is an image file."""
        paths = [os.path.join(self.directory, name) for name in table[x_col]]
        keep = np.array(
            [p.lower().endswith(self.white_list_formats) and os.path.isfile(p) for p in paths],
            dtype=bool,
        )
        if not keep.all():
            warnings.warn(
                f'Found {np.sum(~keep)} invalid image filename(s) in x_col="{x_col}". '
                "These filename(s) will be ignored.",
                stacklevel=4,
            )
        return table[keep]


def _check_columns(
    table: Any, mode: str | None, x_col: str, y_col: Any, weight_col: str | None, classes: Any
) -> None:
    """Refuses columns that the class mode cannot use."""
    if mode == "multi_output" and not isinstance(y_col, list):
        raise TypeError(
            f'If class_mode="{mode}", y_col must be a list. Received {type(y_col).__name__}.'
        )
    if mode in NAMED and isinstance(y_col, list):
        raise TypeError(f'If class_mode="{mode}", y_col must be one column. Received {y_col}.')
    wanted = [x_col, weight_col]
    if mode not in ("input", None):
        wanted += y_col if isinstance(y_col, list) else [y_col]
    for column in wanted:
        if column is not None and column not in table.columns:
            raise ValueError(
                explain(
                    f"flow_from_dataframe: no column {column!r}",
                    expected=f"one of {list(table.columns)}",
                )
            )
    if not all(isinstance(name, str) for name in table[x_col]):
        raise TypeError(f"All values in column x_col={x_col} must be strings.")
    if mode in NAMED:
        _check_names(table, mode, y_col, classes)
    elif classes:
        warnings.warn(f'`classes` will be ignored given the class_mode="{mode}"', stacklevel=5)
    if weight_col and not np.issubdtype(table[weight_col].to_numpy().dtype, np.number):
        raise TypeError(f"Column weight_col={weight_col} must be numeric.")


def _check_names(table: Any, mode: str | None, y_col: str, classes: Any) -> None:
    """Classes must be strings, or lists of them where an image may have several."""
    several = mode == "categorical"
    types = (str, list, tuple) if several else (str,)
    if not all(isinstance(names, types) for names in table[y_col]):
        kind = "type string, list or tuple" if several else "strings"
        raise TypeError(f'If class_mode="{mode}", y_col="{y_col}" column values must be {kind}.')
    count = len(set(classes if classes else table[y_col])) if mode == "binary" else 2
    if count != 2:
        given = f"{count} class/es were given" if classes else f"Found {count} classes"
        raise ValueError(f'If class_mode="binary" there must be 2 classes. {given}.')


def _of_classes(table: Any, y_col: str, classes: Any) -> tuple[Any, list[str]]:
    """The rows that have a class among the wanted, without their other classes; all classes."""
    column = list(table[y_col])
    rows = [list(names) if isinstance(names, (list, tuple)) else [names] for names in column]
    wanted = set(classes) if classes else {name for names in rows for name in names}
    if classes:
        kept = [[name for name in names if name in wanted] for names in rows]
        named = [names if isinstance(names, str) else k for names, k in zip(column, kept)]
        table = table.copy()
        table[y_col] = named
        table = table[np.array([bool(names) for names in kept], dtype=bool)]
    return table, sorted(wanted)
