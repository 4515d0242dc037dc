"""From what the user passes as data to checked arrays or to a stream of batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.training.compilation import per_output
from kgraph.training.data import as_array, check_counts, is_array, pick, split_point
from kgraph.training.epochs import whole_number
from kgraph.training.program import Data, Program
from kgraph.training.sources import Columns, Reading, Rows, Stream, is_stream, make_source
from kgraph.training.sources.choose import check_stream_arguments
from kgraph.training.sources.rows import as_column, reads_rows
from kgraph.training.sources.stream import OUT_OF_DATA

WRONG_VALIDATION = (
    "When passing a `validation_data` argument, it must contain either 2 items "
    "(x_val, y_val), or 3 items (x_val, y_val, val_sample_weights). However we received "
    "`validation_data={}`"
)


@dataclass(frozen=True)
class Batching:
    """How arrays are cut into batches.

    Args:
        size: samples in a batch.
        steps: batches in an epoch, None for all of the data.
        shuffle: whether the rows get a new order in each epoch; "batch" keeps batches together.
    """

    size: int
    steps: int | None = None
    shuffle: bool | str = False


def open_stream(data: Any, reading: Reading, steps: int | None, name: str, epochs: int = 1) -> Any:
    """A stream of data that comes as whole batches; other data as it is.

    Args:
        data: what the user passed.
        reading: how batches are made in advance.
        steps: batches in an epoch, None where the data says it.
        name: what the user knows `steps` as.
        epochs: how often that many batches are used.

    Raises:
        ValueError: the data may be without an end and `steps` is None.
    """
    if not is_stream(data):
        return data
    limit = None if steps is None else steps * epochs
    return Stream(make_source(data, reading, steps, name, limit), steps)


def count_of(name: str, value: Any) -> int | None:
    """A number of batches that the user may have left out; `samples / batch_size` is rounded up.

    Raises:
        ValueError: it is no number, or less than 1.

    Example:
        >>> count_of("steps", 100 / 32)
        4
    """
    if value is None:
        return None
    return whole_number(name, math.ceil(value) if isinstance(value, float) else value, least=1)


def read_data(program: Program, x: Any, y: Any, weight: Any) -> Data | Columns:
    """Checked arrays, or columns where some of the data is read by rows."""
    if not any(reads_rows(value) for part in (x, y) for value in values_of(part)):
        return program.data(x, y, weight)
    names = [head.name for head in program.compiled.heads]
    inputs = pick(x, program.input_names, "input", _column)
    targets = pick(program.of_heads(y), names, "target", _column)
    weights = None
    if weight is not None:
        given = per_output("sample_weight", program.of_heads(weight), names)
        weights = [None if w is None else _column(w, "sample_weight") for w in given]
    samples = check_counts(inputs, targets, [w for w in weights or () if w is not None])
    return Columns(inputs, targets, weights, 0, samples)


def input_columns(x: Any, names: Sequence[str]) -> Columns | None:
    """The columns of inputs alone, None where they are all arrays."""
    if not any(map(reads_rows, values_of(x))):
        return None
    inputs = pick(x, names, "input", _column)
    return Columns(inputs, [], None, 0, check_counts(inputs, [], []))


def training_data(
    program: Program,
    data: Data | Columns,
    class_weight: Any,
    batching: Batching,
) -> Data | Stream:
    """What `fit` trains on: arrays as they are, or batches of rows."""
    if isinstance(data, Data) and batching.steps is None:
        return program.weigh_classes(data, class_weight)
    if isinstance(data, Data):
        given = any(w is not None for w in data.weights)
        weights = data.weights if given else None
        data = Columns(data.inputs, data.targets, weights, 0, data.samples)
    return Stream(Rows(data, batching.size, batching.shuffle), batching.steps)


def measured_data(data: Data | Columns, batching: Batching) -> Data | Stream:
    """What is measured: all of the data, or its first batches."""
    part = first_batches(data, batching)
    return part if isinstance(part, Data) else Stream(Rows(part, batching.size, False))


def first_batches(data: Any, batching: Batching) -> Any:
    """The samples of the first batches; warns if there are fewer."""
    if batching.steps is None:
        return data
    wanted = batching.steps * batching.size
    if wanted - batching.size >= data.samples:
        warnings.warn(OUT_OF_DATA, stacklevel=4)
    return data.part(slice(0, min(wanted, data.samples)))


def evaluation_data(
    program: Program, given: tuple[Any, Any, Any], batching: Batching
) -> Data | Stream:
    """What `evaluate` measures: a stream, or (x, y, sample_weight)."""
    if isinstance(given[0], Stream):
        return given[0]
    return measured_data(read_data(program, *given), batching)


def held_out(
    program: Program, given: Any, part: Data | Columns | None, batching: Batching
) -> Data | Stream | None:
    """What is measured after an epoch.

    Args:
        program: the compiled steps.
        given: a stream, (x, y) or (x, y, sample_weight), or None.
        part: what was split off the training data, used where nothing was given.
        batching: how arrays are cut.

    Raises:
        ValueError: what was given is none of these.
    """
    if given is None:
        return None if part is None else measured_data(part, batching)
    if isinstance(given, Stream):
        return given
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError(WRONG_VALIDATION.format(str(given)[:200]))
    x, y, weight = (*given, None)[:3]
    return measured_data(read_data(program, x, y, weight), batching)


def fit_data(
    program: Program,
    given: tuple[Any, Any, Any],
    class_weight: Any,
    batching: Batching,
    split: float,
) -> tuple[Data | Stream, Data | Columns | None]:
    """Training data, and the part of it that is split off for validation.

    Args:
        program: the compiled steps.
        given: a stream, or (x, y, sample_weight).
        class_weight: weighs arrays now; a stream's batches later.
        batching: how arrays are cut.
        split: fraction at the end that is split off, or 0.
    """
    if isinstance(given[0], Stream):
        return given[0], None
    data, part = read_data(program, *given), None
    if split:
        at = split_point(data.samples, split)
        part, data = data.part(slice(at, None)), data.part(slice(None, at))
    return training_data(program, data, class_weight, batching), part


def check_no_batches(
    x: Any, y: Any = None, weight: Any = None, batch_size: Any = None, split: float = 0.0
) -> None:
    """Refuses arguments that only go with arrays, where `x` comes as batches."""
    if is_stream(x):
        check_stream_arguments(y, weight, batch_size, split)


def values_of(part: Any) -> list[Any]:
    """The values of an array, a list or a dict of arrays."""
    if isinstance(part, Mapping) and not is_array(part):
        return list(part.values())
    return list(part) if isinstance(part, (list, tuple)) else [part]


def _column(value: Any, kind: str) -> Any:
    return as_column(value) if reads_rows(value) else as_array(value, kind)
