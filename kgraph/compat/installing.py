"""Puts kgraph in the place of Keras, and takes it away again."""

from __future__ import annotations

import sys

from kgraph import config
from kgraph.compat.face import Face
from kgraph.compat.finder import Finder
from kgraph.errors import explain


class Installation:
    """What `install` returns: leaving it as a context puts back what was before.

    Args:
        before: the packages that kgraph stood for.
    """

    def __init__(self, before: frozenset[str]) -> None:
        self._before = before

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exception: object) -> None:
        _replace(self._before)


def install(tf: bool = False) -> Installation:
    """Makes `import keras` and everything below it mean kgraph, also where Keras is installed.

    Modules of all versions of Keras are there (`keras.layers.core`, `keras.utils.np_utils`,
    `keras.engine`, ...), and hold kgraph's own objects. What kgraph lacks raises an ImportError or
    AttributeError that says what to use instead. `keras.__version__` is "2.3.1", the version whose
    names and files kgraph has. As in Keras 2, `Conv2D(32, 3, 3)` means a kernel of 3 x 3 from then
    on, with a warning, unless `tf` is set. Calling it again changes nothing.

    Args:
        tf: whether `tensorflow` means kgraph too: `tensorflow.keras`, and of the rest what kgraph
            can really do.

    Returns:
        A context that undoes the call when it is left; it need not be used as one.

    Raises:
        RuntimeError: another Keras or TensorFlow is imported already.

    Example:
        >>> with install():
        ...     from keras.layers.core import Dense
        ...     from keras.utils import np_utils
        >>> from kgraph import layers
        >>> Dense is layers.Dense
        True
    """
    before = _packages()
    wanted = before | {"keras"} | ({"tensorflow"} if tf else set())
    for package in sorted(wanted):
        real = sys.modules.get(package)
        if real is not None and not isinstance(real, Face):
            version = getattr(real, "__version__", "of unknown version")
            raise RuntimeError(
                explain(
                    f"kgraph.compat.install() comes too late: {package} {version} is imported",
                    where=getattr(real, "__file__", None),
                    hint=f"call it before anything imports {package}, or use `kgraph run`",
                )
            )
    _replace(wanted)
    return Installation(before)


def uninstall() -> None:
    """Makes `import keras` mean the installed Keras again, if there is one.

    Modules that were imported meanwhile stay what they are for those who hold them.

    Example:
        >>> _ = install()
        >>> uninstall()
        >>> import sys
        >>> "keras" in sys.modules
        False
    """
    _replace(frozenset())


def _packages() -> frozenset[str]:
    """The packages that kgraph stands for now."""
    return frozenset().union(*(f.packages for f in sys.meta_path if isinstance(f, Finder)))


def _replace(packages: frozenset[str]) -> None:
    if packages == _packages():
        return
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, Finder)]
    for name, module in list(sys.modules.items()):
        if isinstance(module, Face) and name.partition(".")[0] not in packages:
            del sys.modules[name]
    if packages:
        sys.meta_path.insert(0, Finder(packages))
    config.rows_and_columns = packages == {"keras"}
