"""Equal nodes are one object, different ones never are, and nothing is kept alive."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import API, Variable, build, const, input_node, rebuild, size
from kgraph.ir.attributes import Constant, attribute_key, freeze
from kgraph.ir.dim import Dim
from kgraph.ir.intern import Interner

X = input_node((4, 3), name="x")


def test_equal_nodes_are_identical():
    assert ops.add(X, X) is ops.add(X, X)
    assert (X + 1.5) * 2 is (X + 1.5) * 2
    assert ops.sum(X, axis=-1) is ops.sum(X, axis=1)
    assert ops.transpose(X) is X.T
    assert size(Dim.symbol("a") * 2) is size(2 * Dim.symbol("a"))


def test_leaves_with_a_uid_are_never_merged():
    assert input_node((4, 3), name="x") is not X
    assert Variable(0.0, name="v") is not Variable(0.0, name="v")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_constants_merge_by_bits(dtype):
    quiet, negative = np.array(np.nan, dtype), np.copysign(np.array(np.nan, dtype), -1)
    values = [np.array(v, dtype) for v in (0.0, -0.0, 1.0, np.inf, -np.inf)] + [quiet, negative]
    nodes = [const(v) for v in values]
    assert len(set(nodes)) == len(values)
    assert [const(v) for v in values] == nodes


def test_numbers_of_different_kinds_never_merge():
    nodes = [const(v) for v in (1, True, 1.0, 0, False, 0.0, -0.0, 2**40)]
    assert len(set(nodes)) == len(nodes)
    assert const(1.0, "float64") is not const(1.0)
    assert const([1.0]) is not const(1.0)
    assert const([[1.0]]) is not const([1.0])
    assert (X * 0.0) is not (X * -0.0)
    assert (X * 0.0) is (X * 0.0)


def test_attributes_never_merge_across_kinds():
    values = [
        1,
        True,
        1.0,
        0,
        False,
        0.0,
        -0.0,
        "1",
        None,
        (),
        (1,),
        (1.0,),
        ((1,),),
        (0.0,),
        (-0.0,),
        Dim.symbol("a"),
        Dim.symbol("b"),
        freeze(np.array([1.0])),
    ]
    keys = [attribute_key(v) for v in values]
    assert len(set(keys)) == len(keys)
    assert attribute_key(float("nan")) == attribute_key(float("nan"))


def test_freezing():
    assert freeze([1, [2, np.float32(3)]]) == (1, (2, 3.0))
    assert type(freeze(np.int64(3))) is int
    array = np.zeros(3)
    frozen = freeze(array)
    array[0] = 1
    assert frozen.array[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        frozen.array[0] = 1


def test_constants_are_equal_by_dtype_shape_and_bytes():
    big = np.arange(1000.0)
    assert Constant(big) == Constant(big.copy())
    assert Constant(big) != Constant(big.astype("float32"))
    assert Constant(big) != Constant(big.reshape(10, 100))
    assert Constant(big) != big.tolist()
    assert Constant(big[::2]) == Constant(big[::2].copy())
    assert repr(Constant(big)) == "Constant(float64[1000])"


def test_a_constant_keeps_its_own_copy():
    array = np.ones(3, "float32")
    node = const(array)
    array[:] = 5
    assert node.attrs["value"].array.tolist() == [1, 1, 1]


def test_attributes_are_read_only():
    node = ops.sum(X, axis=0)
    with pytest.raises(TypeError):
        node.attrs["axis"] = (1,)


def test_rebuild():
    node, other = ops.tanh(X), input_node((4, 3), name="other")
    assert rebuild(node, (X,)) is node
    assert rebuild(node, (other,)) is ops.tanh(other)
    assert build(API["tanh"], (X,)) is node


def test_the_table_keeps_nothing_alive():
    leaf = input_node((7,), name="leaf")
    node = ops.tanh(leaf + np.arange(7, dtype="float32"))
    ghosts = [weakref.ref(n) for n in (leaf, node, *node.inputs, node.inputs[0].inputs[1])]
    del leaf, node
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None] * len(ghosts)


def test_interner_forgets_the_dead_and_keeps_the_successor():
    class Thing:
        pass

    table = Interner()
    thing = Thing()
    assert table.add("k", thing) is thing
    assert table.add("k", Thing()) is thing
    assert len(table) == 1
    del thing
    assert len(table) == 0
    successor = table.add("k", Thing())
    assert table.get("k") is successor
    assert table.get("other") is None


def test_threads_agree_on_one_node():
    barrier, found = threading.Barrier(4), [[], [], [], []]

    def work(mine: list[object]) -> None:
        barrier.wait()
        node = X
        for _ in range(300):
            node = ops.tanh(node)
            mine.append(node)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2] == found[3]
