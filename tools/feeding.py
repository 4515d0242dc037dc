"""What is fed to a graph from the command line: files, constants, random numbers, sizes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kgraph.errors import BindingError, KGraphError, did_you_mean, explain
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.runtime.binding import bind_shapes
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import Executable
from kgraph.testing.feeds import feed
from kgraph.tools.arguments import whole
from kgraph.tools.complaints import CommandError

KINDS = "FILE.npy, FILE.npz, zeros, ones, randn, randn:SEED or const:VALUE"


def add_feeds(parser: argparse._ActionsContainer) -> None:
    """Adds `--input`, `--batch`, `--dim` and `--seed` to a command."""
    parser.add_argument("--input", action="append", default=[], metavar="[NAME=]WHAT",
                        help=f"what to feed: {KINDS}; default random numbers")  # fmt: skip
    parser.add_argument("--batch", type=whole, default=8, help="rows (default %(default)s)")
    parser.add_argument("--dim", action="append", default=[], metavar="SYMBOL=N",
                        help="another open size")  # fmt: skip
    parser.add_argument("--seed", type=whole, default=0, help="of the random numbers")


def arrays_for(graph: Graph, args: argparse.Namespace) -> list[np.ndarray]:
    """An array for each input of a graph, as the options say; ids that index are valid.

    Args:
        graph: of any stage.
        args: with the options of `add_feeds`.

    Raises:
        CommandError: an option names no input, a file cannot be read, or an array does not fit.
    """
    wanted = _by_input(graph, args.input)
    stored = {n: _stored(text, n) for n, text in wanted.items() if text.endswith((".npy", ".npz"))}
    sizes = _sizes(graph, args, stored)
    rng = np.random.default_rng(args.seed)
    drawn = feed(graph, rng, batch=args.batch, kind="normal", sizes=sizes)
    found = []
    for node, usual in zip(graph.inputs, drawn, strict=True):
        if node in stored:
            found.append(stored[node])
        else:
            found.append(_made(wanted[node], node, usual) if node in wanted else usual)
    return found


def sizes_of(graph: Graph, args: argparse.Namespace) -> dict[str, int]:
    """A number for every open size of a graph, where its arrays do not show another."""
    return {**dict.fromkeys(graph.symbols, args.batch), **dims_of(graph.symbols, args)}


def filled(executable: Executable, arrays: Sequence[np.ndarray], sizes: Mapping[str, int]) -> Plan:
    """The plan that runs on arrays, and holds them.

    Args:
        executable: what runs.
        arrays: one an input.
        sizes: numbers for the open sizes that no array shows; see `sizes_of`.
    """
    bound = bind_shapes(executable.graph.inputs, [a.shape for a in arrays])
    plan = executable.bind({**sizes, **bound})
    plan.fill(arrays)
    return plan


def dims_of(symbols: Sequence[str], args: argparse.Namespace) -> dict[str, int]:
    """The sizes that `--dim` gives.

    Raises:
        CommandError: it gives one that is not there, or no number.
    """
    found = {}
    for text in args.dim:
        name, _, number = text.partition("=")
        if not number.isdigit():
            raise CommandError("E0101", explain(f"--dim {text!r}", expected="SYMBOL=NUMBER"))
        if name not in symbols:
            hint = did_you_mean(name, symbols)
            message = explain(f"no size {name!r}", expected=", ".join(symbols) or "none", hint=hint)
            raise CommandError("E0431", message)
        found[name] = int(number)
    return found


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Turns what a kernel raises in the block into an error of the catalogue."""
    try:
        yield
    except (CommandError, KGraphError, MemoryError):
        raise  # an input does not fit, or a limit
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        message = f"{type(error).__name__}: {error}\n{notes}".strip()
        raise CommandError("E0501", message) from error


def _by_input(graph: Graph, texts: Sequence[str]) -> dict[Node, str]:
    nodes = {n.name: n for n in graph.inputs}
    found: dict[Node, str] = {}
    for text in texts:
        name, mark, what = text.partition("=")
        if not mark:
            found |= dict.fromkeys(graph.inputs, text)
        elif name in nodes:
            found[nodes[name]] = what
        else:
            expected = ", ".join(nodes)
            raise CommandError("E0431", explain(f"no input {name!r}", expected=expected))
    return found


def _stored(path: str, node: Node) -> np.ndarray:
    try:
        if path.endswith(".npy"):
            return np.asarray(np.load(path, allow_pickle=False))
        with np.load(path, allow_pickle=False) as file:
            names = list(file)
            only = len(names) == 1 and node.name not in names
            return np.asarray(file[names[0] if only else node.name])
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise CommandError("E0401", f"{path} cannot be read: {error}") from error


def _sizes(
    graph: Graph, args: argparse.Namespace, stored: Mapping[Node, np.ndarray]
) -> dict[str, int]:
    try:
        bound = bind_shapes(list(stored), [a.shape for a in stored.values()])
    except BindingError as error:
        raise CommandError("E0412", str(error)) from error
    return {**dims_of(graph.symbols, args), **bound}


def _made(text: str, node: Node, usual: np.ndarray) -> np.ndarray:
    """An array of the usual one's shape."""
    kind, _, value = text.partition(":")
    message = explain(f"--input {node.name}={text!r}", expected=KINDS)
    if kind not in ("zeros", "ones", "const", "randn") or (value and kind in ("zeros", "ones")):
        raise CommandError("E0101", message)
    try:
        if kind == "const":
            return np.full_like(usual, float(value))
        seed = int(value or 0)
    except ValueError as error:  # no number, or none of the input's dtype
        raise CommandError("E0101", message) from error
    if kind == "randn":
        drawn = np.random.default_rng(seed).normal(size=usual.shape)
        return drawn.astype(usual.dtype) if node.type.is_float else usual
    return np.full_like(usual, kind == "ones")
