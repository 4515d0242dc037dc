"""The complaints that users of Keras search for: a table of texts and of what provokes them."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.layers import LSTM, Dense, Input
from kgraph.models import Model, Sequential


def zeros(*shape):
    return np.zeros(shape)


def dense(units=1, width=784, loss="mse", compiled=True):
    model = Sequential([Dense(units, input_dim=width, name="dense_1")])
    if compiled:
        model.compile("sgd", loss)
    return model


def two(compiled=True):
    inputs = [Input((2,), name=name) for name in ("main_input", "aux_input")]
    outputs = [Dense(1, name=n)(x) for n, x in zip(("one", "two"), inputs, strict=True)]
    model = Model(inputs, outputs)
    if compiled:
        model.compile("sgd", "mse")
    return model


def stateful():
    model = Sequential([LSTM(1, stateful=True, batch_input_shape=(4, 3, 2))])
    model.compile("sgd", "mse")
    return model


X2, Y2 = [zeros(4, 2), zeros(4, 2)], [zeros(4, 1), zeros(4, 1)]
# (name, class of the error, regular expression, what provokes it)
ROWS = [
    ("input shape", ValueError,
     r"Error when checking input: expected dense_1_input to have shape \(784,\) but got array with "
     r"shape \(28,\)",
     lambda: dense().fit(zeros(4, 28), zeros(4, 1))),
    ("input dimensions", ValueError,
     r"Error when checking input: expected dense_1_input to have 2 dimensions, but got array with "
     r"shape \(4, 28, 28\)",
     lambda: dense().predict(zeros(4, 28, 28))),
    ("target dimensions", ValueError,
     r"Error when checking target: expected dense_1 to have 2 dimensions, but got array with shape "
     r"\(100, 10, 1\)",
     lambda: dense(10, 4).fit(zeros(100, 4), zeros(100, 10, 1))),
    ("number of inputs", ValueError,
     r"Error when checking model input: the list of Numpy arrays that you are passing to your "
     r"model is not the size the model expected\. Expected to see 2 array\(s\).* but instead got "
     r"the following list of 1 arrays: \[(.|\n)*\.\.\.",
     lambda: two().fit([zeros(4, 2)], Y2)),
    ("numbers as targets", ValueError,
     r"Error when checking model target: you are passing a list as input to your model, but the "
     r"model expects a list of 1 Numpy arrays instead\.",
     lambda: dense(1, 4).fit(zeros(2, 4), [0, 1])),
    ("no array", TypeError,
     r"data should be a Numpy array, or list/dict of Numpy arrays\. Found: 3",
     lambda: dense().predict(3)),
    ("missing input", ValueError,
     r"No data provided for \"aux_input\"\. Need data for each key in: "
     r"\['main_input', 'aux_input'\]",
     lambda: two().fit({"main_input": X2[0]}, Y2)),
    ("samples of inputs and targets", ValueError,
     r"Input arrays should have the same number of samples as target arrays\. Found 100 input "
     r"samples and 99 target samples\.",
     lambda: dense(1, 4).fit(zeros(100, 4), zeros(99, 1))),
    ("samples of inputs", ValueError,
     r"All input arrays \(x\) should have the same number of samples\. Got array shapes: "
     r"\[\(4, 2\), \(3, 2\)\]",
     lambda: two().fit([zeros(4, 2), zeros(3, 2)], Y2)),
    ("samples of weights", ValueError,
     r"Sample_weight arrays should have the same number of samples as target arrays\. Found 3 "
     r"input samples and 4 target samples\.",
     lambda: dense(1, 4).fit(zeros(4, 4), zeros(4, 1), sample_weight=zeros(3))),
    ("class ids for one-hot", ValueError,
     r"You are passing a target array of shape \(60, 1\) while using as loss "
     r"`categorical_crossentropy`\. `categorical_crossentropy` expects targets to be binary "
     r"matrices \(1s and 0s\) of shape \(samples, classes\)(.|\n)*to_categorical(.|\n)*"
     r"`sparse_categorical_crossentropy`",
     lambda: dense(10, 4, "categorical_crossentropy").fit(zeros(60, 4), zeros(60, 1))),
    ("target shape", ValueError,
     r"A target array with shape \(100, 3\) was passed for an output of shape \(None, 1\) while "
     r"using as loss `mean_squared_error`\. This loss expects targets to have the same shape as "
     r"the output\.",
     lambda: dense(1, 4).fit(zeros(100, 4), zeros(100, 3))),
    ("sparse target shape", ValueError,
     r"expected dense_1 to have shape \(1,\) but got array with shape \(2,\)",
     lambda: dense(3, 4, "sparse_categorical_crossentropy").fit(zeros(4, 4), zeros(4, 2))),
    ("class id out of range", ValueError,
     r"class id 7 for output \"dense_1\" is out of range: it has 3 classes, ids 0 to 2",
     lambda: dense(3, 4, "sparse_categorical_crossentropy").fit(zeros(4, 4), zeros(4, 1) + 7)),
    ("not compiled, fit", RuntimeError,
     r"You must compile a model before training/testing\. Use `model\.compile\(optimizer, loss\)`",
     lambda: dense(compiled=False).fit(zeros(4, 784), zeros(4, 1))),
    ("not compiled, generator", RuntimeError, r"You must compile a model before training/testing",
     lambda: dense(compiled=False).fit_generator(iter([]), 1)),
    ("no loss", ValueError,
     r"The model cannot be compiled because it has no loss to optimize\.",
     lambda: dense(compiled=False).compile("sgd")),
    ("unknown loss key", ValueError,
     r"Unknown entries in loss dictionary: \['foo'\]\. Only expected following keys: "
     r"\['one', 'two'\]",
     lambda: two(False).compile("sgd", {"foo": "mse"})),
    ("loss weights", ValueError,
     r"When passing a list as loss_weights, it should have one entry per model output\.",
     lambda: two(False).compile("sgd", "mse", loss_weights=[1.0])),
    ("unknown argument of compile", TypeError, r"Unrecognized keyword arguments: \{'foo': 1\}",
     lambda: two(False).compile("sgd", "mse", foo=1)),
    ("misspelt argument of compile", TypeError, r"did you mean 'metrics'\?",
     lambda: two(False).compile("sgd", "mse", metric=["acc"])),
    ("misspelt argument of fit", TypeError, r"did you mean 'epochs'\?",
     lambda: two().fit(X2, Y2, epoch=1)),
    ("unknown argument of fit", TypeError, r"Unrecognized keyword arguments: \{'foo': 1\}",
     lambda: two().fit(X2, Y2, foo=1)),
    ("class weights", ValueError,
     r"`class_weight` must contain all classes in the data\. The classes \{2\} exist in the data "
     r"but not in `class_weight`\.",
     lambda: dense(1, 4).fit(zeros(4, 4), zeros(4, 1) + 2, class_weight={0: 1.0, 1: 1.0})),
    ("class weights of sequences", ValueError,
     r"`class_weight` not supported for 3\+ dimensional targets\.",
     lambda: dense_steps().fit(zeros(4, 3, 2), zeros(4, 3, 1), class_weight={0: 1.0})),
    ("class weights of several outputs", ValueError,
     r"The model has multiple outputs, so `class_weight` should be either a list or a dict",
     lambda: two().fit(X2, Y2, class_weight={0: 1.0})),
    ("sample weights", ValueError,
     r"Found a sample_weight array with shape \(4, 3\) for an input with shape \(4, 1\)\. "
     r"sample_weight cannot be broadcast\.",
     lambda: dense(1, 4).fit(zeros(4, 4), zeros(4, 1), sample_weight=zeros(4, 3))),
    ("validation data", ValueError,
     r"When passing a `validation_data` argument, it must contain either 2 items \(x_val, y_val\), "
     r"or 3 items \(x_val, y_val, val_sample_weights\)\. However we received `validation_data=",
     lambda: dense(1, 4).fit(zeros(4, 4), zeros(4, 1), validation_data=(zeros(4, 4),))),
    ("validation split", ValueError,
     r"Training data contains 2 samples, which is not sufficient to split it into a validation and "
     r"training set as specified by `validation_split=0\.9`\.",
     lambda: dense(1, 4).fit(zeros(2, 4), zeros(2, 1), validation_split=0.9)),
    ("steps of a generator", ValueError,
     r"`steps_per_epoch=None` is only valid for a generator based on the `keras\.utils\.Sequence` "
     r"class\. Please specify `steps_per_epoch` or use the `keras\.utils\.Sequence` class\.",
     lambda: dense().fit_generator(iter([]))),
    ("output of a generator", ValueError,
     r"Output of generator should be a tuple `\(x, y, sample_weight\)` or `\(x, y\)`\. Found: 3",
     lambda: dense().fit_generator(iter([3]), 1, verbose=0)),
    ("targets beside a generator", ValueError,
     r"`y` argument is not supported when data is a generator or Sequence instance\. Instead pass "
     r"targets as the second element of the generator\.",
     lambda: dense().fit(iter([]), zeros(4, 1), steps_per_epoch=1)),
    ("samples of a stateful model", ValueError,
     r"In a stateful network, you should only pass inputs with a number of samples that can be "
     r"divided by the batch size\. Found: 6 samples",
     lambda: stateful().fit(zeros(6, 3, 2), zeros(6, 1))),
    ("samples that a stateful model predicts", ValueError, r"In a stateful network, you should",
     lambda: stateful().predict(zeros(3, 3, 2))),
    ("samples that a stateful model measures", ValueError, r"In a stateful network, you should",
     lambda: stateful().evaluate(zeros(6, 3, 2), zeros(6, 1))),
    ("batch size of a stateful model", ValueError,
     r"The `batch_size` argument value 3 is incompatible with the specified batch size of your "
     r"Input Layer: 4",
     lambda: stateful().fit(zeros(6, 3, 2), zeros(6, 1), batch_size=3)),
    ("verbosity", ValueError, r"`verbose` must be 0, 1, 2 or 'auto'\. Received: 'loud'",
     lambda: dense().evaluate(zeros(4, 784), zeros(4, 1), verbose="loud")),
]  # fmt: skip


def dense_steps():
    x = Input((3, 2))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("error", "text", "provoke"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_message(error, text, provoke):
    with pytest.raises(error, match=text):
        provoke()


def test_an_output_that_the_dictionary_of_losses_leaves_out():
    text = (
        r"Output \"two\" missing from loss dictionary\. We assume this was done on purpose\. The "
        r"fit and evaluate APIs will not be expecting any data to be passed to \"two\"\."
    )
    with pytest.warns(UserWarning, match=text):
        two(False).compile("sgd", {"one": "mse"})
