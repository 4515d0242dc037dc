"""The loop over time: a step that is traced once, run by a scan or written out step by step.

Masked steps keep the states; their output is the previous output (zeros before the first one), or
zeros. What a step computes of nothing but weights, and the dropout masks, are outside of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.context import current_context
from kgraph.ir.graph import substitute, toposort
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.ops.scan import scan


@dataclass(frozen=True)
class Step:
    """One step over stand-ins for its inputs.

    Args:
        x: stands for the inputs of the step.
        states: stand for the states.
        output: what the step returns.
        new: the new states.
    """

    x: Node
    states: tuple[Node, ...]
    output: Node
    new: tuple[Node, ...]

    def at(self, x: Node, states: Sequence[Node]) -> tuple[Node, tuple[Node, ...]]:
        """The output and the new states for these inputs."""
        table = {self.x: x, **dict(zip(self.states, states, strict=True))}
        output, *new = substitute((self.output, *self.new), table)
        return output, tuple(new)


def trace_step(
    call: Callable[[Node, tuple[Node, ...]], tuple[Node, Sequence[Node]]],
    x: TensorType,
    states: Sequence[TensorType],
    name: str,
) -> Step:
    """Traces a step once, so that all time steps share its dropout masks.

    Args:
        call: (inputs, states) -> (output, new states).
        x: type of the inputs of one step.
        states: types of the states.
        name: of the layer, for errors.

    Raises:
        ValueError: the new states do not fit the states, or the step leaves losses, metrics or
            updates.
    """
    stand_in = input_node(x.shape, x.dtype, "step_input")
    before = tuple(input_node(t.shape, t.dtype, f"state_{i}") for i, t in enumerate(states))
    context = current_context()
    assert context is not None, "a layer's `call` runs in a context"
    known = set(context.effects)
    output, new = call(stand_in, before)
    found = [n.type for n in new]
    if found != list(states):
        raise ValueError(
            explain(
                f"A step of layer {name} changes the states' types",
                expected=f"states {', '.join(map(str, states))}, as `state_size` says",
                got=", ".join(map(str, found)) or "none",
            )
        )
    left = [n for n in context.effects if n not in known]
    _check_effects(left, {stand_in, *before}, name)
    return Step(stand_in, before, output, tuple(new))


def _check_effects(left: Sequence[Node], inside: set[Node], name: str) -> None:
    """Refuses losses, metrics and updates that only the inside of the loop knows."""
    if inside.intersection(toposort(left)):
        raise ValueError(
            explain(
                f"The cell of layer {name} adds a loss, a metric or an update in each time step, "
                "which cannot leave the loop",
                hint="return what it needs as an output or a state, and add it outside",
            )
        )


@dataclass(frozen=True)
class Loop:
    """How a step is repeated.

    Args:
        step: the step.
        backwards: whether to go from the last time step to the first.
        sequences: whether the outputs of all steps are wanted, else the last one's.
        unroll: whether to write the steps out.
        zero_masked: whether masked steps put out zeros.
        from_zeros: whether the states start from zeros.
    """

    step: Step
    backwards: bool
    sequences: bool
    unroll: bool
    zero_masked: bool
    from_zeros: bool

    def run(
        self, xs: Node, states: Sequence[Node], mask: Node | None
    ) -> tuple[Node, tuple[Node, ...]]:
        """Runs the loop.

        Args:
            xs: inputs of all steps, time first.
            states: the states before the first step.
            mask: shape (time, batch, 1), or None.

        Returns:
            The outputs, batch first and in the order of the steps, or the last one's; and the
            states after the last step.
        """
        twin = self._twin(mask is not None)
        carry = tuple(states)
        if twin is None and (not self.sequences or (mask is not None and not self._zeros(mask))):
            carry = (*carry, ops.zeros_like(self.step.output))

        def body(carry: Any, x: Any) -> Any:
            return self._masked_step(carry, *(x if mask is not None else (x, None)))

        run = self._unrolled if self.unroll else self._scanned
        carry, ys = run(body, carry, xs if mask is None else (xs, mask))
        after = carry[: len(states)]
        if self.sequences:
            return ys, after
        return carry[-1] if twin is None else after[twin], after

    def _zeros(self, mask: Node | None) -> bool:
        """Whether masked steps put out zeros."""
        return mask is not None and self.zero_masked and self.sequences

    def _twin(self, masked: bool) -> int | None:
        """The state that equals the output, so that no other place keeps the previous output."""
        same = [i for i, state in enumerate(self.step.new) if state is self.step.output]
        return same[0] if same and (self.from_zeros or not masked) else None

    def _masked_step(self, carry: tuple[Node, ...], x: Node, mask: Node | None) -> Any:
        """One step of the loop: the new carry and what it puts out."""
        count = len(self.step.states)
        states, twin = carry[:count], self._twin(mask is not None)
        output, new = self.step.at(x, states)
        if mask is not None:
            new = tuple(_where(mask, a, b) for a, b in zip(new, states, strict=True))
        if self._zeros(mask):
            assert mask is not None
            output = _where(mask, output, ops.zeros_like(output))
        elif twin is not None:
            output = new[twin]
        elif mask is not None:
            output = _where(mask, output, carry[-1])
        return (new if len(carry) == count else (*new, output)), output

    def _scanned(self, body: Any, carry: tuple[Node, ...], xs: Any) -> Any:
        step = body if self.sequences else lambda carry, x: (body(carry, x)[0], None)
        carry, ys = scan(step, carry, xs, reverse=self.backwards)
        if not self.sequences:
            return carry, None
        return carry, ops.swapaxes(ops.flip(ys, 0) if self.backwards else ys, 0, 1)

    def _unrolled(self, body: Any, carry: tuple[Node, ...], xs: Any) -> Any:
        parts = xs if isinstance(xs, tuple) else (xs,)
        times = range(parts[0].shape[0])
        outputs = []
        for t in reversed(times) if self.backwards else times:
            here = tuple(part[t] for part in parts)
            carry, output = body(carry, here if isinstance(xs, tuple) else here[0])
            outputs.append(output)
        if outputs and self.sequences:
            return carry, ops.stack(outputs, axis=1)
        batch, *rest = self.step.output.shape
        return carry, ops.full((batch, 0, *rest), 0, self.step.output.dtype)


def _where(mask: Node, x: Node, y: Node) -> Any:
    """x where the mask of shape (batch, 1) holds, else y."""
    spread = mask if x.ndim == 2 else ops.reshape(mask, (mask.shape[0], *[1] * (x.ndim - 1)))
    return ops.where(spread, x, y)
