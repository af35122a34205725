"""A local AWS in this process that keeps every call our programs make: provisioner, manager, jobs."""

from __future__ import annotations

from moto.moto_api._internal.models import moto_api_backend

from provisioner.local.aws import LocalAWS
from provisioner.local.http.access_key import AccessKey
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.options import LocalAWSOptions
from provisioner.local.server import LocalServer
from tests.support.provisioner.permissions.calls import Call, call_of
from tests.support.provisioner.permissions.matching import Need
from tests.support.provisioner.permissions.needs import NeedsOfCalls

NOT_IMPLEMENTED = 501


class RecordingServer(LocalServer):
    """Calls in the order in which they were answered; what moto doesn't have counts, and isn't tried again for long."""

    def __init__(self, options: LocalAWSOptions, key: AccessKey) -> None:
        moto_api_backend.reset()  # its account is this process's, and other tests use it
        self.calls: list[Call] = []
        super().__init__(options, key)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            response = super()._answer(request)
        except NotImplementedError:
            response = HttpResponse(NOT_IMPLEMENTED)
        call = call_of(request, response)
        if call is not None:
            self.calls.append(call)
        return response


class RecordingAWS(LocalAWS):
    """A `LocalAWS` that isn't a process of its own."""

    _server: RecordingServer

    def launch(self) -> None:
        self._server = RecordingServer(self.options, self.access_key)

    def wait_ready(self) -> None:
        self._server.start()
        self.endpoint = self._server.endpoint

    def stop(self) -> None:
        self._server.close()
        super().stop()

    def needs(self) -> dict[str, set[Need]]:
        """By program, what its calls so far needed."""
        needs, ledger = dict[str, set[Need]](), NeedsOfCalls()
        for call in self._server.calls:
            needs.setdefault(call.program, set()).update(ledger.of(call))
        return needs
