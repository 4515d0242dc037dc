"""PyTorch: a bare loop on two threads, images with their channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .timing import Subject, forget_peak, in_a_loop
from .workloads import HEAD, HEAD_STATE, STATE, TOPICS, WORDS, WORKLOADS, Workload, batch_of

THREADS = 2


def run(name: str) -> Subject:
    """The model of a workload, ready to be timed."""
    torch.set_num_threads(THREADS)
    work = WORKLOADS[name]
    xs, ys = ([torch.from_numpy(a) for a in arrays] for arrays in batch_of(name))
    before = forget_peak()
    model = MODELS[name](work)
    optimizer, loss_of = optimizer_of(work, model), loss_function(work)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(*xs), ys)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    def predict() -> Any:
        model.eval()
        with torch.inference_mode():
            return model(*xs)

    return in_a_loop(name, step, predict, before)


def optimizer_of(work: Workload, model: nn.Module) -> Any:
    """The optimizer with Keras's constants."""
    weights = list(model.parameters())
    if work.optimizer == "rmsprop":
        return torch.optim.RMSprop(weights, work.rate, alpha=0.9, eps=1e-7)
    if work.optimizer == "adam":
        return torch.optim.Adam(weights, work.rate, eps=1e-7)
    return torch.optim.SGD(weights, work.rate)


def loss_function(work: Workload) -> Callable[[Any, Any], Any]:
    """The weighted loss of logits, of one output or a tuple of them."""
    functional = nn.functional
    one = functional.binary_cross_entropy_with_logits
    if work.classes > 1:
        one = functional.cross_entropy

    def loss(outputs: Any, targets: Any) -> Any:
        if len(work.loss_weights) == 1:
            return one(outputs, targets[0])
        terms = zip(work.loss_weights, outputs, targets, strict=True)
        return sum(w * one(z, y) for w, z, y in terms)

    return loss


def perceptron(work: Workload) -> nn.Module:
    """Dense layers; ids are looked up first."""
    layers: list[nn.Module] = []
    (read,) = work.inputs
    if read.ids:
        layers += [nn.Embedding(read.ids, work.widths[0] // read.shape[0]), nn.Flatten()]
    for fan_in, fan_out in zip(work.widths[:-1], work.widths[1:-1], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        layers += [nn.Dropout(work.dropout)] if work.dropout else []
    return nn.Sequential(*layers, nn.Linear(*work.widths[-2:]))


class ChannelsFirst(nn.Module):
    """Images as they are fed, seen in the order of axes that PyTorch wants; nothing is copied."""

    def forward(self, x: Any) -> Any:
        """(n, h, w, c) -> (n, c, h, w)."""
        return x.permute(0, 3, 1, 2)


def images(work: Workload) -> nn.Module:
    """Two blocks of two convolutions, then two dense layers."""
    layers: list[nn.Module] = [ChannelsFirst()]
    for channels, filters in ((3, 32), (32, 64)):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(filters, filters, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]
    layers += [nn.Flatten(), nn.Linear(6 * 6 * 64, 512), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers, nn.Linear(512, work.classes))
    return model.to(memory_format=torch.channels_last)


class Words(nn.Module):
    """The last state of an LSTM over embedded words, and one logit."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.table, self.reader = nn.Embedding(*WORDS), nn.LSTM(WORDS[1], STATE, batch_first=True)
        self.head = nn.Linear(STATE, 1)

    def forward(self, x: Any) -> Any:
        """Ids (n, time) -> logits (n, 1)."""
        return self.head(self.reader(self.table(x))[0][:, -1])


class TwoHeads(nn.Module):
    """A logit of what the LSTM read and five numbers, and one of what it read alone."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.table = nn.Embedding(*TOPICS)
        self.reader = nn.LSTM(TOPICS[1], HEAD_STATE, batch_first=True)
        layers: list[nn.Module] = []
        for fan_in in (HEAD_STATE + work.inputs[1].shape[0], HEAD, HEAD):
            layers += [nn.Linear(fan_in, HEAD), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.Linear(HEAD, 1))
        self.auxiliary = nn.Linear(HEAD_STATE, 1)

    def forward(self, words: Any, numbers: Any) -> Any:
        """Ids (n, time) and numbers (n, 5) -> logits (n, 1) twice."""
        read = self.reader(self.table(words))[0][:, -1]
        return self.main(torch.cat([read, numbers], 1)), self.auxiliary(read)


MODELS: dict[str, Callable[[Workload], nn.Module]] = {
    "mlp_binary": perceptron,
    "mlp_mnist": perceptron,
    "mlp_wide": perceptron,
    "embedding_dense": perceptron,
    "cnn_cifar": images,
    "lstm_imdb": Words,
    "two_head": TwoHeads,
}
