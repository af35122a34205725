"""From an HTTP request to the call that it is: service, operation, parameters. What botocore serializes, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import botocore.session

from provisioner.local.http.calls import s3_api, service_of
from provisioner.local.http.server import HttpRequest, HttpResponse

PROGRAMS = {
    "scaler-batch-provisioner": "provisioner",
    "scaler-batch-manager": "manager",
    "scaler-batch-runner": "job",
}
TAGS = "/v1/tags/"
TAG_CALLS = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a program made it, and AWS's answer."""

    program: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    status: int = 200
    answer: str = field(default="", compare=False)

    def text(self, name: str, default: str = "") -> str:
        return str(self.parameters.get(name, default))

    def texts(self, prefix: str) -> list[str]:
        """Values of a query's numbered parameters, as in `Resource.1`."""
        return [str(value) for name, value in self.parameters.items() if name.startswith(prefix)]


def call_of(request: HttpRequest, response: HttpResponse) -> Call | None:
    """None for a caller that isn't one of our programs."""
    agent = request.headers.get("user-agent", "")
    program = next((name for mark, name in PROGRAMS.items() if mark in agent), None)
    if program is None:
        return None
    service = service_of(request)
    operation, parameters = READERS.get(service, _of_query)(request)
    return Call(program, service, operation, parameters, response.status, response.body.decode(errors="replace"))


def _of_s3(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    headers = {name: value for name, value in request.headers.items() if name.startswith(("x-amz-", "if-"))}
    operation = s3_api(request)
    parameters: dict[str, Any] = {"Bucket": bucket, "Key": key, **query, **headers}
    if operation == "DeleteObjects":
        parameters["Objects"] = _objects(request.body)
    return operation, parameters


def _objects(body: bytes) -> list[tuple[str, bool]]:
    """Keys, and whether a version of theirs is named."""
    root = ElementTree.fromstring(body)
    found = [one for one in root.iter() if one.tag.endswith("Object")]
    return [(_child(one, "Key"), bool(_child(one, "VersionId"))) for one in found]


def _child(element: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in element if child.tag.endswith(name)), "")


def _of_batch(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    parameters = json.loads(request.body or b"{}")
    if request.path.startswith(TAGS):
        arn = unquote(request.path.removeprefix(TAGS))
        return TAG_CALLS[request.method], {**parameters, "resourceArn": arn}
    return _batch_operations()[request.path], parameters


@cache
def _batch_operations() -> dict[str, str]:
    model = botocore.session.get_session().get_service_model("batch")
    return {model.operation_model(name).http["requestUri"]: name for name in model.operation_names}


def _of_json(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    return request.headers["x-amz-target"].rpartition(".")[2], json.loads(request.body or b"{}")


def _of_query(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    form = {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    return form.pop("Action"), form


READERS = {
    "s3": _of_s3,
    "batch": _of_batch,
    "logs": _of_json,
    "ecr": _of_json,
    "ecs": _of_json,
    "pricing": _of_json,
    "servicequotas": _of_json,
}
