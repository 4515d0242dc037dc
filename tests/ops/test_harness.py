"""The harness finds broken ops: each promise broken once."""

import numpy as np
import pytest
from harness import check_op

from kgraph import ops
from kgraph.ir import API, OPS, Sample, register
from kgraph.ops.base import Elementwise


def draw(rng):
    """A sample."""
    return rng.uniform(0.5, 2, (2, 3)).astype("float32")


class Good(Elementwise):
    """A correct op to break: x times e to the x."""

    def __init__(self, name="broken", **options):
        options = {"reuse": (), "arity": 1, "floating": True, "dtypes": "f", **options}
        super().__init__(
            name,
            options.pop("function", self.compute),
            options.pop("vjp", lambda g, y, x: (g * (y + ops.exp(x)),)),
            doc="Test.",
            reference=options.pop("reference", lambda x: x * ops.exp(x)),
            **options,
        )

    @staticmethod
    def compute(x, out):
        """The kernel, which may not write in place."""
        np.exp(x, out)
        np.multiply(x, out, out)


class WrongType(Good):
    def infer(self, *types, **attrs):
        return types[0].with_dtype("float64")

    def kernel(self, *arrays, out=None, **attrs):
        return super().kernel(*arrays, out=np.empty_like(arrays[0]) if out is None else out)


class WrongShape(Good):
    def infer(self, *types, **attrs):
        return types[0].with_shape((*types[0].shape, 1))


class IgnoresOut(Good):
    def kernel(self, *arrays, out=None, **attrs):
        return arrays[0] * np.exp(arrays[0])


class WritesOperand(Good):
    def kernel(self, *arrays, out=None, **attrs):
        result = super().kernel(*arrays, out=out)
        if out is not None:
            arrays[0][...] = 0
        return result


class WrongSpecialization(Good):
    def specialize(self, inputs, outputs, attrs):
        return np.exp


class BakesSizesIn(Good):
    def infer(self, *types, **attrs):
        if types[0].shape and not isinstance(types[0].shape[0], int):
            return types[0].with_shape((2, *types[0].shape[1:]))
        return types[0]


class NoSamples(Good):
    def samples(self):
        return ()


class NoSymbols(Good):
    def infer(self, *types, **attrs):
        return types[0].with_shape(tuple(d.__index__() for d in types[0].shape))


class HiddenState(Good):
    calls = 0

    def kernel(self, *arrays, out=None, **attrs):
        self.calls += 1
        result = super().kernel(*arrays, out=out)
        result += self.calls
        return result


BROKEN = {
    "wrong type": (WrongType(), "assert"),
    "wrong shape": (WrongShape(), "assert"),
    "ignores out": (IgnoresOut(), "kernel must return out"),
    "writes to an operand": (WritesOperand(), "wrote to an operand"),
    "lies about reuse": (Good(reuse=(0,)), "out in place of operand 0"),
    "other specialization": (WrongSpecialization(), "Not equal to tolerance"),
    "other gradient": (Good(vjp=lambda g, y, x: (g * y,)), "Not equal to tolerance"),
    "gradient missing": (Good(vjp=lambda g, y, x: (None,)), "derivative 1 of broken is wrong"),
    "second derivative": (
        Good(vjp=lambda g, y, x: (g * ops.stop_gradient(y + ops.exp(x)),)),
        "derivative 2 of broken is wrong",
    ),
    "other reference": (Good(reference=lambda x: x + ops.exp(x)), "Not equal to tolerance"),
    "reference of another type": (Good(reference=lambda x: ops.sum(x * ops.exp(x))), "assert"),
    "sizes baked in": (BakesSizesIn(), "assert"),
    "no samples": (NoSamples(), "has no samples"),
    "no symbols": (NoSymbols(), "no sample builds with a symbolic leading size"),
    "hidden state": (HiddenState(), "Arrays are not equal"),
}


@pytest.fixture
def registered():
    """Registers an op until the test ends."""
    yield register
    OPS.pop("broken", None)
    API.pop("broken", None)


def test_the_unbroken_op_passes(registered):
    check_op(registered(Good()))


@pytest.mark.parametrize("fault", sorted(BROKEN))
def test_each_fault_is_found(fault, registered):
    op, message = BROKEN[fault]
    with pytest.raises(AssertionError, match=message):
        check_op(registered(op))


def test_notes_name_the_sample(registered):
    with pytest.raises(AssertionError) as caught:
        check_op(registered(IgnoresOut()))
    assert caught.value.__notes__ == ["op broken, sample 0, attributes {}"]


def test_samples_may_be_arrays_or_functions(registered):
    class Mixed(Good):
        def samples(self):
            yield Sample((draw,))
            yield Sample((np.ones((4, 1), "float64"),))

    check_op(registered(Mixed()))
