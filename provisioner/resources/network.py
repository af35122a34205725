"""Network of the instances: the VPC and subnets that were asked for, else the region's default ones.

Instances in a subnet without a way to AWS start and never join the cluster: such subnets are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from engine.aws.error_codes import DENIED_CODES
from engine.diagnosis.checks.ways import (
    ALL_SERVICES,
    NetworkParts,
    egress_of,
    is_closed,
    lacks_public_addresses,
    parse_subnet,
)
from engine.diagnosis.evidence import Egress
from engine.errors import ConfigError
from provisioner.clients import Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec

NEEDED: Final = "Amazon ECR, S3, ECS and CloudWatch Logs"
TODO: Final = "Make a NAT gateway or VPC endpoints (`scaler-batch doctor` prints the commands)"


@dataclass(frozen=True, slots=True)
class Network:
    """VPC and subnets that instances are placed in."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    is_default: bool = False
    left_out: tuple[str, ...] = ()
    """Subnets in Local Zones and on Outposts, which have few instance types, and need quotas of their own."""
    gives_addresses: bool = False
    """One of the subnets gives instances public addresses: it has no other way to AWS."""

    closed: tuple[str, ...] = ()
    """Subnets without a way to AWS, with the reason."""
    unread: str = ""
    """Why nobody knows which these are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for people who didn't choose the network, or all of its subnets, themselves."""
        default = (
            f"Instances go into the region's default VPC {self.vpc_id}: choose another with --vpc-id or --subnet-ids."
        )
        others = f"Left out, in Local Zones or on Outposts: {', '.join(self.left_out)}."
        closed = f"Left out, without a way to {NEEDED}: {', '.join(self.closed)}."
        unread = f"Whether the subnets have a way to {NEEDED} is unknown: {self.unread}"
        told = ((default, self.is_default), (others, self.left_out), (closed, self.closed), (unread, self.unread))
        return tuple(note for note, applies in told if applies)


def network_of(spec: ProvisionSpec, remote: RemoteState) -> Network:
    """Network that a spec asks for, without the subnets that have no way to AWS.

    Raises `ConfigError` for a network that doesn't exist, for subnets without a way that were given by name, and when
    none is left; `ProvisionError` when there is no default one.
    """
    network = asked_network(spec, remote)
    try:
        closed = _closed_subnets(network, remote)
    except CallFailed as error:
        if error.code not in DENIED_CODES:
            raise
        return replace(network, unread=str(error))
    if not closed:
        return network
    reasons = tuple(f"{subnet} ({reason})" for subnet, reason in closed.items())
    if spec.subnet_ids:
        raise ConfigError(f"--subnet-ids has {', '.join(reasons)}, without a way to {NEEDED}. {TODO}, or leave it out.")
    left = tuple(one for one in network.subnet_ids if one not in closed)
    if not left:
        raise ConfigError(
            f"No subnet of {network.vpc_id} has a way to {NEEDED}: {', '.join(reasons)}. {TODO}, or choose another VPC "
            "with --vpc-id."
        )
    return replace(network, subnet_ids=left, closed=reasons)


def asked_network(spec: ProvisionSpec, remote: RemoteState) -> Network:
    """Network that a spec asks for, whether its subnets have a way to AWS or not. Raises as `network_of` does."""
    if spec.subnet_ids:
        return _of_subnets(spec, remote)
    if spec.vpc_id is not None:
        return _of_vpc(spec.vpc_id, spec.region, remote)
    return _default(spec.region, remote)


def _closed_subnets(network: Network, remote: RemoteState) -> dict[str, str]:
    """Ids and reasons. What can't be seen (the owner of a shared VPC may not show its tables) counts as a way."""
    here = [_filter("vpc-id", network.vpc_id)]
    tables = remote.list("ec2", "describe_route_tables", "RouteTables", Filters=here)
    endpoints = remote.list("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=here)
    found = remote.list("ec2", "describe_subnets", "Subnets", Filters=[_filter("subnet-id", *network.subnet_ids)])
    subnets = [parse_subnet(one) for one in found if one["SubnetId"] in network.subnet_ids and "VpcId" in one]
    ways = [egress_of(one, NetworkParts(tables, endpoints), ALL_SERVICES) for one in subnets]
    return {way.subnet: reason for way in ways if way.route_table and (reason := _why_closed(way))}


def _why_closed(way: Egress) -> str:
    if is_closed(way):
        return f"its route to {way.gateway} leads nowhere" if way.blackhole else "no default route"
    return "gives no public addresses" if lacks_public_addresses(way) else ""


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
    return Network(vpcs.pop(), tuple(sorted(spec.subnet_ids)), gives_addresses=_give_addresses(subnets))


def _of_vpc(vpc_id: str, region: str, remote: RemoteState) -> Network:
    subnets = remote.list("ec2", "describe_subnets", "Subnets", Filters=[_filter("vpc-id", vpc_id)])
    if not subnets:
        raise ConfigError(f"--vpc-id is {vpc_id}, which has no subnets here: give the id of a VPC of this region.")
    outside = _outside(subnets, region)
    if len(outside) == len(subnets):
        raise ConfigError(
            f"--vpc-id is {vpc_id}, all of whose subnets are in Local Zones or on Outposts: choose another VPC."
        )
    taken = [one for one in subnets if one["SubnetId"] not in outside]
    return Network(vpc_id, _ids(taken), left_out=outside, gives_addresses=_give_addresses(taken))


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
    return Network(vpc_id, _ids(subnets), is_default=True, gives_addresses=_give_addresses(subnets))


def _give_addresses(subnets: list[Document]) -> bool:
    return any(one.get("MapPublicIpOnLaunch") for one in subnets)


def _ids(subnets: list[Document]) -> tuple[str, ...]:
    return tuple(sorted(str(subnet["SubnetId"]) for subnet in subnets))


def _filter(name: str, *values: str) -> Document:
    return {"Name": name, "Values": list(values)}
