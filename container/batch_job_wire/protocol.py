"""Contract between the runner and who starts it: exit codes, S3 keys, job parameters and options.

The only home of these facts: the runner, the engine, the provisioner and the local AWS import them from here. Pure
functions and constants, stdlib only, Python 3.10+; what the tasks of a pack are forked from has this module,
so it takes little. Images and engines of different releases meet, so that a name or a number that once was released
keeps its meaning.
"""

from __future__ import annotations

import re
from enum import Enum, IntEnum
from typing import Final

# ---- exit codes of the runner

MORE_MEMORY: Final = (
    "give it more: `memory` among the task's capabilities, in MiB, or for all tasks a larger `--memory` of "
    "`scaler-batch provision`"
)
"""What a task that needed more memory than its job has is told."""


class RunnerExit(IntEnum):
    """Exit codes of the runner, which AWS Batch's retry rules and the manager read."""

    DONE = 0  # the result is written (or the submission was fenced: another one does the work); a pack's: all are
    FUNCTION_FAILED = 1  # the function failed: its exception, or how its process ended, is written
    UNLOADABLE = 2  # the task can't be loaded here (wrong Python, missing module); written, if the task is known
    TRY_AGAIN = 75  # the function was not called, another attempt may fare better: S3 unreachable, throttled; SIGTERM
    REFUSED = 76  # the function was not called, S3 refuses for good: access denied, no such bucket, no credentials
    UNWRITTEN = 77  # the function was called, and S3 refuses its result for good
    TERMINATED = 143  # SIGTERM ended the function; nothing is written: AWS Batch knows why, and may start it again


RESULT_WRITTEN: Final = frozenset((RunnerExit.DONE, RunnerExit.FUNCTION_FAILED, RunnerExit.UNLOADABLE))
"""Codes with which the runner ends only after the result was written."""

# ---- names of the Scaler clients that are made inside a job

NESTING: Final = "job-"
"""A client inside a job is called `job-<task id in hex>`; in its identity the name stands between two bars."""

_NESTED_CLIENT: Final = rb"Client\|job-([0-9a-f]{32})\|"


def nested_client_name(task_id: bytes) -> str:
    """The name of a client that is made by this task (16 bytes)."""
    return f"{NESTING}{task_id.hex()}"


def nesting_task(client_id: bytes) -> bytes | None:
    """The id of the task whose job made this client; None: it was made elsewhere."""
    found = re.match(_NESTED_CLIENT, client_id)
    return None if found is None else bytes.fromhex(found[1].decode())


# ---- S3 keys, below `<s3_prefix>/<worker-manager id>/`

OBJECTS: Final = "objects"
"""Folder of the blobs that submissions share, by content hash."""
PAYLOADS: Final = "payloads"
"""Folder of the bundles: the payload frames that don't travel inline."""
RESULTS: Final = "results"
"""Folder of the result frames, a folder a submission."""
FENCE: Final = "fence"
"""Folder of the fences: a submission that has one was replaced by another, and its jobs do nothing.

In the folder of a submission below it lie the marks of those of its tasks that were cancelled."""
LEASE: Final = "lease"
"""Key of the object whose owner is the one living manager of this id."""
RUNNER_FOLDERS: Final = (OBJECTS, PAYLOADS, RESULTS, FENCE)
"""What the runner reads: results, too, because it asks whether its own exists."""
RESULT_NAME, FENCE_NAME = f"{RESULTS}/{'?' * 32}/{'?' * 32}", f"{FENCE}/{'?' * 32}"
MARK_NAME: Final = f"{FENCE_NAME}/{'?' * 32}"
"""Patterns of the keys that the runner asks for when they may be missing; each `?` is one hex digit."""
RESULTS_LISTED, MARKS_LISTED = f"{RESULTS}/{'?' * 32}/", f"{FENCE_NAME}/"
"""Patterns of the prefixes that the runner lists: results and marks of one submission, whose id it has to know."""


def blob_key(digest: str) -> str:
    """Key of a shared blob; `digest` is the sha256 of its bytes in hex."""
    return f"{OBJECTS}/{digest}"


def bundle_name(submission_id: str, text: str) -> str:
    """Name of a submission's bundle; `text` is the payload parameter, which holds what can't be guessed of it."""
    _, _, token = text.partition(":")
    return f"{submission_id}-{token}" if token else submission_id


def bundle_owner(name: str) -> str:
    """The submission id in the name of a bundle."""
    return name.partition("-")[0]


def payload_key(name: str) -> str:
    """Key of the bundle of this name."""
    return f"{PAYLOADS}/{name}"


def loggable(key: str) -> str:
    """The key without what can't be guessed of a bundle's name."""
    return key.partition("-")[0]


def fence_key(submission_id: str) -> str:
    """Key of the fence before a submission."""
    return f"{FENCE}/{submission_id}"


def mark_key(submission_id: str, task_id: bytes) -> str:
    """Key of the mark of one cancelled task: a pack's runner that finds it never starts the task."""
    return f"{marks_prefix(submission_id)}{task_id.hex()}"


def marks_prefix(submission_id: str) -> str:
    """What the keys of a submission's marks begin with."""
    return f"{FENCE}/{submission_id}/"


def result_key(submission_id: str, task_id: bytes) -> str:
    """Key of one task's result."""
    return f"{results_prefix(submission_id)}{task_id.hex()}"


def results_prefix(submission_id: str) -> str:
    """What the keys of a submission's results begin with."""
    return f"{RESULTS}/{submission_id}/"


# ---- parameters of a job

REFERENCE: Final = "Ref::"
"""Prefix of the words by which a job definition's command takes the values of parameters.

https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html#parameters
"""
NOT_GIVEN: Final = "none"
"""The parameters' default in the job definition; AWS Batch takes no empty ones."""


class JobParameter(str, Enum):
    """A parameter of SubmitJob that the runner's command line takes."""

    STORE = "store"  # s3://<bucket>/<prefix>, below which all keys lie
    SUBMISSION = "submission"  # the submission's id
    PAYLOAD = "payload"  # the payload frame in one of the forms of `PayloadForm`
    OPTIONS = "options"  # `name=value` pairs between semicolons; unknown ones are left alone

    @property
    def flag(self) -> str:
        """The runner's argument, like `--store`."""
        return f"--{self.value}"

    @property
    def reference(self) -> str:
        """The word of a job definition's command that stands for the value, like `Ref::store`."""
        return f"{REFERENCE}{self.value}"


PARAMETER_DEFAULTS: Final = {parameter.value: NOT_GIVEN for parameter in JobParameter}
"""The job definition's `parameters`."""
COMMAND: Final = tuple(word for parameter in JobParameter for word in (parameter.flag, parameter.reference))
"""The job definition's `command`: the image's entry point is the runner, so these are its arguments."""


def job_options(text: str) -> dict[str, str]:
    """The pairs of an options parameter; what is no pair is left alone."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {key.strip(): value.strip() for key, _, value in pairs}


PACK: Final = "pack"
"""Option: how many tasks the job runs, one after the other, or as many at once as it has lanes."""
PARALLEL: Final = "parallel"
"""Option: how many of a pack's tasks the job runs at once. A runner that doesn't know it runs them one by one."""


TEMPLATE: Final = "template"
"""Option: `1` lets a pack's runner fork tasks from a process that has their function loaded."""
SEGMENTS: Final = "segments"
"""Option: `1` lets a pack's runner write results of about a second together, as a segment."""


def pack_of(text: str) -> int:
    """How many tasks a job with these options runs; 1 without the option, or with one that is no such number."""
    return _count(text, PACK)


def parallel_of(text: str) -> int:
    """How many of them it runs at once at the most; 1 without the option, or with one that is no such number."""
    return min(_count(text, PARALLEL), pack_of(text))


def _count(text: str, option: str) -> int:
    count = job_options(text).get(option, "")
    return max(1, int(count)) if count.isascii() and count.isdigit() and len(count) < 10 else 1


# ---- code of the user's own, which a job has besides its image

CODE: Final = "code"
"""Option: the sha256 in hex of the archive, which lies at `blob_key`."""
WITH_CODE: Final = "code+"
"""Before the payload of a job that has the option: an image that doesn't know it must not run the task without."""
_CODE_DIGEST: Final = "[0-9a-f]{64}"


def is_code_digest(text: str) -> bool:
    """Whether it can be the value of the option."""
    return re.fullmatch(_CODE_DIGEST, text) is not None
