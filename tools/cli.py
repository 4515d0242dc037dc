"""The `kgraph` command line: each command lives in a file of its own and registers itself."""

from __future__ import annotations

import argparse
import gc
import importlib
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

import kgraph
from kgraph.errors import KGraphError, MemoryBudgetError, did_you_mean, explain
from kgraph.tools.complaints import INTERRUPTED, OK, USAGE, CommandError, report, unwritable
from kgraph.tools.stdout import drop_stdout, say
from kgraph.tools.terminal import Terminal, log, talking, verbosity

# Command -> its file in this folder, which only its own call imports, and what `--help` says of it.
COMMANDS = {
    "viz": ("draw", "draw a model's graph"),
    "demo": ("demo", "train on real digits and draw the graph"),
    "bench": ("bench", "time kgraph against its peers"),
    "passes": ("passes", "show what the passes do to a model"),
    "run": ("run", "run an unmodified Keras script on kgraph"),
    "summary": ("summary", "list a model's layers, shapes and parameters"),
    "diff": ("diff", "compare two models, or two stages of one"),
    "doctor": ("doctor", "what slows this machine, what is missing, and what to do"),
    "eval": ("eval", "run a model once and describe its outputs"),
    "profile": ("profile", "time each step of a model, by layer, op and node"),
    "convert": ("convert", "write a model in another format"),
    "check": ("check", "look for what is wrong or odd in a model"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: arguments after the program's name; default those of the process.

    Returns:
        The exit code: 0 ok, 1 the answer is no, 2 usage, 3 something is not installed, 4 bad input,
        5 the graph failed while it ran, 6 a limit, 7 an error of kgraph, 130 interrupted.

    Example:
        >>> main(["--version"])
        kgraph 0.1.0
        0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    code = OK
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except SystemExit:  # argparse has printed help or the version
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        drop_stdout()  # the reader has gone
        return code


def _run(words: Sequence[str]) -> int:
    try:
        # The first reading finds the command; it ends here for help and the version.
        chosen, _ = build_parser().parse_known_args(words)
        parser = build_parser(chosen.command)
        args = parser.parse_args(words)
        _check_log(args.log_json)
    except Exception as error:
        return report(_complaint_of(error, words), "--json" in words)
    if args.run is None:
        parser.print_help(sys.stderr)
        return USAGE
    with talking(Terminal(args.verbosity, args.color, args.log_json)):
        try:
            code = int(args.run(args))
            log("end", command=args.command, code=code)
            return code
        except BrokenPipeError:
            raise
        except Exception as error:
            if verbosity() > 0:
                traceback.print_exc()
            return report(_complaint_of(error, words), getattr(args, "json", False))


def _check_log(path: str | None) -> None:
    """Complains of a log that cannot be written before the work, rather than after it."""
    try:
        if path is not None:
            open(path, "a", encoding="utf-8").close()
    except OSError as error:
        raise unwritable(f"--log-json {path}", error) from error


def _complaint_of(error: Exception, words: Sequence[str]) -> CommandError:
    """The error of the catalogue; what no command expected is kgraph's own fault."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("kgraph"):
        hint = f"pip install {error.name}, or see kgraph doctor"
        return CommandError("E0202", explain(f"the package {error.name} is missing", hint=hint))
    if isinstance(error, (MemoryBudgetError, MemoryError)):
        message = str(error) or "not enough memory"
        hint = "" if "hint: " in message else "a smaller --batch or --dim, if the command has one"
        return CommandError("E0601", explain(message, hint=hint) if hint else message)
    if isinstance(error, KGraphError):
        return CommandError("E0411", str(error))
    return CommandError("E0701", _saved(error, words))


def _saved(error: Exception, words: Sequence[str]) -> str:
    """Writes the traceback to a file of its own and says so."""
    numpy_version = getattr(sys.modules.get("numpy"), "__version__", "not loaded")
    number, path = tempfile.mkstemp(prefix="kgraph-", suffix=".log")
    with open(number, "w", encoding="utf-8") as file:
        file.write(f"kgraph {' '.join(words)}\nkgraph {kgraph.__version__}, NumPy {numpy_version}")
        file.write(f", Python {platform.python_version()}, {platform.platform()}\n\n")
        traceback.print_exception(error, file=file)
    summary = str(error).split("\n", 1)[0]
    return explain(f"{type(error).__name__}: {summary}"[:300], where=path,
                   hint="this is a fault of kgraph: please report it with that file")  # fmt: skip


def build_parser(name: str | None = None) -> argparse.ArgumentParser:
    """The parser.

    Args:
        name: the command whose arguments it knows; the others are names to it.
    """
    parser = _Parser(prog="kgraph", description="A graph compiler for Keras models")
    parser.add_argument("--version", action="version", version=f"kgraph {kgraph.__version__}")
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", dest="verbosity", action="store_const", const=1,
                      help="tracebacks of errors as well")  # fmt: skip
    loud.add_argument("-q", "--quiet", dest="verbosity", action="store_const", const=-1,
                      help="results and errors only")  # fmt: skip
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--log-json", metavar="FILE", help="append notes and errors to it")
    parser.set_defaults(run=None, verbosity=0)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command, (module, line) in COMMANDS.items():
        if command == name:
            _imported(module).add_parser(subparsers)
        else:
            subparsers.add_parser(command, help=line, add_help=False)
    parser.commands = subparsers.choices
    return parser


def _imported(module: str) -> ModuleType:
    """A file of this folder; what imports make stays, so nobody looks for garbage meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(f"kgraph.tools.{module}")
    finally:
        if collects:
            gc.enable()


class _Parser(argparse.ArgumentParser):
    """Raises its complaints, with the word that may have been meant."""

    commands: Any = None

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but knows the options of the command when it meets an unknown one."""
        found, left = self.parse_known_args(args, namespace)
        if left:
            own = self.commands.get(found.command, self)
            flags = [*own._option_string_actions, *self._option_string_actions]
            meant = _meant(left[0], flags) if left[0].startswith("-") else ""
            own.error(f"unrecognized arguments: {' '.join(left)}{meant}")
        return found

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse, but help that cannot be written is an error."""
        if file in (None, sys.stderr):
            super()._print_message(message, file)
        else:
            say(message.removesuffix("\n"))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            choices = COMMANDS if action.dest == "command" else action.choices
            error.message += _meant(str(value), map(str, choices or ()))
            raise

    def error(self, message: str) -> NoReturn:
        summary, _, meant = message.partition("\n  hint: ")
        hint = meant or f"{self.prog} --help"
        raise CommandError("E0101", explain(summary, hint=hint))


def _meant(word: str, known: Any) -> str:
    hint = did_you_mean(word, known, 0.5)
    return f"\n  hint: {hint}" if hint else ""


if __name__ == "__main__":
    sys.exit(main())
