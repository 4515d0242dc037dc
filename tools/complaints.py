"""Exit codes of the commands, and how they say what was wrong."""

from __future__ import annotations

import sys

USAGE, BAD_INPUT = 2, 4


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
    print(f"kgraph: error: {message}", file=sys.stderr)
    return code
