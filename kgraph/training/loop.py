"""The host's part of training: fill the plan's input buffers, run, repeat.

A batch costs one `take` (or one copy, where rows are not shuffled) an input and the plan itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.training.program import Step


class Batches:
    """Arrays, cut into batches for a compiled step.

    Args:
        step: the compiled step; its inputs take the arrays in this order.
        arrays: one an input, of its dtype, all of one length.
        batch_size: samples in all batches but the last.
        steady: whether nobody writes a weight between the batches, so that what follows from
            weights alone is computed once, now.

    Attributes:
        samples: length of the arrays.
        bounds: first row and the row after the last of each batch.
    """

    def __init__(
        self, step: Step, arrays: Sequence[np.ndarray], batch_size: int, steady: bool = False
    ) -> None:
        self.samples = len(arrays[0]) if arrays else 0
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

    Raises:
        ValueError: it is another string.
    """
    if isinstance(shuffle, str) and shuffle != "batch":
        raise ValueError(f'`shuffle` must be True, False or "batch". Received: {shuffle!r}')
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
