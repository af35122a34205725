"""Recording of the published stream: written by the engine, read by a replay.

The file begins with a line that says what it is. Then come frames: an `_HEAD` (bytes that follow, time, kind) and
zlib data. A key frame is a `FullState` and begins a compressed stream of its own; the ticks behind it continue
that stream, so that what hardly changes costs hardly anything. Time is found by key frames, at most a minute apart.
Log lines, where they are recorded at all, are frames of their own between these, each compressed by itself, so that
any of them can be read alone. A file whose writer was killed ends somewhere inside a frame: everything before that is
good. A recording holds what was published and nothing else: no arguments, results, payloads or secrets. What a job
printed is in it only with `--record-logs`, and then whatever that was.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from engine.errors import EngineError
from engine.telemetry.schema.messages import MAX_MESSAGE_BYTES, VERSION, FullState, LogLine, Tick
from engine.telemetry.schema.wire import UNDECODABLE

KEY_FRAME_S: Final = 60.0
MAX_FRAMES: Final = 2_000_000
"""Frames of one recording, three weeks of a second each; about 150 bytes of memory a frame."""
_MAGIC: Final = b"scaler-batch recording, telemetry version "
_HEAD: Final = struct.Struct("<IdB")
_TICK: Final = 0
_KEY: Final = 1
_LOGS: Final = 2
_KEPT_LOG_FRAMES: Final = 64

Frame = FullState | Tick
_log_decoder: msgspec.msgpack.Decoder[tuple[LogLine, ...]] = msgspec.msgpack.Decoder(tuple[LogLine, ...])
_frame_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(FullState | Tick)


class Recorder:
    """Writer that appends to a file (0600); an older recording of the same version is continued.

    Raises `EngineError` for a file that is none. Write errors are `OSError`: what is recorded up to there stays good.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._log_lines = _open_to_append(path)
        self._encoder = msgspec.msgpack.Encoder()
        self._compressor = zlib.compressobj()
        self._key_at = self._at = float("-inf")

    def record(self, tick: Tick, full_state: Callable[[], FullState]) -> None:
        """Write `tick`, or, once a minute, everything as it is with that tick. Raises `OSError`."""
        at = tick.snapshot.at
        if not self._key_at <= at < self._key_at + KEY_FRAME_S:
            self._key_at = at
            self._compressor = zlib.compressobj()
            self._write(_KEY, at, full_state())
        else:
            self._write(_TICK, at, tick)

    def record_logs(self, lines: tuple[LogLine, ...]) -> None:
        """Write log lines, numbered through the file, at the time of the tick before. Raises `OSError`.

        Without a tick so far they are passed over: no moment could show them.
        """
        if self._at == float("-inf"):
            return
        numbered = [msgspec.structs.replace(line, seq=number) for number, line in enumerate(lines, self._log_lines)]
        self._log_lines += len(numbered)
        self._write_frame(_LOGS, self._at, zlib.compress(self._encoder.encode(numbered)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: int, at: float, message: Frame) -> None:
        data = self._compressor.compress(self._encoder.encode(message)) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        self._at = at
        self._write_frame(kind, at, data)

    def _write_frame(self, kind: int, at: float, data: bytes) -> None:
        self._file.write(_HEAD.pack(len(data), at, kind) + data)
        self._file.flush()


class Recording:
    """Reader of a recording as it was when opened.

    Raises `EngineError` for a file that is none, or of another version.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise EngineError(
                f"recording {path} can't be opened ({error.strerror}): give a file made by --record"
            ) from error
        try:
            _check_magic(self._file, path)
        except EngineError:
            self._file.close()
            raise
        heads = list(islice(_read_heads(self._file), MAX_FRAMES + 1))
        self._frames = [head for head in heads if head[3] != _LOGS]
        self._log_frames = [head for head in heads if head[3] == _LOGS]
        self.log_times: Final = list(accumulate((at for _, _, at, _ in self._log_frames), max))
        """Of each frame of log lines, seconds since the epoch."""
        self._read_logs: dict[int, tuple[LogLine, ...]] = {}
        if len(heads) > MAX_FRAMES:
            self._file.close()
            raise EngineError(f"{path} holds more than {MAX_FRAMES:,} frames: damaged, or to be recorded in parts")
        self.times: Final = list(accumulate((at for _, _, at, _ in self._frames), max))
        """Of each frame, seconds since the epoch; a clock that was set back counts as standing still."""
        self.keys: Final = [index for index, (_, _, _, kind) in enumerate(self._frames) if kind == _KEY]
        """Positions of the key frames."""

    @property
    def start(self) -> float:
        """Time of the first frame, seconds since the epoch; 0 when empty."""
        return self.times[0] if self.times else 0.0

    @property
    def end(self) -> float:
        """Time of the last frame, seconds since the epoch; 0 when empty."""
        return self.times[-1] if self.times else 0.0

    def position_at(self, at: float) -> int:
        """Position of the last frame that isn't later than `at`; the first one when all are."""
        return max(0, bisect_right(self.times, at) - 1)

    def key_before(self, position: int) -> int:
        """Position of the key frame that `position` builds on."""
        return self.keys[max(0, bisect_right(self.keys, position) - 1)]

    def frames_from(self, key: int) -> Iterator[Frame]:
        """Decode frames from the key frame at position `key` to the end of what is readable."""
        for data in self.messages_from(key):
            try:
                yield _frame_decoder.decode(data)
            except UNDECODABLE:
                return

    def messages_from(self, key: int) -> Iterator[bytes]:
        """Read the same frames, not decoded."""
        decompressor = zlib.decompressobj()
        for offset, size, _, kind in self._frames[key:]:
            if kind == _KEY:
                decompressor = zlib.decompressobj()
            self._file.seek(offset)
            try:
                yield decompressor.decompress(self._file.read(size), MAX_MESSAGE_BYTES)
            except zlib.error:  # damaged here; what is behind it can't be trusted either
                return

    def log_position_at(self, at: float) -> int:
        """Position of the last frame of log lines that isn't later than `at`; -1 when all are."""
        return bisect_right(self.log_times, at) - 1

    def log_lines(self, position: int) -> tuple[LogLine, ...]:
        """Lines of one frame, oldest first; none when it is damaged."""
        if position not in self._read_logs:
            if len(self._read_logs) >= _KEPT_LOG_FRAMES:
                self._read_logs.pop(next(iter(self._read_logs)))
            self._read_logs[position] = _read_log_lines(self._file, self._log_frames[position])
        return self._read_logs[position]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read_log_lines(file: BinaryIO, head: tuple[int, int, float, int]) -> tuple[LogLine, ...]:
    offset, size, _, _ = head
    file.seek(offset)
    try:
        return _log_decoder.decode(zlib.decompressobj().decompress(file.read(size), MAX_MESSAGE_BYTES))
    except (zlib.error, *UNDECODABLE):
        return ()


def _open_to_append(path: Path) -> tuple[BinaryIO, int]:
    """File at its end, and how many log lines it holds."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    lines = 0
    try:
        if os.fstat(file.fileno()).st_size == 0:
            file.write(_magic_line())
        else:
            _check_magic(file, path)
            end = file.tell()
            last_logs = None
            for head in _read_heads(file):
                end = head[0] + head[1]
                last_logs = head if head[3] == _LOGS else last_logs
            known = _read_log_lines(file, last_logs) if last_logs is not None else ()
            lines = known[-1].seq + 1 if known else 0
            file.truncate(end)  # whatever a killed writer left half written
            file.seek(end)
    except BaseException:
        file.close()
        raise
    return file, lines


def _magic_line() -> bytes:
    return _MAGIC + f"{VERSION}\n".encode()


def _check_magic(file: BinaryIO, path: Path) -> None:
    line = file.readline(len(_MAGIC) + 8)
    if line == _magic_line():
        return
    if line.startswith(_MAGIC):
        theirs = line[len(_MAGIC) :].strip().decode("ascii", "replace")
        raise EngineError(
            f"{path} is a recording of telemetry version {theirs}, this program reads version {VERSION}: use the "
            "release that made it"
        )
    raise EngineError(f"{path} is no recording: expected a file made by --record")


def _read_heads(file: BinaryIO) -> Iterator[tuple[int, int, float, int]]:
    """Offset and size of the data, time and kind of every whole frame from here on."""
    offset = file.tell()
    length = os.fstat(file.fileno()).st_size
    seen_key = False
    while offset + _HEAD.size <= length:
        file.seek(offset)
        size, at, kind = _HEAD.unpack(file.read(_HEAD.size))
        offset += _HEAD.size
        seen_key = seen_key or kind == _KEY
        is_possible = 0 < size <= MAX_MESSAGE_BYTES and kind in (_TICK, _KEY, _LOGS) and seen_key
        if offset + size > length or not is_possible:
            return
        yield offset, size, at, kind
        offset += size
