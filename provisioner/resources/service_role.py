"""AWS Batch's own service-linked role: one an account, made when missing, never removed (others use it)."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.plan.model import ApiCall, Instruction, StackOutput, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

SERVICE: Final = "batch.amazonaws.com"
NAME: Final = "AWSServiceRoleForBatch"
ARN: Final = Variable("batch service role ARN")


class ServiceRole(Resource):
    kind = "service-linked role"
    shared = True

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, NAME)

    @property
    def arn(self) -> str:
        return self.stack.iam_arn("role", f"aws-service-role/{SERVICE}/{NAME}")

    @property
    def remove_command(self) -> str:
        return f"aws iam delete-service-linked-role --role-name {NAME}"

    def read(self, remote: RemoteState) -> Found | None:
        return Found({}) if _read(remote) else None

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return {}

    def create(self, desired: Document) -> list[Instruction]:
        return [
            ApiCall(
                "create AWS Batch's service-linked role",
                "iam",
                "create_service_linked_role",
                {"AWSServiceName": SERVICE},
                StackOutput(ARN.name, ("Role", "Arn")),
            )
        ]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        return []

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        return []


def service_role_arn(remote: RemoteState) -> str | Variable:
    """The ARN of the role that is there, or the variable that its creation fills."""
    found = _read(remote)
    return str(found[0]["Arn"]) if found else ARN


def _read(remote: RemoteState) -> list[Document]:
    return remote.list("iam", "list_roles", "Roles", PathPrefix=f"/aws-service-role/{SERVICE}/")
