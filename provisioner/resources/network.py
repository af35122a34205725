"""Where instances are placed: the subnets and the security group of the region's default VPC."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.clients import Document
from provisioner.errors import ProvisionError
from provisioner.remote import RemoteState


@dataclass(frozen=True, slots=True)
class Network:
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_id: str


def default_network(region: str, remote: RemoteState) -> Network:
    """Raises `ProvisionError` when the region has no usable default VPC."""
    vpcs = remote.list("ec2", "describe_vpcs", "Vpcs", Filters=[_filter("is-default", "true")])
    if not vpcs:
        raise ProvisionError(f"The region {region} has no default VPC: make one with `aws ec2 create-default-vpc`.")
    vpc_id = str(vpcs[0]["VpcId"])
    subnets = _in(vpc_id, remote, "describe_subnets", "Subnets", _filter("default-for-az", "true"))
    groups = _in(vpc_id, remote, "describe_security_groups", "SecurityGroups", _filter("group-name", "default"))
    if not subnets or not groups:
        raise ProvisionError(
            f"The default VPC {vpc_id} lacks a default subnet or security group: make one with "
            "`aws ec2 create-default-subnet`."
        )
    ids = tuple(sorted(str(subnet["SubnetId"]) for subnet in subnets))
    return Network(vpc_id, ids, str(groups[0]["GroupId"]))


def _in(vpc_id: str, remote: RemoteState, operation: str, key: str, condition: Document) -> list[Document]:
    return remote.list("ec2", operation, key, Filters=[_filter("vpc-id", vpc_id), condition])


def _filter(name: str, value: str) -> Document:
    return {"Name": name, "Values": [value]}
