"""Runs one framework on one workload and times it whenever a line asks for it."""

import importlib
import os
import sys
from collections.abc import Sequence

from .timing import converse
from .workloads import FRAMEWORKS, WORKLOADS


def main(argv: Sequence[str]) -> None:
    """Answers the lines of standard input.

    Args:
        argv: the framework, for Keras with a backend (`keras-jax`) if it is not to be the one in
            KERAS_BACKEND, and the workload.

    Raises:
        SystemExit: the arguments are no framework and workload.
    """
    if len(argv) != 2 or argv[0].split("-")[0] not in FRAMEWORKS or argv[1] not in WORKLOADS:
        sys.exit(
            f"peers: expected one of {', '.join(FRAMEWORKS)} and one of {', '.join(WORKLOADS)}, "
            f"got: {' '.join(argv) or 'nothing'}"
        )
    framework, _, backend = argv[0].partition("-")
    if framework == "keras":
        os.environ["KERAS_BACKEND"] = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        argv = (f"keras-{os.environ['KERAS_BACKEND']}", argv[1])
    # Each framework is imported by the one file that uses it, and only if it is asked for.
    run = importlib.import_module(f".with_{framework}", __package__).run
    converse(argv[0], argv[1], run(argv[1]), sys.stdin)


if __name__ == "__main__":
    main(sys.argv[1:])
