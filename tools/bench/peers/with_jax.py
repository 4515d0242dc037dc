"""JAX: one jitted step whose weights and slots are donated.

A model is a dictionary of random weights and a function of (weights, key or None, *inputs) that
gives logits, one array an output; without a key nothing is dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .timing import Subject, forget_peak, in_a_loop
from .workloads import HEAD, HEAD_STATE, STATE, TOPICS, WORDS, WORKLOADS, Workload, batch_of

SLOTS = {"sgd": 0, "rmsprop": 1, "adam": 2}  # arrays that an optimizer keeps for each weight


def run(name: str) -> Subject:
    """The model of a workload, ready to be timed."""
    work = WORKLOADS[name]
    xs, ys = ([jnp.asarray(a) for a in arrays] for arrays in batch_of(name))
    before = forget_peak()
    weights, forward = MODELS[name](work)
    slots = [jax.tree.map(jnp.zeros_like, weights) for _ in range(SLOTS[work.optimizer])]
    state = [weights, slots, jnp.float32(0), jax.random.PRNGKey(0)]
    train = jax.jit(training_step(work, forward), donate_argnums=(0, 1))
    infer = jax.jit(lambda weights, *xs: forward(weights, None, *xs))

    def step() -> float:
        *state[:], loss = train(*state, xs, ys)
        return float(loss)

    return in_a_loop(name, step, lambda: jax.block_until_ready(infer(state[0], *xs)), before)


def training_step(work: Workload, forward: Callable[..., Any]) -> Callable[..., Any]:
    """(weights, slots, count, key, inputs, targets) -> the first four of the next step, the loss.

    The optimizers' constants are Keras's.
    """

    def loss_of(weights: Any, key: Any, xs: Any, ys: Any) -> Any:
        outputs = forward(weights, key, *xs)
        losses = [cross_entropy(work, z, y) for z, y in zip(outputs, ys, strict=True)]
        return sum(w * loss for w, loss in zip(work.loss_weights, losses, strict=True))

    def step(weights: Any, slots: Any, count: Any, key: Any, xs: Any, ys: Any) -> Any:
        key, used = jax.random.split(key)
        loss, grads = jax.value_and_grad(loss_of)(weights, used, xs, ys)
        count = count + 1
        change = {"sgd": _descend, "rmsprop": _rmsprop, "adam": _adam}[work.optimizer]
        weights, slots = change(work.rate, weights, grads, slots, count)
        return weights, slots, count, key, loss

    return step


def _descend(rate: float, weights: Any, grads: Any, slots: Any, count: Any) -> Any:
    return jax.tree.map(lambda w, g: w - rate * g, weights, grads), slots


def _rmsprop(rate: float, weights: Any, grads: Any, slots: Any, count: Any) -> Any:
    squares = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g * g, slots[0], grads)
    rule = lambda w, g, a: w - rate * g / (jnp.sqrt(a) + 1e-7)  # noqa: E731
    return jax.tree.map(rule, weights, grads, squares), [squares]


def _adam(rate: float, weights: Any, grads: Any, slots: Any, count: Any) -> Any:
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], grads)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], grads)
    scale = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    rule = lambda w, m, v: w - scale * m / (jnp.sqrt(v) + 1e-7)  # noqa: E731
    return jax.tree.map(rule, weights, means, squares), [means, squares]


def cross_entropy(work: Workload, z: Any, y: Any) -> Any:
    """The mean loss of logits."""
    if work.classes == 1:
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(z) * y, 1))


class Weights:
    """Draws weights as they are asked for, by name."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._rng = np.random.default_rng(1)

    def draw(self, *shape: int) -> Any:
        """Small normal numbers."""
        return jnp.asarray(self._rng.standard_normal(shape, dtype=np.float32) * 0.05)

    def add(self, name: str, *shape: int) -> None:
        """A pair of kernel and bias."""
        self.found[name] = self.draw(*shape), jnp.zeros(shape[-1])

    def add_lstm(self, features: int, units: int) -> None:
        """Kernels of the inputs and of the state, and the bias of the four gates."""
        kernels = self.draw(features, 4 * units), self.draw(units, 4 * units)
        self.found["lstm"] = (*kernels, jnp.zeros(4 * units))


def dense(pair: Any, x: Any) -> Any:
    """A product with a kernel, and a bias."""
    return x @ pair[0] + pair[1]


def conv(pair: Any, x: Any, padding: str) -> Any:
    """A convolution of images with their channels last, and a bias."""
    axes = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, pair[0], (1, 1), padding, dimension_numbers=axes) + pair[1]


def halve(x: Any) -> Any:
    """The largest of each 2 x 2 pixels."""
    window = (1, 2, 2, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def drop(x: Any, rate: float, key: Any) -> Any:
    """Zeros where chance says so, the rest scaled up; nothing without a key."""
    if key is None or not rate:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def lstm(weights: Any, x: Any) -> Any:
    """The last state over (n, time, features); what the inputs add is one product for all steps."""
    kernel, recurrent, bias = weights
    given = (x @ kernel + bias).swapaxes(0, 1)

    def cell(carry: Any, z: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]))
    return lax.scan(cell, (zeros, zeros), given)[0][0]


def keys_of(key: Any, count: int) -> Any:
    """A key for each dropout, or None for each."""
    return [None] * count if key is None else jax.random.split(key, count)


def perceptron(work: Workload) -> Any:
    """Dense layers; ids are looked up first."""
    made, last = Weights(), len(work.widths) - 2
    for i, shape in enumerate(itertools.pairwise(work.widths)):
        made.add(f"dense{i}", *shape)
    (read,) = work.inputs
    if read.ids:
        made.found["table"] = made.draw(read.ids, work.widths[0] // read.shape[0])

    def forward(weights: Any, key: Any, x: Any) -> Any:
        if read.ids:
            x = weights["table"][x].reshape(x.shape[0], -1)
        for i, used in enumerate(keys_of(key, last)):
            x = drop(jax.nn.relu(dense(weights[f"dense{i}"], x)), work.dropout, used)
        return (dense(weights[f"dense{last}"], x),)

    return made.found, forward


def images(work: Workload) -> Any:
    """Two blocks of two convolutions, then two dense layers."""
    made, widths = Weights(), (3, 32, 32, 64, 64)
    for i, (channels, filters) in enumerate(itertools.pairwise(widths)):
        made.add(f"conv{i}", 3, 3, channels, filters)
    made.add("hidden", 6 * 6 * 64, 512)
    made.add("last", 512, work.classes)

    def forward(weights: Any, key: Any, x: Any) -> Any:
        first, second, third = keys_of(key, 3)
        for i, used in ((0, first), (2, second)):
            x = jax.nn.relu(conv(weights[f"conv{i}"], x, "SAME"))
            x = jax.nn.relu(conv(weights[f"conv{i + 1}"], x, "VALID"))
            x = drop(halve(x), 0.25, used)
        x = jax.nn.relu(dense(weights["hidden"], x.reshape(x.shape[0], -1)))
        return (dense(weights["last"], drop(x, 0.5, third)),)

    return made.found, forward


def words(work: Workload) -> Any:
    """The last state of an LSTM over embedded words, and one logit."""
    made = Weights()
    made.found["table"] = made.draw(*WORDS)
    made.add_lstm(WORDS[1], STATE)
    made.add("head", STATE, 1)

    def forward(weights: Any, key: Any, x: Any) -> Any:
        return (dense(weights["head"], lstm(weights["lstm"], weights["table"][x])),)

    return made.found, forward


def two_heads(work: Workload) -> Any:
    """A logit of what the LSTM read and five numbers, and one of what it read alone."""
    made = Weights()
    made.found["table"] = made.draw(*TOPICS)
    made.add_lstm(TOPICS[1], HEAD_STATE)
    widths = (HEAD_STATE + work.inputs[1].shape[0], HEAD, HEAD, HEAD, 1)
    for i, shape in enumerate(itertools.pairwise(widths)):
        made.add(f"dense{i}", *shape)
    made.add("auxiliary", HEAD_STATE, 1)

    def forward(weights: Any, key: Any, ids: Any, numbers: Any) -> Any:
        read = lstm(weights["lstm"], weights["table"][ids])
        x = jnp.concatenate([read, numbers], 1)
        for i in range(3):
            x = jax.nn.relu(dense(weights[f"dense{i}"], x))
        return dense(weights["dense3"], x), dense(weights["auxiliary"], read)

    return made.found, forward


MODELS: dict[str, Callable[[Workload], Any]] = {
    "mlp_binary": perceptron,
    "mlp_mnist": perceptron,
    "mlp_wide": perceptron,
    "embedding_dense": perceptron,
    "cnn_cifar": images,
    "lstm_imdb": words,
    "two_head": two_heads,
}
