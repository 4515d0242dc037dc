"""What fusing saves in the training steps of the zoo: bytes that ops read and write."""

from __future__ import annotations

import pytest
from zoo import ZOO, training_core

from kgraph.passes import optimize
from kgraph.passes.cost import estimate

FUSES = True

# name -> percent of the bytes of single ops that fused ones still read and write, at most.
TRAFFIC = {
    "mlp_binary": 51, "mlp_mnist": 52, "mlp_mnist_adam": 49, "mlp_mnist_sgd": 67, "deep": 55,
    "two_heads": 51, "siamese": 66, "autoencoder": 40, "residual": 65, "batch_norm": 68,
    "experts": 47, "lenet": 86, "resnet": 67, "resnet_first": 67, "embedding_flat": 88,
    "embedding_adam": 38, "embedding_momentum": 91, "embedding_mean": 97, "attention": 79,
}  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_fusion_moves_fewer_bytes(name):
    _, report = optimize(training_core(ZOO[name].model(), *ZOO[name].arrays(2)))
    single, fused = (estimate(graph).bytes for graph in (report["fuse"].before, report.result))
    assert 100 * fused <= TRAFFIC[name] * single
