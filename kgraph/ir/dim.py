"""Symbolic dimensions: integer polynomials over named sizes such as `batch`.

What a window that moves in strides leaves of an unknown size is a rounded quotient, `((h+1)//2)`.
It is one more symbol of the polynomial, whose name is its own text (`floor_divide`).
A `Dim` is never a plain number: arithmetic that comes out constant returns an `int`. Every symbol
stands for a size, so it is >= 0, and it never broadcasts (a size that may be 1 and should stretch
must be written as 1). Questions that the polynomial cannot answer raise `UndecidableError`.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Iterable, Mapping
from numbers import Integral

from kgraph.errors import ParseError, UndecidableError

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_FACTOR = rf"(?:[0-9]{{1,20}}|(?:{_NAME}|\?[0-9]+)(?:\^[0-9]{{1,3}})?)"
_POLYNOMIAL = re.compile(rf"[+-]?{_FACTOR}(?:[+*-]{_FACTOR})*")
# An innermost quotient of the text; its numerator is a name or a polynomial in parentheses.
_QUOTIENT = re.compile(rf"\(({_NAME}|\([^()]*\))//([0-9]{{1,20}})\)")
# Words that the text form of graphs uses for attributes.
_RESERVED = ("None", "True", "False", "inf", "nan")

Monomial = tuple[tuple[str, int], ...]  # ((symbol, power), ...) sorted by symbol


class Dim:
    """A size that is known only as a polynomial over named symbols.

    Example:
        >>> batch = Dim.symbol("batch")
        >>> 2 * batch + batch
        3*batch
        >>> (batch * 20) // 4
        5*batch
        >>> batch - batch
        0
    """

    __slots__ = ("_hash", "terms")

    terms: tuple[tuple[Monomial, int], ...]
    _hash: int

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "_hash", hash(("Dim", terms)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Dim is immutable")

    @staticmethod
    def symbol(name: str) -> Dim:
        """Returns the dimension that is called `name`."""
        if not re.fullmatch(_NAME, name) or name in _RESERVED:
            raise ValueError(f"A dimension's name must be an identifier. Got: {name!r}")
        return Dim(((((name, 1),), 1),))

    def __add__(self, other: int | Dim) -> int | Dim:
        if not isinstance(other, (Integral, Dim)):
            return NotImplemented  # a tensor, which knows what to do with a size
        return _collect([*self.terms, *_terms(other)])

    def __sub__(self, other: int | Dim) -> int | Dim:
        if not isinstance(other, (Integral, Dim)):
            return NotImplemented
        return self + (other * -1)

    def __rsub__(self, other: int) -> int | Dim:
        return (self * -1) + other

    def __neg__(self) -> int | Dim:
        return self * -1

    def __mul__(self, other: int | Dim) -> int | Dim:
        if not isinstance(other, (Integral, Dim)):
            return NotImplemented
        right = _terms(other)
        return _collect([(_times(m, n), a * b) for m, a in self.terms for n, b in right])

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: int | Dim) -> int | Dim:
        """Divides exactly; a remainder that depends on the symbols is undecidable."""
        divisor = _terms(other)
        if self == other:
            return 1
        if len(divisor) != 1:
            raise UndecidableError(f"{self} // {other} cannot be decided")
        mono, factor = divisor[0]
        quotient = []
        for term, coefficient in self.terms:
            rest = _divide(term, mono)
            if rest is None or coefficient % factor:
                raise UndecidableError(f"{self} // {other} is not an exact division")
            quotient.append((rest, coefficient // factor))
        return _collect(quotient)

    def __mod__(self, other: int | Dim) -> int:
        """Returns 0 where the division is known to be exact."""
        _ = self // other
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: int | Dim) -> bool:
        return compare(self, other, strict=True)

    def __le__(self, other: int | Dim) -> bool:
        return compare(self, other, strict=False)

    def __gt__(self, other: int | Dim) -> bool:
        return not self <= other

    def __ge__(self, other: int | Dim) -> bool:
        return not self < other

    def __bool__(self) -> bool:
        raise UndecidableError(f"Whether {self} is zero is known only when the graph runs")

    def __int__(self) -> int:
        raise UndecidableError(f"{self} has no number before the graph runs")

    __index__ = __int__

    def __repr__(self) -> str:
        text = "+".join(_show(mono, factor) for mono, factor in self.terms)
        return text.replace("+-", "-")

    def __reduce__(self) -> tuple[object, ...]:
        return Dim, (self.terms,)

    @property
    def symbols(self) -> frozenset[str]:
        """The names that this dimension depends on."""
        names: set[str] = set()
        for mono, _ in self.terms:
            for name, _ in mono:
                names |= _quotient(name)[0].symbols if name[0] == "(" else {name}
        return frozenset(names)

    def substitute(self, binding: Mapping[str, int | Dim]) -> int | Dim:
        """Replaces symbols by sizes; symbols that `binding` does not name stay."""
        total: int | Dim = 0
        for mono, factor in self.terms:
            value: int | Dim = factor
            for name, power in mono:
                size = _size_of(name, binding)
                for _ in range(power):
                    value = value * size
            total = total + value
        return total


def compare(left: int | Dim, right: int | Dim, *, strict: bool) -> bool:
    """Decides left < right (or <=) from the signs of the difference's terms, or raises."""
    gap = right - left
    if isinstance(gap, int):
        return gap > 0 if strict else gap >= 0
    constant = sum(factor for mono, factor in gap.terms if not mono)
    factors = [factor for mono, factor in gap.terms if mono]
    if all(f > 0 for f in factors) and (constant > 0 or (constant == 0 and not strict)):
        return True
    if all(f < 0 for f in factors) and (constant < 0 or (constant == 0 and strict)):
        return False
    raise UndecidableError(f"Whether {left} {'<' if strict else '<='} {right} cannot be decided")


def product(dims: Iterable[int | Dim]) -> int | Dim:
    """Multiplies sizes; the product of none is 1.

    Args:
        dims: ints and `Dim`s.

    Returns:
        An int or a `Dim`.

    Example:
        >>> product((Dim.symbol("batch"), 3))
        3*batch
    """
    total: int | Dim = 1
    for dim in dims:
        total = total * dim
    return total


def floor_divide(dim: int | Dim, divisor: int) -> int | Dim:
    """Divides and rounds down; what the polynomial cannot answer becomes a symbol of its own.

    Args:
        dim: an int or a `Dim`.
        divisor: a number above 0.

    Returns:
        An int or a `Dim`, the same for equal arguments. Of a polynomial without quotients, dividing
        by a and then by b gives the form of dividing by a b; of one with quotients, equal sizes may
        have two forms (q = n//2: (n//10 + q)//2 and 3 q//5 are equal), which then compare unequal.

    Raises:
        ValueError: the divisor is not above 0.

    Example:
        >>> floor_divide(2 * Dim.symbol("n") + 5, 4)
        (n//2)+1
    """
    if divisor < 1:
        raise ValueError(f"The divisor of a size must be above 0. Got: {divisor}")
    if not isinstance(dim, Dim):
        return operator.index(dim) // divisor
    # (c q + r) // c = q + r // c; then r has coefficients in [0, c), so that r // c >= 0.
    whole = _collect([(mono, factor // divisor) for mono, factor in dim.terms])
    rest = _collect([(mono, factor % divisor) for mono, factor in dim.terms])
    if not isinstance(rest, Dim):
        return whole
    # (g s + k) // (g c) = (s + k // g) // c
    common = math.gcd(divisor, *[factor for mono, factor in rest.terms if mono])
    if common > 1:
        smaller = _collect([(mono, factor // common) for mono, factor in rest.terms])
        return whole + floor_divide(smaller, divisor // common)
    for mono, factor in rest.terms:
        if factor == 1 and len(mono) == 1 and mono[0][0][0] == "(" and mono[0][1] == 1:
            # (n // a + m) // c = (n + a m) // (a c)
            inner, by = _quotient(mono[0][0])
            others = rest - Dim(((mono, 1),))
            return whole + floor_divide(inner + others * by, divisor * by)
    text = str(rest)
    name = f"({text if re.fullmatch(_NAME, text) else f'({text})'}//{divisor})"
    return whole + Dim(((((name, 1),), 1),))


def evaluate(dim: int | Dim, binding: Mapping[str, int]) -> int:
    """Gives a size its number; every symbol must be bound.

    Args:
        dim: an int or a `Dim`.
        binding: symbol -> number.

    Returns:
        A number.

    Raises:
        UndecidableError: a symbol of `dim` is not in `binding`.

    Example:
        >>> evaluate(2 * Dim.symbol("n"), {"n": 4})
        8
    """
    if not isinstance(dim, Dim):
        return dim
    value = dim.substitute(binding)
    if isinstance(value, Dim):
        raise UndecidableError(f"{dim} needs a number for {', '.join(sorted(value.symbols))}")
    return value


def parse_dim(text: str) -> int | Dim:
    """Reads what `repr` of a dimension prints.

    Example:
        >>> parse_dim("3*batch*n^2-4")
        3*batch*n^2-4
    """
    rest = text.strip()
    quotients: dict[str, int | Dim] = {}
    if len(text) > 1000 or "?" in text:
        raise ParseError(f"not a dimension: {text[:80]!r}")
    while found := _QUOTIENT.search(rest):
        numerator, divisor = _polynomial(found[1].strip("()"), quotients), int(found[2])
        if divisor == 0:
            raise ParseError(f"not a dimension: {text[:80]!r}")
        name = f"?{len(quotients)}"
        quotients[name] = floor_divide(numerator, divisor)
        rest = rest[: found.start()] + name + rest[found.end() :]
    return _polynomial(rest, quotients)


def _polynomial(text: str, quotients: Mapping[str, int | Dim]) -> int | Dim:
    """Reads a dimension without quotients; those that were in it have got names."""
    if not _POLYNOMIAL.fullmatch(text):
        raise ParseError(f"not a dimension: {text[:80]!r}")
    total: int | Dim = 0
    for sign, body in re.findall(r"([+-]?)([^+-]+)", text):
        value: int | Dim = -1 if sign == "-" else 1
        for factor in body.split("*"):
            name, _, power = factor.partition("^")
            base = int(name) if name.isdigit() else quotients.get(name)
            base = _symbol(name) if base is None else base
            for _ in range(int(power or 1)):
                value = value * base
        total = total + value
    return total


@functools.lru_cache(maxsize=4096)
def _quotient(name: str) -> tuple[Dim, int]:
    """The numerator and divisor of a quotient's name."""
    body, _, divisor = name[1:-1].rpartition("//")
    numerator = parse_dim(body[1:-1] if body[0] == "(" else body)
    assert isinstance(numerator, Dim)
    return numerator, int(divisor)


def _size_of(name: str, binding: Mapping[str, int | Dim]) -> int | Dim:
    if name[0] != "(":
        return binding.get(name, Dim.symbol(name))
    numerator, divisor = _quotient(name)
    return floor_divide(numerator.substitute(binding), divisor)


def _symbol(name: str) -> Dim:
    if name in _RESERVED:
        raise ParseError(f"not a dimension: {name!r}")
    return Dim.symbol(name)


def _terms(value: int | Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(value, Dim):
        return value.terms
    number = operator.index(value)  # refuses 2.5, which `int` would cut to 2
    return (((), number),) if number else ()


def _collect(terms: Iterable[tuple[Monomial, int]]) -> int | Dim:
    sums: dict[Monomial, int] = {}
    for mono, factor in terms:
        sums[mono] = sums.get(mono, 0) + factor
    kept = [(mono, factor) for mono, factor in sums.items() if factor]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    # Highest degree first, then by name, the constant last: one order for equal polynomials.
    return Dim(tuple(sorted(kept, key=lambda t: (-sum(p for _, p in t[0]), t[0]))))


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted(powers.items()))


def _divide(mono: Monomial, by: Monomial) -> Monomial | None:
    powers = dict(mono)
    for name, power in by:
        powers[name] = powers.get(name, 0) - power
        if powers[name] < 0:
            return None
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _show(mono: Monomial, factor: int) -> str:
    names = [name if power == 1 else f"{name}^{power}" for name, power in mono]
    if not names:
        return str(factor)
    if factor in (1, -1):
        return ("-" if factor < 0 else "") + "*".join(names)
    return "*".join([str(factor), *names])
