"""The losses as objects, for which `reduction`, `name` and the functions' options can be set."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.losses import crossentropy, focal, hinges, overlap, regression
from kgraph.losses.base import LossFunctionWrapper, PlainLoss
from kgraph.losses.circle import circle
from kgraph.losses.ctc import ctc
from kgraph.losses.operands import class_ids, tensor
from kgraph.losses.overlap import Axes
from kgraph.losses.reduction import REDUCTIONS


class MeanSquaredError(PlainLoss):
    """`mean_squared_error` as an object.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    function = staticmethod(regression.mean_squared_error)


class MeanAbsoluteError(PlainLoss):
    """`mean_absolute_error` as an object.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    function = staticmethod(regression.mean_absolute_error)


class MeanAbsolutePercentageError(PlainLoss):
    """`mean_absolute_percentage_error` as an object.

    Example:
        >>> float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [5.0]]))
        37.5
    """

    function = staticmethod(regression.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(PlainLoss):
    """`mean_squared_logarithmic_error` as an object.

    Example:
        >>> float(MeanSquaredLogarithmicError()([[0.0]], [[0.0]]))
        0.0
    """

    function = staticmethod(regression.mean_squared_logarithmic_error)


class LogCosh(PlainLoss):
    """`log_cosh` as an object.

    Example:
        >>> float(LogCosh()([[1.0]], [[1.0]]))
        0.0
    """

    function = staticmethod(regression.log_cosh)


class Poisson(PlainLoss):
    """`poisson` as an object.

    Example:
        >>> float(Poisson()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    function = staticmethod(regression.poisson)


class KLDivergence(PlainLoss):
    """`kl_divergence` as an object.

    Example:
        >>> float(KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]))
        0.0
    """

    function = staticmethod(regression.kl_divergence)


class Hinge(PlainLoss):
    """`hinge` as an object.

    Example:
        >>> float(Hinge()([[1.0], [0.0]], [[0.5], [0.5]]))
        1.0
    """

    function = staticmethod(hinges.hinge)


class SquaredHinge(PlainLoss):
    """`squared_hinge` as an object.

    Example:
        >>> float(SquaredHinge()([[1.0], [0.0]], [[0.0], [0.0]]))
        1.0
    """

    function = staticmethod(hinges.squared_hinge)


class CategoricalHinge(PlainLoss):
    """`categorical_hinge` as an object.

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]]))
        0.5
    """

    function = staticmethod(hinges.categorical_hinge)


class Huber(LossFunctionWrapper):
    """`huber` as an object, with its arguments.

    Example:
        >>> float(Huber(delta=2.0)([[0.0]], [[3.0]]))
        4.0
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = REDUCTIONS[0],
        name: str = "huber_loss",
    ) -> None:
        options = {"delta": delta}
        super().__init__(regression.huber, reduction, name, **options)


class CosineSimilarity(LossFunctionWrapper):
    """`cosine_similarity` as an object, with its arguments.

    Example:
        >>> float(CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]]))
        -1.0
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "cosine_similarity",
    ) -> None:
        options = {"axis": axis}
        super().__init__(regression.cosine_similarity, reduction, name, **options)


class BinaryCrossentropy(LossFunctionWrapper):
    """`binary_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "binary_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(crossentropy.binary_crossentropy, reduction, name, **options)


class CategoricalCrossentropy(LossFunctionWrapper):
    """`categorical_crossentropy` as an object, with its arguments.

    Example:
        >>> smooth = CategoricalCrossentropy(label_smoothing=0.1)
        >>> round(float(smooth([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "categorical_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(crossentropy.categorical_crossentropy, reduction, name, **options)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`sparse_categorical_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]])), 4)
        1.3863
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "sparse_categorical_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(crossentropy.sparse_categorical_crossentropy, reduction, name, **options)

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        ignored = self.options["ignore_class"]
        if ignored is None:
            return None
        return ops.not_equal(class_ids(y_true, tensor(y_pred)), ignored)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """`binary_focal_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(BinaryFocalCrossentropy(gamma=1.0)([[1.0]], [[0.5]])), 4)
        0.3466
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "binary_focal_crossentropy",
    ) -> None:
        options = {
            "apply_class_balancing": apply_class_balancing,
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(focal.binary_focal_crossentropy, reduction, name, **options)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """`categorical_focal_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.0433
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "categorical_focal_crossentropy",
    ) -> None:
        options = {
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(focal.categorical_focal_crossentropy, reduction, name, **options)


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """`categorical_generalized_cross_entropy` as an object, with its arguments.

    Example:
        >>> float(CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
        1.0
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = REDUCTIONS[0],
        name: str = "categorical_generalized_cross_entropy",
    ) -> None:
        options = {"q": q}
        super().__init__(focal.categorical_generalized_cross_entropy, reduction, name, **options)


class Dice(LossFunctionWrapper):
    """`dice` as an object, with its arguments.

    Example:
        >>> round(float(Dice()([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """

    def __init__(
        self,
        axis: Axes = None,
        reduction: str | None = REDUCTIONS[0],
        name: str = "dice",
    ) -> None:
        options = {"axis": axis}
        super().__init__(overlap.dice, reduction, name, **options)


class Tversky(LossFunctionWrapper):
    """`tversky` as an object, with its arguments.

    Example:
        >>> round(float(Tversky()([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        axis: Axes = None,
        reduction: str | None = REDUCTIONS[0],
        name: str = "tversky",
    ) -> None:
        options = {"alpha": alpha, "beta": beta, "axis": axis}
        super().__init__(overlap.tversky, reduction, name, **options)


class Circle(LossFunctionWrapper):
    """`circle` as an object, with its arguments.

    Example:
        >>> round(float(Circle(gamma=1.0)([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])), 3)
        0.546
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = REDUCTIONS[0],
        name: str = "circle",
    ) -> None:
        options = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, **options)

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        return ops.greater(values, 0.0)


class CTC(LossFunctionWrapper):
    """`ctc` as an object.

    Example:
        >>> import numpy as np
        >>> round(float(CTC()([[1, 2]], np.zeros((1, 3, 3), "float32"))), 4)
        1.6864
    """

    def __init__(self, reduction: str | None = REDUCTIONS[0], name: str = "ctc") -> None:
        super().__init__(ctc, reduction, name)
