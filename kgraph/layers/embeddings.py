"""Embedding: rows of a table chosen by integer ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.layers.arguments import positive_int
from kgraph.layers.base import Layer

Shape = tuple[int | None, ...]


class Embedding(Layer):
    """Turns each id into a row of a trained table.

    Args:
        input_dim: number of rows; ids run from 0 to input_dim - 1.
        output_dim: size of a row.
        embeddings_initializer: initial values of the table.
        embeddings_regularizer: penalty on the table.
        activity_regularizer: penalty on the output, divided by the batch size.
        embeddings_constraint: projection of the table after each update.
        mask_zero: whether id 0 marks a step to skip.
        input_length: number of ids a sample (a tuple for several axes); default any.
        **kwargs: what every layer takes.

    Raises:
        IndexError: when it runs, an id is not in the table.
        ValueError: `input_length` does not fit the input.

    Example:
        >>> import numpy as np
        >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
        (1, 3, 4)
    """

    # What a Sequential model feeds to a first layer of this kind.
    input_dtype = "int32"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        activity_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: int | Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        if not {"input_shape", "batch_input_shape"} & set(kwargs):
            kwargs["input_shape"] = _as_tuple(input_length)
        super().__init__(**kwargs)
        self.input_dim = positive_int("input_dim", input_dim)
        self.output_dim = positive_int("output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero, self.supports_masking = mask_zero, mask_zero
        self.input_length = input_length

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(tuple(d if isinstance(d, int) else None for d in inputs.shape))
        ids = inputs if inputs.dtype in ("int32", "int64") else ops.cast(inputs, "int32")
        return ops.take(self.embeddings, ids, axis=0, wrap=False)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.input_length is None:
            return (*input_shape, self.output_dim)
        lengths, found = _as_tuple(self.input_length), input_shape[1:]
        fits = len(lengths) == len(found) and all(
            a == b or None in (a, b) for a, b in zip(lengths, found, strict=True)
        )
        if not fits:
            raise ValueError(
                explain(
                    f'"input_length" is {self.input_length}, '
                    f"but received input has shape {input_shape}",
                    hint=f"layer {self.name} takes samples of that length; leave input_length out "
                    "to allow any",
                )
            )
        sizes = [b if a is None else a for a, b in zip(lengths, found, strict=True)]
        return (input_shape[0], *sizes, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "input_length": self.input_length,
        }


def _as_tuple(length: int | Sequence[int | None] | None) -> Shape:
    if isinstance(length, int) or length is None:
        return (length,)
    return tuple(length)
