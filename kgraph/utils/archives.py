"""Unpacks tar and zip archives of strangers: inside one folder, within a budget, or not at all.

The Python filters of `tarfile` trust what they resolve on disk; nothing here does. Names are
judged as text, every file is created new, links become copies of the file that they name, so that
no link ever stands on the disk, and an archive with one bad member leaves nothing behind.
Permissions, owners and times are not kept.
"""

from __future__ import annotations

import bz2
import errno
import functools
import gzip
import io
import lzma
import os
import pathlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from kgraph.errors import FileFormatError, KGraphError, UnsafeFileError, explain

_CHUNK = 1 << 20
_NAME_LIMIT = 255
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to.

    Args:
        total: bytes, whatever the size of the archive.
        ratio: bytes for each byte of the archive, beyond `slack`.
        slack: bytes that every archive may unpack to.
        members: number of members.

    Example:
        >>> Limits().budget(1000) == 2**30 + 200_000
        True
    """

    total: int = 1 << 36
    ratio: int = 200
    slack: int = 1 << 30
    members: int = 1_000_000

    def budget(self, size: int) -> int:
        """The bytes that an archive of `size` bytes may unpack to."""
        return min(self.total, self.slack + self.ratio * size)


@dataclass(frozen=True)
class Member:
    """One file, folder or link of an archive.

    Args:
        name: its path inside of the archive.
        kind: "file", "folder" or "link".
        content: a function that opens it; of a link, the name of the file that it stands for.
    """

    name: str
    kind: str
    content: Any = None


def extract_archive(
    file_path: str | os.PathLike[str],
    path: str | os.PathLike[str] = ".",
    archive_format: str | Sequence[str] | None = "auto",
    limits: Limits | None = None,
) -> bool:
    """Unpacks an archive into a folder, whole or not at all.

    Args:
        file_path: the archive.
        path: the folder; what it holds already stays, files of the same name are replaced.
        archive_format: "tar" (also compressed by gzip, bzip2 or xz), "zip", several of them, or
            "auto" for both; None for neither.
        limits: how much it may unpack to.

    Returns:
        Whether the archive has one of the formats.

    Raises:
        UnsafeFileError: a member is a device, would lie or point outside of the folder, or the
            archive unpacks to more than `limits` allow.
        FileFormatError: the archive is damaged.

    Example:
        >>> with zipfile.ZipFile("a.zip", "w") as file:
        ...     file.writestr("words/one.txt", "one")
        >>> extract_archive("a.zip", "unpacked")
        True
        >>> os.listdir("unpacked/words")
        ['one.txt']
    """
    archive, target = os.fspath(file_path), pathlib.Path(path)
    limits = limits or Limits()
    try:
        if "zip" in _formats(archive_format) and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                _unpack(archive, _zip_members(file, archive), target, limits)
            return True
        if "tar" in _formats(archive_format):
            with _open_bounded(archive, limits) as stream, _open_tar(stream) as tar:
                _unpack(archive, _tar_members(tar, archive), target, limits)
            return True
    except _NoTarError:
        return False
    except KGraphError:
        raise
    except Exception as error:
        # Damaged headers make tarfile and zipfile fail in any way, also by seeking to nowhere.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise _damaged(archive, error) from error
    return False


def _formats(archive_format: str | Sequence[str] | None) -> Sequence[str]:
    if archive_format == "auto":
        return ("tar", "zip")
    single = isinstance(archive_format, str)
    formats = (archive_format,) if single else tuple(archive_format or ())
    for name in formats:
        if name not in ("tar", "zip"):
            raise ValueError(
                explain(f"unknown archive format {name!r}", expected="'tar', 'zip', 'auto' or None")
            )
    return cast(Sequence[str], formats)


def _damaged(archive: str, error: Exception) -> FileFormatError:
    return FileFormatError(explain(f"{archive} is damaged", got=f"{type(error).__name__}: {error}"))


def _refused(archive: str, member: str, reason: str) -> UnsafeFileError:
    return UnsafeFileError(
        explain(
            f"{archive} is refused: {member[:200]!r} {reason}",
            hint="nothing was unpacked; get the archive from its maker, with its hash",
        )
    )


class _NoTarError(Exception):
    """A file is no tar archive; perhaps it has another format."""


class _Bounded(io.RawIOBase):
    """A file that refuses to be read beyond a position, or much at a time.

    `tarfile` reads headers of any declared length at once, from a stream that may be compressed.
    """

    def __init__(self, file: IO[bytes], name: str, limit: int) -> None:
        self._file, self._name, self._limit = file, name, limit

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        self._check(position)
        return self._file.seek(position, whence)

    def read(self, size: int = -1) -> bytes:
        self._check(self._file.tell() + max(size, 0))
        if not 0 <= size <= 16 * _CHUNK:
            raise _refused(self._name, "a header", f"claims {size} bytes")
        try:
            return self._file.read(size)
        except (zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise _damaged(self._name, error) from error

    def _check(self, position: int) -> None:
        # One block more is what tarfile looks ahead.
        if position > self._limit + tarfile.BLOCKSIZE:
            raise _refused(self._name, "the whole", f"unpacks to more than {self._limit} bytes")

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_bounded(archive: str, limits: Limits) -> _Bounded:
    """Opens a file, unpacked if its first bytes say that it is compressed."""
    with open(archive, "rb") as file:
        start = file.read(6)
    opener: Any = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), open)
    return _Bounded(opener(archive, "rb"), archive, limits.budget(os.path.getsize(archive)))


def _open_tar(stream: _Bounded) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=cast(Any, stream), mode="r:")
    except tarfile.ReadError as error:
        raise _NoTarError from error


def _tar_members(tar: tarfile.TarFile, archive: str) -> Iterator[Member]:
    for info in iter(tar.next, None):
        if info.size < 0:
            raise _refused(archive, info.name, f"claims {info.size} bytes")
        if info.isdir():
            yield Member(info.name, "folder")
        elif info.isreg():
            yield Member(info.name, "file", functools.partial(tar.extractfile, info))
        elif info.islnk():
            yield Member(info.name, "link", info.linkname)
        elif info.issym():
            if info.linkname.startswith("/"):
                raise _refused(archive, info.name, f"points to {info.linkname[:200]!r}")
            beside = os.path.dirname(info.name)
            linked = os.path.normpath(os.path.join(beside, info.linkname))
            yield Member(info.name, "link", linked)
        else:
            raise _refused(archive, info.name, "is a device or a pipe")
        cast(Any, tar).members.clear()  # what tarfile remembers of every member


def _zip_members(file: zipfile.ZipFile, archive: str) -> Iterator[Member]:
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 1:
            raise _refused(archive, info.orig_filename, "is encrypted")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, info.orig_filename, "is a link or a device")
        if info.is_dir():
            yield Member(info.orig_filename, "folder")
        else:
            yield Member(info.orig_filename, "file", functools.partial(file.open, info))


def _unpack(archive: str, members: Iterator[Member], target: pathlib.Path, limits: Limits) -> None:
    """Unpacks into a folder beside the target, then moves what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = pathlib.Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        _write_members(archive, members, staging, limits)
        staging.chmod(0o755)
        _merge(archive, staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_members(
    archive: str, members: Iterator[Member], folder: pathlib.Path, limits: Limits
) -> None:
    left, links = limits.budget(os.path.getsize(archive)), []
    for count, member in enumerate(members):
        if count >= limits.members:
            raise _refused(archive, member.name, f"is one of more than {limits.members} members")
        place = folder / _inside(archive, member.name, member.name)
        if member.kind == "link":
            links.append((member, place))
            continue
        if member.kind == "folder":
            _make_folder(archive, member, place)
            continue
        with member.content() as source:
            left -= _write(archive, member, source, place, left)
    for member, place in links:
        linked = folder / _inside(archive, member.name, member.content)
        if not linked.is_file():
            raise _refused(archive, member.name, "is a link to what is no file of the archive")
        with linked.open("rb") as source:
            left -= _write(archive, member, source, place, left)


def _inside(archive: str, member: str, name: str) -> str:
    """The path of a member below its folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    bad = name.startswith("/") or ".." in parts or any(c in name for c in "\\\0") or ":" in name[:2]
    if bad:
        raise _refused(archive, member, f"would lie at {name[:200]!r}, outside of the folder")
    if any(len(os.fsencode(part)) > _NAME_LIMIT for part in parts):
        raise _refused(archive, member, f"has a name of more than {_NAME_LIMIT} bytes")
    return "/".join(parts)


def _make_folder(archive: str, member: Member, place: pathlib.Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(archive, member.name, "is a file and a folder") from error


def _write(archive: str, member: Member, source: IO[bytes], place: pathlib.Path, left: int) -> int:
    """Copies a member to a file that must be new; returns its size."""
    _make_folder(archive, member, place.parent)
    size = 0
    try:
        with place.open("xb") as file:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > left:
                    raise _refused(archive, member.name, "unpacks to more than is allowed")
                file.write(chunk)
    except (FileExistsError, IsADirectoryError) as error:
        raise _refused(archive, member.name, "is there twice") from error
    return size


def _merge(archive: str, staging: pathlib.Path, target: pathlib.Path) -> None:
    """Moves files to their places; links on the way there are not followed."""
    folders = [
        (target / os.path.relpath(folder, staging), folder) for folder, _, _ in os.walk(staging)
    ]
    for place, _ in folders:
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise _refused(archive, str(place), "exists and is no folder")
    for place, folder in folders:
        place.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(folder):
            if entry.is_file():
                os.replace(entry.path, place / entry.name)
