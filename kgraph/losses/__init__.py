"""Losses: per-sample functions of (y_true, y_pred), and classes that also reduce and weight them.

Everything here is made of `kgraph.ops`, so a loss builds a graph on tensors and computes at once on
arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from kgraph.losses.base import Loss, LossFunctionWrapper
from kgraph.losses.circle import (
    circle,
)
from kgraph.losses.classes import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from kgraph.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from kgraph.losses.ctc import (
    ctc,
)
from kgraph.losses.focal import (
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
)
from kgraph.losses.hinges import (
    categorical_hinge,
    hinge,
    squared_hinge,
)
from kgraph.losses.overlap import (
    dice,
    tversky,
)
from kgraph.losses.reduction import reduce_loss
from kgraph.losses.regression import (
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from kgraph.utils.registry import Registry

__all__ = [
    "BCE",
    "CTC",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine",
    "cosine_proximity",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "huber_loss",
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
    "poisson",
    "reduce_loss",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
bce = BCE = binary_crossentropy
logcosh = log_cosh
huber_loss = huber
cosine = cosine_proximity = cosine_similarity

FUNCTIONS = {
    made.__name__: made
    for made in (
        cosine_similarity,
        huber,
        kl_divergence,
        log_cosh,
        mean_absolute_error,
        mean_absolute_percentage_error,
        mean_squared_error,
        mean_squared_logarithmic_error,
        poisson,
        categorical_hinge,
        hinge,
        squared_hinge,
        binary_crossentropy,
        categorical_crossentropy,
        sparse_categorical_crossentropy,
        binary_focal_crossentropy,
        categorical_focal_crossentropy,
        categorical_generalized_cross_entropy,
        dice,
        tversky,
        circle,
        ctc,
    )
}
# Other spellings, of every version of Keras.
ALIASES = {
    mean_squared_error: (
        "mse",
        "MSE",
    ),
    mean_absolute_error: (
        "mae",
        "MAE",
    ),
    mean_absolute_percentage_error: (
        "mape",
        "MAPE",
    ),
    mean_squared_logarithmic_error: (
        "msle",
        "MSLE",
    ),
    kl_divergence: (
        "kld",
        "KLD",
        "kullback_leibler_divergence",
    ),
    binary_crossentropy: (
        "bce",
        "BCE",
    ),
    log_cosh: ("logcosh",),
    huber: ("huber_loss",),
    cosine_similarity: (
        "cosine",
        "cosine_proximity",
    ),
}
NAMES = {
    **FUNCTIONS,
    **{name: function for function, names in ALIASES.items() for name in names},
}
CLASSES = {
    made.__name__: made
    for made in (
        MeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        LogCosh,
        Poisson,
        KLDivergence,
        Hinge,
        SquaredHinge,
        CategoricalHinge,
        Huber,
        CosineSimilarity,
        BinaryCrossentropy,
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
        BinaryFocalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        Dice,
        Tversky,
        Circle,
        CTC,
    )
}

LOSSES = Registry("loss function", {**NAMES, **CLASSES}, functions=True)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss that an argument means.

    Args:
        identifier: a name, a configuration, a function, a class or an object; None for none.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Loss`.

    Raises:
        ValueError: there is no such loss.

    Example:
        >>> get("mse") is mean_squared_error
        True
    """
    return identifier() if inspect.isclass(identifier) else LOSSES.get(identifier, custom_objects)


def serialize(loss: Any) -> Any:
    """The configuration of a loss: a function's name or a class's dictionary.

    Args:
        loss: a function, a class or an object.

    Returns:
        What `deserialize` reads.

    Example:
        >>> serialize(mean_squared_error)
        'mean_squared_error'
    """
    return LOSSES.serialize(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss of a configuration.

    Args:
        config: what `serialize` returned.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Loss`.

    Example:
        >>> deserialize("mse") is mean_squared_error
        True
    """
    return LOSSES.deserialize(config, custom_objects)


def function_of(loss: Any) -> Any:
    """The function inside a loss object, the function itself, or None."""
    return loss.fn if isinstance(loss, LossFunctionWrapper) else loss
