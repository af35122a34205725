"""Account in which nothing lives yet but the network, which a template takes as parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from provisioner.clients import Document
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec

VPC: Final = "${VpcId}"
SUBNET: Final = "${SubnetIds}"

_NETWORK: Final[dict[str, list[Document]]] = {
    "describe_vpcs": [{"VpcId": VPC}],
    # an address that nobody needs does no harm, one that is needed and missing stops every job on Fargate
    "describe_subnets": [{"SubnetId": SUBNET, "MapPublicIpOnLaunch": True}],
}


class EmptyAccount(RemoteState):
    """State that answers without a call; its network is the parameters' names."""

    def __init__(self) -> None:
        """Without clients."""

    def get(self, service: str, operation: str, *, missing: str, **parameters: object) -> Document | None:
        """None: nothing exists."""
        return None

    def list(self, service: str, operation: str, key: str, **parameters: object) -> list[Document]:
        """Entries of the network; of all else none exist."""
        return _NETWORK.get(operation, [])


def without_network(spec: ProvisionSpec) -> ProvisionSpec:
    """Spec as the empty account can serve it; what it says about the network is the parameters' defaults."""
    return replace(spec, vpc_id=None, subnet_ids=())
