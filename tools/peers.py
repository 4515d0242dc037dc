"""Times PyTorch, JAX or Keras on the workloads of `kgraph bench`; runs alone, without kgraph.

Usage: `python peers.py FRAMEWORK WORKLOAD`, in any environment that has the framework; Keras takes
its backend from KERAS_BACKEND. Prints one JSON line: median and minimum microseconds of a training
step and of predicting a batch. PyTorch and JAX run a bare step on one batch that stays in place;
Keras runs `fit` over an array with shuffling, the way a user does, and so does kgraph.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """Sizes of a multilayer perceptron and how it is trained.

    With a vocabulary its inputs are `length` ids, whose embeddings together have the first width.
    """

    batch: int
    steps: int
    widths: tuple[int, ...]
    optimizer: str
    dropout: float = 0.0
    vocabulary: int = 0
    length: int = 1


WORKLOADS = {
    "mlp_binary": Workload(32, 300, (100, 32, 1), "rmsprop"),
    "mlp_mnist": Workload(128, 200, (784, 128, 128, 10), "sgd"),
    "mlp_wide": Workload(128, 60, (784, 512, 512, 10), "rmsprop", dropout=0.2),
    "embedding_dense": Workload(32, 60, (80 * 64, 64, 1), "sgd", vocabulary=20000, length=80),
}
Times = tuple[float, float]  # median, minimum


def batch_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """One batch of random inputs, float32 or int32 ids, and float32 targets."""
    work, rng = WORKLOADS[name], np.random.default_rng(0)
    x: np.ndarray = rng.random((work.batch, work.widths[0]), dtype=np.float32)
    if work.vocabulary:
        x = rng.integers(0, work.vocabulary, (work.batch, work.length)).astype(np.int32)
    if work.widths[-1] == 1:
        return x, rng.integers(0, 2, (work.batch, 1)).astype(np.float32)
    classes = rng.integers(0, work.widths[-1], work.batch)
    return x, np.eye(work.widths[-1], dtype=np.float32)[classes]


def time_calls(call: Callable[[], object], count: int) -> Times:
    """Median and minimum seconds of a call, after three to warm up."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    return seconds[len(seconds) // 2], seconds[0]


def time_fit(model: Any, name: str) -> tuple[Times, Times]:
    """Seconds a step of `fit` and a batch of `predict` of a Keras-like model, as users run it."""
    work = WORKLOADS[name]
    x, y = batch_of(name)
    xs, ys = np.concatenate([x] * work.steps), np.concatenate([y] * work.steps)
    fit = time_calls(lambda: model.fit(xs, ys, batch_size=work.batch, epochs=1, verbose=0), 5)
    guess = time_calls(lambda: model.predict(xs, batch_size=work.batch, verbose=0), 5)
    return (fit[0] / work.steps, fit[1] / work.steps), (
        guess[0] / work.steps,
        guess[1] / work.steps,
    )


def build_keras_like(package: Any, name: str) -> Any:
    """The workload's model in Keras's API, compiled; `package` is keras or kgraph."""
    work, layers = WORKLOADS[name], package.layers
    if work.vocabulary:
        inputs = layers.Input((work.length,), dtype="int32")
        size = work.widths[0] // work.length
        hidden = layers.Flatten()(layers.Embedding(work.vocabulary, size)(inputs))
    else:
        inputs = hidden = layers.Input((work.widths[0],))
    for width in work.widths[1:-1]:
        hidden = layers.Dense(width, activation="relu")(hidden)
        hidden = layers.Dropout(work.dropout)(hidden) if work.dropout else hidden
    binary = work.widths[-1] == 1
    outputs = layers.Dense(work.widths[-1], activation="sigmoid" if binary else "softmax")(hidden)
    model = package.models.Model(inputs, outputs)
    loss = "binary_crossentropy" if binary else "categorical_crossentropy"
    model.compile(work.optimizer, loss=loss, metrics=["accuracy"])
    return model


def run_keras(name: str) -> tuple[Times, Times]:
    """Times Keras on its current backend."""
    import keras

    return time_fit(build_keras_like(keras, name), name)


def run_torch(name: str) -> tuple[Times, Times]:
    """Times a bare PyTorch loop on two threads."""
    import torch

    torch.set_num_threads(2)
    work = WORKLOADS[name]
    layers: list[Any] = []
    if work.vocabulary:
        size = work.widths[0] // work.length
        layers += [torch.nn.Embedding(work.vocabulary, size), torch.nn.Flatten()]
    for fan_in, fan_out in zip(work.widths[:-1], work.widths[1:-1], strict=False):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(work.dropout)] if work.dropout else []
    model = torch.nn.Sequential(*layers, torch.nn.Linear(*work.widths[-2:]))
    rate = {"rmsprop": 1e-3, "sgd": 1e-2}[work.optimizer]
    maker = {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}[work.optimizer]
    optimizer = maker(model.parameters(), rate)
    x, y = (torch.from_numpy(a) for a in batch_of(name))
    binary = work.widths[-1] == 1
    functional = torch.nn.functional
    loss_of = functional.binary_cross_entropy_with_logits if binary else functional.cross_entropy

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict() -> Any:
        with torch.no_grad():
            return model(x)

    times = time_calls(step, work.steps)
    model.eval()
    return times, time_calls(predict, work.steps)


def jax_weights(work: Workload) -> dict[str, Any]:
    """Random weights: a pair of kernel and bias a layer, and the table of embeddings."""
    import jax.numpy as jnp

    rng = np.random.default_rng(1)

    def draw(*shape: int) -> Any:
        return jnp.asarray(rng.standard_normal(shape, dtype=np.float32) * 0.05)

    pairs = zip(work.widths, work.widths[1:], strict=False)
    weights: dict[str, Any] = {
        f"dense{i}": (draw(a, b), jnp.zeros(b)) for i, (a, b) in enumerate(pairs)
    }
    if work.vocabulary:
        weights["table"] = draw(work.vocabulary, work.widths[0] // work.length)
    return weights


def jax_forward(work: Workload) -> Callable[..., Any]:
    """A function of (weights, inputs, key or None) that returns logits."""
    import jax
    import jax.numpy as jnp

    last = len(work.widths) - 2

    def forward(weights: Any, x: Any, key: Any = None) -> Any:
        if work.vocabulary:
            x = weights["table"][x].reshape(x.shape[0], -1)
        for i in range(last):
            kernel, bias = weights[f"dense{i}"]
            x = jax.nn.relu(x @ kernel + bias)
            if work.dropout and key is not None:
                key, used = jax.random.split(key)
                kept = jax.random.bernoulli(used, 1 - work.dropout, x.shape)
                x = jnp.where(kept, x / (1 - work.dropout), 0)
        kernel, bias = weights[f"dense{last}"]
        return x @ kernel + bias

    return forward


def run_jax(name: str) -> tuple[Times, Times]:
    """Times one jitted JAX step with donated weights."""
    import jax
    import jax.numpy as jnp

    work = WORKLOADS[name]
    forward, weights = jax_forward(work), jax_weights(work)

    def loss_of(weights: Any, x: Any, y: Any, key: Any) -> Any:
        z = forward(weights, x, key)
        if work.widths[-1] == 1:
            return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
        return -jnp.mean(jnp.sum(jax.nn.log_softmax(z) * y, 1))

    def update(weights: Any, slots: Any, key: Any, x: Any, y: Any) -> Any:
        key, used = jax.random.split(key) if work.dropout else (key, key)
        loss, grads = jax.value_and_grad(loss_of)(weights, x, y, used)
        if work.optimizer == "sgd":
            return jax.tree.map(lambda w, g: w - 0.01 * g, weights, grads), slots, key, loss
        slots = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g * g, slots, grads)
        rule = lambda w, g, a: w - 1e-3 * g / (jnp.sqrt(a) + 1e-7)  # noqa: E731
        return jax.tree.map(rule, weights, grads, slots), slots, key, loss

    compiled = jax.jit(update, donate_argnums=(0, 1))
    x, y = (jnp.asarray(a) for a in batch_of(name))
    state = [weights, jax.tree.map(jnp.zeros_like, weights), jax.random.PRNGKey(0)]

    def step() -> float:
        *state[:], loss = compiled(*state, x, y)
        return float(loss)

    times = time_calls(step, work.steps)
    predict = jax.jit(forward)
    return times, time_calls(lambda: jax.block_until_ready(predict(state[0], x)), work.steps)


RUNNERS = {"torch": run_torch, "jax": run_jax, "keras": run_keras}


def as_row(framework: str, name: str, step: Times, predict: Times) -> dict[str, Any]:
    """What a run prints: microseconds, rounded."""
    numbers = dict(
        zip(
            ("step_us", "step_min_us", "predict_us", "predict_min_us"),
            (round(t * 1e6, 1) for t in (*step, *predict)),
            strict=True,
        )
    )
    return {"framework": framework, "workload": name, **numbers}


def main(argv: list[str]) -> None:
    """Runs one framework on one workload."""
    framework, name = argv
    label = f"keras-{os.environ.get('KERAS_BACKEND', 'tensorflow')}"
    step, predict = RUNNERS[framework](name)
    print(json.dumps(as_row(label if framework == "keras" else framework, name, step, predict)))


if __name__ == "__main__":
    main(sys.argv[1:])
