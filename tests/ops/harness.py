"""`check_op`: every promise that the IR makes about an op, checked on the op's own samples."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir import Dim, Graph, Stage, TensorType, build, input_node, items
from kgraph.ir.attributes import bind_attributes
from kgraph.ir.parser import parse
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import dumps, loads
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.testing.gradients import check_gradients
from kgraph.testing.widening import with_wide_bodies

# Gradients that differ from the derivative on purpose.
NO_DERIVATIVE = ("stop_gradient",)
# A small batch holds no largest element, no element of some id and no slice of some length.
REFUSES_SOME_SIZES = (
    "argmax",
    "argmin",
    "logsumexp",
    "max",
    "min",
    "scatter_add",
    "scatter_max",
    "scatter_min",
    "scatter_multiply",
    "scatter_set",
    "slice",
    "slice_add",
    "take",
    "take_along_axis",
)
TOLERANCE = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}


@dataclass
class Case:
    """One sample made concrete: arrays as the kernel gets them, and the node of the op."""

    op: object
    arrays: list
    inputs: tuple
    node: object

    @property
    def outputs(self):
        """The types of the outputs."""
        return self.node.types

    def operands(self):
        """The arrays after the casts that calling the op inserts."""
        graph = Graph(self.inputs, tuple((str(i), n) for i, n in enumerate(self.node.inputs)))
        return list(interpret(graph, self.arrays)[0])

    def run(self, operands, out=None, work=None, attrs=None):
        """Calls the kernel as the interpreter would; always a tuple of arrays."""
        attrs = dict(self.node.attrs if attrs is None else attrs)
        if out is not None:
            attrs["out"] = out if len(out) > 1 else out[0]
        if work:
            attrs["work"] = work
        with np.errstate(all="ignore"):
            result = self.op.kernel(*operands, **attrs)
        return result if isinstance(result, tuple) else (result,)


def check_op(op):
    """Checks an op on all its samples.

    Raises:
        AssertionError: a promise is broken; notes name the sample.
    """
    assert op.doc or op.__doc__, f"{op.name} has no docstring"
    samples = list(op.samples())
    assert samples, f"{op.name} has no samples: override `samples`"
    symbolic = []
    for i, sample in enumerate(samples):
        try:
            symbolic.append(_check_sample(op, sample, i))
        except Exception as error:
            error.add_note(f"op {op.name}, sample {i}, attributes {dict(sample.attrs)}")
            raise
    tried = [s for s in symbolic if s is not None]
    assert not tried or any(tried), f"{op.name}: no sample builds with a symbolic leading size"


def _check_sample(op, sample, number):
    rng = np.random.default_rng(zlib.crc32(f"{op.name}{number}".encode()))
    arrays = [np.asarray(a(rng) if callable(a) else a) for a in sample.inputs]
    case = make_case(op, arrays, sample.attrs)
    for variant in (case, *_float_variants(op, arrays, sample.attrs)):
        check_kernel(variant)
    check_layouts(case)
    check_round_trip(case)
    if op.reference is not None:
        check_reference(case, sample.differentiable)
    if sample.differentiable and _has_gradient(case):
        attrs = with_wide_bodies(sample.attrs)
        check_gradients(lambda *xs: op.apply(xs, **attrs), *arrays, directions=1)
    return check_symbolic(case, sample, rng)


def _has_gradient(case):
    floats = [any(n.type.is_float for n in nodes) for nodes in (case.inputs, items(case.node))]
    return all(floats) and case.op.name not in NO_DERIVATIVE


def make_case(op, arrays, attrs, inputs=None):
    """Builds the op's node on inputs like the arrays."""
    if inputs is None:
        inputs = tuple(input_node(a.shape, a.dtype.name, f"x{i}") for i, a in enumerate(arrays))
    return Case(op, arrays, inputs, build(op, op.lift(inputs), attrs))


def _float_variants(op, arrays, attrs):
    if not any(a.dtype.kind == "f" for a in arrays):
        return
    for dtype in ("float16", "float64"):
        try:
            yield make_case(op, [_as_float(a, dtype) for a in arrays], attrs)
        except InferenceError:
            continue  # the attributes fix another dtype


def _as_float(array, dtype):
    return array.astype(dtype) if array.dtype.kind == "f" else array


# -- the kernel --------------------------------------------------------------------------------
def check_kernel(case):
    """Types as inferred; the same result with `out`, with `work`, in place, and specialized."""
    operands = case.operands()
    kept = [a.copy() for a in operands]
    fresh = [np.array(y) for y in case.run(operands)]
    for y, type_ in zip(fresh, case.outputs, strict=True):
        assert TensorType(y.shape, y.dtype.name) == type_
    for work in (None, _buffers(case.op.scratch(*_types(operands), **case.node.attrs))):
        out = _buffers(case.outputs)
        returned = case.run(operands, out, work)
        assert all(a is b for a, b in zip(returned, out, strict=True)), "kernel must return out"
        same(operands, kept, "the kernel wrote to an operand")
        same(out, fresh)
        for index in case.op.reuse:
            _check_alias(case, operands, index, fresh, work)
    _check_specialized(case, fresh, operands)
    same(operands, kept, "the specialized kernel wrote to an operand")
    _check_eager(case, fresh)


def _check_specialized(case, fresh, operands=None):
    """What `specialize` returns computes what the kernel does."""
    operands = case.operands() if operands is None else operands
    types = _types(operands)
    out, work = _buffers(case.outputs), _buffers(case.op.scratch(*types, **case.node.attrs))
    with np.errstate(all="ignore"):
        case.op.specialize(types, case.outputs, case.node.attrs)(*operands, *out, *work)
    close(out, fresh)


def _check_alias(case, operands, index, fresh, work):
    """The output may lie in an operand, be it the same array object or another one there."""
    if TensorType(operands[index].shape, operands[index].dtype.name) != case.outputs[0]:
        return
    types = _types(operands)
    specialized = case.op.specialize(types, case.outputs, case.node.attrs)
    for other_object in (False, True):
        copies = [a.copy() for a in operands]
        target = copies[index][...] if other_object else copies[index]
        case.run(copies, [target], work)
        same([target], fresh, f"out in place of operand {index}")
        copies[index][...] = operands[index]
        with np.errstate(all="ignore"):
            specialized(*copies, target, *_work(case, operands))
        close([target], fresh)


def _check_eager(case, fresh):
    if not case.op.pure:
        return
    eager = case.op.run(case.arrays, case.node.attrs)
    same(eager if isinstance(eager, tuple) else (eager,), fresh)
    flops, moved = case.op.cost(_types(case.operands()), case.outputs, case.node.attrs)
    assert flops >= 0
    assert moved >= 0


def check_layouts(case):
    """Operands may be strided views; where there is a view of the output, it is the output."""
    operands = case.operands()
    fresh = [np.array(y) for y in case.run(operands)]
    for spread in (_transposed, _gapped):
        strided = [spread(a) for a in operands]
        out = _buffers(case.outputs)
        case.run(strided, out)
        close(out, fresh)
        _check_specialized(case, fresh, strided)
    if case.op.view is not None:
        view = case.op.view(operands[0], **case.node.attrs)
        if view is not None:
            assert not view.size or np.shares_memory(view, operands[0])
            same([view], fresh)


def _transposed(array):
    return array.T.copy().T


def _gapped(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype) if array.ndim else None
    if wide is None:
        return array
    wide[..., ::2] = array
    return wide[..., ::2]


def _types(arrays):
    return [TensorType(a.shape, a.dtype.name) for a in arrays]


def _buffers(types):
    """Buffers full of what must not be read: NaN, or a number that no sample gives."""
    return tuple(np.full(t.shape, np.nan if t.is_float else 113, t.dtype) for t in types)


def _work(case, operands):
    return _buffers(case.op.scratch(*_types(operands), **case.node.attrs))


# -- files, reference ---------------------------------------------------------------------------
def check_round_trip(case):
    """JSON and text give back a graph that prints and computes the same."""
    graph = _graph(case.inputs, items(case.node))
    # The first stage whose graphs may hold the op and need no layers.
    graph = replace(graph, stage=Stage[next(s for s in case.op.stages if s != "LAYERS")])
    expected = interpret(graph, case.arrays)[0]
    for again in (loads(dumps(graph)), parse(to_text(graph))):
        assert dumps(again, labels=False) == dumps(graph, labels=False)
        same(interpret(again, case.arrays)[0], expected)


def check_reference(case, differentiable):
    """The simpler ops mean the same, in values and in gradients."""
    arrays = [_as_float(a, "float64") for a in case.arrays]
    exact = make_case(case.op, arrays, _float64_attrs(case.node.attrs))
    simpler = exact.op.reference(*exact.node.inputs, **exact.node.attrs)
    simpler = simpler if isinstance(simpler, tuple) else (simpler,)
    outputs = items(exact.node)
    assert [n.types for n in simpler] == [n.types for n in outputs]
    values = interpret(_graph(exact.inputs, (*outputs, *simpler)), arrays)[0]
    n = len(outputs)
    close(values[:n], values[n:], scale=100)
    floats = [x for x in exact.inputs if x.type.is_float]
    if not differentiable or not floats or not any(y.type.is_float for y in outputs):
        return
    mine, theirs = grad(outputs, floats), grad(simpler, floats)
    pairs = [(a, b) for a, b in zip(mine, theirs) if a is not None and b is not None]
    found = interpret(_graph(exact.inputs, [x for pair in pairs for x in pair]), arrays)[0]
    close(found[0::2], found[1::2], scale=1000)


def _graph(inputs, outputs):
    return Graph(tuple(inputs), tuple((str(i), n) for i, n in enumerate(outputs)))


def _float64_attrs(attrs):
    floating = attrs.get("dtype") in ("float16", "float32")
    return {**attrs, "dtype": "float64"} if floating else dict(attrs)


# -- symbolic sizes ----------------------------------------------------------------------------
def check_symbolic(case, sample, rng):
    """A symbolic leading size gives the types, values and gradients of each number.

    Returns:
        Whether the op took a symbolic size, None where no operand has a leading size to replace.
    """
    found = None
    for old in sorted({a.shape[0] for a in case.arrays if a.ndim and a.shape[0] > 1}):
        found = found or False
        places = [i for i, a in enumerate(case.arrays) if a.ndim and a.shape[0] == old]
        for attrs in (sample.attrs, _symbolic_shape(sample.attrs, old)):
            try:
                general = make_case(case.op, case.arrays, attrs, _symbolic_inputs(case, places))
            except (InferenceError, UndecidableError):
                continue
            found = True
            for size in (0, 1, old, old + 3):
                _check_size(general, attrs, places, size, sample.differentiable)
            break
    return found


def _symbolic_inputs(case, places):
    shapes = [
        (Dim.symbol("n"), *a.shape[1:]) if i in places else a.shape
        for i, a in enumerate(case.arrays)
    ]
    return tuple(
        input_node(shape, a.dtype.name, f"x{i}")
        for i, (shape, a) in enumerate(zip(shapes, case.arrays))
    )


def _symbolic_shape(attrs, old):
    """The attributes with the old size replaced in `shape` and in the `stops` of slices."""
    found = {name: attrs[name] for name in ("shape", "stops") if name in attrs}
    replaced = {
        name: tuple(Dim.symbol("n") if d == old else d for d in sizes)
        for name, sizes in found.items()
    }
    return {**attrs, **replaced}


def _check_size(general, attrs, places, size, differentiable):
    binding = {"n": size}
    arrays = [
        a[np.arange(size) % len(a)] if i in places else a for i, a in enumerate(general.arrays)
    ]
    refuses = general.op.name in REFUSES_SOME_SIZES and size < len(general.arrays[places[0]])
    try:
        case = make_case(general.op, arrays, bind_attributes(attrs, binding))
        fresh = case.run(case.operands())
    except (InferenceError, IndexError, ValueError):
        assert refuses, f"refuses size {size}"
        return
    assert [t.bind(binding) for t in general.outputs] == list(case.outputs)
    at_size = Case(general.op, arrays, case.inputs, general.node)
    same(at_size.run(case.operands(), attrs=bind_attributes(general.node.attrs, binding)), fresh)
    _check_specialized(case, fresh)
    if differentiable and size:
        close(_gradients(general, arrays), _gradients(case, arrays), scale=10)


def _gradients(case, arrays):
    wrt = [x for x in case.inputs if x.type.is_float]
    outputs = [y for y in items(case.node) if y.type.is_float]
    if not wrt or not outputs:
        return []
    found = [g for g in grad(outputs, wrt) if g is not None]
    return interpret(_graph(case.inputs, found), arrays)[0]


# -- comparing ---------------------------------------------------------------------------------
def same(found, expected, message=""):
    """Equal arrays, NaN equal to NaN."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=message)


def close(found, expected, scale=1):
    """Equal up to the rounding of another order of operations."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
            continue
        limit = TOLERANCE[a.dtype.name] * scale
        largest = float(np.abs(b, where=np.isfinite(b), out=np.zeros(b.shape)).max(initial=1.0))
        np.testing.assert_allclose(a, b, rtol=limit, atol=limit * largest)
