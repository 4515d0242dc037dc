"""`kgraph summary`: the table of a model's layers with shapes, parameters, and what they cost."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from kgraph.errors import did_you_mean, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import show_bytes
from kgraph.ir.variable import Variable
from kgraph.models import Model
from kgraph.passes.cost import SIZE_HINT
from kgraph.runtime.executable import compile
from kgraph.tools.answers import answer
from kgraph.tools.arguments import whole
from kgraph.tools.complaints import CommandError
from kgraph.tools.models import add_model, as_model, find_model
from kgraph.tools.progress import watching
from kgraph.tools.summary_rows import Row, Work, layer_rows, op_rows, with_work

_NARROWEST, _WIDEST = 4, 100  # characters of a column


def add_parser(subparsers: Any) -> None:
    """Adds the `summary` command to the command line."""
    parser = subparsers.add_parser(
        "summary",
        description="Prints a row a layer. A graph without layers has a row an op.",
    )
    add_model(parser)
    parser.add_argument("--expand-nested", action="store_true", help="the layers of models inside")
    parser.add_argument("--show-trainable", action="store_true", help="Y or N for each layer")
    parser.add_argument(
        "--layer-range",
        nargs=2,
        metavar=("A", "B"),
        help="from layer A to layer B, names or regular expressions",
    )
    parser.add_argument(
        "--line-length", type=int, metavar="N", help="width; default the terminal's"
    )
    parser.add_argument(
        "--costs", action="store_true", help="multiplications, operations, bytes and peak memory"
    )
    parser.add_argument(
        "--batch", type=whole, default=SIZE_HINT, help="of the costs (default %(default)s)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="the answer as JSON")
    kind.add_argument("--markdown", action="store_true", help="a table of Markdown")
    kind.add_argument("--csv", action="store_true", help="comma-separated values")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the table; returns 0."""
    found = find_model(args.model, args.weights)
    if isinstance(found, Graph) and found.stage is Stage.LAYERS:
        found = as_model(found)
    chain = True
    if isinstance(found, Graph):
        rows, chain = op_rows(found), False
    else:
        rows, chain = layer_rows(found, args.expand_nested)
    totals = _totals(found)
    if args.costs:
        rows, costs = _with_costs(found, rows, args.batch)
        totals |= costs
    rows = _in_range(rows, args.layer_range)
    data = [_as_dict(row) for row in rows]
    name = found.name if isinstance(found, Model) else found.stage.value
    document = {"name": name, "sequential": chain, "layers": data, "totals": totals}
    return answer(args, document, _text(args, name, rows, chain, totals))


def _totals(found: Any) -> dict[str, int]:
    """Numbers and bytes of the weights, each counted once."""
    optimizer: Iterable[Variable] = ()
    if isinstance(found, Graph):
        groups = _by_training(found.states)
    else:
        groups = found.trainable_weights, found.non_trainable_weights
        optimizer = found.optimizer.weights if found.optimizer is not None else ()
    totals: dict[str, int] = {}
    for name, group in zip(("trainable", "non_trainable", "optimizer"), (*groups, optimizer)):
        states = list(dict.fromkeys(group))
        totals[f"{name}_params"] = sum(int(v.value.size) for v in states)
        totals[f"{name}_bytes"] = sum(int(v.value.nbytes) for v in states)
    for unit in ("params", "bytes"):
        totals[f"total_{unit}"] = totals[f"trainable_{unit}"] + totals[f"non_trainable_{unit}"]
    return totals


def _by_training(states: Sequence[Variable]) -> tuple[list[Variable], list[Variable]]:
    return [v for v in states if v.trainable], [v for v in states if not v.trainable]


def _with_costs(found: Any, rows: Sequence[Row], batch: int) -> tuple[list[Row], dict[str, int]]:
    graph = found if isinstance(found, Graph) else found.graph
    if graph is None:
        hint = "give its first layer an input_shape"
        raise CommandError("E0411", explain("a model without shapes has no costs", hint=hint))
    with watching():
        executable = compile(graph)
    memory = executable.memory(dict.fromkeys(executable.graph.symbols, batch))
    priced, whole = with_work(rows, graph, batch)
    peak = memory.planned + memory.outside
    return priced, {**dataclasses.asdict(whole), "batch": batch, "peak_bytes": peak}


def _in_range(rows: Sequence[Row], limits: Sequence[str] | None) -> list[Row]:
    """From the first row that A fits to the last one that B fits, in either order as in Keras."""
    if limits is None:
        return list(rows)
    names = [row.name for row in rows]
    starts, ends = (_fitting(limit, names) for limit in limits)
    if starts[0] > ends[-1]:
        starts, ends = ends, starts
    return list(rows[starts[0] : ends[-1] + 1])


def _fitting(text: str, names: Sequence[str]) -> list[int]:
    """The places of a name; without any, of the names that begin as a regular expression says."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise CommandError("E0101", f"--layer-range {text!r}: {error}") from error
    exact = [i for i, name in enumerate(names) if name == text]
    found = exact or [i for i, name in enumerate(names) if pattern.match(name)]
    if not found:
        known, hint = ", ".join(names[:24]), did_you_mean(text, names)
        raise CommandError("E0431", explain(f"no layer {text!r}", expected=known, hint=hint))
    return found


def _as_dict(row: Row) -> dict[str, Any]:
    data = {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}
    work = data.pop("work")
    del data["node"]
    return {**data, **(dataclasses.asdict(work) if work else {})}


def _text(
    args: argparse.Namespace, name: str, rows: Sequence[Row], chain: bool, totals: dict[str, int]
) -> str:
    table = _cells(rows, chain, args.show_trainable, args.costs)
    if args.csv:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows(table)
        return file.getvalue().rstrip("\n")
    if args.markdown:
        lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in table]
        rule = "|" + "---|" * len(table[0])
        return "\n".join([lines[0], rule, *lines[1:], "", *_total_lines(totals)])
    width = args.line_length
    if width is None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    lines = _fitted(table, width)
    wide = max(map(len, lines))
    body = [lines[0], "=" * wide, *lines[1:], "=" * wide]
    return "\n".join([f'Model: "{name}"', "_" * wide, *body, *_total_lines(totals), "_" * wide])


def _cells(rows: Sequence[Row], chain: bool, trainable: bool, costs: bool) -> list[list[str]]:
    """The table as text, its header first."""
    header = ["Layer (type)", "Output Shape", "Param #"]
    header += ["Trainable"] if trainable else []
    header += ["MACs", "FLOPs", "Activations"] if costs else []
    table = [header if chain else [*header, "Connected to"]]
    for row in rows:
        bars = "| " * row.depth
        cells = [f"{bars}{row.name} ({row.kind})", row.shape, row.params_text]
        cells += [{True: "Y", False: "N", None: "-"}[row.trainable]] if trainable else []
        if costs:
            work = row.work or Work()
            cells += [f"{work.macs:,}", f"{work.flops:,}", show_bytes(work.activation_bytes)]
        table.append(cells if chain else [*cells, ", ".join(row.links)])
    return table


def _fitted(table: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Lines of the table; cells that do not fit go on below, and no width is too small."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    if width is None:
        widths = [min(size, _WIDEST) for size in widths]
    gaps = 2 * (len(widths) - 1)
    while width is not None and sum(widths) + gaps > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in table:
        parts = [_pieces(cell, size) for cell, size in zip(row, widths, strict=True)]
        for i in range(max(map(len, parts))):
            cells = [p[i] if i < len(p) else "" for p in parts]
            padded = [c.ljust(w) for c, w in zip(cells, widths, strict=True)]
            lines.append("  ".join(padded).rstrip())
    return lines


def _pieces(cell: str, size: int) -> list[str]:
    """A cell in pieces of at most `size` characters, at spaces where it has some."""
    pieces = []
    while len(cell) > size:
        cut = cell.rfind(" ", 1, size + 1)
        cut = cut if cut > 0 else size
        pieces.append(cell[:cut].rstrip())
        cell = cell[cut:].lstrip()
    return [*pieces, cell]


def _total_lines(totals: dict[str, int]) -> list[str]:
    names = {"total": "Total", "trainable": "Trainable", "non_trainable": "Non-trainable",
             "optimizer": "Optimizer"}  # fmt: skip
    lines = [
        f"{text} params: {totals[f'{key}_params']:,} ({show_bytes(totals[f'{key}_bytes'])})"
        for key, text in names.items()
        if key != "optimizer" or totals["optimizer_params"]
    ]
    if "flops" in totals:
        lines.append(
            f"With a batch of {totals['batch']}: {totals['macs']:,} MACs, {totals['flops']:,} "
            f"FLOPs, activations {show_bytes(totals['activation_bytes'])}, "
            f"peak memory {show_bytes(totals['peak_bytes'])}"
        )
    return lines
