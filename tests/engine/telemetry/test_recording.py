"""Recordings and their replay: the same at every moment, whatever happened to the end of the file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.errors import EngineError
from engine.telemetry.client.replay import NO_CONTROL, ReplaySource
from engine.telemetry.client.replica import Replica
from engine.telemetry.recording import Recorder, Recording
from engine.telemetry.schema.messages import (
    Answer,
    CancelJobs,
    FullState,
    GetJob,
    GetJobPage,
    GetLogs,
    GetTrends,
    Hello,
    Job,
    JobPage,
    JobState,
    LogLine,
    LogPage,
    LogStatus,
    Refusal,
    Request,
    Tick,
    Trends,
    Welcome,
)
from tests.support.engine.telemetry_samples import NOW, full, row, snapshot, task_id, tick

STATES = (JobState.SUBMITTED, JobState.RUNNABLE, JobState.RUNNING, JobState.SUCCEEDED)


class Night:
    """An engine that publishes a tick a second, and what a replica of it looked like at each."""

    def __init__(self, path: Path, engine: str = "e1", began: float = NOW) -> None:
        self.recorder = Recorder(path)
        self.live = Replica()
        self.frames: dict[float, dict[str, JobState]] = {}
        self.engine, self.seq, self.began = engine, 0, began
        self.live.replace(FullState(engine, 0, snapshot(began), ()), 0.0)

    def go_on(self, seconds: int) -> Night:
        for _ in range(seconds):
            self.seq += 1
            at = self.began + self.seq
            changed = row(self.seq % 7, STATES[self.seq // 7 % 4], since=at)
            message = Tick(self.engine, self.seq, snapshot(at, counts={JobState.RUNNING: self.seq}), (changed,))
            self.live.apply(message, 0.0)
            self.recorder.record(message, self._everything)
            self.frames[at] = {row.task_id: row.state for row in self.live.rows.values()}
        return self

    def _everything(self) -> FullState:
        assert self.live.snapshot is not None
        return FullState(self.engine, self.live.seq, self.live.snapshot, tuple(self.live.rows.values()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.rec"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def night(path: Path) -> Iterator[Night]:
    night = Night(path).go_on(200)
    yield night
    night.recorder.close()


@pytest.fixture
def replay(night: Night, path: Path, clock: Clock) -> Iterator[ReplaySource]:
    source = ReplaySource(Recording(path), clock=clock)
    yield source
    source.close()


def shown(source: ReplaySource) -> dict[str, JobState]:
    source.poll()
    return {row.task_id: row.state for row in source.replica.rows.values()}


def answer_of(source: ReplaySource, request: Request) -> Answer:
    answers: list[Answer] = []
    source.ask(request, answers.append)
    source.poll()
    return answers[0]


def test_every_moment_is_as_it_was(replay: ReplaySource, night: Night) -> None:
    replay.pause()
    for at in sorted(night.frames, key=lambda at: (at * 7919) % 101):
        replay.seek(at)
        assert shown(replay) == night.frames[at]


def test_it_plays_at_its_speed_stands_still_and_ends(replay: ReplaySource, night: Night, clock: Clock) -> None:
    start = replay.recording.start
    clock.now = 10
    assert shown(replay) == night.frames[start + 10]
    replay.set_speed(4)
    clock.now = 15
    assert shown(replay) == night.frames[start + 30]
    replay.pause()
    clock.now = 99
    assert shown(replay) == night.frames[start + 30]
    assert not replay.poll()
    replay.play()
    clock.now = 1000
    assert shown(replay) == night.frames[replay.recording.end]
    assert (replay.at, replay.playing) == (replay.recording.end, False)
    replay.play()
    assert shown(replay) == night.frames[start]


def test_seeking_outside_stays_inside(replay: ReplaySource) -> None:
    replay.pause()
    replay.seek(0)
    assert replay.at == replay.recording.start
    replay.seek(replay.recording.end + 1e9)
    assert replay.at == replay.recording.end


@pytest.mark.parametrize("lost", [1, 5, 13, 14, 60])
def test_what_a_killed_writer_left_half_written_is_no_loss_but_itself(path: Path, night: Night, lost: int) -> None:
    whole = Recording(path)
    count = len(whole.times)
    whole.close()
    path.write_bytes(path.read_bytes()[:-lost])
    cut = Recording(path)
    assert count - 3 <= len(cut.times) < count
    source = ReplaySource(cut)
    source.pause()
    source.seek(cut.end)
    assert shown(source) == night.frames[cut.end]
    source.close()


def test_a_recording_goes_on_behind_a_damaged_end(path: Path, night: Night) -> None:
    night.recorder.close()
    path.write_bytes(path.read_bytes()[:-3])
    later = Night(path, "e2", NOW + 1000).go_on(5)
    later.recorder.close()
    source = ReplaySource(Recording(path))
    source.pause()
    for frames in (night.frames, later.frames):
        at = max(frames) - 1
        source.seek(at)
        assert shown(source) == frames[at]
    assert source.replica.engine == "e2"
    source.close()


def test_damage_in_the_middle_hides_a_minute_at_most(path: Path, night: Night) -> None:
    content = bytearray(path.read_bytes())
    whole = Recording(path)
    offset, size, _, _ = whole._frames[70]
    whole.close()
    content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)
    source = ReplaySource(Recording(path))
    source.pause()
    for at in (NOW + 30, NOW + 190):
        source.seek(at)
        assert shown(source) == night.frames[at]
    source.close()


def test_a_damaged_string_is_damage_like_any_other(path: Path, night: Night) -> None:
    whole = Recording(path)
    offset, size, _, kind = whole._frames[whole.keys[1]]
    content = path.read_bytes()
    whole.close()
    message = zlib.decompressobj().decompress(content[offset : offset + size])
    assert b"price" in message
    compressor = zlib.compressobj()
    damaged = compressor.compress(message.replace(b"price", b"\xff\xfe\xfd\xfc\xfb")) + compressor.flush(
        zlib.Z_SYNC_FLUSH
    )
    head = struct.pack("<IdB", len(damaged), NOW + 60, kind)
    path.write_bytes(content[: offset - len(head)] + head + damaged + content[offset + size :])
    source = ReplaySource(Recording(path))
    source.pause()
    source.seek(NOW + 70)
    shown(source)
    assert "damaged here" in str(answer_of(source, GetJobPage()))
    source.seek(NOW + 190)
    shown(source)
    assert isinstance(answer_of(source, GetTrends("5m")), Trends)
    source.seek(NOW + 30)
    assert shown(source) == night.frames[NOW + 30]
    source.close()


@pytest.mark.parametrize("size", [0, 64 * 1024 * 1024])
def test_a_frame_of_an_impossible_size_is_the_end(path: Path, night: Night, size: int) -> None:
    whole = Recording(path)
    count = len(whole.times)
    whole.close()
    head = struct.pack("<IdB", size, NOW + 500, 0)
    path.write_bytes(path.read_bytes() + head * 1000 + bytes(size))
    assert len(Recording(path).times) == count


def test_a_recording_of_more_frames_than_may_be_is_a_sentence(
    path: Path, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.telemetry.recording.MAX_FRAMES", 10)
    with pytest.raises(EngineError, match="more than 10 frames"):
        Recording(path)


def test_a_recording_is_its_owners_alone(path: Path, night: Night) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_hardly_changes_costs_hardly_anything(path: Path, night: Night) -> None:
    each = len(msgspec.msgpack.encode(tick(1, row(1))))
    assert path.stat().st_size < 200 * each / 3


def test_what_is_no_recording_is_left_alone(path: Path) -> None:
    path.write_bytes(b"precious")
    for opens in (Recorder, Recording):
        with pytest.raises(EngineError, match="no recording"):
            opens(path)
    assert path.read_bytes() == b"precious"


def test_another_version_is_named(path: Path) -> None:
    path.write_bytes(b"scaler-batch recording, telemetry version 99\n")
    with pytest.raises(EngineError, match="version 99"):
        Recording(path)


def test_an_empty_recording_shows_nothing_and_breaks_nothing(path: Path) -> None:
    Recorder(path).close()
    source = ReplaySource(Recording(path))
    assert shown(source) == {}
    assert isinstance(answer_of(source, Hello()), Refusal)
    source.close()


def test_it_answers_like_an_engine(replay: ReplaySource) -> None:
    replay.pause()
    replay.seek(NOW + 100)
    found = answer_of(replay, GetJobPage(sort="function", limit=3))
    assert isinstance(found, JobPage)
    assert (len(found.rows), found.total) == (3, 7)
    assert isinstance(answer_of(replay, GetJobPage(filter="=FLYING")), Refusal)
    job = answer_of(replay, GetJob(task_id(3)[:32]))
    assert isinstance(job, Job)
    assert job.record.row.task_id == task_id(3)
    assert isinstance(answer_of(replay, GetJob("0000")), Refusal)
    assert isinstance(answer_of(replay, Hello()), Welcome)
    logs = answer_of(replay, GetLogs())
    assert isinstance(logs, LogPage)
    assert logs.status.startswith("empty: ")


def test_nothing_can_be_done_to_the_past(replay: ReplaySource) -> None:
    assert answer_of(replay, CancelJobs((task_id(1),))) == Refusal(NO_CONTROL)
    assert not replay.may_control


def test_trends_end_at_the_moment_that_is_shown(replay: ReplaySource) -> None:
    replay.pause()
    replay.seek(NOW + 100)
    trends = answer_of(replay, GetTrends("5m"))
    assert isinstance(trends, Trends)
    running = trends.counts[JobState.RUNNING]
    assert (len(running), running[-1], running[-2], running[0]) == (60, 100, 95, 0)
    by_hour = answer_of(replay, GetTrends("1h", "wm-1"))
    assert isinstance(by_hour, Trends)
    assert by_hour.counts[JobState.RUNNING][-1] == 61, "the last key frame"
    assert isinstance(answer_of(replay, GetTrends("5m", "nobody")), Trends)
    assert isinstance(answer_of(replay, GetTrends("1y")), Refusal)


def test_a_clock_that_is_set_back_begins_a_new_key_frame(path: Path) -> None:
    recorder = Recorder(path)
    for seq, at in enumerate((NOW, NOW + 5, NOW - 500, NOW - 499), 1):
        recorder.record(tick(seq, at=at), lambda seq=seq, at=at: full(seq, at=at))  # type: ignore[misc]
    recorder.close()
    recording = Recording(path)
    assert (recording.keys, recording.times) == ([0, 2], [NOW, NOW + 5, NOW + 5, NOW + 5])
    recording.close()


def lines_at(at: float, count: int = 10, job: int = 1) -> tuple[LogLine, ...]:
    return tuple(LogLine(n, at + n / count, task_id(job), f"at {at - NOW:.0f}: {n}") for n in range(count))


def texts(source: ReplaySource, request: GetLogs) -> list[str]:
    page = answer_of(source, request)
    assert isinstance(page, LogPage)
    return [line.text for line in page.lines]


@pytest.fixture
def talking(path: Path, clock: Clock) -> Iterator[ReplaySource]:
    """A recording of 100 s, with ten lines each second, written by two engines one after the other."""
    for began in (0, 50):
        night = Night(path, f"e{began}", NOW + began)
        for second in range(50):
            night.go_on(1)
            night.recorder.record_logs(lines_at(NOW + began + second, job=second % 2))
        night.recorder.close()
    source = ReplaySource(Recording(path), clock=clock)
    yield source
    source.close()


def test_log_lines_are_those_up_to_the_moment_that_is_shown(talking: ReplaySource, clock: Clock) -> None:
    talking.seek(NOW + 30)
    page = answer_of(talking, GetLogs(limit=15))
    assert isinstance(page, LogPage)
    assert [page.lines[0].text, page.lines[-1].text] == ["at 28: 5", "at 29: 9"]
    assert (page.earlier, page.kind) == (True, LogStatus.STREAMING)
    clock.now += 2
    assert texts(talking, GetLogs(after=page.next)) == [line.text for at in (30, 31) for line in lines_at(NOW + at)]


def test_log_lines_of_a_recording_are_read_back_to_their_beginning(talking: ReplaySource) -> None:
    talking.pause()
    talking.seek(NOW + 80)
    before, told = NOW + 1_000, list[str]()
    while True:
        page = answer_of(talking, GetLogs(before=before, limit=33))
        assert isinstance(page, LogPage)
        told = [line.text for line in page.lines] + told
        if not page.earlier:
            break
        before = page.lines[0].at
    assert told == [line.text for at in range(80) for line in lines_at(NOW + at)]


def test_log_lines_are_chosen_by_job_and_text(talking: ReplaySource) -> None:
    talking.seek(NOW + 30)
    assert texts(talking, GetLogs((task_id(1),), limit=3)) == ["at 29: 7", "at 29: 8", "at 29: 9"]
    assert texts(talking, GetLogs((task_id(0),), pattern="AT 28: 3")) == ["at 28: 3"]


def test_turning_the_clock_back_begins_another_count(talking: ReplaySource) -> None:
    talking.pause()
    talking.seek(NOW + 80)
    later = answer_of(talking, GetLogs())
    talking.seek(NOW + 20)
    assert isinstance(later, LogPage)
    earlier = answer_of(talking, GetLogs(after=later.next))
    assert isinstance(earlier, LogPage)
    assert earlier.watch != later.watch
    assert earlier.lines[-1].text == "at 19: 9"


def test_log_lines_change_nothing_for_what_is_recorded_besides(talking: ReplaySource) -> None:
    talking.pause()
    talking.seek(NOW + 50)
    assert len(shown(talking)) == 7


def test_a_replay_says_in_words_that_it_is_one(replay: ReplaySource) -> None:
    assert replay.link.detail == "REPLAY"
    replay.set_speed(4)
    assert replay.link.detail == "REPLAY x4"
    replay.pause()
    assert replay.link.detail == "REPLAY PAUSED"
