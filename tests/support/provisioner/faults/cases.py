"""Which faults strike which calls."""

from __future__ import annotations

import pytest

from tests.support.provisioner.faults import recorded
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call


def one_at_every_call(calls: list[Call], at_every: Fault, *others: Fault) -> pytest.MarkDecorator:
    """That fault at each of the calls, and the other ones at the first of each service."""
    cases = [(at_every, call) for call in calls]
    cases += [(fault, call) for fault in others for call in recorded.of_each_service(calls)]
    return pytest.mark.parametrize(("fault", "call"), cases, ids=str)
