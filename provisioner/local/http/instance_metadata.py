"""Instance metadata of the hosts of jobs: it answers nothing in a job, unless a fault opens it.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

from __future__ import annotations

from typing import Final

from provisioner.local.faults.fault_injector import FaultInjector
from provisioner.local.faults.faults import OpenMetadata
from provisioner.local.http.server import ConnectionCut, HttpRequest, HttpResponse

METADATA: Final = "/_metadata"
TOKEN: Final = "local-metadata-token"
ROLE: Final = "the-instances-role"


class InstanceMetadata:
    """IMDSv2 of any instance: a token first, then the name of its role."""

    def __init__(self, faults: FaultInjector) -> None:
        self._faults = faults

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a token or the role's name. Raises `ConnectionCut` while it is shut."""
        if not self._faults.strikes(OpenMetadata, request.path):
            raise ConnectionCut
        path = request.path.removeprefix(METADATA)
        if request.method == "PUT" and path == "/latest/api/token":
            return HttpResponse(200, {"Content-Type": "text/plain"}, TOKEN.encode())
        if request.headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return HttpResponse(401, {}, b"")
        found = path == "/latest/meta-data/iam/security-credentials/"
        return HttpResponse(200, {"Content-Type": "text/plain"}, ROLE.encode()) if found else HttpResponse(404, {}, b"")
