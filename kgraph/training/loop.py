"""The host's part of training: fill the plan's input buffers, run, repeat.

A batch costs one `take` (or one copy, where rows are not shuffled) an input and the plan itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np


class Batches:
    """Arrays, cut into batches for a compiled step.

    Args:
        step: the compiled `Step`; its inputs take the arrays in this order.
        arrays: one an input, of its dtype, all of one length.
        batch_size: samples in all batches but the last.
        steady: whether nobody writes a weight between the batches, so that what follows from
            weights alone is computed once, now.
        shuffle: whether an epoch has an order of its own; "batch" keeps batches together.

    Attributes:
        samples: length of the arrays.
        counted: whether progress counts samples, rather than steps.
        bounds: first row and the row after the last of each batch.
    """

    counted = True

    def __init__(
        self,
        step: Any,
        arrays: Sequence[np.ndarray],
        batch_size: int,
        steady: bool = False,
        shuffle: bool | str = False,
    ) -> None:
        self.samples = len(arrays[0]) if arrays else 0
        self._batch_size, self._shuffle = batch_size, shuffle
        starts = range(0, self.samples, batch_size)
        self.bounds = [(i, min(i + batch_size, self.samples)) for i in starts]
        self._lock, self._steady = step.lock, steady
        self._plans: list[Any] = []
        made: dict[int, Any] = {}
        for start, stop in self.bounds:
            size = stop - start
            if size not in made:
                plan = step.plan(tuple((size, *a.shape[1:]) for a in arrays))
                if steady:
                    plan.prepare()
                made[size] = (plan, tuple(zip(arrays, plan.inputs, strict=True)))
            self._plans.append(made[size])

    def __len__(self) -> int:
        return len(self.bounds)

    def order(self) -> np.ndarray | None:
        """Draws the order of an epoch's rows; None for as they are."""
        return epoch_order(self.samples, self._batch_size, self._shuffle)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self.bounds)

    def ready(self) -> bool:
        """Whether an epoch can begin: arrays never run out."""
        return True

    def skip(self, epochs: int) -> None:
        """Leaves out epochs, which does not change arrays."""

    def pieces(
        self, first: int = 0, order: np.ndarray | None = None
    ) -> Iterator[tuple[int, int, Callable[[], Any]]]:
        """The number, the samples and the run of each batch of an epoch; a run returns the plan.

        Args:
            first: number of batches that are left out.
            order: what `order` returned.
        """
        for index in range(first, len(self.bounds)):
            start, stop = self.bounds[index]
            yield index, stop - start, functools.partial(self.run, index, order)

    def run(self, index: int, order: np.ndarray | None = None) -> Any:
        """Runs one batch.

        Args:
            index: number of the batch.
            order: rows in the order in which they are to be used, or None for as they are.

        Returns:
            The plan, whose outputs hold the batch's until the next run.
        """
        with np.errstate(all="ignore"):
            return self.run_bare(index, order)

    def run_bare(self, index: int, order: np.ndarray | None = None) -> Any:
        """What `run` does, for callers that silence NumPy's warnings once for many batches."""
        start, stop = self.bounds[index]
        plan, feeds = self._plans[index]
        with self._lock:
            if order is None:
                given = plan.feed([array[start:stop] for array, _ in feeds])
                plan.run_bare(self._steady, given)
                return plan
            rows = order[start:stop]
            for array, buffer in feeds:
                # Rows are in range; "clip" is the mode in which `take` writes without a copy.
                array.take(rows, 0, buffer, "clip")
            plan.run_bare(self._steady)
        return plan


def epoch_order(samples: int, batch_size: int, shuffle: bool | str) -> np.ndarray | None:
    """The rows of an epoch, drawn from NumPy's global state; None for as they are.

    Args:
        samples: number of rows.
        batch_size: samples in a batch.
        shuffle: whether to shuffle; "batch" keeps the rows of a batch together.
    """
    if not shuffle:
        return None
    order = np.arange(samples)
    if shuffle != "batch":
        np.random.shuffle(order)
        return order
    whole = samples // batch_size
    blocks = order[: whole * batch_size].reshape(whole, batch_size)
    np.random.shuffle(blocks)
    return np.concatenate([blocks.ravel(), order[whole * batch_size :]])
