"""What functions that draw layers share: types of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.ir.types import TensorType
from kgraph.layers.base import Layer
from kgraph.testing.choices import Choices
from kgraph.testing.pool import BATCH

Make = Callable[[Choices], tuple[Layer, list[TensorType]]]

SMALL = (3, 1, 2, 4)


def floats(*sizes: Any) -> TensorType:
    """A batch of floats with these sizes each."""
    return TensorType((BATCH, *sizes), "float32")


def of_rank(choices: Choices, least: int, most: int) -> TensorType:
    """A batch of floats with `least` to `most` small axes each."""
    count = choices.between(least, most)
    return floats(*[choices.among(SMALL) for _ in range(count)])
