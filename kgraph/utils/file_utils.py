"""Files that are fetched once and kept: `get_file` and what it is made of.

A file is looked for in kgraph's folder (`kgraph.config.home`), then in Keras's, and only then on
the network; without a network, the error says which file to place where.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pathlib
import tempfile
import urllib.parse
import warnings
from collections.abc import Sequence
from typing import Any

from kgraph import config
from kgraph.errors import DownloadError, FileFormatError, explain
from kgraph.utils.archives import extract_archive

_Path = str | os.PathLike[str]


def get_file(
    fname: _Path | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: _Path | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file, which is downloaded if it is not on this machine.

    Files are kept in `<cache_dir>/<cache_subdir>`. A file that Keras keeps in the folder of the
    same name is used where it is. A broken download is continued by the next call if a hash is
    given.

    Args:
        fname: the file's name, or its absolute path; default the last part of `origin`.
        origin: the file's address.
        untar: unpack a tar archive; the older spelling of `extract`.
        md5_hash: the older spelling of `file_hash` with md5.
        file_hash: the file's md5 or sha256 hash in hexadecimal.
        cache_subdir: the folder inside of `cache_dir`, or an absolute one.
        hash_algorithm: "md5", "sha256", or "auto" to tell by the hash's length.
        extract: unpack the archive, as `kgraph.utils.archives` does.
        archive_format: "tar", "zip", several of them, or "auto" for both.
        cache_dir: default `kgraph.config.home`, which is `KGRAPH_HOME` or `~/.kgraph`.
        force_download: fetch the file also if it is there.

    Returns:
        The path of the file. With `extract` or `untar`, as in Keras 3, that of the folder it was
        unpacked to: `fname`, or where `fname` has a suffix, the part before with "_extracted".

    Raises:
        DownloadError: the file is not here and cannot be fetched.
        ValueError: the file has another hash, or an argument is wrong.
        UnsafeFileError: the archive would do harm.

    Example:
        >>> source = pathlib.Path("words.txt")
        >>> _ = source.write_text("one two")
        >>> path = get_file(origin=source.absolute().as_uri(), cache_dir="kept")
        Downloading data from file:...words.txt
        >>> os.path.relpath(path)
        'kept/datasets/words.txt'
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name, unpack = _name(fname, origin), extract or untar
    folder = pathlib.Path(cache_subdir)
    if not (os.path.isabs(name) or folder.is_absolute()):
        folder = _home(cache_dir) / cache_subdir
    has_suffix = fname is not None and "." in os.path.basename(name)
    target = folder / (name if has_suffix or not unpack else f"{name}_archive")
    kept = None if force_download else _kept(target, cache_subdir, cache_dir)
    if kept is None or not _is_right(kept, file_hash, hash_algorithm):
        if kept is not None and os.path.isabs(name):
            raise ValueError(
                explain(f"{name} has another hash", expected=file_hash, hint="nothing was changed")
            )
        _download(origin, target, file_hash, hash_algorithm, kept)
        kept = target
    if not unpack:
        return str(kept)
    stem = os.path.basename(name).split(".")[0] + "_extracted" if has_suffix else name
    return _unpack(kept, target.parent / stem, "tar" if untar else archive_format)


def _unpack(archive: pathlib.Path, folder: pathlib.Path, formats: Any) -> str:
    if not extract_archive(archive, folder, formats):
        raise FileFormatError(
            explain(f"Could not extract archive {archive}", expected=f"format {formats!r}")
        )
    return str(folder)


def _name(fname: _Path | None, origin: str) -> str:
    """The name of a file in the cache, or its absolute path."""
    if fname is None or not os.fspath(fname):
        name = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
        if name in ("", ".", "..") or "\\" in name:
            raise ValueError(
                explain(
                    f"Can't parse the file name from the origin provided: {origin!r}",
                    hint="specify the `fname` argument",
                )
            )
        return name
    name = os.path.expanduser(os.fspath(fname))
    if not os.path.isabs(name) and (name != os.path.basename(name) or name in (".", "..")):
        raise ValueError(
            explain(
                f"get_file: fname is the relative path {name!r}",
                expected="a file name, or an absolute path",
                hint="choose the folder by `cache_dir` and `cache_subdir`",
            )
        )
    return name


def _home(cache_dir: _Path | None) -> pathlib.Path:
    """The folder of all kept files; one for temporary files where it cannot be written."""
    home = pathlib.Path(config.home if cache_dir is None else cache_dir).expanduser()
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    if home.is_dir() and os.access(home, os.W_OK):
        return home
    # The folder of temporary files belongs to everybody: ours must be ours.
    user = getattr(os, "getuid", int)()
    temporary = pathlib.Path(tempfile.gettempdir(), f".kgraph-{user}")
    temporary.mkdir(mode=0o700, exist_ok=True)
    if temporary.is_symlink() or temporary.stat().st_uid not in (user, 0):
        raise PermissionError(
            explain(f"{temporary} belongs to somebody else", hint="set cache_dir")
        )
    warnings.warn(f"{home} cannot be written; files are kept in {temporary}", stacklevel=3)
    return temporary


def _kept(target: pathlib.Path, subdir: str, cache_dir: _Path | None) -> pathlib.Path | None:
    """Where a file is on this machine."""
    places = [target]
    if cache_dir is None and not os.path.isabs(subdir):
        places.append(pathlib.Path(config.keras_home).expanduser() / subdir / target.name)
    return next((place for place in places if place.is_file()), None)


def _is_right(path: pathlib.Path, file_hash: str | None, algorithm: str) -> bool:
    if file_hash is None or validate_file(path, file_hash, algorithm):
        return True
    print(
        f"{path} has another hash than {file_hash}: it is incomplete or outdated, and is not used.",
        flush=True,
    )
    return False


def _download(
    origin: str,
    target: pathlib.Path,
    file_hash: str | None,
    algorithm: str,
    wrong: pathlib.Path | None,
) -> None:
    """Fetches a file to its place, or says how else it can come there."""

    def check(path: pathlib.Path) -> bool:
        return validate_file(path, file_hash or "", algorithm)

    print(f"Downloading data from {origin}", flush=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # pooch and rich take longer to import than most files to be found.
        library = importlib.import_module("kgraph.utils.download")
        library.download(origin, target, check if file_hash else None)
    except (OSError, ModuleNotFoundError) as error:
        kind = ModuleNotFoundError if isinstance(error, ModuleNotFoundError) else DownloadError
        text = str(error).replace("\n", " ")
        raise kind(
            explain(
                f"URL fetch failure on {origin}",
                expected=f"the file {target.name}"
                + (f" with hash {file_hash}" if file_hash else ""),
                got=text if wrong is None else f"{wrong}, with another hash; and {text}",
                hint=f"fetch it on another way and place it at {target}",
            )
        ) from error


def validate_file(
    fpath: _Path, file_hash: str, algorithm: str = "auto", chunk_size: int = 65535
) -> bool:
    """Compares a file with a hash.

    Args:
        fpath: the file.
        file_hash: the expected hash in hexadecimal.
        algorithm: "md5", "sha256", or "auto": 64 digits are sha256, others md5.
        chunk_size: bytes that are read at a time.

    Returns:
        Whether the file has the hash.

    Raises:
        ValueError: the algorithm is unknown.

    Example:
        >>> _ = pathlib.Path("a.txt").write_text("abc")
        >>> validate_file("a.txt", "900150983cd24fb0d6963f7d28e17f72")
        True
    """
    return _hash(fpath, _algorithm(algorithm, file_hash), chunk_size) == file_hash.lower()


def _algorithm(algorithm: Any, file_hash: str) -> str:
    if algorithm == "auto":
        return "sha256" if len(file_hash) == 64 else "md5"
    if algorithm not in ("md5", "sha256"):
        raise ValueError(
            explain(f"unknown hash algorithm {algorithm!r}", expected="'md5', 'sha256' or 'auto'")
        )
    return algorithm


def _hash(path: _Path, algorithm: str, chunk_size: int) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()
