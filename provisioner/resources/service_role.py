"""AWS Batch's own service-linked role: one an account, made when missing, never removed (others use it)."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.models import ApiCall, Instruction, Output, Variable
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec

SERVICE = "batch.amazonaws.com"
ARN = Variable("batch service role ARN")


class ServiceRole:
    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        if _read(remote):
            return []
        return [
            ApiCall(
                "create AWS Batch's service-linked role",
                "iam",
                "create_service_linked_role",
                {"AWSServiceName": SERVICE},
                Output(ARN.name, ("Role", "Arn")),
            )
        ]

    def removal(self, remote: RemoteState) -> list[Instruction]:
        return []


def service_role_arn(remote: RemoteState) -> str | Variable:
    """The ARN of the role that is there, or the variable that its creation fills."""
    found = _read(remote)
    return str(found[0]["Arn"]) if found else ARN


def _read(remote: RemoteState) -> list[Document]:
    return remote.list("iam", "list_roles", "Roles", PathPrefix=f"/aws-service-role/{SERVICE}/")
