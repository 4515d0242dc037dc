"""`kgraph run`: runs a script that was written for Keras, with kgraph in Keras's place."""

from __future__ import annotations

import argparse
import builtins
import importlib.util
import io
import os
import runpy
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType
from typing import Any

from kgraph import compat
from kgraph.errors import explain
from kgraph.tools.complaints import INTERRUPTED, USAGE, complain

FAILED = 1  # what `python` ends with after an error
_OURS = (__file__, runpy.__file__, "<frozen runpy>")


def add_parser(subparsers: Any) -> None:
    """Adds the `run` command to the command line."""
    parser = subparsers.add_parser(
        "run",
        description="Runs a script as `python` does, with `import keras` meaning kgraph.",
        allow_abbrev=False,
    )
    parser.add_argument("--tf", action="store_true", help="tensorflow.keras means kgraph, too")
    parser.add_argument("-m", dest="module", action="store_true", help="SCRIPT names a module")
    parser.add_argument("script", metavar="SCRIPT", help="a file, or a module after -m")
    rest = parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets")
    rest.required = False  # so that nobody is asked for them
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the script or module in this process as `__main__`."""
    compat.install(tf=args.tf)
    if args.module:
        _search_first(os.getcwd())
        if not _is_module(args.script):
            return complain(f"no module named {args.script!r}", USAGE)
        sys.argv[:] = [args.script, *args.arguments]
        return _as_python_does(lambda: runpy.run_module(args.script, None, "__main__", True))
    path = os.path.abspath(args.script)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except IsADirectoryError:
        return complain(f"{args.script!r} is a directory: give a script, or -m MODULE", USAGE)
    except OSError as error:
        hint = None if os.path.exists(path) else "-m MODULE runs a module by its name"
        summary = f"cannot open {args.script!r}: {error.strerror}"
        return complain(explain(summary, hint=hint), USAGE)
    sys.argv[:] = [args.script, *args.arguments]
    _search_first(os.path.dirname(os.path.realpath(args.script)))
    return _as_python_does(lambda: _execute(source, path))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # no package around it, or a relative name
        return False


def _search_first(folder: str) -> None:
    """Lets imports look where `python` would look first."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _execute(source: bytes, path: str) -> None:
    """Runs source code as the module `__main__`, which stays, for pickles and for exit handlers."""
    code = compile(source, path, "exec", dont_inherit=True)
    main = ModuleType("__main__")
    main.__file__, main.__loader__ = path, SourceFileLoader("__main__", path)
    vars(main).update(__builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    exec(code, vars(main))


def _as_python_does(program: Callable[[], object]) -> int:
    """Runs a program; an error prints the traceback and gives the exit code of `python`."""
    try:
        program()
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return FAILED
    except BaseException as error:
        error.__traceback__ = _of_the_program(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, ModuleNotFoundError) and error.name in ("tensorflow", "tf_keras"):
            print("kgraph: hint: --tf lets kgraph stand for tensorflow.keras", file=sys.stderr)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    return 0


def _of_the_program(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames that ran the program."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OURS:
        traceback = traceback.tb_next
    return traceback
