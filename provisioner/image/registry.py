"""ECR: where a stack's images go, which are there, and how to get in.

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
    user: str
    password: str = field(repr=False)


def find_built(clients: Clients, stack: Stack, tag: str) -> str | None:
    """The image of that tag as `repositoryUri@sha256:…`, when the stack's repository has it."""
    wanted = {"repositoryName": stack.repository, "imageIds": [{"imageTag": tag}]}
    found = _unless_missing(clients, "describe_images", wanted)
    if not found:
        return None
    return f"{repository_uri(clients, stack)}@{found['imageDetails'][0]['imageDigest']}"


def repository_uri(clients: Clients, stack: Stack) -> str:
    """Raises `ProvisionError` when the repository doesn't exist."""
    found = _unless_missing(clients, "describe_repositories", {"repositoryNames": [stack.repository]})
    if not found:
        raise ProvisionError(f"There is no ECR repository {stack.repository} in {stack.region}: run provision.")
    uri: str = found["repositories"][0]["repositoryUri"]
    return uri


def credentials(clients: Clients) -> Credentials:
    """For the account's registry; AWS lets them live for twelve hours."""
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
