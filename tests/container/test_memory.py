"""Memory of the container, as either version of control groups tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.batch_job_memory import memory_limit, oom_kills, was_out_of_memory

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
