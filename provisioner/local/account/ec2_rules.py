"""Rules of EC2 that moto lacks: a security group in use can't be deleted.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html. A launch template may go at any time, on
AWS too: the environment that names it becomes INVALID when it is changed next.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from provisioner.local.http.refusals import xml_body, xml_error
from provisioner.local.http.server import HttpRequest, HttpResponse


class Ec2Rules:
    """Checks of EC2 calls before moto answers them. `in_use`: a compute environment has that security group."""

    def __init__(self, in_use: Callable[[str], bool]) -> None:
        self._in_use = in_use

    def refusal(self, api: str, request: HttpRequest) -> HttpResponse | None:
        """The error that EC2 answers with, or None for what moto may answer."""
        if api != "DeleteSecurityGroup":
            return None
        group = parse_qs(request.body.decode()).get("GroupId", [""])[0]
        if not self._in_use(group):
            return None
        return xml_error(400, xml_body("ec2", "DependencyViolation", f"resource {group} has a dependent object"))
