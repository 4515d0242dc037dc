"""Memory report: what a plan's memory is spent on, and how far it is from the least possible."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.runtime.plan import Operand, PlanData, Step

LARGEST = 10


@dataclass(frozen=True)
class LiveTensor:
    """A value that takes memory at the fullest moment of a run.

    Args:
        name: of its node.
        op: what computed it.
        type: shape and dtype.
        bytes: size of its buffer.
        layer: path of the layers around it.
        where: the user's file and line, or None.
        again: whether it was computed a second time for a memory budget.
    """

    name: str
    op: str
    type: TensorType
    bytes: int
    layer: str
    where: str | None
    again: bool


@dataclass(frozen=True)
class MemoryReport:
    """Bytes of one plan.

    Args:
        keep_everything: every computed value has memory of its own for the whole run.
        lower_bound: the most that lives at one time in the plan's order; no arena is smaller.
        planned: the plan's arena.
        outside: inputs, states and constants, which no plan can save.
        peak_step: number of the step with the most living bytes.
        steps: number of steps.
        largest: what lives then, the largest first.
        flops: operations of a run.
        flops_again: those of them that a memory budget makes twice.
    """

    keep_everything: int
    lower_bound: int
    planned: int
    outside: int
    peak_step: int
    steps: int
    largest: tuple[LiveTensor, ...] = field(repr=False)
    flops: int
    flops_again: int

    @property
    def fragmentation(self) -> float:
        """The part of the arena that the fullest moment leaves unused."""
        return 1 - self.lower_bound / self.planned if self.planned else 0.0

    @property
    def saving(self) -> float:
        """The arena as a part of keeping everything."""
        return self.planned / self.keep_everything if self.keep_everything else 1.0

    def __str__(self) -> str:
        over = self.planned / self.lower_bound if self.lower_bound else 1.0
        rows = [
            ("keep everything", self.keep_everything, ""),
            ("planned", self.planned, f"{self.saving:.2f} of keep everything"),
            ("lower bound", self.lower_bound, f"planned is {over:.3f} of it"),
            ("outside", self.outside, "inputs, states and constants"),
        ]
        lines = [f"{name:<16}{size:>14,}  {note}".rstrip() for name, size, note in rows]
        if self.flops_again:
            part = self.flops_again / self.flops
            lines.append(f"{'computed twice':<16}{self.flops_again:>14,}  flops, {part:.0%} of all")
        lines.append(f"fullest at step {self.peak_step} of {self.steps}:")
        for t in self.largest:
            twice = " (second time)" if t.again else ""
            place = " ".join(filter(None, (t.layer, t.where)))
            lines.append(f"{t.bytes:>14,}  {t.type!s:<20} {t.op}{twice}  {place}".rstrip())
        return "\n".join(lines)


def memory_report(data: PlanData) -> MemoryReport:
    """Reports what a plan's memory is spent on.

    Args:
        data: a plan.

    Returns:
        The numbers, and the largest values that live at the fullest moment.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.runtime.planning import make_plan
        >>> x = input_node((256,), name="x")
        >>> report = memory_report(make_plan(Graph((x,), (("y", ops.exp(ops.tanh(x)) + x),)), {}))
        >>> report.keep_everything, report.planned, report.lower_bound
        (3072, 1024, 1024)
    """
    peak, step = _fullest(data)
    alive = [i for i, b in enumerate(data.buffers) if b.size and b.start <= peak <= b.end]
    alive.sort(key=lambda i: -data.buffers[i].size)
    costs = [(_flops(s), _is_second(s.node)) for s in data.steps]
    outputs = [o for s in data.steps for o in s.outputs]
    return MemoryReport(
        keep_everything=sum(int(o.type.nbytes) for o in outputs if _in_arena(o)),
        lower_bound=data.lower_bound,
        planned=data.arena_bytes,
        outside=_outside(data),
        peak_step=step,
        steps=len(data.steps),
        largest=tuple(_describe(data, i, step) for i in alive[:LARGEST]),
        flops=sum(flops for flops, _ in costs),
        flops_again=sum(flops for flops, again in costs if again),
    )


def _fullest(data: PlanData) -> tuple[int, int]:
    """The moment, as lifetimes count it, and the number of the step when most bytes live."""
    change: Counter[int] = Counter()
    for buffer in data.buffers:
        change[buffer.start] += buffer.size
        change[buffer.end + 1] -= buffer.size
    live, most, peak = 0, 0, 0
    for moment in sorted(change):
        live += change[moment]
        if live > most:
            most, peak = live, moment
    for number, step in enumerate(data.steps):
        for operand in (*step.outputs, *step.scratch):
            if _in_arena(operand) and data.buffers[operand.base].start == peak:
                return peak, number
    return peak, 0


def _describe(data: PlanData, buffer: int, step: int) -> LiveTensor:
    """What a buffer holds at a step: what was written to it last."""
    writers = [
        (s, operand)
        for s in data.steps[: step + 1]
        for operand in (*s.scratch, *s.outputs)
        if operand.base == buffer and _in_arena(operand)
    ]
    last, operand = writers[-1]
    node = last.node
    op = last.op.name if operand in last.outputs else f"{last.op.name} (scratch)"
    return LiveTensor(
        node.name, op, operand.type, data.buffers[buffer].size, node.origin.scope,
        node.origin.where, _is_second(node),
    )  # fmt: skip


def _in_arena(operand: Operand) -> bool:
    return isinstance(operand.base, int)


def _outside(data: PlanData) -> int:
    graph = data.graph
    fixed = dict.fromkeys((*graph.inputs, *graph.states))
    consts = dict.fromkeys(n for n in graph.nodes if n.op.name == "const")
    return sum(int(n.type.bind(data.binding).nbytes) for n in (*fixed, *consts))


def _flops(step: Step) -> int:
    inputs, outputs = [o.type for o in step.inputs], [o.type for o in step.outputs]
    return int(step.op.cost(inputs, outputs, step.attrs)[0])


def _is_second(node: Node) -> bool:
    return any(made.pass_name == "rematerialize" for made in node.origin.lineage)
