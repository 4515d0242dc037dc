"""Reads the text form of graphs that `printer.py` writes.

The result is the printed graph up to leaf ids: its inputs and states are new, unless the table of
`anchors(graph)` says which nodes they are.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph.errors import ParseError, explain
from kgraph.ir.arrays import element_count, from_base64, from_numbers
from kgraph.ir.attributes import Constant
from kgraph.ir.body import Body
from kgraph.ir.dim import parse_dim
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import CONST, arg, input_node
from kgraph.ir.node import Node, build
from kgraph.ir.op import find_op
from kgraph.ir.origin import Origin
from kgraph.ir.types import TensorType, parse_type
from kgraph.ir.variable import Variable

# Possessive quantifiers (++, *+) keep the regular expressions linear on any text.
_STRING = r"""(?:'(?:[^'\\\n]++|\\.)*+'|"(?:[^"\\\n]++|\\.)*+")"""
_REF = rf"(?:%[0-9]+|@(?:[\w./:-]+|{_STRING})(?:~[0-9]+)?)"
_TYPES = r"(?P<types>\w+\[[^\]\n]*\](?:, \w+\[[^\]\n]*\])*)"
_END = r"\s*(?:\#.*)?"
_LINES: dict[str, re.Pattern[str]] = {
    "graph": re.compile(rf"graph (?P<stage>\w+){_END}"),
    "input": re.compile(rf"input (?P<ref>%[0-9]+) (?P<name>{_STRING}) : {_TYPES}{_END}"),
    "state": re.compile(rf"state (?P<ref>{_REF})(?P<frozen> frozen)? : {_TYPES}{_END}"),
    "output": re.compile(rf"output (?P<name>{_STRING}) (?P<ref>{_REF}){_END}"),
    "body": re.compile(rf"body (?P<ref>![0-9]+)(?: : {_TYPES})?{_END}"),
    "end": re.compile(rf"end (?P<refs>{_REF}(?:, {_REF})*){_END}"),
    "update": re.compile(rf"update (?P<ref>{_REF}) (?P<value>{_REF}){_END}"),
}
_NODE = re.compile(
    rf"(?P<ref>%[0-9]+) = (?P<op>\w+)"
    rf"(?P<call>\((?P<operands>(?:[^'\"()\n]++|{_STRING})*+)\))?"
    rf"(?: \{{(?P<attrs>(?:[^'\"{{}}\n]++|{_STRING})*+)\}})? : {_TYPES}{_END}"
)
_REFS = re.compile(_REF)
_KEY = re.compile(r"\s*(\w+)=")
_QUOTIENT = r"\(\w++//[0-9]++\)"  # in sizes: `((h+1)//2)`, nested up to 8 deep
for _ in range(8):
    _QUOTIENT = rf"\((?:\w++|\((?:[-+\w*^]|{_QUOTIENT})*+\))//[0-9]++\)"
_TOKEN = re.compile(
    rf"\s*(?:(?P<string>{_STRING})|(?P<array>\w+\[[^\]]*\]\((?:[^'()]++|{_STRING})*+\))"
    r"|(?P<type>\w+\[[^\]]*\])|(?P<body>![0-9]+)"
    rf"|(?P<word>(?:[-+\w*^.:]|{_QUOTIENT})++)|(?P<mark>[(),]))"
)
_INT = re.compile(r"-?[0-9]{1,20}")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]*(?:e[-+]?[0-9]+)?|[0-9]+e[-+]?[0-9]+|inf|nan)")
_WORDS = {"None": None, "True": True, "False": False}
_MAX_STATE_BYTES, _MAX_NESTING = 4 << 30, 32
_NO_LABEL = Origin()


def parse(text: str, leaves: Mapping[str, Node] | None = None) -> Graph:
    """Reads a graph in IR notation.

    Args:
        text: what `to_text` prints; comments and blank lines do not matter.
        leaves: name in the text (`%0`, `@dense_1/kernel`) -> the node to use for it. Inputs and
            states without an entry are made anew, states filled with zeros.

    Returns:
        The graph. With `leaves=anchors(g)`, `parse(to_text(g))` has the very nodes of `g`.

    Raises:
        ParseError: a line cannot be read, or names something that is not there.

    Example:
        >>> graph = parse("graph core\\ninput %0 'x' : f32[batch, 3]\\noutput 'y' %0")
        >>> graph.outputs
        (('y', <x = input: f32[batch, 3]>),)
    """
    reader = _Reader(leaves or {})
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            reader.read(line.strip())
        except ParseError as error:
            raise ParseError(explain(f"line {number}: {error}", got=line.strip()[:200])) from None
    return reader.graph()


class _Reader:
    """The graph so far; one method a kind of line."""

    def __init__(self, leaves: Mapping[str, Node]) -> None:
        self.leaves = leaves
        self.nodes: dict[str, Node] = {}
        self.bodies: dict[str, Body] = {}
        self.outer: dict[str, Node] = {}  # the graph's nodes while those of a body are read
        self.inside = ""  # the name of that body
        self.parameters: tuple[TensorType, ...] = ()
        self.stage: Stage | None = None
        self.inputs: list[Node] = []
        self.outputs: list[tuple[str, Node]] = []
        self.updates: list[tuple[Variable, Node]] = []
        self.state_bytes = 0

    def read(self, line: str) -> None:
        if line.startswith("%"):
            self.node(_match(_NODE, line))
            return
        kind = line.split(" ", 1)[0]
        if kind not in _LINES:
            raise ParseError("not a line of a graph")
        match = _match(_LINES[kind], line)
        if (kind == "graph") != (self.stage is None):
            raise ParseError("a graph starts with one line such as `graph core`")
        if self.inside and kind != "end":
            raise ParseError(f"body {self.inside} holds nodes only, and closes with `end`")
        methods: dict[str, Callable[[re.Match[str]], None]] = {
            "graph": self.header,
            "input": self.input,
            "state": self.state,
            "output": self.output,
            "update": self.update,
            "body": self.body,
            "end": self.end,
        }
        methods[kind](match)

    def header(self, match: re.Match[str]) -> None:
        stages = {stage.value: stage for stage in Stage}
        if match["stage"] not in stages:
            raise ParseError(f"unknown stage, expected one of {', '.join(stages)}")
        self.stage = stages[match["stage"]]

    def input(self, match: re.Match[str]) -> None:
        (type_,) = self.types(match, one=True)
        node = self.leaves.get(match["ref"])
        if node is None:
            node = input_node(type_.shape, type_.dtype, _string(match["name"]))
        self.define(match, node)
        self.inputs.append(node)

    def state(self, match: re.Match[str]) -> None:
        (type_,) = self.types(match, one=True)
        node = self.leaves.get(match["ref"])
        self.define(match, self.new_state(match, type_) if node is None else node)

    def new_state(self, match: re.Match[str], type_: TensorType) -> Variable:
        name = re.sub(r"~[0-9]+$", "", match["ref"][1:])
        try:
            self.state_bytes += element_count(type_) * type_.itemsize
            if self.state_bytes > _MAX_STATE_BYTES:
                raise ParseError(f"the states need more than {_MAX_STATE_BYTES} bytes")
            zeros = np.zeros(type_.shape, type_.dtype)  # type: ignore[arg-type]
        except ValueError as error:
            raise ParseError(str(error)) from None
        plain = _string(name) if name[0] in "'\"" else name
        return Variable(zeros, plain, trainable=not match["frozen"])

    def output(self, match: re.Match[str]) -> None:
        self.outputs.append((_string(match["name"]), self.find(match["ref"])))

    def update(self, match: re.Match[str]) -> None:
        state = self.find(match["ref"])
        if not isinstance(state, Variable):
            raise ParseError(f"{match['ref']} is not a state")
        self.updates.append((state, self.find(match["value"])))

    def body(self, match: re.Match[str]) -> None:
        if match["ref"] in self.bodies:
            raise ParseError(f"{match['ref']} stands twice")
        self.inside, self.outer = match["ref"], self.nodes
        self.parameters = _parse_types(match["types"]) if match["types"] else ()
        self.nodes = {f"%{i}": arg(i, t) for i, t in enumerate(self.parameters)}

    def end(self, match: re.Match[str]) -> None:
        if not self.inside:
            raise ParseError("no body begins above")
        outputs = [self.find(name) for name in _references(match["refs"])]
        try:
            self.bodies[self.inside] = Body(self.parameters, outputs)
        except ValueError as error:
            raise ParseError(str(error)) from None
        self.inside, self.nodes = "", self.outer

    def node(self, match: re.Match[str]) -> None:
        op, attrs = find_op(match["op"]), match["attrs"] or ""
        text = match["operands"] or ""
        if op is CONST and "<" not in text:
            (type_,) = self.types(match, one=True)
            node = build(CONST, (), {"value": Constant(_array(text, type_))}, _NO_LABEL)
        else:
            operands = () if op is CONST else tuple(map(self.find, _references(text)))
            node = self.build(match, operands, attrs)
        self.define(match, node)

    def build(self, match: re.Match[str], operands: tuple[Node, ...], attrs: str) -> Node:
        op = find_op(match["op"])
        if "<" in re.sub(_STRING, "", attrs) or op is CONST:
            node = self.leaves.get(self.inside + match["ref"])
            if node is None or node.op is not op or node.inputs != operands:
                raise ParseError(f"only a table of leaves that holds {match['ref']} can give it")
            return node
        try:
            return build(op, operands, _attributes(attrs, self.bodies), _NO_LABEL)
        except ParseError:
            raise
        except Exception as error:
            raise ParseError(f"{type(error).__name__}: {error}") from error

    def define(self, match: re.Match[str], node: Node) -> None:
        """Enters a node under its name after comparing its type with the text's."""
        if self.stage is None:
            raise ParseError("a graph starts with one line such as `graph core`")
        if match["ref"] in self.nodes:
            raise ParseError(f"{match['ref']} stands twice")
        expected = self.types(match)
        if node.types != expected:
            got = ", ".join(map(str, node.types))
            raise ParseError(f"the text says {match['types']}, but the type is {got}")
        self.nodes[match["ref"]] = node

    def types(self, match: re.Match[str], one: bool = False) -> tuple[TensorType, ...]:
        types = _parse_types(match["types"])
        if one and len(types) != 1:
            raise ParseError("one type is needed here")
        return types

    def find(self, name: str) -> Node:
        if name not in self.nodes:
            raise ParseError(f"{name} is not defined above")
        return self.nodes[name]

    def graph(self) -> Graph:
        if self.stage is None:
            raise ParseError("an empty text is not a graph")
        if self.inside:
            raise ParseError(f"body {self.inside} is not closed by `end`")
        return Graph(tuple(self.inputs), tuple(self.outputs), tuple(self.updates), self.stage)


def parse_value(text: str) -> Any:
    """Reads one attribute as `show_value` prints it.

    Example:
        >>> parse_value("(1, 2.5, 'a', (2*n,), None)")
        (1, 2.5, 'a', (2*n,), None)
    """
    value, end = _value(text, 0, {})
    if text[end:].strip():
        raise ParseError(f"not a value: {text!r}")
    return value


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    match = pattern.fullmatch(line)
    if match is None:
        raise ParseError("the line has the wrong form")
    return match


@functools.lru_cache(maxsize=1024)
def _parse_types(text: str) -> tuple[TensorType, ...]:
    try:
        return tuple(parse_type(part) for part in re.findall(r"\w+\[[^\]]*\]", text))
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(str(error)) from None


def _references(text: str) -> list[str]:
    if not text:
        return []
    names = _REFS.findall(text) if "@" in text else text.split(", ")
    if ", ".join(names) != text:
        raise ParseError(f"operands have the wrong form: {text}")
    return names


def _attributes(text: str, bodies: Mapping[str, Body]) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    at = 0
    while text:
        key = _KEY.match(text, at)
        if key is None or key[1] in attrs:
            raise ParseError(f"attributes have the wrong form: {text[at:]}")
        attrs[key[1]], at = _value(text, key.end(), bodies)
        if at == len(text):
            break
        if text[at] != ",":
            raise ParseError(f"attributes have the wrong form: {text[at:]}")
        at += 1
    return attrs


def _value(text: str, at: int, bodies: Mapping[str, Body]) -> tuple[Any, int]:
    """Reads a value from position `at` on; `open_` holds the tuples that are not closed yet."""
    open_: list[list[Any]] = []
    while True:
        token, at = _token(text, at)
        if token["mark"] == "(" and len(open_) < _MAX_NESTING:
            open_.append([])
            continue
        if token["mark"] is None:
            value = _atom(token, bodies)
        elif token["mark"] == ")" and open_:
            value = tuple(open_.pop())
        else:
            raise ParseError(f"unexpected {token['mark']!r} in {text!r}")
        while open_:
            open_[-1].append(value)
            token, at = _token(text, at)
            if token["mark"] == ",":
                break
            if token["mark"] != ")":
                raise ParseError(f"expected , or ) in {text!r}")
            value = tuple(open_.pop())
        if not open_:
            return value, at


def _token(text: str, at: int) -> tuple[re.Match[str], int]:
    token = _TOKEN.match(text, at)
    if token is None:
        raise ParseError(f"not a value: {text[at:]!r}")
    return token, token.end()


def _atom(token: re.Match[str], bodies: Mapping[str, Body]) -> Any:
    if token["body"] is not None:
        if token["body"] not in bodies:
            raise ParseError(f"body {token['body']} is not defined above")
        return bodies[token["body"]]
    if token["string"] is not None:
        return _string(token["string"])
    if token["array"] is not None:
        head, _, rest = token["array"].partition("(")
        return Constant(_array(rest[:-1], parse_type(head)))
    if token["type"] is not None:
        return parse_type(token["type"])
    word = token["word"]
    if word in _WORDS:
        return _WORDS[word]
    number = _number(word)
    return parse_dim(word) if number is None else number


def _number(word: str) -> int | float | None:
    if _INT.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word):
        value = float(word)
        if math.isinf(value) and "inf" not in word:
            raise ParseError(f"{word} does not fit any float")
        return value
    if re.fullmatch(r"nan:[0-9a-f]{16}", word):
        return float(np.frombuffer(bytes.fromhex(word[4:]), ">f8")[0])
    return None


def _array(text: str, type_: TensorType) -> np.ndarray:
    """The elements of a constant: `1.0, 2.0` or `b64'...'`."""
    try:
        if text.startswith("b64'"):
            return from_base64(text[4:-1], type_)
        words = text.split(", ") if text else []
        numbers = [_WORDS[w] if w in _WORDS else _number(w) for w in words]
        return from_numbers(numbers, type_)
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(str(error)) from None


def _string(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        raise ParseError(f"not a string: {text}") from None
