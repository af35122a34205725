"""The faults that can be switched on: what each is, and its short form for `--fault`.

| string | what happens |
|---|---|
| throttle:API:RATE/s[:30s] | calls beyond RATE a second are refused: 429 TooManyRequestsException, S3 503 SlowDown |
| error:API:STATUS[:30s] | refused before it is accepted, with that HTTP status |
| lost:API[:30s] | the connection is cut before anything is done |
| ambiguous:API[:STATUS] | carried out, then answered with STATUS; without one the connection is cut |
| expired-credentials[:30s] | ExpiredToken for everybody but the jobs themselves |
| spot:P | the host is reclaimed under the running job |
| oom:P | the container is killed for its memory |
| no-capacity:P | no instance can be had: the head of the queue stays RUNNABLE and says so; tried again each second |
| start-failure:P | the image can't be pulled; the job never starts |
| vanish:P | Batch forgets the job at once; it never runs |
| vanish-finished:P | Batch forgets the job the moment it ends |
| drop-result:P | the PUT of a result is answered, and the object is not there |
| truncate-result:P, corrupt-result:P | half of the result is stored; a byte of it is altered |
| late-result:P:2s | the result is visible only after that time |

API is an operation (SubmitJob), a service (s3, batch, iam), both (iam.CreateRole) or `*`. P is a probability from 0
to 1. Each may end in `:xN` (at most N times) and `:match=GLOB` (job name, or S3 key); those of calls also in `:after=N`
(the first N calls pass), so that `lost:iam.CreateRole:after=2:x1` strikes just the third.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from engine.errors import ConfigError

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Status = Annotated[int, msgspec.Meta(ge=400, le=599)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """count bounds how often it strikes; match is a glob on the job's name or the S3 key."""

    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    match: str = "*"


class CallFault(Fault, frozen=True, kw_only=True):
    """A fault of calls. seconds is how long it stays; None for as long as it is not switched off.

    after is how many of the calls that it concerns pass before it strikes.
    """

    api: str = "*"
    seconds: Seconds | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0


class Throttle(CallFault, frozen=True, kw_only=True, tag="throttle"):
    rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class ServerError(CallFault, frozen=True, kw_only=True, tag="error"):
    status: Status = 503


class Lost(CallFault, frozen=True, kw_only=True, tag="lost"):
    pass


class Ambiguous(CallFault, frozen=True, kw_only=True, tag="ambiguous"):
    status: Status | None = None


class ExpiredCredentials(CallFault, frozen=True, kw_only=True, tag="expired-credentials"):
    pass


class ChanceFault(Fault, frozen=True, kw_only=True):
    probability: Probability = 1.0


class Spot(ChanceFault, frozen=True, kw_only=True, tag="spot"):
    pass


class OutOfMemory(ChanceFault, frozen=True, kw_only=True, tag="oom"):
    pass


class NoCapacity(ChanceFault, frozen=True, kw_only=True, tag="no-capacity"):
    pass


class StartFailure(ChanceFault, frozen=True, kw_only=True, tag="start-failure"):
    pass


class Vanish(ChanceFault, frozen=True, kw_only=True, tag="vanish"):
    pass


class VanishFinished(ChanceFault, frozen=True, kw_only=True, tag="vanish-finished"):
    pass


class DropResult(ChanceFault, frozen=True, kw_only=True, tag="drop-result"):
    pass


class TruncateResult(ChanceFault, frozen=True, kw_only=True, tag="truncate-result"):
    pass


class CorruptResult(ChanceFault, frozen=True, kw_only=True, tag="corrupt-result"):
    pass


class LateResult(ChanceFault, frozen=True, kw_only=True, tag="late-result"):
    seconds: Seconds = 2.0


AnyFault = (
    Throttle
    | ServerError
    | Lost
    | Ambiguous
    | ExpiredCredentials
    | Spot
    | OutOfMemory
    | NoCapacity
    | StartFailure
    | Vanish
    | VanishFinished
    | DropResult
    | TruncateResult
    | CorruptResult
    | LateResult
)

# The words that stand between the kind and the options, in order, by the field that each fills.
CHANCE: Final = ("probability",)
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "throttle": ("api", "rate", "seconds"),
    "error": ("api", "status", "seconds"),
    "lost": ("api", "seconds"),
    "ambiguous": ("api", "status", "seconds"),
    "expired-credentials": ("seconds",),
    "spot": CHANCE,
    "oom": CHANCE,
    "no-capacity": CHANCE,
    "start-failure": CHANCE,
    "vanish": CHANCE,
    "vanish-finished": CHANCE,
    "drop-result": CHANCE,
    "truncate-result": CHANCE,
    "corrupt-result": CHANCE,
    "late-result": ("probability", "seconds"),
}
COUNT: Final = re.compile(r"x(\d+)")


def seconds(word: str) -> float:
    return float(word.removesuffix("s"))


def rate(word: str) -> float:
    return float(word.removesuffix("/s"))


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "api": str,
    "rate": rate,
    "status": int,
    "seconds": seconds,
    "probability": float,
}


class FaultSyntaxError(ConfigError):
    """A fault's string can't be read; the text says what was expected."""


def parse_fault(text: str) -> AnyFault:
    """The fault that the string names. Raises `FaultSyntaxError`."""
    kind, *words = text.split(":")
    if kind not in WORDS:
        raise FaultSyntaxError(f"fault {text!r}: the kind must be one of {', '.join(WORDS)}.")
    try:
        return fault_from_json({"kind": kind, **options_of(words, WORDS[kind])})
    except ValueError as error:
        form = ":".join((kind, *(name.upper() for name in WORDS[kind])))
        raise FaultSyntaxError(f"fault {text!r}: expected {form}[:xN][:match=GLOB][:after=N] ({error}).") from error


def fault_from_json(value: Mapping[str, Any]) -> AnyFault:
    """Raises `ValueError` (msgspec's) saying which field is wrong."""
    fault: AnyFault = msgspec.convert(value, AnyFault)
    return fault


def options_of(words: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
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
