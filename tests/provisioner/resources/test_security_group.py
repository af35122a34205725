"""Security group: of the right VPC, and without a way in."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    compute_resources,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_another_vpc_moves_the_security_group_there(clients: Clients) -> None:
    apply(SPEC, clients)
    vpc = clients.call("ec2", "create_vpc", {"CidrBlock": "10.9.0.0/16"})["Vpc"]["VpcId"]
    subnet = clients.call("ec2", "create_subnet", {"VpcId": vpc, "CidrBlock": "10.9.1.0/24"})["Subnet"]["SubnetId"]
    public = {"SubnetId": subnet, "MapPublicIpOnLaunch": {"Value": True}}
    clients.call("ec2", "modify_subnet_attribute", public)
    gateway = clients.call("ec2", "create_internet_gateway", {})["InternetGateway"]["InternetGatewayId"]
    clients.call("ec2", "attach_internet_gateway", {"InternetGatewayId": gateway, "VpcId": vpc})
    of_vpc = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}
    table = clients.call("ec2", "describe_route_tables", of_vpc)["RouteTables"][0]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    clients.call("ec2", "create_route", route)
    words = changes(plan_for(dataclasses.replace(SPEC, vpc_id=vpc), clients))
    assert words[0] == "create security group scaler-batch-instances"
    assert words[-1] == "delete security group scaler-batch-instances"


def test_an_opened_security_group_is_closed_again(clients: Clients) -> None:
    apply(SPEC, clients)
    group = compute_resources(clients)["securityGroupIds"][0]
    way_in = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    clients.call("ec2", "authorize_security_group_ingress", {"GroupId": group, "IpPermissions": [way_in]})
    assert changes(plan_for(SPEC, clients)) == ["update security group scaler-batch-instances"]
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []
