"""Recording of the published stream: written by the engine, read by a replay.

The file begins with a line that says what it is. Then come frames: an `_HEAD` (bytes that follow, time, kind) and
zlib data. A key frame is a `FullState` and begins a compressed stream of its own; the ticks behind it continue
that stream, so that what hardly changes costs hardly anything. Time is found by key frames, at most a minute apart.
A file whose writer was killed ends somewhere inside a frame: everything before that is good. A recording holds what
was published and nothing else: no arguments, results, payloads or secrets.
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
from engine.telemetry.schema.messages import MAX_MESSAGE_BYTES, VERSION, FullState, Tick
from engine.telemetry.schema.wire import UNDECODABLE

KEY_FRAME_S: Final = 60.0
MAX_FRAMES: Final = 2_000_000
"""Frames of one recording, three weeks of a second each; about 150 bytes of memory a frame."""
_MAGIC: Final = b"scaler-batch recording, telemetry version "
_HEAD: Final = struct.Struct("<IdB")
_TICK: Final = 0
_KEY: Final = 1

Frame = FullState | Tick
_frame_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(FullState | Tick)


class Recorder:
    """Writer that appends to a file (0600); an older recording of the same version is continued.

    Raises `EngineError` for a file that is none. Write errors are `OSError`: what is recorded up to there stays good.
    """

    def __init__(self, path: Path) -> None:
        self._file = _open_to_append(path)
        self._encoder = msgspec.msgpack.Encoder()
        self._compressor = zlib.compressobj()
        self._key_at = float("-inf")

    def record(self, tick: Tick, full_state: Callable[[], FullState]) -> None:
        """Write `tick`, or, once a minute, everything as it is with that tick. Raises `OSError`."""
        at = tick.snapshot.at
        if not self._key_at <= at < self._key_at + KEY_FRAME_S:
            self._key_at = at
            self._compressor = zlib.compressobj()
            self._write(_KEY, at, full_state())
        else:
            self._write(_TICK, at, tick)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: int, at: float, message: Frame) -> None:
        data = self._compressor.compress(self._encoder.encode(message)) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
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
        self._frames = list(islice(_read_heads(self._file), MAX_FRAMES + 1))
        if len(self._frames) > MAX_FRAMES:
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

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open_to_append(path: Path) -> BinaryIO:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        if os.fstat(file.fileno()).st_size == 0:
            file.write(_magic_line())
        else:
            _check_magic(file, path)
            end = file.tell()
            for offset, size, _, _ in _read_heads(file):
                end = offset + size
            file.truncate(end)  # whatever a killed writer left half written
            file.seek(end)
    except BaseException:
        file.close()
        raise
    return file


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
        is_possible = 0 < size <= MAX_MESSAGE_BYTES and kind in (_TICK, _KEY) and seen_key
        if offset + size > length or not is_possible:
            return
        yield offset, size, at, kind
        offset += size
