"""One way to write a file: what was there, or what is meant to be there, whatever happens."""

import errno
import os
import stat

import pytest

from regionenum.files import write_atomically


def test_the_old_content_stays_until_the_new_is_there(tmp_path):
    path = tmp_path / "f"
    path.write_text("old")

    def look(file):
        file.write(b"new!")
        assert path.read_text() == "old"

    assert write_atomically(path, look) == 4
    assert path.read_text() == "new!"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing_behind(tmp_path, error):
    path = tmp_path / "f"
    path.write_text("old")

    def fail(file):
        file.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_two_writers_do_not_meet_in_one_temporary_file(tmp_path):
    path = tmp_path / "f"

    def write_in_between(file):
        file.write(b"outer")
        write_atomically(path, lambda inner: inner.write(b"inner"))
        assert path.read_text() == "inner"

    write_atomically(path, write_in_between)
    assert path.read_text() == "outer"


@pytest.mark.parametrize("durable", [True, False])
def test_content_comes_to_the_disk_before_its_name_and_the_folder_last(tmp_path, monkeypatch, durable):
    """A rename that is not followed by a flush of its folder may be undone by a power cut."""
    path, order = tmp_path / "f", []
    fsync = os.fsync

    def seen(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        order.append(("folder" if folder else "file", path.exists()))
        if folder:
            assert os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    write_atomically(path, lambda file: file.write(b"x"), durable=durable)
    assert order == ([("file", False), ("folder", True)] if durable else [])
