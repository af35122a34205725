"""Names that are contracts: Batch job names, and the layout of S3. Both are parsed back exactly."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from container.batch_job_wire import protocol
from container.batch_job_wire.result_segments import ResultSegment, parse_segment, segment_key

_HEX32: Final = "[0-9a-f]{32}"


class JobKind(StrEnum):
    """The letter in a job's name."""

    SINGLE = "t"
    ARRAY = "a"


@dataclass(frozen=True, slots=True)
class ParsedName:
    """`hex_id` is the task id of a single job, the submission id of an array."""

    kind: JobKind
    hex_id: str


def job_name(manager_id: str, kind: JobKind, hex_id: str) -> str:
    """Make `<manager id>_t<task id>` or `<manager id>_a<submission id>`; 98 of Batch's 128 characters at most."""
    return f"{manager_id}_{kind.value}{hex_id}"


def parse_job_name(manager_id: str, name: str) -> ParsedName | None:
    """Parse the name of a job of this manager; None for others, also those of a manager whose id starts alike."""
    matched = re.fullmatch(f"{re.escape(manager_id)}_([ta])({_HEX32})", name)
    return ParsedName(JobKind(matched[1]), matched[2]) if matched else None


def new_submission_id(epoch_s: float, random_bits: Callable[[int], int]) -> str:
    """Make an id of 32 hex digits, milliseconds first.

    Later ids sort later, so that a listing of results can start behind finished ones.
    """
    return f"{int(epoch_s * 1000) & (1 << 48) - 1:012x}{random_bits(80):020x}"


def is_submission_id(text: str) -> bool:
    """Tell whether `text` is an id of this form: what is none was made by nobody of ours."""
    return re.fullmatch(_HEX32, text) is not None


def submitted_at(submission_id: str) -> float:
    """Read when the id was made, seconds since the epoch; 0.0 for what is none."""
    return int(submission_id[:12], 16) / 1000 if is_submission_id(submission_id) else 0.0


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The keys below `<s3_prefix>/<worker-manager id>/`; nothing outside of it is ever touched."""

    bucket: str
    s3_prefix: str
    manager_id: str

    @property
    def root(self) -> str:
        """Prefix of every key of this manager, without a slash at its end."""
        return f"{self.s3_prefix}/{self.manager_id}"

    @property
    def uri(self) -> str:
        """Address of the layout's root, the runner's `store` parameter."""
        return f"s3://{self.bucket}/{self.root}"

    @property
    def lease(self) -> str:
        """Key of the lease object."""
        return f"{self.root}/{protocol.LEASE}"

    @property
    def results(self) -> str:
        """Prefix of all results, with a slash at its end."""
        return f"{self.root}/{protocol.RESULTS}/"

    def blob(self, digest: str) -> str:
        """Key of a shared blob, by its sha256."""
        return f"{self.root}/{protocol.blob_key(digest)}"

    def payload(self, name: str) -> str:
        """Key of the bundle of this name."""
        return f"{self.root}/{protocol.payload_key(name)}"

    def fence(self, submission_id: str) -> str:
        """Key of a submission's fence."""
        return f"{self.root}/{protocol.fence_key(submission_id)}"

    def mark(self, submission_id: str, task_id: bytes) -> str:
        """Key of the mark of a task that shall not be started."""
        return f"{self.root}/{protocol.mark_key(submission_id, task_id)}"

    def result(self, submission_id: str, task_id: bytes) -> str:
        """Key of a task's result."""
        return f"{self.root}/{protocol.result_key(submission_id, task_id)}"

    def parse_payload(self, key: str) -> str | None:
        """Parse the name out of a bundle's key; None for what isn't one."""
        name = key.removeprefix(f"{self.root}/{protocol.PAYLOADS}/")
        return name if re.fullmatch(f"{_HEX32}(-{_HEX32})?", name) else None

    def segment(self, submission_id: str, segment: ResultSegment) -> str:
        """Key of several results of a pack."""
        return f"{self.root}/{segment_key(submission_id, segment)}"

    def parse_result(self, key: str) -> tuple[str, bytes | ResultSegment] | None:
        """Parse submission id, and task id or segment, out of a result's key; None for what isn't one."""
        submission_id, _, name = key.removeprefix(self.results).partition("/")
        if not is_submission_id(submission_id):
            return None
        found = bytes.fromhex(name) if re.fullmatch(_HEX32, name) else parse_segment(name)
        return None if found is None else (submission_id, found)
