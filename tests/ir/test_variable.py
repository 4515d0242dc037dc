"""Variables have values: reading them as numbers and arrays, and assigning."""

import numpy as np
import pytest

from kgraph.ir import Variable, input_node


def test_a_variable_reads_as_a_number():
    rate = Variable(0.25, "rate")
    assert float(rate) == 0.25
    assert int(Variable(3, "count")) == 3
    assert f"{float(rate):.2f} {rate.numpy()}" == "0.25 0.25"
    with pytest.raises(TypeError, match="Variable w is no number"):
        float(Variable([1.0, 2.0], "w"))


def test_a_variable_reads_as_an_array_of_its_own():
    weight = Variable([1.0, 2.0], "w")
    array = np.asarray(weight)
    assert array.dtype == "float32"
    array[:] = 0
    assert weight.numpy().tolist() == [1, 2]
    assert np.asarray(weight, "float64").dtype == "float64"
    assert weight.assign(Variable([3.0, 4.0])).numpy().tolist() == [3, 4]


def test_tensors_have_no_value_to_assign():
    rate = Variable(0.25, "rate")
    for tensor in (rate * 0.5, input_node((), name="x")):
        with pytest.raises(TypeError, match="Cannot assign a symbolic tensor to variable rate"):
            rate.assign(tensor)
    assert float(rate) == 0.25
