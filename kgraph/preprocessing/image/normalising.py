"""How an ImageDataGenerator normalises images, and what it measures for that."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kgraph.preprocessing.image.arrays import warn_of_channels


def standardize(make: Any, x: np.ndarray) -> np.ndarray:
    """`ImageDataGenerator.standardize` of the generator `make`."""
    if make.preprocessing_function:
        x = make.preprocessing_function(x)
    if make.rescale:
        x *= make.rescale
    if make.samplewise_center:
        x -= np.mean(x, keepdims=True)
    if make.samplewise_std_normalization:
        x /= np.std(x, keepdims=True) + 1e-6
    if make.featurewise_center and _fitted("featurewise_center", make.mean):
        x -= make.mean
    if make.featurewise_std_normalization and _fitted("featurewise_std_normalization", make.std):
        x /= make.std + 1e-6
    if make.zca_whitening and _fitted("zca_whitening", make.principal_components):
        size = int(np.prod(x.shape[-3:]))
        x = np.reshape(x.reshape(-1, size) @ make.principal_components, x.shape)
    return x


def _fitted(name: str, statistic: np.ndarray | None) -> bool:
    if statistic is None:
        warnings.warn(
            f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any "
            "training data. Fit it first by calling `.fit(numpy_data)`.",
            stacklevel=3,
        )
    return statistic is not None


def fit(make: Any, x: Any, augment: bool, rounds: int, seed: int | None) -> None:
    """`ImageDataGenerator.fit` of the generator `make`."""
    x = np.array(x, dtype=make.dtype)
    if x.ndim != 4:
        raise ValueError(f"Input to `.fit()` should have rank 4. Got array with shape: {x.shape}")
    warn_of_channels("fit", x.shape, make.channel_axis, make.data_format)
    if seed is not None:
        np.random.seed(seed)
    if make.rescale:
        x *= make.rescale
    if augment:
        images = [make.random_transform(image) for _ in range(rounds) for image in x]
        x = np.array(images, dtype=make.dtype)
    axes = (0, make.row_axis, make.col_axis)
    if make.featurewise_center:
        make.mean = np.mean(x, axis=axes, keepdims=True)[0]
        x -= make.mean
    if make.featurewise_std_normalization:
        make.std = np.std(x, axis=axes, keepdims=True)[0]
        x /= make.std + 1e-6
    if make.zca_whitening:
        flat = x.reshape(len(x), -1)
        u, s, _ = np.linalg.svd(flat.T @ flat / len(flat))
        make.principal_components = (u * (1.0 / np.sqrt(s[None] + make.zca_epsilon))) @ u.T
