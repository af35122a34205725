"""Service-linked role of AWS Batch: one an account, made when missing, never removed (others use it).

https://docs.aws.amazon.com/batch/latest/userguide/using-service-linked-roles.html
"""

from __future__ import annotations

from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, Instruction, StackOutput, Variable
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

SERVICE: Final = "batch.amazonaws.com"
NAME: Final = "AWSServiceRoleForBatch"
ARN: Final = Variable("batch service role ARN")


class ServiceRole(Resource):
    """Service-linked role of AWS Batch, as a resource that is shared with the rest of the account."""

    kind = ResourceKind.SERVICE_ROLE
    shared = True

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, NAME)

    @property
    def arn(self) -> str:
        """ARN of the role, which has no region."""
        return self.stack.iam_arn("role", f"aws-service-role/{SERVICE}/{NAME}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that deletes the role of the account."""
        return f"aws iam delete-service-linked-role --role-name {NAME}"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Role without properties: nothing about it is ours to set."""
        return ObservedResource({}) if _read(remote) else None

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """No properties."""
        return {}

    def create(self, desired: Document) -> list[Instruction]:
        """Creation; its ARN becomes the variable `ARN`."""
        return [
            ApiCall(
                "create AWS Batch's service-linked role",
                "iam",
                "create_service_linked_role",
                {"AWSServiceName": SERVICE},
                StackOutput(ARN.name, ("Role", "Arn")),
            )
        ]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """No steps: nothing about it can differ."""
        return []

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """No steps: the account keeps it."""
        return []

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Nothing: Batch makes the role when it is first needed."""
        return []


def service_role_arn(remote: RemoteState) -> str | Variable:
    """ARN of the role that is there, or the variable that its creation fills."""
    found = _read(remote)
    return str(found[0]["Arn"]) if found else ARN


def _read(remote: RemoteState) -> list[Document]:
    return remote.list("iam", "list_roles", "Roles", PathPrefix=f"/aws-service-role/{SERVICE}/")
