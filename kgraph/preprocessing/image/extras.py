"""Packages that only image files and image transformations need, and what to say without them."""

from __future__ import annotations

import importlib
from typing import Any

from kgraph.errors import explain


def need(module: str, package: str) -> Any:
    """Imports a module of the extra `image`.

    Args:
        module: its dotted name.
        package: the package that has it.

    Returns:
        The module.

    Raises:
        ImportError: the package is not installed.

    Example:
        >>> need("scipy.ndimage", "SciPy").__name__
        'scipy.ndimage'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            explain(
                f"kgraph.preprocessing.image needs {package}, which is not installed",
                hint="pip install 'kgraph[image]'",
            )
        ) from error
