"""ECR with a registry that takes pushes: moto's answers about repositories, the registry's images in them.

moto knows an image only when PutImage told it; an engine pushes to the registry. So before moto answers it is told
what has been pushed, and what it then deletes is deleted in the registry, too.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Final

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ecr.models import ecr_backends

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.docker.pushed_images import PushedImages
from provisioner.local.docker.registry import Registry
from provisioner.local.http.server import HttpRequest, HttpResponse

TARGET: Final = "AmazonEC2ContainerRegistry_V20150921."
DELETING: Final = ("DeleteRepository", "BatchDeleteImage")
TOKEN_S: Final = 12 * 3600


class EcrApi:
    """ECR of one region, whose images lie below its name in the one registry of all."""

    def __init__(self, registry: Registry, region: str, moto: Moto) -> None:
        self._registry = registry
        self._pushed = PushedImages(registry.storage, region)
        self._region = region
        self._moto = moto
        self._host = f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.{region}.amazonaws.com".encode()

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a call of ECR, with the registry's address and the region in place of ECR's address."""
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        if operation == "GetAuthorizationToken":
            return self._token()
        name = str(json.loads(request.body or b"{}").get("repositoryName", ""))
        self._register_pushed(name)
        response = self._moto(request)
        if operation in DELETING and response.status == 200:
            self._delete_what_moto_lacks(name)
        response.body = response.body.replace(self._host, f"{self._registry.host}/{self._region}".encode())
        return response

    def _token(self) -> HttpResponse:
        login = self._registry.login
        entry = {
            "authorizationToken": base64.b64encode(f"{login.user}:{login.password}".encode()).decode(),
            "expiresAt": time.time() + TOKEN_S,
            "proxyEndpoint": f"http://{self._registry.host}",
        }
        body = json.dumps({"authorizationData": [entry]}).encode()
        return HttpResponse(200, {"Content-Type": "application/x-amz-json-1.1"}, body)

    def _register_pushed(self, name: str) -> None:
        with self._moto.lock:
            repository = self._repository(name)
            if repository is None:
                return
            tags = tags_of(repository)
            for image in self._pushed.of(name):
                if image.tag not in tags:
                    ecr_backends[DEFAULT_ACCOUNT_ID][self._region].put_image(
                        name, image.manifest, image.tag, image.media_type, image.digest
                    )

    def _delete_what_moto_lacks(self, name: str) -> None:
        with self._moto.lock:
            repository = self._repository(name)
            if repository is None:
                self._pushed.forget(name)
                return
            for image in list(self._pushed.of(name)):
                if image.tag not in tags_of(repository):
                    self._pushed.forget_tag(name, image.tag)

    def _repository(self, name: str) -> Any:
        return ecr_backends[DEFAULT_ACCOUNT_ID][self._region].repositories.get(name)


def tags_of(repository: Any) -> set[str]:
    """Tags of all images that moto knows in a repository."""
    return {tag for image in repository.images for tag in image.image_tags}
