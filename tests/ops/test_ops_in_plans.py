"""Compiled plans give what the interpreter gives, forward and backward, at several batch sizes."""

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import CallContext, Dim, Graph, calling, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

BATCH = Dim.symbol("batch")
RNG = np.random.default_rng(0)
X = input_node((BATCH, 5, 3), name="x")
Z = input_node((BATCH, 3), name="z")
T = input_node((BATCH, 3), name="t")
IDS = input_node((BATCH,), "int32", "ids")
DRAW = {
    X: lambda n: RNG.normal(size=(n, 5, 3)).astype("float32"),
    Z: lambda n: RNG.normal(size=(n, 3)).astype("float32"),
    T: lambda n: np.eye(3, dtype="float32")[RNG.integers(0, 3, n)],
    IDS: lambda n: RNG.integers(0, 3, n).astype("int32"),
}
ACTIVATIONS = ["elu", "gelu", "hard_sigmoid", "leaky_relu", "log_softmax", "mish", "relu", "relu6"]
ACTIVATIONS += ["selu", "silu", "softmax", "softplus", "softsign"]
BUILT = {
    "views": ops.flip(ops.transpose(ops.reshape(X, (-1, 15)))[2:9:2], 0),
    "brackets": X[:, -1, None] + X[:, ::-1, 0:1][:, 0:1],
    "joined": ops.concatenate([ops.pad(X, 1)[1:-1, :, 1:-1], ops.tile(X, (1, 2, 1))], 1),
    "repeated": ops.repeat(X, 2, 1),
    "taken": ops.take(X, IDS, 2),
    "along": ops.take_along_axis(Z, ops.expand_dims(IDS, -1), 1),
    "one_hot": ops.one_hot(IDS, 3) * Z,
    "softmax of axis 1": ops.softmax(X, 1),
    "softmax_cross_entropy": ops.softmax_cross_entropy(Z, T),
    "sparse_softmax_cross_entropy": ops.sparse_softmax_cross_entropy(Z, IDS),
    "sigmoid_cross_entropy": ops.sigmoid_cross_entropy(Z, T),
    "categorical_crossentropy": ops.categorical_crossentropy(T, ops.softmax(Z)),
    "sparse_categorical_crossentropy": ops.sparse_categorical_crossentropy(IDS, ops.softmax(Z)),
    "binary_crossentropy": ops.binary_crossentropy(T, ops.sigmoid(Z)),
    **{name: getattr(ops, name)(X) for name in ACTIVATIONS},
}


@pytest.mark.parametrize("name", BUILT)
def test_plan_equals_interpreter(name):
    outputs = BUILT[name] if isinstance(BUILT[name], tuple) else (BUILT[name],)
    slopes = [g for g in grad([y * y for y in outputs], [X, Z]) if g is not None]
    wanted = tuple((str(i), n) for i, n in enumerate((*outputs, *slopes)))
    inputs = tuple(n for n in Graph((), wanted).nodes if n in DRAW)
    graph = Graph(inputs, wanted)
    executable = compile(graph)
    for size in (4, 1, 7, 0, 4):
        fed = [DRAW[n](size) for n in inputs]
        for mine, exact in zip(executable(*fed), interpret(graph, fed)[0], strict=True):
            np.testing.assert_allclose(mine, exact, 1e-5, 1e-6)


def test_random_ops_draw_anew_in_each_run_and_as_the_interpreter():
    with calling(CallContext(training=True)):
        drawn = [
            ops.random.bernoulli((BATCH, 3), 0.7, seed=1),
            ops.random.uniform((BATCH, 2), -1, 1, seed=1),
            ops.random.truncated_normal((2, BATCH), seed=1),
            ops.random.normal((BATCH,), 1, 2, "float16", seed=1),
        ]
    graph = Graph((Z,), (("z", Z), *((str(i), y * 1) for i, y in enumerate(drawn))))
    executable, fed = compile(graph), [DRAW[Z](20)]
    runs = [executable(*fed)[1:] for _ in range(3)]
    for step, values in enumerate(runs):
        for mine, exact in zip(values, interpret(graph, fed, step=step)[0][1:], strict=True):
            np.testing.assert_array_equal(mine, exact)
    assert all((a != b).any() for a, b in zip(runs[0], runs[1]))
