"""Fetches one file over the network: with progress, in several attempts, whole or not at all.

`pooch` talks to the servers. A file is written under another name, takes its own name when it is
complete, and, where its hash is known, only if it is the right one. A broken download is continued
only where a hash is known: nothing else would tell that two halves are of the same file.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import pathlib
import shutil
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from kgraph.errors import explain

try:
    import pooch
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        explain("downloads need the library pooch", hint="pip install 'kgraph[data]'"),
        name=missing.name,
    ) from missing

# Tells whether a file is the right one.
Check = Callable[[pathlib.Path], bool]
_CHUNK = 1 << 16
_ATTEMPTS = 3
_TIMEOUT = 30.0


class _Bar:
    """What pooch asks of a progress bar, on top of rich's."""

    def __init__(self, progress: Progress, name: str, start: int) -> None:
        self._progress, self._start = progress, start
        self._task = progress.add_task(name, total=None, completed=start)

    @property
    def total(self) -> float | None:
        """Bytes of the whole file; pooch sets those of the part that is still missing."""
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, missing: int) -> None:
        self._progress.update(self._task, total=self._start + missing if missing else None)

    def update(self, count: int) -> None:
        """Adds bytes."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Goes back to where the download began."""
        self._progress.update(self._task, completed=self._start)

    def close(self) -> None:
        """Leaves the line as it is."""


def download(origin: str, target: pathlib.Path, check: Check | None = None) -> None:
    """Fetches a file.

    Args:
        origin: its address: http, https, ftp, sftp, doi or file.
        target: where to put it; its folder exists.
        check: tells whether a file is the right one; without it, anything is.

    Raises:
        OSError: the server does not answer, or has no such file.
        ValueError: the file that came is not the right one.

    Example:
        >>> source = pathlib.Path("words.txt")
        >>> _ = source.write_text("one two")
        >>> download(source.absolute().as_uri(), pathlib.Path("copy.txt"))
        >>> pathlib.Path("copy.txt").read_text()
        'one two'
    """
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        _fill(origin, target, part, check)
        part.replace(target)
    finally:
        if part.exists() and check is None:
            part.unlink()
        elif part.exists():
            part.replace(_abandoned(target))


def _fill(origin: str, target: pathlib.Path, part: pathlib.Path, check: Check | None) -> None:
    """Fetches a file that passes the check."""
    if check is None:
        _fetch(origin, part, resume=False)
        return
    resumed = _claim(target, part)
    if resumed and check(part):
        return
    _fetch(origin, part, resume=True)
    if resumed and not check(part):
        # The first half was of another file: once more from the start.
        part.unlink()
        _fetch(origin, part, resume=True)
    if not check(part):
        part.unlink()
        raise ValueError(
            explain(
                f"Incomplete or corrupted file detected: {origin}",
                expected="a file with the hash that was asked for",
                hint="nothing was kept; the hash may be of another version of the file",
            )
        )


def _abandoned(target: pathlib.Path) -> pathlib.Path:
    """The name of what broke off; what is still written has a name that only its writer has."""
    return target.with_name(f"{target.name}.part")


def _claim(target: pathlib.Path, part: pathlib.Path) -> bool:
    """Takes over what broke off before; only one process can, because names move at once."""
    found = [_abandoned(target)]
    for other in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
        # A writer that lives writes, or gives up.
        with contextlib.suppress(FileNotFoundError):
            found += [other] if time.time() - other.stat().st_mtime > 2 * _TIMEOUT else []
    for other in found:
        with contextlib.suppress(FileNotFoundError):
            other.rename(part)
            return part.stat().st_size > 0
    return False


def _fetch(origin: str, part: pathlib.Path, resume: bool) -> None:
    """Fills a file, in several attempts as long as each brings something."""
    console = Console(file=sys.stdout)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for attempt in range(_ATTEMPTS):
            start = part.stat().st_size if part.exists() else 0
            try:
                _request(origin, part, progress, start if resume else 0)
                return
            except OSError as error:
                stuck = not part.exists() or part.stat().st_size <= start
                answer = getattr(error, "response", None)
                # 416: the file here is longer than the whole; it was emptied.
                again = not stuck if answer is None else answer.status_code == 416 and start > 0
                if not again or attempt == _ATTEMPTS - 1:
                    raise


def _request(origin: str, part: pathlib.Path, progress: Progress, start: int) -> None:
    """One request, for what follows the first `start` bytes of a file."""
    scheme = urllib.parse.urlsplit(origin).scheme
    if scheme == "file":
        place = urllib.request.url2pathname(urllib.parse.urlsplit(origin).path)
        shutil.copyfile(place, part)
        return
    if scheme not in ("http", "https"):
        pooch.core.choose_downloader(origin)(origin, str(part), None)
        return
    with part.open("r+b" if start else "wb") as file, contextlib.ExitStack() as answers:
        file.seek(start)
        headers = {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={start}-"} if start else {}
        fetch = pooch.HTTPDownloader(
            progressbar=_Bar(progress, part.name.rsplit(".", 2)[0], start),
            chunk_size=_CHUNK,
            headers=headers,
            timeout=_TIMEOUT,
            hooks={"response": functools.partial(_on_response, answers, file, start)},
        )
        fetch(origin, file, None)


def _on_response(
    answers: contextlib.ExitStack, file: IO[bytes], start: int, response: Any, **_: Any
) -> None:
    """Looks at an answer before its bytes are written."""
    answers.callback(response.close)  # pooch leaves it open where it fails
    # A server that says a .gz file is "gzip-encoded" must not have it unpacked on the way.
    response.raw.headers.pop("Content-Encoding", None)
    if response.status_code == 200 or response.status_code == 416:
        file.seek(0)
        file.truncate()
    elif response.status_code == 206:
        found = response.headers.get("Content-Range", "")
        if not found.startswith(f"bytes {start}-"):
            raise OSError(f"asked for bytes {start}-, got Content-Range {found!r}")
