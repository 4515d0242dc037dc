"""`config.check = "values"`: every pass must keep the values; the rule that does not is blamed.

The graph is run before and after each pass, on drawn inputs and on the variables as they are; those
that are zero, such as optimizer slots, are moved a little, for zeros hide what they multiply. Where
numerics are strict no bit may change; else the new values must be about as near as the old ones to
those in float64.
"""

from __future__ import annotations

import numpy as np

from kgraph import config
from kgraph.errors import KGraphError, PassError, explain
from kgraph.ir.graph import Graph
from kgraph.passes.blame import describe, first_bad, rerun
from kgraph.passes.journal import current_journal
from kgraph.passes.manager import Observer, Pass, Pipeline
from kgraph.runtime.interp import interpret
from kgraph.testing.comparing import Difference, compare_bits, compare_values
from kgraph.testing.feeds import Kind, feed
from kgraph.testing.widening import as_function, as_functions

# How inputs are drawn, and the number of every symbolic size.
DRAWS: tuple[tuple[Kind, int], ...] = (("smooth", 3), ("normal", 2))
# At special values forms differ that are equal elsewhere: only exact rules stand them.
STRICT_DRAWS: tuple[tuple[Kind, int], ...] = (*DRAWS, ("special", 5))


def draw_values(graph: Graph, kind: Kind, batch: int) -> list[np.ndarray]:
    """Arrays for the inputs and then for the variables of a graph.

    Args:
        graph: any CORE or FUSED graph.
        kind: as for `kgraph.testing.feeds.feed`.
        batch: the number of every symbolic size.

    Returns:
        The same arrays for the same arguments.

    Example:
        >>> from kgraph.ir import Variable, input_node
        >>> x, v = input_node((2,), name="x"), Variable([1.0, 2.0], name="v")
        >>> [a.shape for a in draw_values(Graph((x,), (("y", x + v),)), "smooth", 1)]
        [(2,), (2,)]
    """
    rng = np.random.default_rng(0)
    arrays = feed(graph, rng, batch=batch, kind=kind)
    for variable in graph.states:
        value = variable.numpy()
        if value.dtype.kind == "f" and not value.any():  # upwards, for a variance stays one
            value += rng.uniform(0, 0.1, value.shape).astype(value.dtype)
        arrays.append(value)
    return arrays


class ValueCheck(Observer):
    """Compares the values before and after every pass.

    Raises:
        KGraphError: by `start`, if the graph runs on no drawn inputs.
        PassError: by `after`, naming the pass, the values that differ, and the first guilty
            replacement: its rule, the user's line, and both of its sides.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes import observing, optimize
        >>> x = input_node((2,), name="x")
        >>> with observing(ValueCheck()):
        ...     _ = optimize(Graph((x,), (("y", ops.log(1 + x)),)))
    """

    def start(self, pipeline: Pipeline, graph: Graph) -> None:
        """Draws inputs on which the graph runs."""
        self.strict = config.numerics == "strict"
        self.points: list[list[np.ndarray]] = []
        pure, failure = as_function(graph), None
        for kind, batch in STRICT_DRAWS if self.strict else DRAWS:
            arrays = draw_values(graph, kind, batch)
            try:
                interpret(pure, arrays)
                self.points.append(arrays)
            except Exception as error:  # the user's program refuses these inputs
                failure = error
        if not self.points:
            raise KGraphError(
                explain("the values of this graph cannot be checked: it fails on drawn inputs",
                        got=f"{type(failure).__name__}: {failure}",
                        hint='compile it without config.check = "values"')
            ) from failure  # fmt: skip
        self.states = graph.states

    def after(self, step: Pass, old: Graph, new: Graph) -> None:
        """Compares what a pass made with what it got."""
        for arrays in self.points if new.roots != old.roots else ():
            found = self._compare(old, new, arrays)
            if found is not None:
                raise self._blame(step, old, arrays, found)

    def _compare(self, old: Graph, new: Graph, arrays: list[np.ndarray]) -> Difference | None:
        # A graph of all variables first: they come in the order in which values were drawn.
        all_states = Graph(old.inputs, tuple((v.name, v) for v in self.states))
        _, before, after = as_functions(all_states, old, new)
        compare = compare_bits if self.strict else compare_values
        return compare(before, after, arrays)

    def _blame(
        self, step: Pass, old: Graph, arrays: list[np.ndarray], found: Difference
    ) -> PassError:
        journal = current_journal()
        excluded = journal.excluded if journal else frozenset[str]()

        def bad(fuel: int) -> bool:
            graph, _ = rerun(step, old, fuel, excluded)
            return self._compare(old, graph, arrays) is not None

        facts = "".join(f"\n  {label}: {value}" for label, value in found.facts())
        message = f"pass {step.name} changes the value of output {found.output}{facts}"
        _, firings = rerun(step, old, None, excluded)
        if not firings or bad(0):
            return PassError(f"{message}\n  no rule is to blame: the pass replaces nodes itself")
        number = first_bad(bad, len(firings))
        told = describe(firings[number - 1], step.gives).replace("\n", "\n  ")
        return PassError(f"{message}\n  firing {number} of {len(firings)}: {told}")
