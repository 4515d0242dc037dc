"""Every exception that kgraph raises on purpose, and the one way to word them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KGraphError(Exception):
    """Base of all errors that kgraph raises on purpose."""


class InferenceError(KGraphError, ValueError):
    """An op refused its operands: their types do not fit."""


class UndecidableError(KGraphError, ValueError):
    """A question about symbolic dimensions has no answer before they get numbers."""


class BindingError(KGraphError, ValueError):
    """The arrays' shapes give the symbolic sizes no consistent numbers."""


class VerifyError(KGraphError, ValueError):
    """A graph breaks an invariant of the IR."""


class ParseError(KGraphError, ValueError):
    """A text or JSON form of a graph cannot be read.

    Args:
        message: what is wrong, and where.
        fault: of which kind: "syntax", "version", "structure", "type" or "values".
    """

    def __init__(self, message: str, fault: str = "structure") -> None:
        super().__init__(message)
        self.fault = fault


class GradientError(KGraphError, ValueError):
    """A gradient was asked for that does not exist."""


class PassError(KGraphError, RuntimeError):
    """A pass failed or returned something that is not a valid graph."""


class StageError(KGraphError, ValueError):
    """A graph is at the wrong stage for what was asked of it."""


class MemoryBudgetError(KGraphError, ValueError):
    """No choice of what to compute twice makes a run fit the memory that was allowed."""


class NotFiniteError(KGraphError, FloatingPointError):
    """A step that is watched came to NaN or infinity."""


class RenderError(KGraphError, RuntimeError):
    """A picture cannot be drawn as it was asked for.

    Args:
        message: what is missing or failed, and what to do.
        error: its key in the command line's catalogue.
    """

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


class FileFormatError(KGraphError, ValueError):
    """A file is damaged, or is not of the format that it should be."""


class UnsafeFileError(FileFormatError):
    """A file would run code, write outside of its folder, or grow beyond all bounds."""


class DownloadError(KGraphError, OSError):
    """A file is not on this machine and could not be fetched."""


def did_you_mean(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The hint of an error about a name that nothing has.

    Args:
        name: as the user wrote it.
        known: what there is.
        alike: how much two words must have in common, of 1.

    Returns:
        A question that names the nearest word; None if none is near.

    Example:
        >>> did_you_mean("sigmod", ["sigmoid", "tanh"])
        "did you mean 'sigmoid'?"
    """
    near = difflib.get_close_matches(name, list(known), 1, alike)
    return f"did you mean {near[0]!r}?" if near else None


def told(error: BaseException) -> str:
    """What an error says, with its type where that is not one of kgraph's own.

    Args:
        error: any exception.

    Returns:
        A text that makes sense behind "failed:", also for `KeyError('x')` and for empty errors.

    Example:
        >>> told(KeyError("x")), told(ParseError("no type"))
        ("KeyError: 'x'", 'no type')
    """
    if isinstance(error, KGraphError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _is_nothing(text: object) -> bool:
    return text is None or (isinstance(text, str) and not text)


def explain(
    summary: str,
    *,
    expected: object = None,
    got: object = None,
    where: object = None,
    hint: object = None,
) -> str:
    """Joins the parts of an error message in the house's order.

    Args:
        summary: what is wrong, naming the op, layer or argument.
        expected: what was required.
        got: what was found instead.
        where: the place in the user's program.
        hint: one thing to try.

    Returns:
        The message, one part a line.

    Example:
        >>> print(explain("matmul: inner sizes differ", expected="f32[8, n]", got="f32[7, 2]"))
        matmul: inner sizes differ
          expected: f32[8, n]
          got: f32[7, 2]
    """
    parts = [("expected", expected), ("got", got), ("at", where), ("hint", hint)]
    lines = [f"  {label}: {text}" for label, text in parts if not _is_nothing(text)]
    return "\n".join([summary, *lines])
