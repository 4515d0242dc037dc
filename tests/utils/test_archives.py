"""Genuine archives unpack; evil ones leave nothing, inside or outside of the folder."""

import gzip
import io
import os
import tarfile
import zipfile

import pytest

from kgraph.errors import FileFormatError, UnsafeFileError
from kgraph.utils.archives import Limits, extract_archive


def tar_bytes(*members, mode="w", **options):
    """A tar archive of TarInfo, or (name, bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def zip_bytes(*members):
    """A zip archive of (name or ZipInfo, bytes)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def special(name, kind, target=""):
    """A member that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_info(name, mode):
    """A zip member with the mode bits of Unix."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.fixture
def unpack(tmp_path):
    """A function of an archive's bytes that unpacks to `tmp_path / "out"`."""
    (tmp_path / "secret").write_text("secret")

    def run(content, archive_format="auto", limits=None):
        path = tmp_path / "archive"
        path.write_bytes(content)
        return extract_archive(path, tmp_path / "out", archive_format, limits)

    return run


def tree(folder):
    """Paths and texts of all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


FILES = (("words/one.txt", b"1"), ("./two.txt", b"2"))


@pytest.mark.parametrize(
    "content",
    [
        zip_bytes(*FILES),
        *(tar_bytes(*FILES, mode=mode) for mode in ("w", "w:gz", "w:bz2", "w:xz")),
        *(tar_bytes(*FILES, format=f) for f in (tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)),
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_genuine_archives(unpack, tmp_path, content):
    assert unpack(content) is True
    assert tree(tmp_path / "out") == {"words/one.txt": "1", "two.txt": "2"}


def test_formats(unpack, tmp_path):
    assert unpack(zip_bytes(*FILES), "tar") is False
    assert unpack(tar_bytes(*FILES), ["zip"]) is False
    assert unpack(tar_bytes(*FILES), None) is False
    assert unpack(b"neither") is False
    assert unpack(b"") is False
    assert not (tmp_path / "out").exists()
    assert unpack(tar_bytes(*FILES), ["zip", "tar"]) is True
    with pytest.raises(ValueError, match="unknown archive format 'rar'"):
        unpack(b"", "rar")


def test_links_inside_become_copies(unpack, tmp_path):
    symbolic = special("links/a.txt", tarfile.SYMTYPE, "../words/one.txt")
    hard = special("b.txt", tarfile.LNKTYPE, "words/one.txt")
    chain = special("c.txt", tarfile.SYMTYPE, "links/a.txt")
    assert unpack(tar_bytes(symbolic, *FILES, hard, chain))
    assert tree(tmp_path / "out")["links/a.txt"] == "1"
    assert tree(tmp_path / "out")["c.txt"] == "1"
    (tmp_path / "out" / "words" / "one.txt").write_text("changed")
    assert tree(tmp_path / "out")["b.txt"] == "1"
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_what_is_there_stays(unpack, tmp_path):
    (tmp_path / "out" / "words").mkdir(parents=True)
    (tmp_path / "out" / "words" / "mine.txt").write_text("mine")
    (tmp_path / "out" / "two.txt").write_text("old")
    assert unpack(zip_bytes(*FILES))
    assert tree(tmp_path / "out") == {
        "words/one.txt": "1",
        "two.txt": "2",
        "words/mine.txt": "mine",
    }


def encrypted():
    """A zip archive whose flags say that it is encrypted."""
    content = bytearray(zip_bytes(("a", b"1")))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def named(name):
    """A zip archive with a member of any name, also one that `zipfile` would clean."""
    stand_in = "x" * len(name)
    return zip_bytes((stand_in, b"1")).replace(stand_in.encode(), name.encode())


EVIL = {
    "tar with an absolute path": (tar_bytes(("/tmp/evil", b"")), "outside of the folder"),
    "tar with ..": (tar_bytes(("a/../../evil", b"")), "outside of the folder"),
    "tar with a folder outside": (
        tar_bytes(special("../evil", tarfile.DIRTYPE)),
        "outside of the folder",
    ),
    "backslashes": (tar_bytes(("..\\evil", b"")), "outside of the folder"),
    "a drive": (tar_bytes(("C:evil", b"")), "outside of the folder"),
    "symbolic link out": (
        tar_bytes(special("evil", tarfile.SYMTYPE, "../secret")),
        "outside of the folder",
    ),
    "absolute symbolic link": (
        tar_bytes(special("evil", tarfile.SYMTYPE, "/etc/passwd")),
        "points to '/etc/passwd'",
    ),
    "hard link out": (
        tar_bytes(special("evil", tarfile.LNKTYPE, "../secret")),
        "outside of the folder",
    ),
    "absolute hard link": (
        tar_bytes(special("evil", tarfile.LNKTYPE, "/etc/passwd")),
        "outside of the folder",
    ),
    "file below a link": (
        tar_bytes(special("d", tarfile.SYMTYPE, "."), ("d/evil", b"1")),
        "is a link to what is no file",
    ),
    "link to nothing": (
        tar_bytes(special("evil", tarfile.SYMTYPE, "none")),
        "is a link to what is no file",
    ),
    "link to itself": (
        tar_bytes(special("evil", tarfile.SYMTYPE, "evil")),
        "is a link to what is no file",
    ),
    "link over a file": (
        tar_bytes(("a", b""), ("b", b""), special("a", tarfile.SYMTYPE, "b")),
        "is there twice",
    ),
    "character device": (tar_bytes(special("evil", tarfile.CHRTYPE)), "is a device or a pipe"),
    "block device": (tar_bytes(special("evil", tarfile.BLKTYPE)), "is a device or a pipe"),
    "pipe": (tar_bytes(special("evil", tarfile.FIFOTYPE)), "is a device or a pipe"),
    "one name twice": (tar_bytes(("a", b"1"), ("a", b"2")), "is there twice"),
    "file and folder": (tar_bytes(("a", b"1"), ("a/b", b"2")), "is a file and a folder"),
    "folder and file": (tar_bytes(("a/b", b"1"), ("a", b"2")), "is there twice"),
    "a long name": (tar_bytes(("x" * 300, b"")), "has a name of more than 255 bytes"),
    "zip with ..": (zip_bytes(("a/../../evil", b"1")), "outside of the folder"),
    "zip with an absolute path": (named("/tmp/evil"), "outside of the folder"),
    "zip with a zero byte": (named("evil\0.txt"), "outside of the folder"),
    "zip with a link": (
        zip_bytes((zip_info("evil", 0o120777), b"../secret")),
        "is a link or a device",
    ),
    "zip with a device": (zip_bytes((zip_info("evil", 0o020666), b"")), "is a link or a device"),
    "encrypted zip": (encrypted(), "is encrypted"),
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_archives_leave_nothing(unpack, tmp_path, name):
    content, reason = EVIL[name]
    with pytest.raises(UnsafeFileError, match="is refused") as caught:
        unpack(content)
    assert reason in str(caught.value)
    assert str(tmp_path / "archive") in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["archive", "secret"]
    assert not os.path.exists("/tmp/evil")


SMALL = Limits(slack=1 << 20, ratio=2, members=100)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_bytes(("a", bytes(5 << 20))), "unpacks to more than"),
        (tar_bytes(("a", bytes(5 << 20)), mode="w:gz"), "unpacks to more than"),
        (tar_bytes(("a", bytes(5 << 20)), mode="w:xz"), "unpacks to more than"),
        (zip_bytes(*[(f"{i}", bytes(300_000)) for i in range(10)]), "unpacks to more than"),
        (tar_bytes(*[(f"{i}", b"") for i in range(101)]), "more than 100 members"),
    ],
    ids=["zip", "gz", "xz", "many", "members"],
)
def test_bombs(unpack, tmp_path, content, reason):
    with pytest.raises(UnsafeFileError, match=reason):
        unpack(content, limits=SMALL)
    assert sorted(os.listdir(tmp_path)) == ["archive", "secret"]


def test_copies_of_a_file_count(unpack):
    links = [special(f"l{i}", tarfile.LNKTYPE, "a") for i in range(50)]
    content = tar_bytes(("a", os.urandom(100_000)), *links)
    with pytest.raises(UnsafeFileError, match="unpacks to more than"):
        unpack(content, limits=SMALL)


def header(kind, size):
    """A tar header that claims a size."""
    info = special("evil", kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
@pytest.mark.parametrize("size", [8 << 30, 1 << 60, 100 << 20])
def test_headers_that_claim_much(unpack, kind, size):
    # Were it believed, gigabytes of zeros would be read into memory.
    content = gzip.compress(header(kind, size) + bytes(1 << 20))
    with pytest.raises(UnsafeFileError, match=r"claims \d+ bytes|unpacks to more than"):
        unpack(content)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_of_headers(unpack, kind):
    with pytest.raises(FileFormatError, match="is damaged"):
        unpack(header(kind, 0) * 5000 + bytes(1024))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.REGTYPE])
def test_negative_sizes(unpack, kind):
    with pytest.raises((UnsafeFileError, FileFormatError)):
        unpack(header(kind, -1024) + bytes(1024))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_truncated_tars(unpack, tmp_path, mode, keep):
    content = tar_bytes(("a", os.urandom(500_000)), mode=mode)
    with pytest.raises(FileFormatError, match="is damaged"):
        unpack(content[: int(len(content) * keep)])
    assert sorted(os.listdir(tmp_path)) == ["archive", "secret"]


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"], ids=["gz", "bz2", "xz"])
def test_rubbish_after_a_magic_number(unpack, magic):
    with pytest.raises(FileFormatError, match="is damaged"):
        unpack(magic + b"rubbish" * 100)


def test_a_zip_with_a_wrong_checksum(unpack, tmp_path):
    content = bytearray(zip_bytes(("a", b"words" * 100)))
    content[14] ^= 1
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    with pytest.raises(FileFormatError, match="is damaged"):
        unpack(bytes(content))
    assert sorted(os.listdir(tmp_path)) == ["archive", "secret"]


def test_links_in_the_target_are_not_followed(unpack, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "words").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFileError, match="exists and is no folder"):
        unpack(zip_bytes(*FILES))
    assert os.listdir(tmp_path / "elsewhere") == []
    (tmp_path / "out" / "words").unlink()
    (tmp_path / "out" / "two.txt").symlink_to(tmp_path / "secret")
    assert unpack(zip_bytes(*FILES))
    assert (tmp_path / "secret").read_text() == "secret"
    assert (tmp_path / "out" / "two.txt").read_text() == "2"
