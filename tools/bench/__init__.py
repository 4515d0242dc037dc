"""`kgraph bench`: training steps and predictions against PyTorch, JAX and Keras in the same run.

Every framework runs in a process of its own, in turn, several rounds, so that a change of the
machine's speed meets all of them. The ratio is the fastest peer's median over kgraph's. Numbers of
the compiled step that no clock touches (steps, matrix products, bytes) stand beside it.

This folder is in PYTHONPATH when the peers run, so no file in it may be called like a module that
they or the standard library import.
"""

from kgraph.tools.bench.bench_command import add_parser

__all__ = ["add_parser"]
