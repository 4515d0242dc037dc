"""Exit codes of the commands, the catalogue of their errors, and how these are told."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import Any

from kgraph.tools.terminal import harmless, log, status

OK, NO, USAGE, MISSING, BAD_INPUT, FAILED_RUN, LIMIT, INTERNAL, INTERRUPTED = *range(8), 130

# The first two digits of an error's number say with what the command ends.
_EXITS = {"01": USAGE, "02": MISSING, "04": BAD_INPUT, "05": FAILED_RUN, "06": LIMIT,
          "07": INTERNAL}  # fmt: skip
CATALOGUE = {
    "E0101": "unknown flag, bad value, or options that contradict each other",
    "E0201": "the program `dot` is missing",
    "E0202": "an optional package is missing",
    "E0203": "the program `dot` failed",
    "E0401": "a file cannot be read, or is not JSON",
    "E0402": "no format, or no version of it, that kgraph reads",
    "E0411": "the document is no valid graph or model",
    "E0412": "a stored type is not what the op infers",
    "E0413": "weights are missing, or do not fit",
    "E0421": "a `py:` target cannot be imported, or is no model",
    "E0431": "a name that is asked for is not in the model",
    "E0501": "an op failed while the graph ran",
    "E0601": "a limit of nodes, time or memory",
    "E0701": "an error of kgraph itself",
}
# What `complain` takes for an exit code.
_USUAL = {USAGE: "E0101", MISSING: "E0201", BAD_INPUT: "E0411", FAILED_RUN: "E0501",
          LIMIT: "E0601", INTERNAL: "E0701"}  # fmt: skip
_PLACE, _HINT = re.compile(r"^  at: (.*)$", re.M), re.compile(r"^  hint: (.*)$", re.M)


class CommandError(Exception):
    """Ends a command: an error of the catalogue, and the message that users see.

    Args:
        error: a key of `CATALOGUE`.
        message: as `kgraph.errors.explain` words it.

    Example:
        >>> CommandError("E0401", "m.json: not JSON").exit
        4
    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error, self.exit = error, _EXITS[error[1:3]]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints: the parts of the message, apart from one another."""
        text = str(self)
        found = {"at": _PLACE.search(text), "hint": _HINT.search(text)}
        summary = _HINT.sub("", _PLACE.sub("", text)).strip()
        parts = {key: match[1] for key, match in found.items() if match}
        return {"error": self.error, "message": summary, **parts}


def unreadable(what: str, error: OSError) -> CommandError:
    """The error that a file cannot be read, and why.

    Args:
        what: the file, and the option that names it if one does.
        error: what the system says.

    Example:
        >>> unreadable("m.json", OSError(2, "No such file or directory"))
        CommandError('m.json: No such file or directory')
    """
    return CommandError("E0401", f"{what}: {error.strerror or error}")


def unwritable(what: str, error: OSError) -> CommandError:
    """The error that a file or stream cannot be written, and why.

    Args:
        what: the file, and the option that names it if one does.
        error: what the system says.

    Example:
        >>> unwritable("m.svg", OSError(28, "No space left on device"))
        CommandError('m.svg cannot be written: No space left on device')
    """
    return CommandError("E0101", f"{what} cannot be written: {error.strerror or error}")


def report(complaint: CommandError, as_json: bool = False) -> int:
    """Prints an error on stderr, and on stdout if results are JSON; returns the exit code.

    Example:
        >>> report(CommandError("E0401", "m.json: not JSON"), as_json=True)
        {"ok": false, "code": 4, "error": "E0401", "message": "m.json: not JSON"}
        4
    """
    text = _PLACE.sub(r"  at \1", str(complaint))
    status("")
    print(harmless(f"kgraph: error[{complaint.error}]: {text}"), file=sys.stderr)
    log("error", code=complaint.exit, **complaint.as_dict())
    if as_json:
        with contextlib.suppress(OSError):  # the code says it to whoever cannot read it
            print(json.dumps({"ok": False, "code": complaint.exit, **complaint.as_dict()}))
    return complaint.exit


def complain(message: str, code: int) -> int:
    """Prints an error and returns the exit code.

    Args:
        message: what was wrong.
        code: `USAGE`, `BAD_INPUT` or another.

    Returns:
        The code.

    Example:
        >>> complain("no such model", BAD_INPUT)
        4
    """
    return report(CommandError(_USUAL[code], message))
