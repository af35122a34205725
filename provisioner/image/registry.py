"""ECR registry: a stack's images in it, and the credentials of a login.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.stack.naming import Stack

NOT_THERE: Final = frozenset({"RepositoryNotFoundException", "ImageNotFoundException"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of a registry."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """Image of the stack's repository."""

    image: str
    """`repositoryUri@sha256:…`"""
    tag: str


def find_built(clients: Clients, stack: Stack, tag: str) -> FoundImage | None:
    """Image of that tag; None when the stack's repository doesn't have it."""
    parameters = {"repositoryName": stack.repository, "imageIds": [{"imageTag": tag}]}
    found = _unless_missing(clients, "describe_images", parameters)
    if not found:
        return None
    return FoundImage(f"{repository_uri(clients, stack)}@{found['imageDetails'][0]['imageDigest']}", tag)


def find_newest(clients: Clients, stack: Stack, content: str) -> FoundImage | None:
    """Image of that content which was pushed last, on whatever base; None without one."""
    parameters = {"repositoryName": stack.repository, "filter": {"tagStatus": "TAGGED"}}
    try:
        images = clients.listing("ecr", "describe_images", "imageDetails", parameters)
    except CallFailed as error:
        if error.code not in NOT_THERE:
            raise
        return None
    fitting = [(one["imagePushedAt"], tag, one) for one in images for tag in one["imageTags"] if _has(tag, content)]
    if not fitting:
        return None
    _, tag, newest = max(fitting, key=lambda one: one[:2])
    return FoundImage(f"{repository_uri(clients, stack)}@{newest['imageDigest']}", tag)


def _has(tag: str, content: str) -> bool:
    return tag.startswith(f"{content}-")


def repository_uri(clients: Clients, stack: Stack) -> str:
    """URI of the stack's repository. Raises `ProvisionError` when it doesn't exist."""
    found = _unless_missing(clients, "describe_repositories", {"repositoryNames": [stack.repository]})
    if not found:
        raise ProvisionError(f"There is no ECR repository {stack.repository} in {stack.region}: run provision.")
    uri: str = found["repositories"][0]["repositoryUri"]
    return uri


def credentials(clients: Clients) -> Credentials:
    """Credentials of the account's registry, valid for twelve hours."""
    granted = clients.call("ecr", "get_authorization_token", {})["authorizationData"][0]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Credentials(user, password)


def _unless_missing(clients: Clients, operation: str, parameters: Mapping[str, object]) -> Document | None:
    try:
        return clients.call("ecr", operation, parameters)
    except CallFailed as error:
        if error.code not in NOT_THERE:
            raise
        return None
