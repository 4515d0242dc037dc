"""`kgraph convert`: a model in another format: JSON, HDF5, weights, text, a picture or Python."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import dumps, save
from kgraph.models import Model
from kgraph.tools.answers import add_json, add_no_clobber, answer, refuse_existing, write_file
from kgraph.tools.arguments import whole
from kgraph.tools.complaints import CommandError, unwritable
from kgraph.tools.models import add_model, as_model, find_model, graph_of, named_states
from kgraph.tools.progress import doing, watching
from kgraph.tools.stages import LEVELS, at_stage
from kgraph.tools.terminal import note
from kgraph.tools.to_python import to_python
from kgraph.tools.viz import build_view, to_dot
from kgraph.tools.viz.mermaid import to_mermaid

_BY_EXTENSION = {".json": "kgraph-json", ".npz": "npz", ".dot": "dot", ".gv": "dot",
                 ".mmd": "mermaid", ".txt": "text", ".py": "python",
                 ".h5": "h5", ".hdf5": "h5",
                 ".onnx": "onnx"}  # fmt: skip


def add_parser(subparsers: Any) -> None:
    """Adds the `convert` command to the command line."""
    parser = subparsers.add_parser(
        "convert",
        description="kgraph JSON keeps everything, its weights beside it in an .npz; npz holds "
        "the weights alone; a Python script makes the model with fresh weights.",
    )
    add_model(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="- is stdout")
    parser.add_argument(
        "--to",
        choices=(*WRITERS, "onnx"),
        metavar="FORMAT",
        help=f"of {', '.join(WRITERS)}; default by the extension",
    )
    parser.add_argument("--stage", choices=("layers", "core", "fused"), help="default as it is")
    parser.add_argument("--numerics", choices=LEVELS, help="of --stage fused")
    parser.add_argument("--indent", type=whole, metavar="N", help="of JSON")
    add_no_clobber(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the file; returns 0."""
    kind = args.to or _BY_EXTENSION.get(Path(args.output).suffix.lower())
    if kind == "onnx":
        hint = "--to keras-json or h5, which other converters to ONNX read"
        raise CommandError("E0101", explain("kgraph writes no ONNX files", hint=hint))
    if kind is None:
        expected = f"--to {', '.join(WRITERS)}, or an extension of {', '.join(_BY_EXTENSION)}"
        raise CommandError("E0101", explain(f"{args.output}: no format", expected=expected))
    if args.output == "-" and kind == "h5":
        raise CommandError("E0101", f"{kind} is not written to standard output")
    if args.output == "-" and kind == "npz" and sys.stdout.isatty():
        message = explain("an npz is nothing for a terminal", hint="-o x.npz, or a pipe")
        raise CommandError("E0101", message)
    if args.json and args.output == "-":
        raise CommandError("E0101", "--json and -o - both want standard output")
    beside = [str(Path(args.output).with_suffix(".npz"))] if kind == "kgraph-json" else []
    refuse_existing(args, args.output, *(beside if args.output != "-" else []))
    found = find_model(args.model, args.weights)
    try:
        if args.stage is not None:
            with watching():
                found = at_stage(graph_of(found), args.stage, args.numerics)
        with doing(f"writing {args.output}"):
            WRITERS[kind](found, args)
    except (KGraphError, ValueError) as error:  # a layer may have no configuration
        raise CommandError("E0411", f"{args.model}: {error}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(args.output, error) from error
    return answer(args, {"output": args.output, "format": kind}, "")


def _kgraph_json(found: Any, args: argparse.Namespace) -> None:
    graph = graph_of(found)
    if args.output == "-" or args.indent is not None:
        text = dumps(graph)
        if args.indent is not None:
            text = json.dumps(json.loads(text), indent=args.indent) + "\n"
        write_file(args.output, text.encode("ascii"))
    else:
        save(graph, args.output)
        note(f"wrote {args.output}, its arrays beside it in an .npz")


def _keras_json(found: Any, args: argparse.Namespace) -> None:
    text = as_model(found).to_json(indent=args.indent)
    write_file(args.output, (text + "\n").encode("utf-8"))


def _npz(found: Any, args: argparse.Namespace) -> None:
    file = io.BytesIO()
    arrays = {name: state.value for name, state in named_states(found).items()}
    np.savez(file, **arrays)  # type: ignore[arg-type]
    write_file(args.output, file.getvalue())


def _h5(found: Any, args: argparse.Namespace) -> None:
    as_model(found).save(args.output)
    note(f"wrote {args.output}")


def _dot(found: Any, args: argparse.Namespace) -> None:
    title = found.name if isinstance(found, Model) else ""
    write_file(args.output, to_dot(build_view(graph_of(found), title)).encode("utf-8"))


def _mermaid(found: Any, args: argparse.Namespace) -> None:
    title = found.name if isinstance(found, Model) else ""
    view = build_view(graph_of(found), title)
    write_file(args.output, to_mermaid(view).encode("utf-8", "backslashreplace"))


def _text(found: Any, args: argparse.Namespace) -> None:
    write_file(args.output, (to_text(graph_of(found)) + "\n").encode("utf-8"))


def _python(found: Any, args: argparse.Namespace) -> None:
    write_file(args.output, to_python(as_model(found)).encode("utf-8"))


WRITERS: dict[str, Callable[[Any, argparse.Namespace], None]] = {
    "kgraph-json": _kgraph_json,
    "keras-json": _keras_json,
    "npz": _npz,
    "h5": _h5,
    "dot": _dot,
    "mermaid": _mermaid,
    "text": _text,
    "python": _python,
}
