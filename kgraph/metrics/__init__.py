"""Metrics: what is measured over an epoch, functions of (y_true, y_pred) and objects with sums.

A metric is any function that returns one value a sample, whose mean is kept, or a `Metric`. All are
made of `kgraph.ops`, so they build on tensors and compute at once on arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kgraph import losses
from kgraph.layers.naming import to_snake_case
from kgraph.losses import (
    BCE,
    KLD,
    MAE,
    MAPE,
    MSE,
    MSLE,
    bce,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    kld,
    kullback_leibler_divergence,
    log_cosh,
    logcosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from kgraph.metrics.accuracy import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from kgraph.metrics.auc import AUC
from kgraph.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from kgraph.metrics.choice import by_output, chosen
from kgraph.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from kgraph.metrics.correlation import (
    concordance_correlation,
    cosine_similarity,
    pearson_correlation,
)
from kgraph.metrics.f_score import F1Score, FBetaScore
from kgraph.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from kgraph.metrics.means import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
)
from kgraph.metrics.operating_point import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from kgraph.metrics.regression import R2Score, RootMeanSquaredError
from kgraph.utils.registry import Registry

__all__ = [
    "AUC",
    "BCE",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "bce",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "cosine_proximity",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "pearson_correlation",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

# The loss of these names has the other sign.
cosine_proximity = cosine_similarity

FUNCTIONS = {
    made.__name__: made
    for made in (
        binary_accuracy,
        categorical_accuracy,
        sparse_categorical_accuracy,
        sparse_top_k_categorical_accuracy,
        top_k_categorical_accuracy,
        concordance_correlation,
        cosine_similarity,
        pearson_correlation,
    )
}
CLASSES = {
    made.__name__: made
    for made in (
        Mean,
        MeanMetricWrapper,
        Sum,
        Accuracy,
        BinaryAccuracy,
        CategoricalAccuracy,
        SparseCategoricalAccuracy,
        TopKCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        MeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        LogCoshError,
        Poisson,
        KLDivergence,
        Hinge,
        SquaredHinge,
        CategoricalHinge,
        BinaryCrossentropy,
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
        CosineSimilarity,
        PearsonCorrelation,
        ConcordanceCorrelation,
        R2Score,
        RootMeanSquaredError,
        FalseNegatives,
        FalsePositives,
        Precision,
        Recall,
        TrueNegatives,
        TruePositives,
        AUC,
        PrecisionAtRecall,
        RecallAtPrecision,
        SensitivityAtSpecificity,
        SpecificityAtSensitivity,
        F1Score,
        FBetaScore,
        BinaryIoU,
        IoU,
        MeanIoU,
        OneHotIoU,
        OneHotMeanIoU,
    )
}

METRICS = Registry(
    "metric function",
    {
        **{to_snake_case(name): made for name, made in CLASSES.items()},
        **losses.NAMES,
        **FUNCTIONS,
        **dict.fromkeys(("cosine", "cosine_proximity"), cosine_similarity),
        **CLASSES,
    },
    functions=True,
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric that an argument means.

    Args:
        identifier: a name, a configuration, a function, a class or an object; None for none.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Metric`.

    Raises:
        ValueError: there is no such metric.

    Example:
        >>> get("mae") is mean_absolute_error
        True
    """
    if inspect.isclass(identifier) and issubclass(identifier, Metric):
        return identifier()
    return METRICS.get(identifier, custom_objects)


def serialize(metric: Any) -> Any:
    """The configuration of a metric.

    Args:
        metric: a function or a `Metric`.

    Returns:
        What `deserialize` reads.

    Example:
        >>> serialize(binary_accuracy)
        'binary_accuracy'
    """
    return METRICS.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric of a configuration.

    Args:
        config: what `serialize` returned.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Metric`.

    Example:
        >>> deserialize("mae") is mean_absolute_error
        True
    """
    return METRICS.deserialize(config, custom_objects)


def resolve(metric: Any, loss: Any, y_true: Any, y_pred: Any) -> Callable[..., Any] | Metric:
    """What a metric argument of `compile` means for an output.

    Args:
        metric: what the user passed.
        loss: the output's loss, or None.
        y_true: the output's target.
        y_pred: the output.

    Returns:
        A function of (y_true, y_pred) or a `Metric`.
    """
    return chosen(metric, loss, y_true, y_pred) if by_output(metric) else get(metric)
