"""CloudWatch Logs API for jobs' streams: the calls that read them; all others, and other streams, are moto's.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html: a token that comes
back unchanged says that there is nothing more in that direction. Unlike in CloudWatch lines can be read the moment
they were written, and of `filterPattern` a single term is understood.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from provisioner.local.http.refusals import json_error
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.logs.log_store import LogStore, LogStream, StoredLogEvent

TARGET: Final = "Logs_20140328."
MAX_EVENTS: Final = 10_000
MAX_ANSWER_BYTES: Final = 1024**2
EVENT_OVERHEAD: Final = 26
Json = dict[str, Any]


class NoSuchLogError(Exception):
    """There is no such stream in the group, or no such group."""


class RefusedKeyError(Exception):
    """The log group may not have that KMS key."""


class LogsApi:
    """`answer` gives None for what is not about a job's stream. `has_stream`: somebody else made that one.

    `encrypt` gives a group a key, or takes it with None, and says whether there is such a group: moto lacks that.
    `refuse_key` says why a group may not have a key; empty when it may.
    """

    def __init__(
        self,
        store: LogStore,
        has_stream: Callable[[str, str], bool],
        encrypt: Callable[[str, str | None], bool] = lambda group, key: False,
        refuse_key: Callable[[str, str], str] = lambda group, key: "",
    ) -> None:
        self._store = store
        self._has_stream = has_stream
        self._encrypt = encrypt
        self._refuse_key = refuse_key
        self._calls: dict[str, Callable[[Json], Json | None]] = {
            "GetLogEvents": self._get,
            "FilterLogEvents": self._filter,
            "DescribeLogStreams": self._describe_streams,
            "CreateLogGroup": self._create_group,
            "AssociateKmsKey": self._associate_key,
            "DisassociateKmsKey": self._associate_key,
        }

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a call about jobs' streams; None for every other call, which is moto's."""
        call = self._calls.get(request.headers.get("x-amz-target", "").removeprefix(TARGET))
        try:
            body = None if call is None else call(json.loads(request.body or b"{}"))
        except NoSuchLogError as error:
            return json_error(400, "ResourceNotFoundException", str(error))
        except RefusedKeyError as error:
            return json_error(400, "AccessDeniedException", str(error))
        if body is None:
            return None
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return HttpResponse(200, headers, json.dumps(body).encode())

    def _get(self, request: Json) -> Json | None:
        group, name = group_of(request), request.get("logStreamName", "")
        stream = self._store.find(group, name)
        if stream is None and self._store.has_group(group) and not self._has_stream(group, name):
            raise NoSuchLogError("The specified log stream does not exist.")
        if stream is None:
            return None
        events = in_time(self._store.events(stream), request)
        page = get_page(events, request)
        first = page[0].position if page else read_token(request, events)
        last = page[-1].position + 1 if page else first
        return {
            "events": [event_json(event) for event in page],
            "nextForwardToken": f"f/{last:056d}",
            "nextBackwardToken": f"b/{first:056d}",
        }

    def _filter(self, request: Json) -> Json | None:
        streams = self._chosen(request)
        if not streams:
            return None
        pattern = request.get("filterPattern", "").strip().strip('"')
        found = [
            (event, stream)
            for stream in streams
            for event in in_time(self._store.events(stream), request)
            if pattern in event.message
        ]
        found.sort(key=lambda pair: pair[0].time_ms)
        start = int(request.get("nextToken") or 0)
        end = start + min(int(request.get("limit") or MAX_EVENTS), MAX_EVENTS)
        answer: Json = {"events": [found_json(event, stream) for event, stream in found[start:end]]}
        if end < len(found):
            answer["nextToken"] = str(end)
        return answer

    def _describe_streams(self, request: Json) -> Json | None:
        prefix = request.get("logStreamNamePrefix", "")
        streams = [one for one in self._store.streams(group_of(request)) if one.name.startswith(prefix)]
        if not streams:
            return None
        newest_first = bool(request.get("descending"))
        streams.sort(key=order_of(request), reverse=newest_first)
        start = int(request.get("nextToken") or 0)
        end = start + min(int(request.get("limit") or 50), 50)
        answer: Json = {"logStreams": [stream_json(stream) for stream in streams[start:end]]}
        if end < len(streams):
            answer["nextToken"] = str(end)
        return answer

    def _create_group(self, request: Json) -> None:
        """moto's, but for a key that CloudWatch Logs may not use."""
        self._check_key(request)

    def _check_key(self, request: Json) -> None:
        key = request.get("kmsKeyId")
        if key is not None and (refused := self._refuse_key(group_of(request), key)):
            raise RefusedKeyError(refused)

    def _associate_key(self, request: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html"""
        self._check_key(request)
        if not self._encrypt(group_of(request), request.get("kmsKeyId")):
            raise NoSuchLogError("The specified log group does not exist.")
        return {}

    def _chosen(self, request: Json) -> list[LogStream]:
        names = request.get("logStreamNames")
        prefix = request.get("logStreamNamePrefix", "")
        return [
            stream
            for stream in self._store.streams(group_of(request))
            if (stream.name in names if names else stream.name.startswith(prefix))
        ]


def group_of(request: Mapping[str, Any]) -> str:
    """The log group's name, from a name or an ARN."""
    group = str(request.get("logGroupName") or request.get("logGroupIdentifier") or "")
    return group.rpartition("log-group:")[2].removesuffix(":*")


def in_time(events: list[StoredLogEvent], request: Mapping[str, Any]) -> list[StoredLogEvent]:
    """Events within `startTime` (inclusive) and `endTime` (exclusive), in ms since the epoch."""
    start, end = request.get("startTime"), request.get("endTime")
    if start is None and end is None:
        return events
    return [
        event for event in events if (start is None or event.time_ms >= start) and (end is None or event.time_ms < end)
    ]


def get_page(events: list[StoredLogEvent], request: Mapping[str, Any]) -> list[StoredLogEvent]:
    """Forward from a token, backward from one, or an end of the stream: its tail unless `startFromHead`."""
    limit = min(int(request.get("limit") or MAX_EVENTS), MAX_EVENTS)
    token = request.get("nextToken") or ""
    if token.startswith("f/"):
        return bounded([one for one in events if one.position >= int(token[2:])][:limit])
    if token.startswith("b/"):
        before = [one for one in events if one.position < int(token[2:])]
        return bounded(before[-limit:][::-1])[::-1]
    if request.get("startFromHead"):
        return bounded(events[:limit])
    return bounded(events[-limit:][::-1])[::-1]


def bounded(events: list[StoredLogEvent]) -> list[StoredLogEvent]:
    """Events from the first on, as many as fit CloudWatch's 1 MB an answer, at least one."""
    size = 0
    kept: list[StoredLogEvent] = []
    for event in events:
        size += len(event.message) + EVENT_OVERHEAD
        if kept and size > MAX_ANSWER_BYTES:
            break
        kept.append(event)
    return kept


def read_token(request: Mapping[str, Any], events: list[StoredLogEvent]) -> int:
    """Position of an empty page: where its token said, or at the end."""
    token = request.get("nextToken")
    if token:
        return int(token[2:])
    return events[-1].position + 1 if events else 0


def order_of(request: Mapping[str, Any]) -> Callable[[LogStream], Any]:
    """Sort key for the `orderBy` that DescribeLogStreams was given."""
    if request.get("orderBy") == "LastEventTime":
        return lambda stream: stream.last_ms
    return lambda stream: stream.name


def event_json(event: StoredLogEvent) -> Json:
    """An event of GetLogEvents."""
    return {"timestamp": event.time_ms, "message": event.message, "ingestionTime": event.time_ms}


def found_json(event: StoredLogEvent, stream: LogStream) -> Json:
    """An event of FilterLogEvents."""
    name = f"{stream.name}/{event.position}"
    return {**event_json(event), "logStreamName": stream.name, "eventId": name}


def stream_json(stream: LogStream) -> Json:
    """A stream of DescribeLogStreams; like CloudWatch since 2019 it says 0 stored bytes."""
    first = stream.pieces[0][0] if stream.pieces else None
    times = {} if first is None else {"firstEventTimestamp": first, "lastEventTimestamp": stream.last_ms}
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": f"arn:aws:logs:::log-group:{stream.group}:log-stream:{stream.name}",
        "storedBytes": 0,
        **times,
    }
