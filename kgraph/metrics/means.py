"""Means of the losses and the accuracies over all samples, as objects."""

from __future__ import annotations

from typing import Any

from kgraph.losses import crossentropy, hinges, regression
from kgraph.metrics import accuracy, correlation
from kgraph.metrics.base import MeanMetricWrapper


class Accuracy(MeanMetricWrapper):
    """The mean of `accuracy`.

    Example:
        >>> Accuracy()([[1], [2]], [[1], [3]])
        0.5
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy.accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """The mean of `binary_accuracy`.

    Example:
        >>> BinaryAccuracy()([[1.0, 0.0]], [[0.9, 0.8]])
        0.5
    """

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(accuracy.binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """The mean of `categorical_accuracy`.

    Example:
        >>> CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]])
        0.5
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy.categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `sparse_categorical_accuracy`.

    Example:
        >>> SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.3, 0.7]])
        0.5
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy.sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `top_k_categorical_accuracy`.

    Example:
        >>> TopKCategoricalAccuracy()([[0, 0, 1]], [[0.5, 0.2, 0.3]])
        1.0
    """

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(accuracy.top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `sparse_top_k_categorical_accuracy`.

    Example:
        >>> SparseTopKCategoricalAccuracy()([2], [[0.5, 0.2, 0.3]])
        1.0
    """

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(accuracy.sparse_top_k_categorical_accuracy, name, dtype, k=k)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of `mean_squared_error`.

    Example:
        >>> MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]])
        5.0
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(regression.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of `mean_absolute_error`.

    Example:
        >>> MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]])
        2.0
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(regression.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of `mean_absolute_percentage_error`.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0]], [[1.0]])
        50.0
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(regression.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of `mean_squared_logarithmic_error`.

    Example:
        >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
        0.0
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(regression.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """The mean of `log_cosh`.

    Example:
        >>> LogCoshError()([[1.0]], [[1.0]])
        0.0
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(regression.log_cosh, name, dtype)


class Poisson(MeanMetricWrapper):
    """The mean of `poisson`.

    Example:
        >>> Poisson()([[0.0]], [[2.0]])
        2.0
    """

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(regression.poisson, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The mean of `kl_divergence`.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        0.0
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(regression.kl_divergence, name, dtype)


class Hinge(MeanMetricWrapper):
    """The mean of `hinge`.

    Example:
        >>> Hinge()([[1.0], [0.0]], [[0.5], [0.5]])
        1.0
    """

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinges.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean of `squared_hinge`.

    Example:
        >>> SquaredHinge()([[1.0], [0.0]], [[0.0], [0.0]])
        1.0
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(hinges.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of `categorical_hinge`.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(hinges.categorical_hinge, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of `binary_crossentropy`.

    Example:
        >>> round(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]]), 4)
        0.6931
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            crossentropy.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `categorical_crossentropy`.

    Example:
        >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.75, 0.25]]), 4)
        1.3863
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            crossentropy.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `sparse_categorical_crossentropy`.

    Example:
        >>> round(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]]), 4)
        1.3863
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            crossentropy.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            axis=axis,
        )


class CosineSimilarity(MeanMetricWrapper):
    """The mean of `cosine_similarity`.

    Example:
        >>> CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]])
        1.0
    """

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(correlation.cosine_similarity, name, dtype, axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean of `pearson_correlation`.

    Example:
        >>> PearsonCorrelation()([[0.0, 1.0]], [[2.0, 6.0]])
        1.0
    """

    def __init__(
        self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(correlation.pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of `concordance_correlation`.

    Example:
        >>> round(ConcordanceCorrelation()([[0.0, 2.0]], [[1.0, 3.0]]), 4)
        0.6667
    """

    def __init__(
        self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(correlation.concordance_correlation, name, dtype, axis=axis)
