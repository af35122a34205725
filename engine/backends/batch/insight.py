"""`BatchInsight`: what people may ask about AWS Batch, answered without ever holding up a task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.aws.caller import AwsCaller
from engine.backends import Description, LogChunk
from engine.backends.batch.request import JobTemplate
from engine.payload_router import TEXT_LIMIT
from engine.telemetry.schema import CallStats, Link, Quota


@dataclass(slots=True, eq=False)
class BatchInsight:
    """Speaks the protocol of `engine.backends`; `template` is known once the manager started."""

    caller: AwsCaller
    template: JobTemplate | None = None
    dedup_saved_bytes: int = 0
    _born: float = field(default_factory=time.time)

    @property
    def inline_limit(self) -> int:
        return TEXT_LIMIT if self.template is None else self.template.inline_limit

    def calls(self) -> tuple[CallStats, ...]:
        return ()

    def quotas(self) -> tuple[Quota, ...]:
        return ()

    def aws_link(self) -> Link:
        reason = self.caller.gate.reason
        return Link("AWS", up=reason is None, since=self._born, detail=reason or self.caller.session.region)

    def looked_at(self) -> None:
        return

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        return Description(note="the job can't be described yet")

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        return LogChunk(token=token, status="waiting: logs can't be read yet")
