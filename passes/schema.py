"""The JSON Schema of `CompileReport.as_dict()`.

Journal of versions:
    1  passes with ms, nodes, flops, bytes, fired and near misses.
    2  the pipeline's line, options and fingerprints; statistics by rule; times kept apart, so that
       the reports of two equal compilations differ in `times` only.
"""

from __future__ import annotations

from typing import Any

VERSION = 2


def _object(**properties: Any) -> dict[str, Any]:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _table(values: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_TEXT, _COUNT, _NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
_BEFORE_AFTER = {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}

_RULE = _object(
    rule=_TEXT,
    kind=_TEXT,
    looked=_COUNT,  # nodes at which the rule was tried
    matched=_COUNT,  # nodes where its pattern fitted
    fired=_COUNT,
    refused=_table(_COUNT),  # reason -> nodes
    nodes=_BEFORE_AFTER,  # covered by the patterns, made by the right sides
    flops=_BEFORE_AFTER,
    bytes=_BEFORE_AFTER,
)
_NEAR_MISS = _object(rule=_TEXT, reason=_TEXT, node=_TEXT, where=_TEXT, count=_COUNT)
_PASS = _object(
    **{"pass": _TEXT},
    nodes=_BEFORE_AFTER,
    flops=_BEFORE_AFTER,
    bytes=_BEFORE_AFTER,
    rules=_list(_RULE),
    near_misses=_list(_NEAR_MISS),
)
_TIMES = _object(ms=_NUMBER, verify_ms=_NUMBER, rules=_table(_NUMBER))

REPORT_SCHEMA: dict[str, Any] = _object(
    version={"const": VERSION},
    pipeline=_TEXT,
    options=_object(
        numerics=_TEXT,
        fuel={"type": ["integer", "null"]},
        verify={"type": "boolean"},
        check=_TEXT,
    ),
    graphs=_object(before=_TEXT, after=_TEXT),  # sha256 of the kgraph JSON without labels
    passes=_list(_PASS),
    times=_object(ms=_NUMBER, passes=_list(_TIMES)),
)
