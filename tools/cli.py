"""The `kgraph` command line: each command lives in a file of its own and registers itself."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import kgraph
from kgraph.tools import bench, demo, draw, passes
from kgraph.tools.complaints import USAGE

COMMANDS = (draw, demo, bench, passes)
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: arguments after the program's name; default those of the process.

    Returns:
        The exit code: 0 ok, 2 usage, 3 a program is missing, 4 bad input, 130 interrupted.

    Example:
        >>> main(["--version"])
        kgraph 0.1.0
        0
    """
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as leaving:  # argparse has printed its message
        return int(leaving.code or 0)
    if args.run is None:
        parser.print_help(sys.stderr)
        return USAGE
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(prog="kgraph", description="A graph compiler for Keras models")
    parser.add_argument("--version", action="version", version=f"kgraph {kgraph.__version__}")
    parser.set_defaults(run=None)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
