"""The faults that can be switched on: one class each, with its short form for `--fault`.

A string is `KIND:WORD:WORD…`: the kind is the class's tag, and the words fill the fields that `words` names, in their
order. `throttle:SubmitJob:2/s:30s` is `Throttle(api="SubmitJob", rate=2, seconds=30)`.

- API is an operation (SubmitJob), a service (s3, batch, iam), both (iam.CreateRole) or `*`; PROBABILITY is from 0 to 1.
- Each string may end in `:xN` (strikes at most N times) and `:match=GLOB` (job name, or S3 key); those of calls also in
  `:after=N` (the first N calls pass), so that `lost:iam.CreateRole:after=2:x1` strikes just the third.

A new fault is a class here (`KINDS` finds it) and the place where it strikes: of calls `fault_injector.py` and
`http/gateway.py`, of jobs `batch/jobs/lifecycle.py`, of results `s3/s3.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Union

import msgspec

from engine.errors import ConfigError
from provisioner.local.faults.passing import RefusalName, gives

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Status = Annotated[int, msgspec.Meta(ge=400, le=599)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """A fault. `count` bounds how often it strikes; `match` is a glob on the job's name or the S3 key."""

    words: ClassVar[Sequence[str]] = ()
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    match: str = "*"


class CallFault(Fault, frozen=True, kw_only=True):
    """A fault of calls. `seconds` is how long it stays; None for as long as it is not switched off.

    `after` is how many of the calls that it concerns pass before it strikes.
    """

    api: str = "*"
    seconds: Seconds | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class Throttle(CallFault, frozen=True, kw_only=True, tag="throttle"):
    """Calls beyond `rate` a second are refused: 429 TooManyRequestsException, S3 503 SlowDown."""

    words = ("api", "rate", "seconds")
    rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class ServerError(CallFault, frozen=True, kw_only=True, tag="error"):
    """The call is refused before it is accepted, with the HTTP status `status`."""

    words = ("api", "status", "seconds")
    status: Status = 503


class MomentaryRefusal(CallFault, frozen=True, kw_only=True, tag="refuse"):
    """The call is refused for a moment, as AWS does until all of it knows what was made or deleted, in its words."""

    words = ("api", "code", "seconds")
    code: RefusalName = RefusalName.OPERATION_ABORTED


class Lost(CallFault, frozen=True, kw_only=True, tag="lost"):
    """The connection is cut before anything is done."""

    words = ("api", "seconds")


class Ambiguous(CallFault, frozen=True, kw_only=True, tag="ambiguous"):
    """The call is carried out, then answered with the HTTP status `status`; without one the connection is cut."""

    words = ("api", "status", "seconds")
    status: Status | None = None


class Slow(CallFault, frozen=True, kw_only=True, tag="slow"):
    """The call is carried out `delay` seconds late, and its caller waits: a slow line, or with more of them a hang."""

    words = ("api", "delay", "seconds")
    delay: Seconds = 2.0


class KillBefore(CallFault, frozen=True, kw_only=True, tag="kill-before"):
    """The job whose runner makes the call is killed before anything is done: SIGKILL, exit code 137."""

    words = ("api",)


class KillAfter(CallFault, frozen=True, kw_only=True, tag="kill-after"):
    """The call is carried out, and the job whose runner made it is killed before it hears of that."""

    words = ("api",)


class ExpiredCredentials(CallFault, frozen=True, kw_only=True, tag="expired-credentials"):
    """ExpiredToken for every caller but the jobs themselves."""

    words = ("seconds",)


class ChanceFault(Fault, frozen=True, kw_only=True):
    """A fault of jobs or results, each of which it strikes with `probability`."""

    words: ClassVar[Sequence[str]] = ("probability",)
    probability: Probability = 1.0


class Spot(ChanceFault, frozen=True, kw_only=True, tag="spot"):
    """The host is reclaimed under the running job."""


class OutOfMemory(ChanceFault, frozen=True, kw_only=True, tag="oom"):
    """The container is killed for its memory."""


class KillJob(ChanceFault, frozen=True, kw_only=True, tag="kill"):
    """The running job is killed by somebody on its host: SIGKILL, exit code 137, and no reason."""


class NoCapacity(ChanceFault, frozen=True, kw_only=True, tag="no-capacity"):
    """No instance can be had: the head of the queue stays RUNNABLE and says so; tried again each second."""


class StartFailure(ChanceFault, frozen=True, kw_only=True, tag="start-failure"):
    """The image can't be pulled; the job never starts."""


class Vanish(ChanceFault, frozen=True, kw_only=True, tag="vanish"):
    """Batch forgets the job at once; it never runs."""


class VanishFinished(ChanceFault, frozen=True, kw_only=True, tag="vanish-finished"):
    """Batch forgets the job the moment it ends."""


class DropResult(ChanceFault, frozen=True, kw_only=True, tag="drop-result"):
    """The PUT of a result is answered, and the object is not there."""


class TruncateResult(ChanceFault, frozen=True, kw_only=True, tag="truncate-result"):
    """Half of the result is stored."""


class CorruptResult(ChanceFault, frozen=True, kw_only=True, tag="corrupt-result"):
    """A byte of the result is altered."""


class IgnoreConditions(ChanceFault, frozen=True, kw_only=True, tag="ignore-conditions"):
    """S3 writes whatever If-Match and If-None-Match say, as stores do that only look like S3."""


class OpenMetadata(ChanceFault, frozen=True, kw_only=True, tag="open-metadata"):
    """The instance's metadata, its role's credentials among it, answers in jobs."""


class LateResult(ChanceFault, frozen=True, kw_only=True, tag="late-result"):
    """The result is visible only after `seconds`."""

    words = ("probability", "seconds")
    seconds: Seconds = 2.0


class Lag(Fault, frozen=True, kw_only=True, tag="lag"):
    """Batch shows a job as it was up to `seconds` ago: in ListJobs, in a list of children, in a statusSummary.

    Each of the three lags by a time of its own, which is the same at every look: what one shows, another may not yet.
    """

    words = ("seconds",)
    seconds: Seconds = 5.0


KINDS: Final[Mapping[str, type[Fault]]] = {
    str(kind.__struct_config__.tag): kind for base in (CallFault, ChanceFault) for kind in base.__subclasses__()
} | {"lag": Lag}
"""The classes above by the word with which their strings begin."""
COUNT: Final = re.compile(r"x(\d+)")


def seconds(word: str) -> float:
    """Read `30s` or `30`."""
    return float(word.removesuffix("s"))


def rate(word: str) -> float:
    """Read `2/s` or `2`, in calls a second."""
    return float(word.removesuffix("/s"))


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "api": str,
    "code": str,
    "rate": rate,
    "status": int,
    "seconds": seconds,
    "delay": seconds,
    "probability": float,
}


class FaultSyntaxError(ConfigError):
    """A fault's string can't be read; the text says what was expected."""


def parse_fault(text: str) -> Fault:
    """The fault that the string names. Raises `FaultSyntaxError`."""
    name, *words = text.split(":")
    kind = KINDS.get(name)
    if kind is None:
        raise FaultSyntaxError(f"fault {text!r}: the kind must be one of {', '.join(KINDS)}.")
    try:
        return fault_from_json({"kind": name, **options_of(words, kind.words)})
    except ValueError as error:
        form = ":".join((name, *(word.upper() for word in kind.words)))
        raise FaultSyntaxError(f"fault {text!r}: expected {form}[:xN][:match=GLOB][:after=N] ({error}).") from error


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """The fault of a JSON object with its `kind`. Raises `ValueError` (msgspec's) saying which field is wrong."""
    fault: Fault = msgspec.convert(value, Union[tuple(KINDS.values())])  # noqa: UP007  # made of a table
    if isinstance(fault, MomentaryRefusal) and not gives(fault.api, fault.code):
        raise ValueError(f"{fault.api} never answers {fault.code}")
    return fault


def options_of(words: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """The fields that the words of a string give; `names` are those without a prefix. Raises `ValueError`."""
    found: dict[str, Any] = {}
    rest = list(names)
    for word in words:
        count = COUNT.fullmatch(word)
        if count:
            found["count"] = int(count[1])
        elif word.startswith("match="):
            found["match"] = word.removeprefix("match=")
        elif word.startswith("after="):
            found["after"] = int(word.removeprefix("after="))
        elif rest:
            name = rest.pop(0)
            found[name] = READ[name](word)
        else:
            raise ValueError(f"{word!r} is one word too many")
    return found
