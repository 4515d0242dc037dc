"""Files come once, whole and right; what is missing is said."""

import gzip
import hashlib
import importlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from rich.console import Console

import kgraph.utils
from kgraph.errors import DownloadError, UnsafeFileError
from kgraph.utils import download, get_file, validate_file

BIG = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(BIG).hexdigest()
MD5 = hashlib.md5(BIG).hexdigest()


def read(path):
    """Bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def test_a_file_is_fetched_once(file_server, homes, capsys):
    origin = file_server.serve("words.bin", BIG)
    path = get_file(origin=origin)
    assert path == str(homes[0] / "datasets" / "words.bin")
    assert read(path) == BIG
    assert f"Downloading data from {origin}" in capsys.readouterr().out
    assert get_file("words.bin", origin) == path
    assert len(file_server.requests) == 1
    assert os.listdir(homes[0] / "datasets") == ["words.bin"]


def test_names_and_folders(file_server, tmp_path):
    origin = file_server.serve("a%20b.bin", BIG)
    file_server.files["/a%20b.bin?x=1"] = BIG
    assert get_file(None, origin + "?x=1").endswith("a b.bin")
    assert get_file("c", origin, cache_subdir="models", cache_dir=tmp_path) == str(
        tmp_path / "models" / "c"
    )
    assert get_file("c", origin, cache_subdir=str(tmp_path / "sub")) == str(tmp_path / "sub" / "c")
    absolute = tmp_path / "new" / "d.bin"
    assert get_file(absolute, origin) == str(absolute)
    assert read(absolute) == BIG


@pytest.mark.parametrize("name", ["a/b", "../b", "..", "."])
def test_relative_paths_are_no_names(name):
    with pytest.raises(ValueError, match="fname is the relative path"):
        get_file(name, "http://127.0.0.1/x")


def test_missing_arguments_are_named():
    with pytest.raises(ValueError, match="origin"):
        get_file("a")
    with pytest.raises(ValueError, match="Can't parse the file name from the origin"):
        get_file(origin="http://127.0.0.1/")


@pytest.mark.parametrize(
    "given",
    [
        {"file_hash": SHA},
        {"file_hash": MD5},
        {"md5_hash": MD5},
        {"file_hash": SHA.upper(), "hash_algorithm": "sha256"},
    ],
)
def test_right_hashes(file_server, given):
    assert read(get_file("a", file_server.serve("a", BIG), **given)) == BIG


def test_a_wrong_file_is_not_kept(file_server, homes):
    with pytest.raises(ValueError, match="Incomplete or corrupted file detected"):
        get_file("a", file_server.serve("a", b"other"), file_hash=SHA)
    assert os.listdir(homes[0] / "datasets") == []


def test_an_outdated_file_is_fetched_anew(file_server, homes, capsys):
    (homes[0] / "datasets").mkdir(parents=True)
    (homes[0] / "datasets" / "a").write_bytes(b"old")
    assert read(get_file("a", file_server.serve("a", BIG), file_hash=MD5)) == BIG
    assert "incomplete or outdated" in capsys.readouterr().out


def test_the_users_own_file_is_never_replaced(file_server, tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(ValueError, match="has another hash"):
        get_file(tmp_path / "mine", file_server.serve("a", BIG), file_hash=SHA)
    assert read(tmp_path / "mine") == b"mine"


def test_validate_file(tmp_path):
    (tmp_path / "a").write_bytes(BIG)
    assert validate_file(tmp_path / "a", SHA)
    assert validate_file(tmp_path / "a", MD5, "md5", chunk_size=7)
    assert not validate_file(tmp_path / "a", MD5, "sha256")
    with pytest.raises(ValueError, match="unknown hash algorithm 'crc'"):
        validate_file(tmp_path / "a", MD5, "crc")


def test_a_broken_download_goes_on_where_it_broke(file_server):
    file_server.breaks = [200_000]
    assert read(get_file("a", file_server.serve("a", BIG), file_hash=SHA)) == BIG
    (_, first), (_, second) = file_server.requests
    assert first is None
    assert 0 < int(second[len("bytes=") : -1]) <= 200_000


def test_the_next_call_goes_on(file_server, homes):
    origin = file_server.serve("a", BIG)
    file_server.breaks = [150_000, 0]
    with pytest.raises(DownloadError, match="URL fetch failure"):
        get_file("a", origin, file_hash=SHA)
    assert os.listdir(homes[0] / "datasets") == ["a.part"]
    file_server.requests.clear()
    assert read(get_file("a", origin, file_hash=SHA)) == BIG
    assert file_server.requests[0][1].startswith("bytes=")
    assert os.listdir(homes[0] / "datasets") == ["a"]


@pytest.mark.parametrize(
    "part", [b"the start of another file", BIG + b"more", BIG], ids=["other", "long", "whole"]
)
@pytest.mark.parametrize("ranges", [True, False])
def test_whatever_lies_there_the_file_is_right(file_server, homes, part, ranges):
    (homes[0] / "datasets").mkdir(parents=True)
    (homes[0] / "datasets" / "a.part").write_bytes(part)
    file_server.ranges = ranges
    assert read(get_file("a", file_server.serve("a", BIG), file_hash=SHA)) == BIG


def test_what_a_killed_process_left(file_server, homes):
    folder = homes[0] / "datasets"
    folder.mkdir(parents=True)
    (folder / "a.12345678.part").write_bytes(BIG[:1000])
    origin = file_server.serve("a", BIG)
    assert read(get_file("a", origin, file_hash=SHA)) == BIG
    assert sorted(os.listdir(folder)) == ["a", "a.12345678.part"], "perhaps it is still written"
    os.utime(folder / "a.12345678.part", (0, 0))
    get_file("a", origin, file_hash=SHA, force_download=True)
    assert os.listdir(folder) == ["a"]
    assert [wanted for _, wanted in file_server.requests] == [None, "bytes=1000-"]


def test_several_at_once(file_server, homes):
    origin = file_server.serve("a", BIG)
    file_server.breaks = [100_000, 150_000, 200_000]
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(get_file, "a", origin, file_hash=SHA) for _ in range(4)]
    assert all(read(call.result()) == BIG for call in calls)
    assert os.listdir(homes[0] / "datasets") == ["a"]


def test_without_a_hash_halves_are_not_joined(file_server, homes):
    file_server.breaks = [200_000]
    assert read(get_file("a", file_server.serve("a", BIG))) == BIG
    assert [wanted for _, wanted in file_server.requests] == [None, None]
    file_server.breaks = [100_000] * 3
    with pytest.raises(DownloadError):
        get_file("b", file_server.serve("b", BIG))
    assert os.listdir(homes[0] / "datasets") == ["a"]


def test_a_range_that_was_not_asked_for_is_refused(file_server, homes, monkeypatch):
    (homes[0] / "datasets").mkdir(parents=True)
    (homes[0] / "datasets" / "a.part").write_bytes(BIG[:10])
    file_server.files = {"/a": BIG}
    monkeypatch.setattr(file_server, "headers", {"Content-Range": "bytes 3-9/10"})
    with pytest.raises(DownloadError, match="asked for bytes 10-"):
        get_file("a", f"{file_server.url}/a", file_hash=SHA)


def test_what_the_server_calls_an_encoding_stays_packed(file_server):
    packed = gzip.compress(b"words")
    file_server.headers = {"Content-Encoding": "gzip"}
    assert read(get_file(origin=file_server.serve("a.gz", packed))) == packed


def test_the_error_says_where_to_put_the_file(file_server, homes):
    with pytest.raises(DownloadError, match="404") as caught:
        get_file("a", f"{file_server.url}/none", file_hash=SHA)
    place = str(homes[0] / "datasets" / "a")
    assert f"place it at {place}" in str(caught.value)
    assert f"the file a with hash {SHA}" in str(caught.value)
    assert len(file_server.requests) == 1


def test_without_a_network(homes):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match="place it at"):
            get_file("a", f"http://127.0.0.1:{unused.getsockname()[1]}/a")


def test_without_pooch(file_server, homes, monkeypatch):
    (homes[0] / "datasets").mkdir(parents=True)
    (homes[0] / "datasets" / "a").write_bytes(BIG)
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delitem(sys.modules, "kgraph.utils.download")
    monkeypatch.delattr(kgraph.utils, "download")
    assert read(get_file("a", f"{file_server.url}/a", file_hash=SHA)) == BIG
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kgraph\[data\]'") as caught:
        get_file("b", f"{file_server.url}/b")
    assert "place it at" in str(caught.value)


def test_keras_files_are_used_where_they_are(file_server, homes, tmp_path):
    (homes[1] / "datasets").mkdir(parents=True)
    (homes[1] / "datasets" / "a").write_bytes(BIG)
    origin = file_server.serve("a", BIG)
    assert get_file("a", origin, file_hash=SHA) == str(homes[1] / "datasets" / "a")
    assert file_server.requests == []
    assert get_file("a", origin, cache_dir=tmp_path / "own").startswith(str(tmp_path / "own"))
    (homes[1] / "datasets" / "a").write_bytes(b"other")
    assert get_file("a", origin, file_hash=SHA) == str(homes[0] / "datasets" / "a")
    assert read(homes[1] / "datasets" / "a") == b"other"


def test_the_environment_names_the_homes():
    code = "from kgraph import config; print(config.home, config.keras_home)"
    places = {"KGRAPH_HOME": "/one", "KERAS_HOME": "/two"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | places, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"/one", b"/two"]


def test_a_home_that_cannot_be_written(file_server, homes, tmp_path, monkeypatch):
    homes[0].write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    origin = file_server.serve("a", BIG)
    with pytest.warns(UserWarning, match="cannot be written; files are kept in") as record:
        path = get_file("a", origin)
    assert path.startswith(str(tmp_path / ".kgraph-"))
    assert record[0].filename == __file__
    folder = os.path.dirname(os.path.dirname(path))
    assert os.stat(folder).st_mode & 0o777 == 0o700
    os.rename(folder, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", folder)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        get_file("a", origin)


def test_force_download(file_server):
    origin = file_server.serve("a", b"old")
    get_file("a", origin)
    file_server.serve("a", b"new")
    assert read(get_file("a", origin)) == b"old"
    assert read(get_file("a", origin, force_download=True)) == b"new"


def zip_of(**files):
    """Bytes of a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.txt", text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("fname", "archive", "folder"),
    [("a.zip", "a.zip", "a_extracted"), ("a", "a_archive", "a"), (None, "b.zip_archive", "b.zip")],
)
def test_archives_lie_where_keras_puts_them(file_server, homes, fname, archive, folder):
    origin = file_server.serve("b.zip", zip_of(one="1"))
    path = get_file(fname, origin, extract=True)
    assert path == str(homes[0] / "datasets" / folder)
    assert sorted(os.listdir(homes[0] / "datasets")) == sorted([archive, folder])
    assert read(os.path.join(path, "one.txt")) == b"1"
    with open(os.path.join(path, "mine.txt"), "w"):
        assert get_file(fname, origin, extract=True) == path
    assert sorted(os.listdir(path)) == ["mine.txt", "one.txt"]


def test_untar(file_server, tmp_path):
    (tmp_path / "one.txt").write_text("1")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.add(tmp_path / "one.txt", "inner/one.txt")
    origin = file_server.serve("a.tgz", read(tmp_path / "a.tgz"))
    path = get_file("words", origin, untar=True)
    assert read(os.path.join(path, "inner", "one.txt")) == b"1"
    with pytest.raises(ValueError, match="Could not extract archive"):
        get_file("b", file_server.serve("b", BIG), extract=True)


def test_a_hostile_archive_leaves_nothing(file_server, homes, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil.txt", "evil")
    with pytest.raises(UnsafeFileError, match="outside of the folder"):
        get_file("a.zip", file_server.serve("a.zip", buffer.getvalue()), extract=True)
    assert os.listdir(homes[0] / "datasets") == ["a.zip"]
    assert not list(tmp_path.rglob("evil*"))


def test_a_file_address(homes, tmp_path):
    (tmp_path / "a b").write_bytes(BIG)
    assert read(get_file("a", (tmp_path / "a b").as_uri(), file_hash=SHA)) == BIG
    with pytest.raises(DownloadError, match="No such file"):
        get_file("b", (tmp_path / "none").as_uri())


def test_an_unknown_protocol(homes):
    with pytest.raises(ValueError, match="Unrecognized URL protocol"):
        get_file("a", "gopher://127.0.0.1/a")


def test_progress_on_a_terminal(file_server, capsys, monkeypatch):
    monkeypatch.setattr(
        download, "Console", lambda file: Console(file=file, force_terminal=True, width=80)
    )
    get_file("words.bin", file_server.serve("words.bin", BIG))
    shown = capsys.readouterr().out
    assert "words.bin" in shown
    assert "300.0/300.0 kB" in shown


@pytest.mark.parametrize("module", ["file_utils", "data_utils"])
def test_paths_of_keras(module):
    assert importlib.import_module(f"kgraph.utils.{module}").get_file is kgraph.utils.get_file
