"""Plain Python functions of arrays, traced to graphs and compiled: `jit`.

A function is traced once for each structure and types of its arguments: it is called on input
nodes, and what it returns is compiled. Called on nodes, a transformed function is traced into the
graph around it, so that transformations nest. Arrays that the function closes over become
constants; variables are read each time it runs, and what layers and optimizers change in them is
changed each time too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph import config
from kgraph.errors import explain
from kgraph.ir.attributes import attribute_key
from kgraph.ir.context import CallContext, calling, collecting_updates
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.op import as_array, as_node
from kgraph.ir.structure import Structure, flatten
from kgraph.ir.types import DTYPES, promote
from kgraph.passes.lower import inline, merge_updates
from kgraph.runtime.executable import Executable, compile

_NATIVE = frozenset(np.dtype(name) for name in DTYPES)


class Static:
    """A value that is part of the program: another value means another trace.

    `1`, `True` and `1.0` are three static values.
    """

    __slots__ = ("_key", "value")

    def __init__(self, value: Any) -> None:
        self.value, self._key = value, attribute_key(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a trace depends on: equal signatures share one executable.

    Args:
        structure: that of (args, kwargs).
        leaves: shape and dtype of an array, or what is static, one a leaf.
        numerics: the rules that may fire.
    """

    structure: Structure
    leaves: tuple[Static | tuple[tuple[int, ...], np.dtype], ...]
    numerics: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A compiled trace and the structure of its results."""

    executable: Executable
    results: Structure = field(compare=False)


class Traced:
    """A function of arrays that is compiled for each new signature of its arguments.

    Args:
        fun: what to trace.
        static: positions and names of arguments that are part of the program.
        strict: whether a leaf that is no array is an error; otherwise it is static.
    """

    def __init__(self, fun: Callable[..., Any], static: Sequence[int | str], strict: bool) -> None:
        functools.update_wrapper(self, fun, updated=())
        self._fun, self._strict = fun, strict
        self._positions = frozenset(s for s in static if isinstance(s, int))
        self._names = frozenset(s for s in static if isinstance(s, str))
        self._traces = functools.lru_cache(maxsize=config.plan_cache_size)(self._trace)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        marked_args, marked_kwargs = self._mark(args), self._mark_named(kwargs)
        leaves, structure = flatten((marked_args, marked_kwargs))
        if any(isinstance(x, Node) for x in leaves):
            return self._fun(*args, **kwargs)
        trace, arrays = self._find(leaves, structure)
        return trace.results.pack(trace.executable(*arrays))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def executable(self, *args: Any, **kwargs: Any) -> Executable:
        """What runs for such arguments, for looking at its graph, report and source."""
        leaves, structure = flatten((self._mark(args), self._mark_named(kwargs)))
        return self._find(leaves, structure)[0].executable

    @property
    def cache_info(self) -> Callable[[], Any]:
        """`cache_info()` counts calls of known signatures (`hits`) and traces (`misses`)."""
        return self._traces.cache_info

    def _mark(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self._positions:
            return args
        chosen = {p % len(args) for p in self._positions if -len(args) <= p < len(args)}
        return tuple(_static(a) if i in chosen else a for i, a in enumerate(args))

    def _mark_named(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if not self._names:
            return kwargs
        return {k: _static(v) if k in self._names else v for k, v in kwargs.items()}

    def _find(self, leaves: list[Any], structure: Structure) -> tuple[Trace, list[np.ndarray]]:
        """The trace for these leaves, and the arrays to run it on."""
        if not self._strict:
            leaves = [x if is_array(x) and not isinstance(x, bool) else _static(x) for x in leaves]
        wide = _widest_float(leaves) if any(isinstance(x, float) for x in leaves) else None
        read: list[Any] = []
        arrays: list[np.ndarray] = []
        for index, leaf in enumerate(leaves):
            if isinstance(leaf, Static):
                read.append(leaf)
                continue
            if not is_array(leaf):
                raise self._not_an_array(leaf, self._paths(structure)[index])
            array = _to_array(leaf, wide)
            read.append((array.shape, array.dtype))
            arrays.append(array)
        return self._traces(Signature(structure, tuple(read), config.numerics)), arrays

    def _trace(self, signature: Signature) -> Trace:
        values: list[Any] = []
        inputs: list[Node] = []
        for leaf, path in zip(signature.leaves, self._paths(signature.structure), strict=True):
            if isinstance(leaf, Static):
                values.append(leaf.value)
                continue
            inputs.append(input_node(leaf[0], leaf[1].name, path))
            values.append(inputs[-1])
        args, kwargs = signature.structure.pack(values)
        with calling(None), collecting_updates() as pending:
            leaves, results = flatten(self._fun(*args, **kwargs))
        nodes = [result_node(x, p) for x, p in zip(leaves, results.paths("out"), strict=True)]
        context = CallContext(training=False)
        roots, _ = inline([*nodes, *(n for _, n in pending)], context)
        outputs = tuple(zip(results.paths("out"), roots, strict=False))
        own = [(v, n) for (v, _), n in zip(pending, roots[len(nodes) :], strict=True)]
        updates = merge_updates([*context.updates, *own])
        return Trace(compile(Graph(tuple(inputs), outputs, updates, Stage.CORE)), results)

    def _paths(self, structure: Structure) -> list[str]:
        """One name an argument's leaf: the parameter's, and the keys that lead to the leaf."""
        positional, named = structure.parts
        names = _parameters(self._fun)
        names += [f"arg{i}" for i in range(len(names), len(positional.parts))]
        paths = [p for name, part in zip(names, positional.parts) for p in part.paths(name)]
        return [*paths, *named.paths("")]

    def _not_an_array(self, leaf: Any, path: str) -> TypeError:
        name = getattr(self._fun, "__name__", repr(self._fun))
        return TypeError(
            explain(
                f"Argument {path} of {name} is not an array or a number",
                got=f"{leaf!r} of type {type(leaf).__name__}",
                hint="mark arguments that are part of the program with static_argnums",
            )
        )

    def __repr__(self) -> str:
        return f"<traced {getattr(self._fun, '__name__', self._fun)}>"


def jit(
    fun: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Iterable[str] = (),
) -> Traced:
    """Compiles a function of arrays at its first call with arguments of new types.

    Args:
        fun: a pure function of arrays and numbers in nested tuples, lists and dictionaries.
        static_argnums: positions of arguments that are part of the program; they are hashable.
        static_argnames: names of such arguments.

    Returns:
        A function with the meaning of `fun`; its results are arrays.

    Example:
        >>> softplus = jit(lambda x: np.log(1 + np.exp(x)))
        >>> softplus(np.zeros(2)).round(4)
        array([0.6931, 0.6931])
    """
    numbers = [static_argnums] if isinstance(static_argnums, int) else list(static_argnums)
    names = [static_argnames] if isinstance(static_argnames, str) else list(static_argnames)
    known = _parameters(fun)
    # An argument that is static by its name is so when passed by position, and the reverse.
    numbers = [i % len(known) if -len(known) <= i < 0 else i for i in numbers]
    numbers += [known.index(n) for n in names if n in known]
    names += [known[i] for i in numbers if 0 <= i < len(known)]
    return Traced(fun, [*numbers, *names], strict=True)


def result_node(leaf: Any, path: str) -> Node:
    """A leaf of what a traced function returned, as a node.

    Raises:
        TypeError: it is no tensor.
    """
    if isinstance(leaf, Node) or is_array(leaf):
        return as_node(leaf)
    raise TypeError(
        explain(f"Result {path} of a traced function is not an array", got=f"{type(leaf)} {leaf!r}")
    )


def _static(value: Any) -> Static:
    try:
        static = Static(value)
        hash(static)
    except TypeError:
        raise ValueError(
            explain("a static argument must be hashable", got=f"{type(value).__name__} {value!r}")
        ) from None
    return static


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array or a number."""
    return isinstance(leaf, (np.ndarray, np.generic, bool, int, float)) or (
        hasattr(leaf, "__array__") and not isinstance(leaf, type)
    )


def _widest_float(leaves: Iterable[Any]) -> str | None:
    """The widest float dtype among the arrays; `numpy.float64` scalars count as Python floats."""
    arrays = [x for x in leaves if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f"]
    dtypes = [x.dtype.name for x in arrays if not isinstance(x, float)]
    return promote(*dtypes) if dtypes else None


def _to_array(leaf: Any, wide: str | None) -> np.ndarray:
    """A leaf as an array; a Python float takes the dtype of the arrays beside it."""
    if type(leaf) is np.ndarray and leaf.dtype in _NATIVE:
        return leaf
    if isinstance(leaf, float):
        alone = "float64" if isinstance(leaf, np.float64) else "float32"
        return np.asarray(leaf, wide or alone)
    return as_array(leaf if isinstance(leaf, (bool, int)) else np.asarray(leaf))


def _parameters(fun: Callable[..., Any]) -> list[str]:
    """Names of the positional parameters, as far as the function tells them."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds]
