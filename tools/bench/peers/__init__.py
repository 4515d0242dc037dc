"""Times PyTorch, JAX or Keras on the workloads of `kgraph bench`; runs alone, without kgraph.

`python -m peers FRAMEWORK WORKLOAD` prints one JSON line, with the folder above this one in
PYTHONPATH and any interpreter that has the framework. PyTorch and JAX run a bare step on one batch
that stays in place; Keras runs `fit` over an array with shuffling, the way a user does, and so does
kgraph.
"""
