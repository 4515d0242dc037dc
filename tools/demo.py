"""`kgraph demo`: draws an MLP with a shared layer and trains it on bundled real digits.

The network reads each digit's upper and lower half with one shared layer; a second output guesses
whether the digit is even, so the picture shows sharing, two inputs and two outputs.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from kgraph.datasets import digits
from kgraph.errors import RenderError
from kgraph.layers import Dense, Input, concatenate
from kgraph.models import Model
from kgraph.tools.answers import add_json, add_no_clobber, answer, refuse_existing
from kgraph.tools.arguments import count
from kgraph.tools.complaints import CommandError, unwritable
from kgraph.tools.terminal import note
from kgraph.tools.viz.view import build_view
from kgraph.tools.viz.write import save_picture
from kgraph.utils import to_categorical


def add_parser(subparsers: Any) -> None:
    """Adds the `demo` command to the command line."""
    parser = subparsers.add_parser("demo")
    parser.add_argument("-o", "--output", default="kgraph-demo.svg", help="picture to write")
    parser.add_argument("--epochs", type=count, default=30, help="%(default)s")
    add_no_clobber(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def build_model() -> Model:
    """A compiled model with two inputs, a shared layer and two outputs."""
    upper, lower = Input((32,), name="upper_half"), Input((32,), name="lower_half")
    reader = Dense(64, activation="relu", name="reader")
    hidden = concatenate([reader(upper), reader(lower)], name="both_halves")
    hidden = Dense(64, activation="relu", name="hidden")(hidden)
    digit = Dense(10, activation="softmax", name="digit")(hidden)
    even = Dense(1, activation="sigmoid", name="even")(hidden)
    model = Model([upper, lower], [digit, even], name="digits")
    losses = {"digit": "categorical_crossentropy", "even": "binary_crossentropy"}
    model.compile("adam", loss=losses, loss_weights={"even": 0.2}, metrics=["accuracy"])
    return model


def halves(x: np.ndarray, y: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs (n, 32) twice in [0, 1], targets (n, 10) one-hot and (n, 1)."""
    flat = x.reshape(len(x), 64).astype("float32") / 16
    return [flat[:, :32], flat[:, 32:]], [to_categorical(y, 10), (y % 2 == 0)[:, None]]


def run(args: argparse.Namespace) -> int:
    """Draws the model, trains it, prints the accuracy on digits that were held back."""
    refuse_existing(args, args.output)
    np.random.seed(1671)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    model = build_model()
    assert model.graph is not None, "a functional model always has its graph"
    try:
        line, _ = save_picture(build_view(model.graph, "digits", costs=False), args.output)
    except RenderError as error:
        raise CommandError(error.error, str(error)) from error
    except OSError as error:
        raise unwritable(args.output, error) from error
    note(line)
    if not args.json:
        model.summary()
    inputs, targets = halves(x_train, y_train)
    start = time.perf_counter()
    model.fit(inputs, targets, epochs=args.epochs, batch_size=32, verbose=0 if args.json else 2)
    seconds = time.perf_counter() - start
    inputs, targets = halves(x_test, y_test)
    scores = dict(zip(model.metrics_names, model.evaluate(inputs, targets, verbose=0), strict=True))
    steps = args.epochs * -(-len(x_train) // 32)
    text = (
        f"trained {steps} steps in {seconds:.2f} s ({seconds / steps * 1e6:.0f} us a step)\n"
        f"accuracy on {len(x_test)} unseen digits: {scores['digit_accuracy']:.3f} (which digit), "
        f"{scores['even_accuracy']:.3f} (even or odd)"
    )
    document = {"steps": steps, "seconds": seconds, "scores": scores, "output": args.output}
    return answer(args, document, text)
