"""Rules of IAM that moto lacks.

A permissions boundary must exist, a service-linked role is made once, a role can't be taken out of an instance
profile that doesn't hold it, and only a role that is there can be assumed.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html and
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam import models

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.http.refusals import xml_body, xml_error
from provisioner.local.http.server import HttpRequest, HttpResponse

AWS_MANAGED: Final = "arn:aws:iam::aws:policy/"
# moto makes the names of service-linked roles from those of the services, but for those that it lists here.
models.SERVICE_NAME_CONVERSION |= {"batch": "Batch", "spot": "EC2Spot"}
Refusal = tuple[int, str, str]


class IamRules:
    """Checks of calls of IAM and STS before moto answers them."""

    def __init__(self, moto: Moto) -> None:
        self._moto = moto
        self._rules: dict[str, Callable[[dict[str, list[str]]], Refusal | None]] = {
            "CreateRole": self._boundary,
            "PutRolePermissionsBoundary": self._boundary,
            "CreateServiceLinkedRole": self._linked_role,
            "RemoveRoleFromInstanceProfile": self._role_of_profile,
            "AssumeRole": self._assumed_role,
        }

    def refusal(self, api: str, request: HttpRequest) -> HttpResponse | None:
        """The error that IAM answers with, or None for what moto may answer."""
        rule = self._rules.get(api)
        found = None if rule is None else rule(parse_qs(request.body.decode()))
        if found is None:
            return None
        status, code, text = found
        return xml_error(status, xml_body("iam", code, text))

    def _boundary(self, parameters: dict[str, list[str]]) -> Refusal | None:
        arn = parameters.get("PermissionsBoundary", [""])[0]
        with self._moto.lock:
            exists = not arn or arn.startswith(AWS_MANAGED) or arn in self._backend.managed_policies
        return None if exists else (404, "NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")

    def _linked_role(self, parameters: dict[str, list[str]]) -> Refusal | None:
        path = f"/aws-service-role/{parameters.get('AWSServiceName', [''])[0]}/"
        with self._moto.lock:
            taken = next((role.name for role in self._backend.get_roles() if role.path == path), None)
        if taken is None:
            return None
        text = f"Service role name {taken} has been taken in this account, please try a different suffix."
        return 400, "InvalidInput", text

    def _role_of_profile(self, parameters: dict[str, list[str]]) -> Refusal | None:
        name, role = parameters["InstanceProfileName"][0], parameters["RoleName"][0]
        with self._moto.lock:
            profile = next((one for one in self._backend.get_instance_profiles() if one.name == name), None)
            holds = profile is None or any(one.name == role for one in profile.roles)
        return None if holds else (404, "NoSuchEntity", f"Instance profile {name} has no role {role}.")

    def _assumed_role(self, parameters: dict[str, list[str]]) -> Refusal | None:
        arn = parameters["RoleArn"][0]
        with self._moto.lock:
            exists = any(role.arn == arn for role in self._backend.get_roles())
        text = f"User: {arn.rpartition(':')[0]}:root is not authorized to perform: sts:AssumeRole on resource: {arn}"
        return None if exists else (403, "AccessDenied", text)

    @property
    def _backend(self) -> Any:
        return models.iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
