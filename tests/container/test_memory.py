"""Memory of the container, as either version of control groups tells it, and large bytes outside of it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from array import array
from pathlib import Path
from pickle import PickleBuffer

import pytest

from container.batch_job_memory import LARGE_BYTES, FileBytes, Spool, memory_limit, oom_kills, was_out_of_memory

V2 = {"memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", "memory.max": "4294967296\n"}
V1 = {
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "memory/memory.limit_in_bytes": "4294967296\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("files", [V2, V1])
def test_limit_and_kills_are_read_of_either_version(tmp_path: Path, files: dict[str, str]) -> None:
    written(tmp_path, files)
    assert (memory_limit(tmp_path), oom_kills(tmp_path)) == (4 << 30, 2)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"memory.max": "max\n", "memory.events": "oom 3\n"},
        {"memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.oom_control": "oom_kill x\n"},
    ],
)
def test_what_is_not_told_or_not_limited_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    written(tmp_path, files)
    assert (memory_limit(tmp_path), oom_kills(tmp_path)) == (0, None)


@pytest.mark.parametrize(
    ("before", "after", "peak", "is_out"),
    [
        (2, 3, 10, True),
        (2, 2, 100, False),
        (None, None, 95, True),
        (None, None, 94, False),
    ],
)
def test_the_kernels_count_decides_and_without_one_the_peak(
    before: int | None, after: int | None, peak: int, is_out: bool
) -> None:
    assert was_out_of_memory(before, after, peak, limit=100) is is_out


def test_without_a_count_and_a_limit_nothing_was_out_of_memory() -> None:
    assert not was_out_of_memory(None, None, 1 << 40, limit=0)


PIECES = [b"a" * 3, b"b" * LARGE_BYTES, b"c" * (LARGE_BYTES + 5), b""]


def content(stored: bytes | FileBytes) -> bytes:
    if isinstance(stored, bytes):
        return stored
    with contextlib.closing(stored):
        return b"".join(stored.read_at(at, 1 << 20) for at in range(0, len(stored), 1 << 20))


@pytest.mark.parametrize(("pieces", "is_in_file"), [(PIECES[:1], False), ([], False), (PIECES, True)])
def test_what_is_large_is_written_to_a_file_and_what_is_small_is_not(pieces: list[bytes], is_in_file: bool) -> None:
    spool = Spool()
    for piece in pieces:
        spool.write(piece)
    stored = spool.end()
    assert isinstance(stored, FileBytes) is is_in_file
    assert len(stored) == len(spool) == sum(map(len, pieces))
    assert content(stored) == b"".join(pieces)


def test_what_has_a_buffer_is_written_as_pickle_gives_it() -> None:
    spool, values = Spool(), array("d", [1.5, 2.5])
    spool.write(PickleBuffer(values))
    spool.write(memoryview(values))
    assert spool.end() == 2 * values.tobytes()


@pytest.mark.parametrize("room", [0, LARGE_BYTES, LARGE_BYTES + 3])
def test_a_disk_that_takes_no_more_leaves_it_in_memory(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if offset >= room:
            raise OSError(errno.ENOSPC, "full")
        return really(descriptor, data[: room - offset], offset)

    really = os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite)
    spool = Spool()
    for piece in PIECES:
        spool.write(piece)
    assert spool.end() == b"".join(PIECES)


def test_a_folder_that_takes_no_file_leaves_it_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    spool = Spool()
    spool.write(PIECES[2])
    assert spool.end() == PIECES[2]


def test_what_is_no_file_is_refused_as_one() -> None:
    for descriptor in os.pipe():
        with pytest.raises(ValueError, match="no file"):
            FileBytes(descriptor)
        os.close(descriptor)
