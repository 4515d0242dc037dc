"""Files of a folder with labels, as batches: what images and texts have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.utils.data_utils import PyDataset
from kgraph.utils.np_utils import to_categorical

SUBSETS = ("training", "validation", "both")
LABEL_MODES = ("int", "categorical", "binary", None)


@dataclass(frozen=True)
class Files:
    """Paths, with as many labels or None, and the names of the classes or None."""

    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None

    def part(self, rows: slice) -> Files:
        """Some of the files."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, paths=self.paths[rows], labels=labels)


class FileBatches(PyDataset):
    """Batches (contents, labels), or contents alone, of files.

    Args:
        files: what to read, in the order of the first epoch.
        read: gives the content of one path.
        stack: gives the batch of a list of contents.
        label_mode: "int", "categorical", "binary" or None.
        batch_size: files in a batch; None for single contents without batch axis.
        seed: of the order of later epochs; None for always the same order.
    """

    def __init__(
        self,
        files: Files,
        read: Callable[[str], Any],
        stack: Callable[[list[Any]], np.ndarray],
        label_mode: str | None,
        batch_size: int | None,
        seed: int | None,
    ) -> None:
        super().__init__()
        self.file_paths, self.class_names = files.paths, files.class_names
        self.batch_size, self._read, self._stack = batch_size, read, stack
        self._labels = _encoded(files, label_mode)
        self._random = None if seed is None else np.random.RandomState(seed)
        self._order = np.arange(len(files.paths))

    def __len__(self) -> int:
        return -(-len(self.file_paths) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        size = self.batch_size or 1
        rows = self._order[index * size : (index + 1) * size]
        batch = self._stack([self._read(self.file_paths[row]) for row in rows])
        labels = None if self._labels is None else self._labels[rows]
        if self.batch_size is None:
            batch, labels = batch[0], None if labels is None else labels[0]
        return batch if labels is None else (batch, labels)

    def on_epoch_end(self) -> None:
        """Shuffles, where that was asked for."""
        if self._random is not None:
            self._random.shuffle(self._order)


def _encoded(files: Files, mode: str | None) -> np.ndarray | None:
    if files.labels is None or mode is None:
        return None
    if mode == "categorical":
        return to_categorical(files.labels, len(files.class_names or ()))
    return files.labels.astype("float32")[:, None] if mode == "binary" else files.labels


@dataclass(frozen=True)
class Request:
    """Which files are asked for: the arguments that images and texts share."""

    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Any
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool


def datasets(
    request: Request,
    kind: str,
    endings: tuple[str, ...],
    read: Callable[[str], Any],
    stack: Callable[[list[Any]], np.ndarray],
) -> Any:
    """One data set, or the list of the training and the validation one for subset "both".

    Args:
        request: the arguments of the user.
        kind: "image" or "text", for messages.
        endings: what names of files may end in.
        read: gives the content of one path.
        stack: gives the batch of a list of contents.

    Raises:
        ValueError: an argument has no meaning, or there are no files.
    """
    request = _checked(request, kind)
    files = index_directory(request, endings)
    if request.label_mode == "binary" and len(files.class_names or ()) != 2:
        raise ValueError(
            'When passing `label_mode="binary"`, there must be exactly 2 class_names. '
            f"Received: class_names={files.class_names}"
        )
    cut = len(files.paths) - int((request.validation_split or 0) * len(files.paths))
    rows = {"training": slice(0, cut), "validation": slice(cut, None), None: slice(None)}
    names = ("training", "validation") if request.subset == "both" else (request.subset,)
    made = []
    for name in names:
        part = files.part(rows[name])
        if not part.paths:
            raise ValueError(
                f"No {name + ' ' if name else ''}{kind} files found in directory "
                f"{request.directory}. Allowed formats: {endings}"
            )
        if name and request.verbose:
            print(f"Using {len(part.paths)} files for {name}.")
        moving = request.shuffle and not (name == "validation" and request.subset == "both")
        seed = request.seed if moving else None
        made.append(FileBatches(part, read, stack, request.label_mode, request.batch_size, seed))
    return made if request.subset == "both" else made[0]


def _checked(request: Request, kind: str) -> Request:
    """The request with labels and their mode agreeing and a seed; refuses what has no meaning."""
    labels, mode, split, subset = (
        request.labels, request.label_mode, request.validation_split, request.subset,
    )  # fmt: skip
    if labels is not None and labels != "inferred" and not isinstance(labels, (list, tuple)):
        raise ValueError(
            explain(
                f"`labels` argument should be a list/tuple of integer labels, one a {kind} file",
                expected='"inferred" for the names of the folders, None, or such a list',
                got=repr(labels),
            )
        )
    if request.class_names is not None and labels != "inferred":
        raise ValueError('You can only pass `class_names` if `labels="inferred"`.')
    if mode not in LABEL_MODES:
        raise ValueError(f"`label_mode` argument must be one of {LABEL_MODES}. Received: {mode!r}")
    if split and not 0 < split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {split}")
    if bool(split) != bool(subset):
        raise ValueError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in (*SUBSETS, None):
        raise ValueError(f"`subset` must be one of {SUBSETS}, received: {subset!r}")
    if split and request.shuffle and request.seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` "
            "argument, to make sure that there is no overlap between the training and "
            "validation subset."
        )
    if labels is None or mode is None:
        labels = mode = None
    seed = int(np.random.randint(10**6)) if request.seed is None else request.seed
    return replace(request, labels=labels, label_mode=mode, seed=seed)


def index_directory(request: Request, endings: tuple[str, ...]) -> Files:
    """The files of a folder with their labels, shuffled where that is asked for.

    Args:
        request: what is asked for.
        endings: what names of files may end in.

    Raises:
        ValueError: labels or class names do not fit the folder.
    """
    directory, labels = os.fspath(request.directory), request.labels
    names: list[str] | None = [""]
    if labels == "inferred":
        there = sorted(e.name for e in os.scandir(directory) if e.is_dir() and e.name[0] != ".")
        names = there if request.class_names is None else list(request.class_names)
        if not set(names) <= set(there):
            raise ValueError(
                explain(
                    "The `class_names` passed did not match the names of the subdirectories "
                    "of the target directory.",
                    expected=f"{there} (or a subset of it)",
                    got=f"class_names={names}",
                )
            )
    found = [
        (path, number)
        for number, name in enumerate(names or ())
        for path in _below(os.path.join(directory, name), endings, request.follow_links)
    ]
    paths = [path for path, _ in found]
    numbers: np.ndarray | None = None
    if labels is None:
        names = None
    elif labels == "inferred":
        numbers = np.array([number for _, number in found], dtype="int32")
    else:
        numbers, names = _given(labels, directory, len(paths))
    if request.verbose:
        print(
            f"Found {len(paths)} files" + (f" belonging to {len(names)} classes." if names else ".")
        )
    if request.shuffle:
        for items in (paths, numbers):  # the same seed, hence the same order
            if items is not None:
                np.random.RandomState(request.seed).shuffle(items)
    return Files(paths, numbers, names)


def _given(labels: Any, directory: str, count: int) -> tuple[np.ndarray, list[str]]:
    if len(labels) != count:
        raise ValueError(
            "Expected the lengths of `labels` to match the number of files in the target "
            f"directory. len(labels) is {len(labels)} while we found {count} files in "
            f"directory {directory}."
        )
    return np.array(labels, dtype="int32"), [str(label) for label in sorted(set(labels))]


def _below(directory: str, endings: tuple[str, ...], follow_links: bool) -> list[str]:
    return [
        os.path.join(root, file)
        for root, _, files in sorted(os.walk(directory, followlinks=follow_links))
        for file in sorted(files)
        if file.lower().endswith(endings)
    ]
