"""Internet route of the default VPC: AWS makes that VPC with an internet gateway and a route to it, moto without.

https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
"""

from __future__ import annotations

from typing import Final

from moto.core import DEFAULT_ACCOUNT_ID

from provisioner.local.account.moto_bridge import Moto

ANYWHERE: Final = "0.0.0.0/0"


class DefaultRoute:
    """The default VPC's way out, made when routes are first asked for: moto takes a moment to make its EC2."""

    def __init__(self, moto: Moto, region: str) -> None:
        self._moto = moto
        self._region = region
        self._open = False

    def open(self) -> None:
        """Give the default VPC its internet gateway and route, once."""
        with self._moto.lock:
            if not self._open:
                self._open = True
                self._make()

    def _make(self) -> None:
        from moto.ec2.models import ec2_backends

        backend = ec2_backends[DEFAULT_ACCOUNT_ID][self._region]
        vpc = backend.get_default_vpc()
        if vpc is None:
            return
        gateway = backend.create_internet_gateway()
        backend.attach_internet_gateway(gateway.id, vpc.id)
        (main,) = backend.describe_route_tables(filters={"vpc-id": [vpc.id], "association.main": ["true"]})
        backend.create_route(main.id, ANYWHERE, gateway_id=gateway.id)
