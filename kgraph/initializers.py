"""Initial values of weights: functions of (shape, dtype) that return NumPy arrays.

Without a seed they draw from NumPy's global state, so `numpy.random.seed(s)` before building a
model fixes all its weights. With an int seed every call returns the same values: give layers that
must differ instances of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import config
from kgraph.utils.registry import Registry

# Standard deviation of a unit normal distribution cut at two standard deviations.
TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base of initializers; a subclass defines `__call__(shape, dtype=None)` and `get_config`."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """The initializer that `get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All zeros.

    Example:
        >>> float(Zeros()((2, 3)).sum())
        0.0
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.zeros(tuple(shape), dtype or config.floatx())


class Ones(Initializer):
    """All ones.

    Example:
        >>> float(Ones()((2, 3)).sum())
        6.0
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.ones(tuple(shape), dtype or config.floatx())


class Constant(Initializer):
    """One value everywhere, or a given array.

    Args:
        value: a number, or an array that broadcasts to the weight's shape.

    Example:
        >>> float(Constant(0.5)((2, 2)).sum())
        2.0
    """

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        value = np.asarray(self.value, dtype or config.floatx())
        return np.broadcast_to(value, tuple(shape)).copy()

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class RandomInitializer(Initializer):
    """An initializer that draws: from NumPy's global state, or from its seed alone.

    Args:
        seed: an int for the same values at each call, None for NumPy's global state.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        # The module numpy.random has the methods of a RandomState: those of the global one.
        source = np.random if self.seed is None else np.random.RandomState(self.seed)
        return np.asarray(self.draw(source, tuple(shape)), dtype or config.floatx())

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Float64 values from `source`, which has the methods of `numpy.random`."""
        raise NotImplementedError(type(self).__name__)


class RandomNormal(RandomInitializer):
    """A normal distribution.

    Args:
        mean: its centre.
        stddev: its standard deviation.
        seed: an int for the same values at each call.

    Example:
        >>> w = RandomNormal(seed=1)((1000,))
        >>> bool(abs(w.std() - 0.05) < 0.005)
        True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        return source.normal(self.mean, self.stddev, shape)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """A normal distribution without what lies further than two standard deviations out.

    Args:
        mean: its centre.
        stddev: the standard deviation before cutting.
        seed: an int for the same values at each call.

    Example:
        >>> bool(abs(TruncatedNormal(seed=1)((1000,))).max() <= 0.1)
        True
    """

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * draw_truncated(source, shape)


class RandomUniform(RandomInitializer):
    """A uniform distribution.

    Args:
        minval: lower end.
        maxval: upper end, not included.
        seed: an int for the same values at each call.

    Example:
        >>> bool(abs(RandomUniform(seed=1)((1000,))).max() <= 0.05)
        True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        return source.uniform(self.minval, self.maxval, shape)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class VarianceScaling(RandomInitializer):
    """A distribution whose variance is `scale / n`, n counted from the weight's shape.

    Args:
        scale: positive factor.
        mode: n is "fan_in", "fan_out", or their mean "fan_avg".
        distribution: "normal" (truncated; also spelt "truncated_normal"), "untruncated_normal"
            or "uniform".
        seed: an int for the same values at each call.

    Raises:
        ValueError: an argument is none of these.

    Example:
        >>> w = VarianceScaling(1.0, "fan_avg", "uniform", seed=1)((784, 128))
        >>> round(float(abs(w).max()), 4)
        0.0811
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0.0:
            raise ValueError(f"`scale` must be a positive float. Got: {scale}")
        mode, distribution = mode.lower(), distribution.lower()
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                'Invalid `mode` argument: expected on of {"fan_in", "fan_out", "fan_avg"} '
                f"but got {mode}"
            )
        # Keras 2's name for the truncated one, which Keras 3 reads too.
        distribution = {"truncated_normal": "normal"}.get(distribution, distribution)
        if distribution not in ("normal", "untruncated_normal", "uniform"):
            raise ValueError(
                'Invalid `distribution` argument: expected one of {"normal", "uniform", '
                f'"truncated_normal", "untruncated_normal"}} but got {distribution}'
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return source.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return source.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / TRUNCATED_STDDEV * draw_truncated(source, shape)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    Weights of more than two axes are matrices of all leading axes by the last one.

    Args:
        gain: factor.
        seed: an int for the same values at each call.

    Raises:
        ValueError: the shape has fewer than two axes.

    Example:
        >>> w = Orthogonal(seed=1)((5, 3), "float64")
        >>> bool(abs(w.T @ w - np.eye(3)).max() < 1e-12)
        True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, source: Any, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. "
                f"Received: shape={shape} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = source.normal(0.0, 1.0, (max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        # QR leaves the signs to the library; with the diagonal of r positive, q is uniform (Haar).
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q.T if rows < columns else q).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


class Identity(Initializer):
    """The identity matrix times `gain`, cut or padded with zeros where it is not square.

    Args:
        gain: factor.

    Raises:
        ValueError: the shape is not a matrix's.

    Example:
        >>> Identity(2.0)((2, 3)).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        return np.asarray(self.gain * np.eye(shape[0], shape[1]), dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform in +-sqrt(3 / fan_in).

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> lecun_uniform(seed=0)((784, 128)).shape
        (784, 128)
    """
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 1 / fan_in.

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> lecun_normal(seed=0)((784, 128)).shape
        (784, 128)
    """
    return VarianceScaling(1.0, "fan_in", "normal", seed)


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)).

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> bool(abs(glorot_uniform(seed=0)((784, 128))).max() < (6 / 912) ** 0.5)
        True
    """
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 2 / (fan_in + fan_out).

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> glorot_normal(seed=0)((784, 128)).shape
        (784, 128)
    """
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform in +-sqrt(6 / fan_in).

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> he_uniform(seed=0)((784, 128)).shape
        (784, 128)
    """
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 2 / fan_in.

    Args:
        seed: of the values, the same at each call; None draws from NumPy's global generator.

    Returns:
        An initializer: a function of (shape, dtype).

    Example:
        >>> he_normal(seed=0)((784, 128)).shape
        (784, 128)
    """
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def compute_fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many inputs and outputs one unit of a weight of this shape has.

    Args:
        shape: a matrix (in, out), or a convolution kernel (*window, in, out).

    Returns:
        fan_in, fan_out.

    Example:
        >>> compute_fans((3, 3, 16, 32))
        (144, 288)
    """
    if len(shape) in (3, 4, 5):
        window = math.prod(shape[:-2])
        return shape[-2] * window, shape[-1] * window
    if len(shape) == 2:
        return shape[0], shape[1]
    fan = math.sqrt(math.prod(shape))
    return fan, fan


def draw_truncated(source: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Unit normal values; those beyond +-2 are drawn again."""
    values = np.asarray(source.normal(size=shape))
    outside = np.abs(values) > 2.0
    while outside.any():
        values[outside] = source.normal(size=int(outside.sum()))
        outside = np.abs(values) > 2.0
    return values


zero = zeros = Zeros
one = ones = Ones
constant = Constant
uniform = random_uniform = RandomUniform
normal = random_normal = RandomNormal
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
orthogonal = OrthogonalInitializer = Orthogonal
identity = IdentityInitializer = Identity
GlorotUniform, GlorotNormal = glorot_uniform, glorot_normal
LecunUniform, LecunNormal = lecun_uniform, lecun_normal
HeUniform, HeNormal = he_uniform, he_normal

NAMES = (
    "zero", "zeros", "Zeros", "one", "ones", "Ones", "constant", "Constant",
    "uniform", "random_uniform", "RandomUniform", "normal", "random_normal", "RandomNormal",
    "truncated_normal", "TruncatedNormal", "variance_scaling", "VarianceScaling",
    "orthogonal", "Orthogonal", "OrthogonalInitializer",
    "identity", "Identity", "IdentityInitializer",
    "lecun_uniform", "LecunUniform", "lecun_normal", "LecunNormal",
    "glorot_uniform", "GlorotUniform", "glorot_normal", "GlorotNormal",
    "he_uniform", "HeUniform", "he_normal", "HeNormal",
)  # fmt: skip
_REGISTRY = Registry("initializer", {name: globals()[name] for name in NAMES})

get = _REGISTRY.get
serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize
