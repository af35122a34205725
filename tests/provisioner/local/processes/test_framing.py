"""Messages between the local AWS and its fork server arrive as they were sent, however the socket cuts them."""

from __future__ import annotations

import pytest

from provisioner.local.processes.fork_server.framing import (
    Exited,
    Kill,
    Message,
    MessageReader,
    ProgramSettings,
    Ready,
    Start,
    Started,
    encode,
)

MESSAGES: list[Message] = [
    Ready(7),
    Start("job:1", ["a", "ü\n"], {"NAME": "value", "ODD": "\udcff"}, 1 << 30),
    Started("job:1", 8),
    Kill("job:1", 15, True),
    Exited("job:1", 137, True),
]


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_messages_arrive_as_they_were_sent(size: int) -> None:
    stream = b"".join(map(encode, MESSAGES))
    reader = MessageReader()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [message for chunk in chunks for message in reader.feed(chunk)] == MESSAGES


def test_settings_travel_as_a_word() -> None:
    settings = ProgramSettings(
        program="/a/b.py:main", region="us-east-1", work_dir="/w", root="/root", python_path=["/one", "/ü"]
    )
    assert ProgramSettings.from_json(settings.to_json()) == settings
