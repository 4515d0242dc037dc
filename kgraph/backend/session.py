"""What TensorFlow keeps in a session and a default graph, and what is left of it here: names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from kgraph import config
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir import Node
from kgraph.ir.origin import scope
from kgraph.layers.naming import get_uid, reset_uids

__all__ = [
    "clear_session",
    "control_dependencies",
    "get_session",
    "get_uid",
    "manual_variable_initialization",
    "name_scope",
    "print_tensor",
    "reset_uids",
    "set_session",
]

_NO_SESSION = "kgraph has no session: a graph holds all that it depends on"


def clear_session() -> None:
    """Starts the numbers of automatic names again, and unsets the learning phase.

    Models that are in use go on working; their memory is freed when nothing refers to them.

    Example:
        >>> from kgraph.layers import Dense
        >>> clear_session(); Dense(1).name
        'dense_1'
    """
    reset_uids()
    config.learning_phase = None


def get_session() -> NoReturn:
    """Refuses: there is no session.

    Raises:
        NotImplementedError: always, with what to use instead.

    Example:
        >>> get_session()
        Traceback (most recent call last):
        ...
        NotImplementedError: kgraph has no session: a graph holds all that it depends on
          hint: K.function([inputs], [outputs]) runs tensors, K.eval and K.get_value show values
    """
    hint = "K.function([inputs], [outputs]) runs tensors, K.eval and K.get_value show values"
    raise NotImplementedError(explain(_NO_SESSION, hint=hint))


def set_session(session: Any) -> NoReturn:
    """Refuses: there is no session.

    Args:
        session: anything.

    Raises:
        NotImplementedError: always, with what to use instead.

    Example:
        >>> set_session(None)
        Traceback (most recent call last):
        ...
        NotImplementedError: kgraph has no session: a graph holds all that it depends on
          hint: leave the call out; threads of NumPy's BLAS are set by OMP_NUM_THREADS
    """
    del session
    hint = "leave the call out; threads of NumPy's BLAS are set by OMP_NUM_THREADS"
    raise NotImplementedError(explain(_NO_SESSION, hint=hint))


def manual_variable_initialization(value: bool) -> None:
    """Accepted for Keras: variables have their values from the start.

    Args:
        value: ignored.

    Example:
        >>> manual_variable_initialization(True)
    """
    del value


@contextlib.contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Puts what is built inside under a name, which errors, prints and pictures show.

    Args:
        name: of the scope.

    Example:
        >>> from kgraph.layers import Input
        >>> x = Input((2,))
        >>> with name_scope("norm"):
        ...     y = x * 3
        >>> y.origin.scope
        'norm'
    """
    with scope(name):
        yield name


@contextlib.contextmanager
def control_dependencies(control_inputs: Iterable[Any]) -> Iterator[None]:
    """Accepted for Keras: no op has effects, so their order does not matter.

    Args:
        control_inputs: tensors.

    Example:
        >>> with control_dependencies([]):
        ...     pass
    """
    del control_inputs
    yield


def print_tensor(x: Any, message: str = "") -> Any:
    """Prints an array and returns it.

    Args:
        x: an array or numbers.
        message: printed before.

    Returns:
        The array.

    Raises:
        NotImplementedError: x is symbolic; ops have no effects.

    Example:
        >>> y = print_tensor([1, 2], "x is ")
        x is [1 2]
    """
    x = tensor(x)
    if isinstance(x, Node):
        raise NotImplementedError(
            explain(
                "K.print_tensor cannot print a symbolic tensor: ops have no effects",
                got=x,
                where=x.origin.where,
                hint="make it an output: K.function([input], [x])([array])",
            )
        )
    print(f"{message}{np.asarray(x)}")
    return x
