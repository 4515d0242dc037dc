"""Where a node lies: the path of clusters around it, from its layer path and its phase.

States and constants have no path of their own: they lie where all their users are, in a training
step where the users of the first phase are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kgraph.ir.call import LAYER_CALL
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import CONST, INPUT
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.tools.viz.roles import PHASES, SCOPES, role_of

Path = tuple[str, ...]
# Clusters deeper than this are drawn as one.
MAX_DEPTH = 8


def paths_of(graph: Graph, nodes: Sequence[Node], training: bool) -> dict[Node, Path]:
    """Node -> names of the clusters around it, the outermost first.

    Args:
        graph: what the nodes belong to.
        nodes: operands before users.
        training: whether the outermost clusters are the phases of a training step.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.ir.origin import scope
        >>> x = input_node((2,), name="x")
        >>> with scope("encoder"), scope("dense"):
        ...     y = ops.tanh(x)
        >>> paths_of(Graph((x,), (("y", y),)), (x, y), False)[y]
        ('encoder', 'dense')
    """
    found: dict[Node, Path] = {}
    for node in reversed(nodes):
        if node.op is CONST or isinstance(node, Variable):
            found[node] = _among_users(graph.users, node, found)
        elif node.op in (INPUT, LAYER_CALL):
            found[node] = ()
        else:
            found[node] = _own_path(node, training)
    return found


def _own_path(node: Node, training: bool) -> Path:
    scope = node.origin.scope
    parts = tuple(scope.split("/")[:MAX_DEPTH]) if scope else ()
    if not training:
        return parts
    phase = role_of(node, True)
    # `loss/head` lies in the phase loss as `head`.
    return (phase, *(parts[1:] if parts and SCOPES.get(parts[0]) == phase else parts))


def _among_users(users: Mapping[Node, Sequence[Node]], node: Node, found: dict[Node, Path]) -> Path:
    paths = [found[user] for user in users.get(node, ())]
    phases = [PHASES.index(p[0]) for p in paths if p and p[0] in PHASES]
    if phases:
        paths = [p for p in paths if p and p[0] == PHASES[min(phases)]]
    return _common_start(paths)


def _common_start(paths: Sequence[Path]) -> Path:
    parts: list[str] = []
    for level in zip(*paths, strict=False):
        if len(set(level)) > 1:
            break
        parts.append(level[0])
    return tuple(parts)
