"""A process that times one framework on one workload whenever it is asked to."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kgraph.tools.terminal import warn

HERE = Path(__file__).parent
_PAUSE = 0.06  # seconds, in which threads that wait for more work of their own give up


class Timed:
    """A process that times one framework on one workload when it is asked to.

    Args:
        command: what runs it.
        variables: environment variables that it needs.

    Attributes:
        row: what it said of itself first.

    Raises:
        RuntimeError: it ended, with its last complaint.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `close`)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        env = {**os.environ, **variables}
        try:
            self._process = subprocess.Popen(
                command, stderr=self._errors, text=True, env=env, **pipes
            )
        except OSError:
            self._errors.close()
            raise
        self.row: dict[str, Any] = self._answer()

    def ask(self, what: str) -> list[float]:
        """The seconds of a burst of `step` or `predict`."""
        time.sleep(_PAUSE)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            print(what, file=self._process.stdin, flush=True)
        return list(self._answer())

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> Any:
        """The next line that is JSON; frameworks may print others."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                return json.loads(line)
        self._errors.seek(0)
        reason = self._errors.read().strip().splitlines()[-1:] or ["no message"]
        self.close()
        raise RuntimeError(reason[0])


def start(framework: str, python: str, name: str) -> Timed | None:
    """A process that times a framework; None if it does not run, which is said.

    Args:
        framework: kgraph, or a peer.
        python: the peer's interpreter; kgraph has this one.
        name: of the workload.
    """
    command, variables = [sys.executable, "-m", "kgraph.tools.bench.own", "time", name], {}
    if framework != "kgraph":
        library, _, backend = framework.partition("-")
        if python == sys.executable and importlib.util.find_spec(library) is None:
            return None
        # Where the process is started there may be files with any name.
        variables = {"PYTHONPATH": str(HERE), "PYTHONSAFEPATH": "1"}
        variables["KERAS_BACKEND"] = backend or os.environ.get("KERAS_BACKEND", "jax")
        command = [python, "-m", "peers", framework, name]
    try:
        return Timed(command, variables)
    except (OSError, RuntimeError) as error:
        warn(f"{framework} {name} did not run: {error}")
        return None
