"""Operations of AWS's APIs that the manager calls: rates, lanes, time-outs, and what an answer must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from engine.aws import limits
from engine.aws.errors import MalformedAnswer

LEASE_ANSWER_S: Final = 2.0
"""A lease is renewed in time or not at all: whoever waits longer for one answer loses it."""

DELETE_ANSWER_S: Final = 20.0
"""A thousand keys go in some seconds."""

LIST_ANSWER_S: Final = 10.0
"""A page of 1,000 keys comes within a second or two, and every result waits behind a listing that hangs."""


UPLOAD_BYTES_A_S: Final = 256 * limits.KIB
"""The slowest line on which an upload is waited for."""
UPLOAD_ANSWERS_S: Final = (10.0, 40.0, 160.0, 640.0, 2_560.0)
"""Time-outs of uploads: a few, since each has connections of its own."""


def upload_answer_s(size: int) -> float:
    """Seconds that an upload of `size` bytes may take with its answer: Python counts the time of sending as well."""
    needed = UPLOAD_ANSWERS_S[0] + size / UPLOAD_BYTES_A_S
    return next((one for one in UPLOAD_ANSWERS_S if one >= needed), UPLOAD_ANSWERS_S[-1])


class Lane(Enum):
    """Threads that one kind of call has for itself, so that no other kind can keep it waiting."""

    CONTROL = "control"
    """SubmitJob, looks at jobs, listings; packing."""
    RESULTS = "results"
    UPLOADS = "uploads"
    """Payloads, blobs: megabytes over what may be a slow line."""
    URGENT = "urgent"
    """Ends of jobs that somebody waits for."""
    LEASE = "lease"


LANE_THREADS: Final[Mapping[Lane, int]] = {
    Lane.CONTROL: 10,
    Lane.RESULTS: 12,
    Lane.UPLOADS: 6,
    Lane.URGENT: 4,
    Lane.LEASE: 3,
}
CONNECTIONS: Final = sum(LANE_THREADS.values())


@dataclass(frozen=True, slots=True)
class Operation:
    """Operation of an AWS API: its service and method, calls a second, and what it does when it is sent twice."""

    name: str
    service: str
    method: str
    rate: float
    burst: float
    repeatable: bool = True
    guarded: bool = False
    """It changes something that only the owner of the lease may change."""
    lane: Lane = Lane.CONTROL
    required: tuple[str, ...] = ()
    """Members that each answer of AWS's has: one without them comes from something else, or is damaged."""
    answer_s: float | None = None
    """Seconds that an answer may take; None: as long as the session allows, of an upload as long as its size needs."""
    patient: bool = True
    """A refusal after a success may pass. Not so where each object may have a right of its own."""
    alike: bool = False
    """Its requests differ in ids at most: what AWS, or a proxy, says no to after a success is no fault of theirs."""

    @property
    def api(self) -> str:
        """AWS's own name of the operation: `SubmitJob` of `submit_job`."""
        return "".join(map(str.capitalize, self.method.split("_")))


SUBMIT_JOB: Final = Operation(
    "SubmitJob",
    "batch",
    "submit_job",
    limits.SUBMIT_JOB_RATE * 0.9,
    20,
    repeatable=False,
    guarded=True,
    required=("jobId",),
)
TERMINATE_JOB: Final = Operation("TerminateJob", "batch", "terminate_job", 45, 20, guarded=True, lane=Lane.URGENT)
TERMINATE_JOBS: Final = Operation(
    "TerminateJobs",
    "batch",
    "terminate_jobs",
    45,
    20,
    guarded=True,
    lane=Lane.URGENT,
    required=("successful", "errors"),
    patient=False,  # TerminateJob is asked in its place, and waits
)
DESCRIBE_JOBS: Final = Operation("DescribeJobs", "batch", "describe_jobs", 20, 20, required=("jobs",), alike=True)
LIST_JOBS: Final = Operation("ListJobs", "batch", "list_jobs", 10, 10, required=("jobSummaryList",), alike=True)
DESCRIBE_QUEUES: Final = Operation("DescribeJobQueues", "batch", "describe_job_queues", 5, 5, required=("jobQueues",))
DESCRIBE_ENVIRONMENTS: Final = Operation(
    "DescribeComputeEnvironments", "batch", "describe_compute_environments", 5, 5, required=("computeEnvironments",)
)
DESCRIBE_DEFINITIONS: Final = Operation(
    "DescribeJobDefinitions", "batch", "describe_job_definitions", 5, 5, required=("jobDefinitions",)
)
GET_OBJECT: Final = Operation(
    "GetObject", "s3", "get_object", limits.S3_READ_RATE / 2, 500, lane=Lane.RESULTS, patient=False
)
"""Of a result, which a job wrote."""
GET_PAYLOAD: Final = replace(GET_OBJECT, patient=True)
"""Of what a manager wrote itself: it was readable."""
LIST_OBJECTS: Final = Operation("ListObjectsV2", "s3", "list_objects_v2", 50, 50, answer_s=LIST_ANSWER_S, alike=True)
PUT_OBJECT: Final = Operation(
    "PutObject",
    "s3",
    "put_object",
    limits.S3_WRITE_RATE / 4,
    100,
    guarded=True,
    lane=Lane.UPLOADS,
    required=("ETag",),
)
DELETE_OBJECTS: Final = Operation(
    "DeleteObjects", "s3", "delete_objects", 20, 20, guarded=True, answer_s=DELETE_ANSWER_S
)
GET_LEASE: Final = Operation(
    "GetLease",
    "s3",
    "get_object",
    10,
    10,
    lane=Lane.LEASE,
    required=("ETag", "LastModified"),
    answer_s=LEASE_ANSWER_S,
)
PUT_LEASE: Final = Operation(
    "PutLease", "s3", "put_object", 10, 10, lane=Lane.LEASE, required=("ETag",), answer_s=LEASE_ANSWER_S
)
DELETE_LEASE: Final = Operation("DeleteLease", "s3", "delete_object", 10, 10, lane=Lane.LEASE, answer_s=LEASE_ANSWER_S)
GET_LOG_EVENTS: Final = Operation(
    "GetLogEvents", "logs", "get_log_events", limits.LOG_EVENTS_RATE / 2, 5, required=("events",)
)
GET_SERVICE_QUOTA: Final = Operation(
    "GetServiceQuota", "service-quotas", "get_service_quota", 1, 5, required=("Quota",)
)
DESCRIBE_INSTANCE_TYPES: Final = Operation(
    "DescribeInstanceTypes", "ec2", "describe_instance_types", 1, 10, required=("InstanceTypes",)
)
DESCRIBE_SPOT_PRICES: Final = Operation(
    "DescribeSpotPriceHistory", "ec2", "describe_spot_price_history", 1, 10, required=("SpotPriceHistory",)
)
GET_PRODUCTS: Final = Operation("GetProducts", "pricing", "get_products", 1, 10, required=("PriceList",))
OUR_APIS: Final = frozenset(
    each.api
    for each in (
        *(SUBMIT_JOB, TERMINATE_JOB, TERMINATE_JOBS, DESCRIBE_JOBS, LIST_JOBS),
        *(DESCRIBE_QUEUES, DESCRIBE_ENVIRONMENTS, DESCRIBE_DEFINITIONS),
        *(GET_OBJECT, LIST_OBJECTS, PUT_OBJECT, DELETE_OBJECTS, GET_LEASE, PUT_LEASE, DELETE_LEASE),
        *(GET_LOG_EVENTS, GET_SERVICE_QUOTA),
        *(DESCRIBE_INSTANCE_TYPES, DESCRIBE_SPOT_PRICES, GET_PRODUCTS),
    )
)
"""An error of any other operation comes from fetching credentials for one of these."""


def check_answer(operation: Operation, answer: Mapping[str, Any]) -> None:
    """Raise `MalformedAnswer` for what AWS can't have answered."""
    missing = [name for name in operation.required if answer.get(name) is None]
    if missing:
        raise MalformedAnswer(f"without {', '.join(missing)}")
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    is_html = headers.get("content-type", "").partition(";")[0] == "text/html"
    if is_html and headers.get("content-length") != "0":
        raise MalformedAnswer("a page of HTML")
