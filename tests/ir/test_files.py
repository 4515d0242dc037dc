"""Atomic writes."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kgraph.ir.files import atomic_write


def test_the_target_appears_whole(tmp_path):
    target = tmp_path / "a.bin"
    with atomic_write(target) as file:
        file.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_error_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_link_is_replaced_not_followed(tmp_path):
    secret, link = tmp_path / "secret", tmp_path / "link"
    secret.write_bytes(b"secret")
    link.symlink_to(secret)
    with atomic_write(link) as file:
        file.write(b"new")
    assert secret.read_bytes() == b"secret"
    assert not link.is_symlink()


def test_what_is_no_file_is_written_to_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write(b"through")
    assert os.read(reading, 99) == b"through"
    os.close(reading)
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path):
        pass
    with open(tmp_path / "out", "wb") as out:
        name = f"/dev/fd/{out.fileno()}"
        with atomic_write(name) as file:
            file.write(b"on")
        assert Path(name).is_symlink()
    assert (tmp_path / "out").read_bytes() == b"on"
    with atomic_write(os.devnull) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()


def test_modes_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "a") as file:
            file.write(b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_missing_folder_is_the_callers_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "no" / "a"):
        pass


def left_by(process, target):
    """What a writer of `target` leaves that is killed."""
    left = target.with_name(f".{target.name}.{process}.0123abcd.partial")
    left.write_bytes(b"half")
    return left


def test_what_a_killed_writer_left_is_removed(tmp_path):
    target = tmp_path / "a.bin"
    code = (
        "import os, sys\nfrom kgraph.ir.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, target], cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".a.bin.")
    with atomic_write(tmp_path / "b.bin"):
        assert left in os.listdir(tmp_path)  # of another target
    with atomic_write(target):
        assert left not in os.listdir(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "b.bin"]


def test_what_somebody_may_still_write_stays(tmp_path):
    """A live process; a process of another machine, whose number says nothing but who locks."""
    target = tmp_path / "a.bin"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    alive, locked, dead = (left_by(p, target) for p in (os.getppid(), 2**22 + 1, ended.pid))
    other = tmp_path / f".a.bin.{ended.pid}.mine"
    other.write_bytes(b"")
    with open(locked, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with atomic_write(target), atomic_write(target):  # the inner one keeps the outer one's
            pass
    assert alive.exists()
    assert locked.exists()
    assert other.exists()
    assert not dead.exists()
    with atomic_write(target):
        assert not locked.exists()
