"""Documented limits and rates of AWS that the engine builds on, each with its source. Sizes in bytes unless said."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
SUBMIT_JOB_REQUEST_LIMIT: Final = 30 * KIB
"""SubmitJob refuses a request of this size or more ("Job size must be less than 30 KiB")."""
INLINE_TEXT_LIMIT: Final = 28 * KIB
"""The seed's: characters of an encoded payload inside SubmitJob, so that the rest of the request fits, too."""
SUBMIT_JOB_RATE: Final = 50.0
"""SubmitJob calls a second, per account and region; it can't be raised."""
SCHEDULING_PRIORITY_MAX: Final = 9_999
"""Of a job within its share, from 0 on; higher goes first."""
ARRAY_SIZE_MIN: Final = 2
ARRAY_SIZE_MAX: Final = 10_000

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html: counted with the JSON
# around it, after `Ref::` parameters were put into the command.
ECS_OVERRIDES_LIMIT: Final = 8_192
"""Characters of a job's container overrides on ECS-backed compute environments."""
ECS_OVERRIDES_REASON: Final = "Container Overrides length must be at most"
"""Start of the status reason of a job that went past `ECS_OVERRIDES_LIMIT`."""

# https://docs.aws.amazon.com/batch/latest/APIReference/
DESCRIBE_JOBS_IDS: Final = 100
LIST_JOBS_PAGE: Final = 1_000
"""ListJobs with `jobStatus`; with filters it gives 100 a page."""
TERMINATE_JOBS_IDS: Final = 50
JOB_TIMEOUT_MIN_S: Final = 60
TERMINATION_GRACE_S: Final = 30.0
"""Seconds from SIGTERM to SIGKILL when a job is terminated or times out."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/
S3_LIST_PAGE: Final = 1_000
S3_DELETE_KEYS: Final = 1_000
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html, a partitioned prefix
S3_READ_RATE: Final = 5_500.0
S3_WRITE_RATE: Final = 3_500.0

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: GetLogEvents
LOG_EVENTS_RATE: Final = 10.0
DEFAULT_LOG_GROUP: Final = "/aws/batch/job"
DIRECTORY_BUCKET: Final = "--x-s3"
"""End of the name of each directory bucket, and of no other.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
"""
