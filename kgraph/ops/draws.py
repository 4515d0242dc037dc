"""Random tensors as pure functions of (seed, site, step): equal arguments give equal bits.

Each call site is a Philox stream of its own, keyed by (seed, site); the step, an int64 scalar that
counts the runs, selects the place in the stream. A tensor of another size draws other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import FLOATS, TensorType, canonical_dtype
from kgraph.ops.shapes import as_shape
from kgraph.ops.specialized import Specialized

Fill = Callable[[np.random.Generator, np.ndarray], None]
_WORD = 1 << 64
# Elements whose random bits are held at a time: NumPy returns raw bits in a new array only, which
# is to stay in the cache and not to grow with the tensor.
_CHUNK = 1 << 15


class Stream:
    """A generator that is put back to the start of any step of its stream.

    Each step has 2**128 blocks of random bits to itself.
    """

    def __init__(self, seed: int, site: int) -> None:
        self.bits = np.random.Philox(key=[seed % _WORD, site % _WORD])
        self.generator = np.random.Generator(self.bits)
        self.state = self.bits.state
        self.counter = self.state["state"]["counter"]

    def at(self, step: int) -> np.random.Generator:
        """The generator at the start of a step."""
        self.counter[2] = step % _WORD
        self.bits.state = self.state
        return self.generator


class RandomOp(Specialized):
    """A float tensor drawn anew at each step; `defaults` are the distribution's parameters."""

    defaults: Mapping[str, float] = {}
    dtypes: tuple[str, ...] = FLOATS

    def __call__(self, step: Any, shape: Any, **attrs: Any) -> Any:
        return self.apply((step,), shape=shape, **attrs)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {
            "shape": as_shape(attrs["shape"]),
            "dtype": canonical_dtype(attrs.get("dtype", "float32")),
            "seed": int(attrs.get("seed", 0)),
            "site": int(attrs.get("site", 0)),
            **{k: float(attrs.get(k, v)) for k, v in self.defaults.items()},
        }

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (step,) = types
        if step != TensorType((), "int64"):
            raise InferenceError("the step must be an int64 scalar")
        result = TensorType(tuple(attrs["shape"]), attrs["dtype"])
        if result.dtype not in self.dtypes:
            raise InferenceError(f"draws floats, not {result.dtype}")
        return result

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        # NumPy's generators fill float32 and float64 only.
        half = attrs["dtype"] == "float16"
        return (TensorType(tuple(attrs["shape"]), "float32"),) if half else ()

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        half = attrs["dtype"] == "float16"
        stream = Stream(attrs["seed"], attrs["site"])
        fill = self.fill("float32" if half else attrs["dtype"], attrs)

        def draw(step: np.ndarray, out: np.ndarray, *wide: np.ndarray) -> None:
            fill(stream.at(int(step)), out)

        def draw_half(step: np.ndarray, out: np.ndarray, wide: np.ndarray) -> None:
            fill(stream.at(int(step)), wide)
            np.copyto(out, wide, "same_kind")

        return draw_half if half else draw

    def fill(self, dtype: str, attrs: Mapping[str, Any]) -> Fill:
        """The function that fills an array of float32 or float64 from a generator."""
        raise NotImplementedError(self.name)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def samples(self) -> Iterable[Sample]:
        step = np.array(3, np.int64)
        yield Sample((step,), {"shape": (2, 3), "seed": 5, "site": 1})
        yield Sample((step,), {"shape": (4,), "dtype": "float64", "seed": 5})
        yield Sample((step,), {"shape": (3,), "dtype": "float16"})


class RandomUniform(RandomOp):
    """Numbers from [minval, maxval), all equally likely."""

    name = "random_uniform"
    defaults = {"minval": 0.0, "maxval": 1.0}

    def fill(self, dtype: str, attrs: Mapping[str, Any]) -> Fill:
        low, width = attrs["minval"], attrs["maxval"] - attrs["minval"]
        kind, base, factor = np.dtype(dtype), np.array(low, dtype), np.array(width, dtype)

        def plain(generator: np.random.Generator, out: np.ndarray) -> None:
            generator.random(None, kind, out)

        def scaled(generator: np.random.Generator, out: np.ndarray) -> None:
            generator.random(None, kind, out)
            np.multiply(out, factor, out)
            np.add(out, base, out)

        return plain if (low, width) == (0, 1) else scaled


class RandomNormal(RandomOp):
    """Normally distributed numbers."""

    name = "random_normal"
    defaults = {"mean": 0.0, "stddev": 1.0}

    def fill(self, dtype: str, attrs: Mapping[str, Any]) -> Fill:
        kind = np.dtype(dtype)
        mean, stddev = (np.array(attrs[k], dtype) for k in ("mean", "stddev"))

        def fill(generator: np.random.Generator, out: np.ndarray) -> None:
            self.standard(generator, out, kind)
            np.multiply(out, stddev, out)
            np.add(out, mean, out)

        return fill

    def standard(self, generator: np.random.Generator, out: np.ndarray, kind: np.dtype) -> None:
        """Fills `out` with mean 0 and deviation 1 before truncation."""
        generator.standard_normal(None, kind, out)


class RandomTruncatedNormal(RandomNormal):
    """Normally distributed numbers, drawn again until within two deviations of the mean.

    Drawing again allocates, for one number in twenty.
    """

    name = "random_truncated_normal"

    def standard(self, generator: np.random.Generator, out: np.ndarray, kind: np.dtype) -> None:
        generator.standard_normal(None, kind, out)
        flat = out.reshape(-1)
        outside = np.flatnonzero(np.abs(flat) > 2)
        while outside.size:
            fresh = generator.standard_normal(outside.size, kind)
            flat[outside] = fresh
            outside = outside[np.abs(fresh) > 2]


class RandomBernoulli(RandomOp):
    """1 with probability p, else 0; of dtype bool one byte an element.

    The probability is p to 2**-60: an element whose first random bits equal those of p, so that
    they leave open on which side it lies, draws a number of its own.
    """

    name = "random_bernoulli"
    defaults = {"p": 0.5}
    dtypes = ("bool", *RandomOp.dtypes)

    def __call__(self, step: Any, shape: Any, p: float = 0.5, **attrs: Any) -> Any:
        return self.apply((step,), shape=shape, p=p, **attrs)

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        hits = TensorType(tuple(attrs["shape"]), "bool")
        return () if attrs["dtype"] == "bool" else (hits,)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        stream, size = Stream(attrs["seed"], attrs["site"]), math.prod(attrs["shape"])
        decide = decider(stream.bits, attrs["p"], size)

        def draw(step: np.ndarray, hits: np.ndarray) -> None:
            generator, flat = stream.at(int(step)), hits.reshape(-1)
            for start in range(0, size, _CHUNK):
                decide(generator, flat[start : start + _CHUNK])

        def draw_numbers(step: np.ndarray, out: np.ndarray, hits: np.ndarray) -> None:
            draw(step, hits)
            np.copyto(out, hits)

        return draw if attrs["dtype"] == "bool" else draw_numbers


# Fewer elements take 16 bits each: looking for those that 8 bits leave open costs more.
_FEW = 1 << 13


def decider(bits: np.random.Philox, p: float, size: int) -> Fill:
    """A function that fills an array of bools, each True with probability p.

    8 or 16 random bits decide an element, except for the one value of 256 or 65536 that needs
    more: a fifth of the time of drawing floats.
    """
    word = np.dtype(np.uint8 if size >= _FEW or (p * 256).is_integer() else np.uint16)
    values = 256**word.itemsize
    whole = min(int(p * values), values - 1)
    limit, rest = np.array(whole, word), p * values - whole

    def decide(generator: np.random.Generator, hits: np.ndarray) -> None:
        drawn = bits.random_raw(-(-hits.size * word.itemsize // 8))
        words = drawn.view(word)[: hits.size]
        np.less(words, limit, hits)
        if rest:
            undecided = np.equal(words, limit).nonzero()[0]
            if undecided.size:
                hits[undecided] = generator.random(undecided.size) < rest

    return decide


random_uniform, random_normal = RandomUniform(), RandomNormal()
random_truncated_normal, random_bernoulli = RandomTruncatedNormal(), RandomBernoulli()
for _op in (random_uniform, random_normal, random_truncated_normal, random_bernoulli):
    register(_op)
