"""Programs in the style of Keras 2's examples run under `kgraph run` and learn what they should.

Where Keras 3 can be made to run one, it starts from the same weights and has to agree: on what
every trained model answers, and where no dropout is drawn, on the losses of the epochs.
"""

import functools
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from translating import differences_of_answers, differences_of_losses, meet

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# What the last line of each program must say: at least, at most.
BARS = {
    "activations": {"accuracy": (0.9, 1), "dropped": (0.07, 0.13), "slope_error": (0, 0.05)},
    "addition_rnn": {"accuracy": (0.9, 1)},
    "autoencoder": {"first": (0.3, 1), "last": (0, 0.1), "error": (0, 0.03)},
    "cnn": {"best": (0.9, 1), "accuracy": (0.9, 1)},
    "image_ocr": {"accuracy": (0.9, 1), "words": (0.7, 1)},
    "memory_network": {"accuracy": (0.9, 1)},
    "mlp": {"accuracy": (0.97, 1), "classes": (0.97, 1), "first": (0.1, 0.6), "last": (0.95, 1)},
    "ocr_ctc": {"loss": (0, 0.3), "words": (0.9, 1)},
    "sentiment_cnn": {"accuracy": (0.95, 1), "last": (0.9, 1)},
    "sentiment_lstm": {"accuracy": (0.95, 1)},
    "seq2seq": {"loss": (0, 0.1), "right": (0.9, 1)},
    "siamese": {"train": (0.95, 1), "test": (0.93, 1)},
    "stateful_rnn": {"stateful": (0, 0.3), "stateless": (0.35, 1)},
    "style": {"first": (0.1, 1), "last": (0, 0.02)},
    "text_generation": {"loss": (0, 0.3), "known": (0.8, 1)},
    "vae": {"first": (12, 30), "last": (0, 8), "kinds": (0.98, 1), "error": (0, 0.07)},
}
# How many results are enough; Keras takes long.
TRAINED = {
    "addition_rnn": 4,
    "autoencoder": 4,
    "image_ocr": 1,
    "ocr_ctc": 1,
    "sentiment_cnn": 1,
    "seq2seq": 1,
    "siamese": 3,
    "text_generation": 3,
}
ANSWERED = ("cnn", "memory_network", "mlp", "sentiment_lstm")
WATCHED = (*TRAINED, *ANSWERED, "stateful_rnn")


@functools.cache
def done(name):
    """The numbers that a program prints at its end, and if it is watched, its models' journal."""
    program = [str(HERE / "examples" / f"{name}.py")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "journal")
        if name in WATCHED:
            program = [str(HERE / "watching.py"), *program, str(file)]
        run = subprocess.run(
            [sys.executable, "-W", "error", "-m", "kgraph.tools.cli", "run", *program],
            capture_output=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        journal = pickle.loads(file.read_bytes()) if name in WATCHED else None
    last = run.stdout.splitlines()[-1]
    return {key: float(value) for key, value in (p.split("=") for p in last.split())}, journal


def test_there_is_a_bar_for_every_example():
    assert sorted(BARS) == sorted(path.stem for path in (HERE / "examples").glob("*.py"))


@pytest.mark.parametrize("name", BARS)
def test_it_learns(name):
    numbers, _ = done(name)
    for key, (low, high) in BARS[name].items():
        assert low <= numbers[key] <= high, (key, numbers)


def test_an_image_s_gradient_is_the_slope():
    numbers, _ = done("style")
    assert numbers["slope"] == pytest.approx(numbers["measured"], rel=0.02)


def test_denoising_takes_noise_away():
    numbers, _ = done("autoencoder")
    assert numbers["error"] < numbers["noise"] / 3


@pytest.mark.parametrize("name", TRAINED)
def test_keras_3_trains_alike(name, monkeypatch):
    met = meet(HERE / "examples" / f"{name}.py", done(name)[1], True, monkeypatch, TRAINED[name])
    assert max(differences_of_losses(met)) < 1e-5
    assert max(differences_of_answers(met), default=0) < 1e-5


@pytest.mark.parametrize("name", ANSWERED)
def test_keras_3_answers_alike(name, monkeypatch):
    met = meet(HERE / "examples" / f"{name}.py", done(name)[1], False, monkeypatch)
    assert max(differences_of_answers(met)) < 1e-5


def test_a_stateful_network_remembers_what_the_equations_say():
    """Keras 3.15 on JAX is no oracle: it goes on from other states than those of the last step."""
    first = [event for event in done("stateful_rnn")[1] if event[0] == "predict"][:2]
    train, test = (result for _, _, result in first)
    kernel, recurrent, bias, dense, last = first[0][1]
    series = np.random.RandomState(1986).uniform(-0.5, 0.5, 640).astype("float32")
    h = c = np.zeros((1, 16), "float32")
    answers = []
    for step, x in enumerate(series):
        i, f, g, o = np.split(x * kernel + h @ recurrent + bias, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        if step % 8 == 7:
            answers.append((h @ dense + last)[0])
    np.testing.assert_allclose(np.concatenate([train, test]), answers, atol=1e-5)
