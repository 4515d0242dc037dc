"""Programs for Keras 2 in the words of Keras 3, and a run of them that meets a journal.

Keras 3 dropped old module paths, argument names and the symbolic backend; what is replaced here is
all that the examples use of these. Defaults and formulas that differ are set to Keras 2's.
"""

import contextlib
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from keras.optimizers.schedules import InverseTimeDecay
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from watching import plain, watch

__all__ = ["ImageDataGenerator", "InverseTimeDecay"]

WORDS = [
    (r"from keras\.layers\.(core|embeddings|merge) import", "from keras.layers import"),
    (r"from keras\.utils import np_utils", "from keras import utils as np_utils"),
    (r"from keras import backend as K", "from translating import backend as K"),
    (r"from keras\.optimizers import RMSprop", "from translating import RMSprop"),
    (
        r"from keras\.preprocessing\.image import",
        "from translating import",
    ),
    (r"load_model\(best\)", "model"),  # nothing was trained, so nothing was kept
    (r"\.fit_generator\(\s*(generator=)?", ".fit("),
    (r"\.optimizer\.lr\b", ".optimizer.learning_rate"),
    (r"\blr=([\d.]+), decay=([\de-]+)", r"learning_rate=InverseTimeDecay(\1, 1, \2)"),
    (r"\blr=", "learning_rate="),
    (r'(\["|")(val_)?acc"', r'\1\2accuracy"'),
    (r"\binput_length=(\w+)", r"input_shape=(\1,)"),
    (r"\.predict_classes\((.*?), verbose=0\)", r".predict(\1, verbose=0).argmax(-1)"),
    (r"\bGRU\(rnn_size", "GRU(rnn_size, reset_after=False"),
    # As long as rounding errors stay small, and Keras 3 does not take too long.
    (r"\b(epochs ?= ?)\d+", r"\g<1>3"),
    # Keras 3 gives a metric's function targets without the last axis.
    (r", metrics=\[accuracy\]", ""),
]


def translate(text):
    """The text of a program in the words of Keras 3."""
    for old, new in WORDS:
        text = re.sub(old, new, text)
    return text


class RMSprop(keras.optimizers.RMSprop):
    """Keras 2's formula: epsilon is added to the root, not under it."""

    def update_step(self, gradient, variable, learning_rate):
        rate = keras.ops.cast(learning_rate, variable.dtype)
        mean = self._velocities[self._get_variable_index(variable)]
        self.assign(mean, self.rho * mean + (1 - self.rho) * keras.ops.square(gradient))
        self.assign_sub(variable, rate * gradient / (keras.ops.sqrt(mean) + self.epsilon))


class Enough(Exception):  # noqa: N818
    """Ends a program of which nothing more is to be compared."""


def int_shape(x):
    """The shape of a symbolic tensor."""
    return x.shape


def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """The backend's function, whose last class is the blank."""
    lengths = [n[:, 0] for n in (label_length, input_length)]
    labels, scores = keras.ops.cast(y_true, "int32"), keras.ops.log(y_pred + 1e-7)
    loss = keras.ops.ctc_loss(labels, scores, *lengths, mask_index=y_pred.shape[-1] - 1)
    return keras.ops.expand_dims(loss, 1)


backend = SimpleNamespace(
    cast=keras.ops.cast,
    ctc_batch_cost=ctc_batch_cost,
    epsilon=keras.config.epsilon,
    equal=keras.ops.equal,
    image_data_format=keras.config.image_data_format,
    int_shape=int_shape,
    maximum=keras.ops.maximum,
    mean=keras.ops.mean,
    sqrt=keras.ops.sqrt,
    square=keras.ops.square,
    sum=keras.ops.sum,
)


def meet(path, journal, train, monkeypatch, count=None):
    """Runs a program on Keras 3 beside the journal of another run of it.

    Args:
        path: of the program.
        journal: events of the other run.
        train: whether models are trained here too, each time from the journal's weights.
        monkeypatch: pytest's.
        count: of results after which the program ends early.

    Returns:
        A list of (method, the journal's result, this run's result), where the program computed one.
    """
    events, met = iter(journal), []

    def around(model, name, call):
        wanted, weights, result = next(events)
        while wanted == "compile" != name:  # kgraph compiled what it loaded from a file
            wanted, weights, result = next(events)
        assert name == wanted
        if name == "compile":
            call()
            model.set_weights(weights)
            return None
        model.set_weights(weights)
        if name == "fit" and not train:
            return SimpleNamespace(history=result)
        found = call()
        met.append((name, result, plain(found)))
        if len(met) == count:
            raise Enough
        return found

    watch(keras.Model, around, monkeypatch.setattr)
    code = compile(translate(Path(path).read_text()), str(path), "exec")
    names = {"__name__": "__main__", "InverseTimeDecay": InverseTimeDecay}
    with warnings.catch_warnings(), contextlib.suppress(Enough):
        warnings.simplefilter("ignore")
        exec(code, names)
    return met


def differences_of_answers(met):
    """The largest absolute difference in each `predict` and `evaluate`."""
    answers = [(one, other) for name, one, other in met if name != "fit"]
    return [np.max(np.abs(np.subtract(one, other))) for one, other in answers]


def differences_of_losses(met):
    """Differences of the losses in the first epochs, as shares of the first loss."""
    one, other = next((one["loss"], other["loss"]) for name, one, other in met if name == "fit")
    return np.abs(np.subtract(one[: len(other)], other)) / one[0]
