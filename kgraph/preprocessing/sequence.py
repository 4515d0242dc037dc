"""Arrays from sequences of numbers: padding, word pairs, windows over time.

Random numbers come from Python's and NumPy's global generators in Keras's order, so the same
seeds give the same results as there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.utils.data_utils import Sequence


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Makes sequences one length: short ones are filled up, long ones are cut.

    Args:
        sequences: a list of lists or arrays; entries may have further axes if all agree.
        maxlen: the common length; default the longest.
        dtype: of the result; `object` for strings of several lengths.
        padding: "pre" or "post": where values are added.
        truncating: "pre" or "post": where entries are dropped; "pre" keeps the last ones.
        value: what is added.

    Returns:
        An array of shape (len(sequences), maxlen, ...).

    Raises:
        ValueError: an argument has no meaning, or shapes do not agree.

    Example:
        >>> pad_sequences([[1, 2, 3], [4]], maxlen=2).tolist()
        [[2, 3], [0, 4]]
        >>> pad_sequences([[1.5], []], padding="post", dtype="float32", value=-1).tolist()
        [[1.5], [-1.0]]
    """
    _check_side("Padding", padding)
    _check_side("Truncating", truncating)
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    for entry in sequences:
        if not hasattr(entry, "__len__"):
            raise ValueError(
                f"`sequences` must be a list of iterables. Found non-iterable: {entry}"
            )
    _check_fill(value, dtype)
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    shape = next((np.shape(entry)[1:] for entry in sequences if len(entry)), ())
    result = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for i, entry in enumerate(sequences):
        if not len(entry) or not length:
            continue
        drop = max(len(entry) - length, 0)
        kept = entry[drop:] if truncating == "pre" else entry[: len(entry) - drop]
        row = np.asarray(kept, dtype=dtype)
        if row.shape[1:] != shape:
            raise ValueError(
                f"Shape of sample {row.shape[1:]} of sequence at position {i} "
                f"is different from expected shape {shape}"
            )
        start = length - len(kept) if padding == "pre" else 0
        result[i, start : start + len(kept)] = row
    return result


def _check_side(what: str, side: str) -> None:
    if side not in ("pre", "post"):
        raise ValueError(
            explain(f'{what} type "{side}" not understood', expected='"pre" or "post"')
        )


def _check_fill(value: Any, dtype: Any) -> None:
    """A text fills only what holds texts."""
    if isinstance(value, str) and np.dtype(dtype).kind not in "OU":
        raise ValueError(
            explain(
                f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}",
                hint="set dtype=object for strings of several lengths",
            )
        )


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Probabilities with which `skipgrams` keeps a word, by the rank of its frequency.

    A word of rank r has, by Zipf's law, the frequency 1 / (r (log r + 0.577) + 1/2 - 1/(12 r)),
    and word2vec keeps it with probability min(1, sqrt(sampling_factor / frequency)).

    Args:
        size: number of ranks; rank 0 counts as 1.
        sampling_factor: smaller keeps fewer of the frequent words.

    Returns:
        A float64 array of shape (size,).

    Example:
        >>> make_sampling_table(4).round(5).tolist()
        [0.00315, 0.00315, 0.00548, 0.00742]
    """
    rank = np.arange(size)
    rank[:1] = 1
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    f = sampling_factor * inverse_frequency
    return np.minimum(1.0, f / np.sqrt(f))


def skipgrams(
    sequence: Items[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words: neighbours (label 1), and words with random ones (label 0).

    Args:
        sequence: word numbers; 0 is no word and is skipped.
        vocabulary_size: random words are from 1 to `vocabulary_size - 1`.
        window_size: words up to this far apart are neighbours.
        negative_samples: random pairs for each pair of neighbours.
        shuffle: whether the pairs come in random order.
        categorical: labels as [0, 1] and [1, 0].
        sampling_table: probability of keeping word i, as from `make_sampling_table`.
        seed: of the shuffle; Python's global generator starts anew from it.

    Returns:
        The pairs and their labels, two lists of one length.

    Example:
        >>> skipgrams([1, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
        ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    couples = _neighbours(sequence, window_size, sampling_table)
    positives = len(couples)
    negatives = int(positives * negative_samples) if negative_samples > 0 else 0
    if negative_samples > 0:
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [
            [words[i % positives], random.randint(1, vocabulary_size - 1)] for i in range(negatives)
        ]
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [yes] * positives + [no] * negatives
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for items in (couples, labels):  # the same seed, hence the same order
            random.seed(seed)
            random.shuffle(items)
    return couples, labels


def _neighbours(sequence: Items[int], window: int, table: Any) -> list[list[int]]:
    couples = []
    for i, word in enumerate(sequence):
        if not word or (table is not None and table[word] < random.random()):
            continue
        for j in range(max(0, i - window), min(len(sequence), i + window + 1)):
            if j != i and sequence[j]:
                couples.append([word, sequence[j]])
    return couples


class TimeseriesGenerator(Sequence):
    """Batches of windows over time, each with the target that follows it.

    The sample of row r is `data[r - length : r : sampling_rate]`, its target `targets[r]`.

    Args:
        data: a list or array; the first axis is time.
        targets: as many as data.
        length: time steps in a window.
        sampling_rate: every so many steps of the window are kept.
        stride: time steps between one window and the next.
        start_index: rows before are not used.
        end_index: the last row; default the last of the data.
        shuffle: whether each batch draws its rows at random (with repetition).
        reverse: whether windows run backwards in time.
        batch_size: windows in a batch; the last batch may have fewer.
        **options: those of `PyDataset`.

    Raises:
        ValueError: lengths do not agree, or no row has a full window before it.

    Example:
        >>> data = np.arange(6)
        >>> x, y = TimeseriesGenerator(data, data, length=2, batch_size=3)[0]
        >>> x.tolist(), y.tolist()
        ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """

    def __init__(
        self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1,
        start_index: int = 0, end_index: int | None = None, shuffle: bool = False,
        reverse: bool = False, batch_size: int = 128, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        if len(data) != len(targets):
            raise ValueError(
                "Data and targets have to be of same length. "
                f"Data length is {len(data)} while target length is {len(targets)}"
            )
        self.data, self.targets = data, targets
        self.length, self.sampling_rate, self.stride = length, sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is "
                "disallowed, as no part of the sequence would be left to be used as current step."
            )

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"TimeseriesGenerator: batch {index} of {len(self)}")
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            step = self.batch_size * self.stride
            first = self.start_index + step * (index % len(self))
            rows = np.arange(first, min(first + step, self.end_index + 1), self.stride)
        samples = np.array([self.data[r - self.length : r : self.sampling_rate] for r in rows])
        targets = np.array([self.targets[r] for r in rows])
        return (samples[:, ::-1] if self.reverse else samples), targets

    def get_config(self) -> dict[str, Any]:
        """The arguments, with data and targets as JSON texts.

        Raises:
            TypeError: the data cannot be written as JSON.
        """
        return {
            "data": _as_json("Data", self.data),
            "targets": _as_json("Targets", self.targets),
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            # Keras writes the first row instead, so its own files come back `length` rows later.
            "start_index": self.start_index - self.length,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **options: Any) -> str:
        """The generator with its data as a JSON text.

        Args:
            **options: those of `json.dumps`.
        """
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **options
        )


def timeseries_generator_from_json(json_string: str) -> TimeseriesGenerator:
    """Reads what `TimeseriesGenerator.to_json` wrote.

    Args:
        json_string: the text.

    Returns:
        A generator over lists, which gives the same batches.

    Example:
        >>> text = TimeseriesGenerator([1, 2, 3], [4, 5, 6], length=2).to_json()
        >>> timeseries_generator_from_json(text)[0][1].tolist()
        [6]
    """
    config = json.loads(json_string)["config"]
    config["data"], config["targets"] = json.loads(config["data"]), json.loads(config["targets"])
    return TimeseriesGenerator(**config)


def _as_json(what: str, values: Any) -> str:
    try:
        return json.dumps(values.tolist() if isinstance(values, np.ndarray) else values)
    except TypeError as error:
        raise TypeError(f"{what} not JSON Serializable: {str(values)[:200]}") from error
