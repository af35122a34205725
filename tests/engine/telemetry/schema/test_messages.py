"""Names on the wire and in `--json`: other releases and users' scripts read them, so no rename may reach them."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import LogStatus, Quota
from engine.telemetry.schema.messages import EngineVitals, GetJobPage, JobPage, LogPage, Snapshot
from tests.support.engine.telemetry_samples import NOW, VITALS


@pytest.mark.parametrize(("message", "tag"), [(GetJobPage(), "GetWindow"), (JobPage((), 0, 0, NOW), "Window")])
def test_renamed_messages_keep_their_tags(message: msgspec.Struct, tag: str) -> None:
    assert msgspec.to_builtins(message)["type"] == tag


def test_renamed_fields_keep_their_keys() -> None:
    assert msgspec.to_builtins(msgspec.structs.replace(VITALS, viewers=3))["lookers"] == 3
    assert msgspec.to_builtins(Snapshot(NOW, (), VITALS, 0, paged=True))["windowed"] is True


def test_what_an_older_release_sends_is_read() -> None:
    vitals = msgspec.to_builtins(VITALS) | {"lookers": 2}
    assert msgspec.convert(vitals, EngineVitals).viewers == 2
    page = msgspec.to_builtins(LogPage("w", (), -1, 0, None, 0, "denied: grant it"))
    del page["kind"]
    assert msgspec.convert(page, LogPage).kind is LogStatus.WAITING
    quota = msgspec.to_builtins(Quota("SubmitJob", 1.0, 50.0, "/s", "fixed by AWS", NOW))
    del quota["id"]
    assert msgspec.convert(quota, Quota).id == ""
