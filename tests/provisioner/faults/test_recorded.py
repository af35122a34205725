"""The calls that the tests of this folder go through are those that the commands make."""

from __future__ import annotations

import pytest

from tests.support.provisioner.faults.record import calls_of
from tests.support.provisioner.faults.recorded import recorded
from tests.support.provisioner.faults.world import World

RECORD = "run `python -m tests.support.provisioner.faults.record` and look at the difference"


@pytest.mark.long
def test_the_commands_make_the_calls_that_were_recorded(world: World) -> None:
    assert calls_of(world.aws, world.commands.provision) == [call.api for call in recorded("provision")], RECORD
    world.put_data()
    assert calls_of(world.aws, world.commands.cleanup) == [call.api for call in recorded("cleanup")], RECORD
