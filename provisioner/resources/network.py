"""Network of the instances: the VPC and subnets that were asked for, else the region's default ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import ConfigError
from provisioner.clients import Document
from provisioner.errors import ProvisionError
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec


@dataclass(frozen=True, slots=True)
class Network:
    """VPC and subnets that instances are placed in."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    is_default: bool = False
    left_out: tuple[str, ...] = ()
    """Subnets in Local Zones and on Outposts, which have few instance types, and need quotas of their own."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for people who didn't choose the network, or all of its subnets, themselves."""
        default = (
            f"Instances go into the region's default VPC {self.vpc_id}: choose another with --vpc-id or --subnet-ids."
        )
        others = f"Left out, in Local Zones or on Outposts: {', '.join(self.left_out)}."
        return tuple(note for note, told in ((default, self.is_default), (others, bool(self.left_out))) if told)


def network_of(spec: ProvisionSpec, remote: RemoteState) -> Network:
    """Network that a spec asks for.

    Raises `ConfigError` for a network that doesn't exist, `ProvisionError` when there is no default one.
    """
    if spec.subnet_ids:
        return _of_subnets(spec, remote)
    if spec.vpc_id is not None:
        return _of_vpc(spec.vpc_id, spec.region, remote)
    return _default(spec.region, remote)


def _of_subnets(spec: ProvisionSpec, remote: RemoteState) -> Network:
    condition = _filter("subnet-id", *spec.subnet_ids)
    subnets = remote.list("ec2", "describe_subnets", "Subnets", Filters=[condition])
    missing = set(spec.subnet_ids) - {subnet["SubnetId"] for subnet in subnets}
    if missing:
        raise ConfigError(f"--subnet-ids has {', '.join(sorted(missing))}, which {spec.region} doesn't have.")
    vpcs = {str(subnet["VpcId"]) for subnet in subnets}
    if len(vpcs) > 1 or (spec.vpc_id is not None and vpcs != {spec.vpc_id}):
        raise ConfigError(
            f"--subnet-ids lie in {', '.join(sorted(vpcs))}, but all must lie in one VPC, --vpc-id if given."
        )
    if outside := _outside(subnets, spec.region):
        raise ConfigError(
            f"--subnet-ids has {', '.join(outside)}, in a Local Zone or on an Outpost: give subnets of the region's "
            "own zones."
        )
    return Network(vpcs.pop(), tuple(sorted(spec.subnet_ids)))


def _of_vpc(vpc_id: str, region: str, remote: RemoteState) -> Network:
    subnets = remote.list("ec2", "describe_subnets", "Subnets", Filters=[_filter("vpc-id", vpc_id)])
    if not subnets:
        raise ConfigError(f"--vpc-id is {vpc_id}, which has no subnets here: give the id of a VPC of this region.")
    outside = _outside(subnets, region)
    if len(outside) == len(subnets):
        raise ConfigError(
            f"--vpc-id is {vpc_id}, all of whose subnets are in Local Zones or on Outposts: choose another VPC."
        )
    return Network(vpc_id, tuple(one for one in _ids(subnets) if one not in outside), left_out=outside)


def _outside(subnets: list[Document], region: str) -> tuple[str, ...]:
    """Ids of subnets that are on Outposts, or in zones with names that aren't the region's and a letter."""
    zone = re.compile(rf"{re.escape(region)}[a-z]")
    others = [
        one for one in subnets if one.get("OutpostArn") or not zone.fullmatch(one.get("AvailabilityZone", f"{region}a"))
    ]
    return _ids(others)


def _default(region: str, remote: RemoteState) -> Network:
    vpcs = remote.list("ec2", "describe_vpcs", "Vpcs", Filters=[_filter("is-default", "true")])
    if not vpcs:
        raise ProvisionError(
            f"The region {region} has no default VPC: name one with --vpc-id, or make it with "
            "`aws ec2 create-default-vpc`."
        )
    vpc_id = str(vpcs[0]["VpcId"])
    conditions = [_filter("vpc-id", vpc_id), _filter("default-for-az", "true")]
    subnets = remote.list("ec2", "describe_subnets", "Subnets", Filters=conditions)
    if not subnets:
        raise ProvisionError(
            f"The default VPC {vpc_id} lacks a default subnet: name others with --subnet-ids, or make one with "
            "`aws ec2 create-default-subnet`."
        )
    return Network(vpc_id, _ids(subnets), is_default=True)


def _ids(subnets: list[Document]) -> tuple[str, ...]:
    return tuple(sorted(str(subnet["SubnetId"]) for subnet in subnets))


def _filter(name: str, *values: str) -> Document:
    return {"Name": name, "Values": list(values)}
