"""Recorder of AWS's answers: kept as they come, and written in the form of `tests/recorded/` with names replaced.

botocore itself tells of every call and every parsed answer, in each process that asks it to. Secrets and payloads are
never kept: no object's bytes, no credentials, nothing that a job is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from botocore.history import BaseHistoryHandler, get_global_history_recorder

UNKEPT: Final = frozenset(("AssumeRole", "GetAuthorizationToken", "GetSessionToken"))
"""Operations whose answers are credentials."""
UNKEPT_MEMBERS: Final = frozenset(("Body", "ResponseMetadata", "payload", "options", "environment"))
AWS_IDS: Final = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AIPA|ANPA)[A-Z0-9]{12,}\b")
RESOURCE_IDS: Final = re.compile(r"\b((?:vpc|subnet|sg|lt|i|rtb|igw|eni|vpce|ami)-)([0-9a-f]{8,17})\b")
OWNER_IDS: Final = re.compile(r"\b[0-9a-f]{64}\b")
EXCHANGES_KEPT: Final = 20
"""Different exchanges of one operation; an engine asks the same again and again."""
STAND_IN_ACCOUNT: Final = "123456789012"
Exchange = dict[str, Any]


class AnswerRecorder(BaseHistoryHandler):
    """Appends every exchange of this process to a file of its own in `folder`, as a line of JSON."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{os.getpid()}.jsonl"
        self._calls = threading.local()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Be told of every call from now on."""
        history = get_global_history_recorder()
        history.add_handler(self)
        history.enable()

    def emit(self, event_type: str, payload: Any, source: str) -> None:
        """Take what botocore tells: a thread's call first, then its answer."""
        if event_type == "API_CALL":
            self._calls.last = payload
        elif event_type == "PARSED_RESPONSE" and self._calls.last["operation"] not in UNKEPT:
            self._keep(self._calls.last, payload)

    def _keep(self, call: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        kept: Exchange = {
            "service": call["service"],
            "operation": call["operation"],
            "request": harmless(call["params"]),
        }
        if "Error" in answer:
            kept["error"] = {name: str(answer["Error"].get(name, "")) for name in ("Code", "Message")}
        else:
            kept["answer"] = harmless(answer)
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(kept) + "\n")


def harmless(value: Any) -> Any:
    """What JSON can hold of a document, without bytes, secrets and payloads."""
    if isinstance(value, Mapping):
        return {key: harmless(one) for key, one in value.items() if key not in UNKEPT_MEMBERS}
    if isinstance(value, list | tuple):
        return [harmless(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else "…"


class NameReplacer:
    """Replaces names in texts: those given by their stand-ins, and AWS's ids by others, the same for the same."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(sorted(names.items(), key=lambda pair: -len(pair[0])))  # longer ones hold shorter ones

    def __call__(self, text: str) -> str:
        for name, stand_in in self._names.items():
            text = text.replace(name, stand_in)
        text = AWS_IDS.sub(lambda found: f"{found[0][:4]}EXAMPLE{digest(found[0])[:9].upper()}", text)
        text = RESOURCE_IDS.sub(lambda found: found[1] + digest(found[2])[: len(found[2])], text)
        return OWNER_IDS.sub(lambda found: digest(found[0]), text)


def caller_names(arn: str) -> dict[str, str]:
    """Stand-ins for who calls, as AWS names a user or the session of a role."""
    resource = arn.rpartition(":")[2]
    kind, slash, name = resource.partition("/")
    if not slash:
        return {}
    return {resource: f"{kind}/someone", f':{name.rpartition("/")[2]}"': ':someone"'}


def digest(text: str) -> str:
    """Hex digits that tell nothing of the text."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_recorded(raw: Path, folder: Path, names: Mapping[str, str], source: str) -> int:
    """Write what recorders kept in `raw` to `folder`, a file an operation; returns the number of files."""
    by_operation: defaultdict[tuple[str, str], list[Exchange]] = defaultdict(list)
    replace = NameReplacer(names)
    for kept in _lines(raw):
        exchange = json.loads(replace(kept))
        operation = by_operation[exchange.pop("service"), exchange.pop("operation")]
        if exchange not in operation and len(operation) < EXCHANGES_KEPT:
            operation.append(exchange)
    for (service, operation_name), exchanges in by_operation.items():
        path = folder / service / f"{operation_name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"sources": [source], "exchanges": exchanges}
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return len(by_operation)


def _lines(raw: Path) -> Iterable[str]:
    for path in sorted(raw.glob("*.jsonl")):
        yield from path.read_text().splitlines()
