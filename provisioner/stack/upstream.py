"""Stack that Scaler's own provisioner saved: another program's file of the same name, with one flat record.

`scaler.worker_manager.proxy.aws_batch.tools.provision_infrastructure` of Scaler 2.9 writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

MARK: Final = "aws_region"
"""Key that each such record has, and none of our entries is called."""


class UpstreamStack(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of the record to find its resources; the record itself is kept as it was."""

    region: str = msgspec.field(name="aws_region")
    prefix: str
    account: str = msgspec.field(name="aws_account_id", default="")
    s3_bucket: str = ""
    job_queue_name: str = ""
    job_definition_name: str = ""
    record: dict[str, object] = msgspec.field(default_factory=dict)
    """All of it, by Scaler's own keys."""

    def is_of(self, account: str, region: str, prefix: str) -> bool:
        """True for the stack of that place and prefix; older files don't name the account."""
        return (self.region, self.prefix) == (region, prefix) and self.account in ("", account)

    @property
    def variables(self) -> dict[str, str]:
        """Variables of the env file, which are the same as ours."""
        return {
            "SCALER_AWS_REGION": self.region,
            "SCALER_S3_BUCKET": self.s3_bucket,
            "SCALER_JOB_QUEUE": self.job_queue_name,
            "SCALER_JOB_DEFINITION": self.job_definition_name,
        }


def upstream_of(record: Mapping[str, msgspec.Raw]) -> UpstreamStack | None:
    """Stack of a record; None when it is none of Scaler's. Raises `msgspec.DecodeError` for one that can't be read."""
    if MARK not in record:
        return None
    plain = {key: msgspec.json.decode(text) for key, text in record.items()}
    return msgspec.structs.replace(msgspec.convert(plain, UpstreamStack), record=plain)
