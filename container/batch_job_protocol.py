"""Contract between the runner and who starts it: exit codes, S3 keys, job parameters, forms of a payload.

The only home of these facts: the runner, the engine, the provisioner and the local AWS import them from here. Pure
functions and constants, stdlib only, Python 3.10+. Images and engines of different releases meet, so that a name, a
number or a form that once was released keeps its meaning.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import re
import stat
import zlib
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zipfile import ZipFile, ZipInfo

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


TEMPLATE: Final = "template"
"""Option: `1` lets a pack's runner fork tasks from a process that has their function loaded."""
SEGMENTS: Final = "segments"
"""Option: `1` lets a pack's runner write results of about a second together, as a segment."""
SEGMENT_RESULTS: Final = 256
"""Results in a segment, and entries that its runner may call until it writes the next one, at the most."""
SEGMENT_RESULT_BYTES: Final = 64 * 1024
"""A larger result goes by itself."""
MAX_SEGMENT_BYTES: Final = 2 * 1024 * 1024
"""A runner begins no further result after half of them, so that no segment is larger."""
_SEGMENT: Final = "(0|[1-9][0-9]{0,6})-(0|[1-9][0-9]{0,2})-([1-9][0-9]{0,6})-([0-9a-f]{16})"
_PROOF_CHARACTERS: Final = 16


class ResultSegment(NamedTuple):
    """Consecutive results of one pack in one object, as its name tells: frames in the order of their entries.

    They are of so many entries of the submission's frame from the place `first` on. Until the runner has written
    another object it calls no entry at the place `until` or later, so that who reads a listing knows how far it came.
    Without `results` (0) it only says that. The `proof` is of who knows the submission's secret: any job of the
    prefix may write at any result's key, and a name that another one made up must not tell that a task was not called.
    """

    first: int
    results: int
    until: int
    proof: str = ""

    @property
    def end(self) -> int:
        """The place behind its last result."""
        return self.first + self.results

    @property
    def name(self) -> str:
        """Name of its object, beside those of single results."""
        return f"{self.first}-{self.results}-{self.until}-{self.proof}"

    def sealed(self, submission_id: str, secret: bytes) -> ResultSegment:
        """The same with its proof."""
        text = f"{submission_id}/{self.first}-{self.results}-{self.until}"
        proof = hmac.digest(secret, text.encode(), "sha256").hex()[:_PROOF_CHARACTERS]
        return self._replace(proof=proof)

    def is_sealed(self, submission_id: str, secret: bytes) -> bool:
        """Whether a job of the submission named it; takes constant time."""
        return hmac.compare_digest(self.proof, self.sealed(submission_id, secret).proof)


def parse_segment(name: str) -> ResultSegment | None:
    """The segment of this name; None for what no runner writes."""
    matched = re.fullmatch(_SEGMENT, name)
    if matched is None:
        return None
    *numbers, proof = matched.groups()
    segment = ResultSegment(*map(int, numbers), proof)
    is_right = segment.results <= SEGMENT_RESULTS and segment.end <= segment.until <= segment.end + SEGMENT_RESULTS
    return segment if is_right else None


def last_segment(segments: Iterable[ResultSegment]) -> ResultSegment | None:
    """The one of a pack's segments whose announcement counts: it ends last, and of two that end there it is nearer."""
    return max(segments, key=lambda one: (one.end, -one.until), default=None)


def segment_key(submission_id: str, segment: ResultSegment) -> str:
    """Key of a segment of a submission's results."""
    return f"{results_prefix(submission_id)}{segment.name}"


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
MAX_CODE_BYTES: Final = 32 * 1024 * 1024
MAX_CODE_FILES: Final = 20_000
_STORED: Final = 0  # zipfile.ZIP_STORED
_CODE_DIGEST: Final = "[0-9a-f]{64}"


class CodeError(ValueError):
    """An archive of code that isn't what was sent. The text is one sentence for a person."""


def checked_code(data: bytes, digest: str) -> ZipFile:
    """The archive of these bytes: small files in folders `0`, `1`, …, stored as they are. Raises `CodeError`.

    Nothing in it is compressed, so that nothing unpacks to more than it has; no name leads out of where it is
    unpacked, and there are no links.
    """
    import zipfile  # few jobs need it

    if len(data) > MAX_CODE_BYTES or hashlib.sha256(data).hexdigest() != digest:
        raise CodeError(f"the code {digest[:12]} was altered ({len(data)} bytes)")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CodeError(f"the code {digest[:12]} is no archive: {error}") from None
    _check_members(archive.infolist(), digest)
    return archive


def _check_members(members: list[ZipInfo], digest: str) -> None:
    names = {one.filename for one in members}
    total = sum(one.file_size for one in members)
    if len(names) < len(members) or len(members) > MAX_CODE_FILES or total > MAX_CODE_BYTES:
        raise CodeError(f"the code {digest[:12]} has {len(members)} files of {total} bytes, or some of them twice")
    wrong = next((one.filename for one in members if not _is_safe(one)), None)
    if wrong is not None:
        raise CodeError(f"the code {digest[:12]} holds {wrong[:200]!r}, which is no plain file inside of it")


def is_code_digest(text: str) -> bool:
    """Whether it can be the value of the option."""
    return re.fullmatch(_CODE_DIGEST, text) is not None


def _is_safe(member: ZipInfo) -> bool:
    parts = member.filename.split("/")
    is_inside = parts[0].isdecimal() and len(parts) > 1 and not any(part in ("", ".", "..") for part in parts)
    is_plain = stat.S_ISREG(member.external_attr >> 16) and not set("\\\0:") & set(member.filename)
    is_stored = member.compress_type == _STORED and member.file_size == member.compress_size
    return is_inside and is_plain and is_stored and not member.flag_bits & 1


# ---- forms of a payload

MAX_INLINE_FRAME: Final = 64 * 1024 * 1024
"""Bytes to which an inline payload may unpack."""


class PayloadFormError(ValueError):
    """A payload parameter that can't be read. The text is one sentence for a person."""


class PayloadForm(str, Enum):
    """Encoding of the payload frame in the payload parameter, by its first characters."""

    PLAIN = "b"  # `b:` and URL-safe base64 of the frame
    GZIP = "z"  # `z:` and URL-safe base64 of the frame's gzip
    BUNDLE = "s3"  # `s3:` and 32 hex digits: the frame lies in S3, under `bundle_name`; only `s3` in release 0.1


BUNDLE_TEXT: Final = PayloadForm.BUNDLE.value
"""The payload parameter with which release 0.1 sent a submission whose frame lies in S3, as `payloads/<its id>`."""
_BUNDLE: Final = f"{BUNDLE_TEXT}(:[0-9a-f]{{32}})?"


def payload_form(text: str) -> PayloadForm:
    """The form of a payload parameter. Raises `PayloadFormError` for one that this release doesn't know."""
    text = text.removeprefix(WITH_CODE)
    prefix, colon, _ = text.partition(":")
    if re.fullmatch(_BUNDLE, text):
        return PayloadForm.BUNDLE
    for form in (PayloadForm.PLAIN, PayloadForm.GZIP):
        if prefix == form.value and colon:
            return form
    raise PayloadFormError(
        f"the payload parameter ({len(text)} characters) has the unknown form {prefix[:8]!r}, expected 'b:', 'z:' or "
        f"{BUNDLE_TEXT!r}: use one release for manager and image"
    )


def to_bundle(token: bytes) -> str:
    """The job parameter text of a frame in S3: `s3:` and the 16 bytes by which its name can't be guessed, in hex."""
    return f"{BUNDLE_TEXT}:{token.hex()}"


def to_inline(frame: bytes) -> str:
    """The frame as job parameter text: `b:` and URL-safe base64."""
    return _inline(PayloadForm.PLAIN, frame)


def to_inline_gzip(frame: bytes) -> str:
    """The frame as job parameter text: `z:` and URL-safe base64 of its gzip (the same bytes each time)."""
    import gzip  # no job needs it

    return _inline(PayloadForm.GZIP, gzip.compress(frame, mtime=0))


def from_inline(text: str) -> bytes:
    """The frame of an inline text; at most `MAX_INLINE_FRAME` bytes come out. Raises `PayloadFormError`."""
    form = payload_form(text)
    if form is PayloadForm.BUNDLE:
        raise PayloadFormError("the payload is no inline text: it lies in S3")
    try:
        data = base64.b64decode(text.partition(":")[2], altchars=b"-_", validate=True)
    except ValueError:
        raise PayloadFormError(f"the inline payload ({len(text)} characters) is no base64") from None
    return _gunzip(data) if form is PayloadForm.GZIP else data


def _inline(form: PayloadForm, data: bytes) -> str:
    return f"{form.value}:{base64.urlsafe_b64encode(data).decode('ascii')}"


def _gunzip(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        frame = decompressor.decompress(data, MAX_INLINE_FRAME + 1)
    except zlib.error:
        raise PayloadFormError(f"the inline payload ({len(data)} bytes) is no gzip") from None
    if len(frame) > MAX_INLINE_FRAME:
        raise PayloadFormError(f"the inline payload unpacks to more than {MAX_INLINE_FRAME} bytes")
    if not decompressor.eof:
        raise PayloadFormError(f"the inline payload ({len(data)} bytes of gzip) ends too early")
    return frame
