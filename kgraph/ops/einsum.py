"""Sums of products over named axes.

A letter has one size wherever it stands, also behind an ellipsis: size 1 does not stretch. Two
operands that share one summed letter become one `matmul` of views; anything else goes through
`np.einsum`, which allocates on every call.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import GradientError, InferenceError
from kgraph.ir.dim import Dim, product
from kgraph.ir.leaves import const
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.elementwise import multiply
from kgraph.ops.reductions import sum
from kgraph.ops.shapes import broadcast_to, expand_dims, transpose


class Einsum(Op):
    """Sum of products of the operands' elements; `subscripts` names the axes as in NumPy.

    Example:
        >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
        array([21., 43.], dtype=float32)
    """

    name = "einsum"

    def __call__(self, subscripts: str, *operands: Any) -> Any:
        if len(operands) == 1 and isinstance(operands[0], Node):
            terms, result = parse(subscripts, [operands[0].ndim])
            if len(set(terms[0])) == len(terms[0]):
                return _rearrange(operands[0], terms[0], result)
        return self.apply(operands, subscripts=subscripts)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        if not operands:
            raise InferenceError("einsum takes at least one operand")
        return promote_operands(operands)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        terms, result = parse(attrs["subscripts"], [n.ndim for n in inputs])
        return {"subscripts": f"{','.join(terms)}->{result}"}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if len({t.dtype for t in types}) != 1:
            raise InferenceError("operands must have one dtype")
        terms, result = _split(attrs["subscripts"])
        sizes = _sizes(terms, types)
        return TensorType(tuple(sizes[c] for c in result), types[0].dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        found = np.einsum(attrs["subscripts"], *arrays, out=out, optimize=len(arrays) > 1)
        # One operand may come back as a view of it.
        return np.array(found) if out is None else out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        terms, result = _split(attrs["subscripts"])
        return tuple(
            _gradient(g, result, inputs, terms, i) if x.type.is_float else None
            for i, x in enumerate(inputs)
        )

    def reference(self, *operands: Any, subscripts: str) -> Any:
        terms, result = _split(subscripts)
        factors, names = list(operands), list(terms)
        for i, x in enumerate(operands):
            names[i], extra = _distinct(as_node(x), names[i], "".join(names) + result)
            factors += [eye for eye, _ in extra]
            names += [name for _, name in extra]
        letters = result + "".join(sorted(set("".join(names)) - set(result)))
        total = _aligned(factors[0], names[0], letters)
        for factor, name in zip(factors[1:], names[1:]):
            total = multiply(total, _aligned(factor, name, letters))
        return sum(total, axis=tuple(range(len(result), len(letters))))

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        sizes = _sizes(_split(attrs["subscripts"])[0], inputs)
        return 2 * product(sizes.values()), super().cost(inputs, outputs, attrs)[1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        subscripts = attrs["subscripts"]
        if len(inputs) == 2:
            views = matmul_views(*_split(subscripts))
            if views is not None:
                left, right, result = views
                matmul = np.matmul
                return lambda a, b, out: matmul(left(a), right(b), result(out))
        path: Any = False
        if len(inputs) > 1:
            shapes: list[Any] = [t.shape for t in inputs]
            stand_ins = [np.broadcast_to(np.zeros(()), s) for s in shapes]
            path = np.einsum_path(subscripts, *stand_ins, optimize="greedy")[0]
        einsum = np.einsum
        return lambda *buffers: einsum(subscripts, *buffers[:-1], out=buffers[-1], optimize=path)

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        yield Sample((draw(2, 3), draw(3, 4)), {"subscripts": "ij,jk"})
        yield Sample((draw(5, 2, 3), draw(5, 4, 3)), {"subscripts": "bqd,bkd->bqk"})
        yield Sample((draw(2, 3, 2, 4), draw(2, 3, 5, 4)), {"subscripts": "bhqd,bhkd->bqkh"})
        yield Sample((draw(2, 3), draw(2, 3)), {"subscripts": "bi,bi->b"})
        yield Sample((draw(4), draw(3)), {"subscripts": "i,j->ji"})
        yield Sample((draw(2, 3, 4), draw(3, 4, 5)), {"subscripts": "bij,ijk->bk"})
        yield Sample((draw(2, 3), draw(3, 4), draw(4, 2)), {"subscripts": "ij,jk,kl->il"})
        yield Sample((draw(2, 3), draw(4, 3)), {"subscripts": "ij,kj->k"})
        yield Sample((draw(5, 3, 3),), {"subscripts": "bii->b"})
        yield Sample((draw(5, 2, 3), draw(3, 4)), {"subscripts": "...j,jk->...k"})


# -- subscripts --------------------------------------------------------------------------------
def parse(subscripts: str, ranks: Sequence[int]) -> tuple[tuple[str, ...], str]:
    """Reads subscripts, spelling out ellipses and the implicit result.

    Args:
        subscripts: NumPy's notation.
        ranks: the number of axes of each operand.

    Returns:
        The letters of each operand, and of the result.

    Raises:
        InferenceError: they cannot be read or do not fit the ranks.

    Example:
        >>> parse("...j, jk", [3, 2])
        (('ABj', 'jk'), 'ABk')
    """
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise InferenceError(f"{subscripts!r} names {len(terms)} operands, got {len(ranks)}")
    letters = left.replace("...", "").replace(",", "")
    if not all(c in string.ascii_letters for c in letters + right.replace("...", "")):
        raise InferenceError(f"{subscripts!r} may hold letters, commas, -> and ... only")
    hidden = [
        rank - len(t.replace("...", "")) if "..." in t else 0 for t, rank in zip(terms, ranks)
    ]
    deepest = sorted((0, *hidden))[-1]
    fresh = _fresh(letters + right, deepest)
    full = [t.replace("...", fresh[deepest - h :], 1) for t, h in zip(terms, hidden)]
    for term, rank in zip(full, ranks):
        if len(term) != rank:
            raise InferenceError(f"{subscripts!r} does not fit an operand of {rank} axes")
    once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    result = right.replace("...", fresh, 1) if arrow else fresh + once
    if len(set(result)) != len(result) or not set(result) <= set("".join(full)):
        raise InferenceError(f"{subscripts!r}: the result must name axes of operands, each once")
    return tuple(full), result


def _fresh(used: str, number: int) -> str:
    """Letters that are not in use yet."""
    free = [c for c in string.ascii_uppercase + string.ascii_lowercase if c not in used]
    if len(free) < number:
        raise InferenceError("einsum has letters for 52 axes only")
    return "".join(free[:number])


def _split(subscripts: str) -> tuple[tuple[str, ...], str]:
    left, _, result = subscripts.partition("->")
    return tuple(left.split(",")), result


def _sizes(terms: Sequence[str], types: Sequence[TensorType]) -> dict[str, int | Dim]:
    sizes: dict[str, int | Dim] = {}
    for term, type_ in zip(terms, types):
        for letter, size in zip(term, type_.shape):
            if sizes.setdefault(letter, size) != size:
                raise InferenceError(f"axis {letter} has sizes {sizes[letter]} and {size}")
    return sizes


# -- gradient and reference --------------------------------------------------------------------
def _rearrange(x: Node, term: str, result: str) -> Node:
    """Sums the axes that the result lacks and puts the others in its order."""
    kept = "".join(c for c in term if c in result)
    if kept != term:
        x = sum(x, axis=tuple(i for i, c in enumerate(term) if c not in result))
    return x if kept == result else transpose(x, tuple(kept.index(c) for c in result))


def _distinct(x: Node, term: str, used: str) -> tuple[str, list[tuple[Node, str]]]:
    """Renames the letters that a term repeats, and the identity matrices that tie them again."""
    renamed, ties = "", []
    for axis, letter in enumerate(term):
        if letter in renamed:
            new, size = _fresh(used + renamed, 1), x.shape[axis]
            if not isinstance(size, int):
                raise GradientError(f"einsum: the repeated axis {letter} must have a known size")
            ties.append((const(np.eye(size, dtype=x.dtype)), letter + new))
            letter = new
        renamed += letter
    return renamed, ties


def _gradient(g: Node, result: str, inputs: Sequence[Node], terms: Sequence[str], i: int) -> Node:
    """The cotangent of operand i: the einsum in which `g` stands in its place."""
    x = inputs[i]
    term, ties = _distinct(x, terms[i], "".join(terms))
    names = [result, *terms[:i], *terms[i + 1 :], *(name for _, name in ties)]
    factors = [g, *inputs[:i], *inputs[i + 1 :], *(eye for eye, _ in ties)]
    known = "".join(c for c in term if c in "".join(names))
    part = einsum(f"{','.join(names)}->{known}", *factors)
    if known == term:
        return part
    # What was summed over in this operand alone gets the same cotangent everywhere.
    missing = tuple(axis for axis, c in enumerate(term) if c not in known)
    return broadcast_to(expand_dims(part, missing), x.shape)


def _aligned(x: Any, term: str, letters: str) -> Any:
    """The operand with one axis a letter, of size 1 where it does not have it."""
    kept = [c for c in letters if c in term]
    x = transpose(x, tuple(term.index(c) for c in kept))
    missing = tuple(axis for axis, c in enumerate(letters) if c not in term)
    return expand_dims(x, missing) if missing else x


# -- the plan of two operands ------------------------------------------------------------------
def matmul_views(
    terms: Sequence[str], result: str
) -> tuple[Callable[[np.ndarray], np.ndarray], ...] | None:
    """Views of both operands and the result under which the einsum is one `matmul`, or None.

    That is possible where one letter is summed over, and it stands in both operands. Of the
    letters of one operand alone one is its matrix axis; the others are leading axes.
    """
    a, b = terms
    summed = [c for c in a if c in b and c not in result]
    alone = [c for c in set(a + b) - set(result) if c not in summed]
    if len(summed) != 1 or alone or len(set(a)) != len(a) or len(set(b)) != len(b):
        return None
    rows = [c for c in result if c not in b][-1:]
    columns = [c for c in result if c not in a][-1:]
    lead = [c for c in result if c not in rows + columns]
    return (
        _view(a, [*lead, *(rows or [""]), *summed]),
        _view(b, [*lead, *summed, *(columns or [""])]),
        _view(result, [*lead, *(rows or [""]), *(columns or [""])]),
    )


def _view(term: str, axes: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Puts the axes of an array in order, with an axis of size 1 for each that it lacks."""
    order = tuple(term.index(c) for c in axes if c and c in term)
    index = tuple(slice(None) if c and c in term else None for c in axes)
    if order == tuple(range(len(order))):
        if None not in index:
            return lambda x: x
        return lambda x: x[index]
    if None not in index:
        return lambda x: x.transpose(order)
    return lambda x: x.transpose(order)[index]


einsum = Einsum()
register(einsum)
