"""Emitted text: lines of Python that call kernels, compiled, and what each line computes."""

from __future__ import annotations

import itertools
import keyword
import linecache
import re
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.runtime.plan import Operand, Step

_NUMBERS = itertools.count(1)

# A line of text, and the step that it runs.
Line = tuple[str, Step | None]


class Listing:
    """A piece of emitted Python, registered with `linecache` as long as its owner lives.

    Args:
        owner: who runs it.
        title: what it is called in tracebacks, before a number.
        lines: definitions of functions.
        values: what the names of their parameters stand for.

    Attributes:
        filename: under which tracebacks show it.
        text: the lines as one string.
    """

    def __init__(
        self, owner: object, title: str, lines: Sequence[Line], values: Mapping[str, Any]
    ) -> None:
        self.filename = f"<kgraph {title} {next(_NUMBERS)}>"
        self.text = "\n".join(text for text, _ in lines)
        self._steps = [step for _, step in lines]
        self._scope: dict[str, Any] = {}
        self._values = values
        exec(compile(self.text, self.filename, "exec"), self._scope)
        shown = self.text.splitlines(keepends=True)
        linecache.cache[self.filename] = (len(self.text), None, shown, self.filename)
        weakref.finalize(owner, linecache.cache.pop, self.filename, None)

    def function(self, name: str) -> Callable[..., None]:
        """A function of the text; its parameters' values are their defaults.

        Python reads a name that is given no value in the text in half the time.
        """
        function = self._scope[name]
        words = function.__code__.co_varnames[: function.__code__.co_argcount]
        function.__defaults__ = tuple([self._values[word] for word in words])
        return function

    def explain(self, error: Exception) -> None:
        """Adds to a kernel's error what was being computed, and for which line of the user."""
        trace, step = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                step = self._steps[trace.tb_lineno - 1]
            trace = trace.tb_next
        if step is None:
            return
        shapes = ", ".join(str(o.type) for o in step.inputs)
        error.add_note(while_running(f"{step.op.name}({shapes})", step.node))


def while_running(call: str, node: Node) -> str:
    """The note of an error: what was being computed, in which layer, for which line of the user."""
    layer = node.origin.scope
    text = f"while running {call}" + (f" of layer {layer}" if layer else "")
    return explain(text, where=node.origin.where)


def definition(name: str, parameters: Iterable[str], body: Sequence[Line]) -> list[Line]:
    """The lines of a function."""
    head: Line = (f"def {name}({', '.join(parameters)}):", None)
    return [head, *(body or [("    return", None)])]


def call_line(words: Sequence[str], step: Step, indent: str = "    ") -> Line:
    """The call of a kernel by the names of it and its arguments, the layer as a comment."""
    label = step.node.origin.scope
    if not label.isprintable():
        # A layer's name may come from a file: a line break in it would end the comment.
        label = "".join(c if c.isprintable() else "?" for c in label)
    comment = f"  # {label}" if label else ""
    return f"{indent}{words[0]}({', '.join(words[1:])}){comment}", step


class Names:
    """Readable, distinct variable names for kernels and arrays."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._by_id: dict[int, str] = {}
        self._stems: dict[str, str] = {}
        self._numbers: dict[str, itertools.count[int]] = {}

    def of(self, value: Any, wish: str) -> str:
        """The name of `value`: as wished, numbered where others wish the same."""
        known = self._by_id.get(id(value))
        if known is not None:
            return known
        stem = self._stems.get(wish)
        if stem is None:
            stem = self._stems[wish] = _as_identifier(wish)
        numbers = self._numbers.setdefault(stem, itertools.count(2))
        name = stem
        while name in self.values:
            name = f"{stem}_{next(numbers)}"
        self.values[name] = value
        self._by_id[id(value)] = name
        return name


def _as_identifier(wish: str) -> str:
    # ASCII only, for Python takes some different letters for the same.
    stem = re.sub(r"\W", "_", wish, flags=re.ASCII)
    taken = keyword.iskeyword(stem) or stem.startswith(("run_", "__"))
    return f"v_{stem}" if taken or not stem.isidentifier() else stem


def wish(operand: Operand) -> str:
    """What to call an operand's array: its state or input, `c` for constants, else `t`."""
    if isinstance(operand.base, int):
        return f"t{operand.base}"
    leaf = operand.base.op.name in ("input", "state")
    return operand.base.name if leaf else "c"
