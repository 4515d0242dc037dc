"""Every registered op keeps every promise of the IR, on its own samples."""

import pytest
from harness import check_op

from kgraph import ops  # noqa: F401  (registers them)
from kgraph.ir import OPS

# What the runtime or `lower` gives a meaning to.
WITHOUT_KERNEL = (
    "arg",
    "const",
    "input",
    "item",
    "layer_call",
    "mask_of",
    "rng_step",
    "size",
    "state",
)


@pytest.mark.parametrize("name", sorted(set(OPS) - set(WITHOUT_KERNEL)))
def test_op(name):
    check_op(OPS[name])
