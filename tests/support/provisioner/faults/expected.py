"""What has to hold however a command ends."""

from __future__ import annotations

from tests.support.provisioner.faults.commands import REGION, Ran
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World


def assert_said_plainly(ran: Ran) -> None:
    """Exit code 1 and one line for a person, which is the last event."""
    assert ran.exit_code == 1, ran
    assert ran.errors == ""
    assert ran.last["event"] == "failed", ran.last
    assert ran.last["error"].endswith((".", "again."))
    assert "\n" not in ran.last["error"]


def assert_saved_what_was_made(world: World) -> None:
    """What lives has an entry that says that it isn't all."""
    if world.living():
        assert world.saved is not None
        assert not world.saved.complete


def assert_fault_is_told(world: World, fault: Fault, call: Call) -> None:
    """Of a provisioning that can't go on with it; then the fault is over."""
    world.strike(fault, call)
    assert_said_plainly(world.commands.provision())
    world.recover()
    assert_saved_what_was_made(world)


def assert_done_without(world: World, fault: Fault, call: Call) -> None:
    """The plan has a note of what could not be read, and the stack is made."""
    world.strike(fault, call)
    ran = world.commands.provision()
    world.recover()
    assert ran.exit_code == 0, ran.last
    assert any("is unknown" in note for note in ran.events[0]["notes"]), ran.events[0]
    assert_provisioned(world)
    assert_cleans_up(world)


def assert_provisioned(world: World) -> None:
    ran = world.commands.plan()
    assert ran.exit_code == 0, [change for change in ran.last["changes"] if change["action"] != "keep"]
    assert world.saved is not None
    assert world.saved.complete


def assert_provisions(world: World) -> None:
    ran = world.commands.provision()
    assert ran.exit_code == 0, ran.last
    assert_provisioned(world)


def assert_cleans_up(world: World) -> None:
    """Nothing of the stack is left in the account, and nothing else is changed."""
    ran = world.commands.cleanup()
    assert ran.exit_code == 0, ran.last
    assert_nothing_left(world)


def assert_nothing_left(world: World) -> None:
    assert world.is_empty, world.living()
    assert world.saved is None


def assert_told_what_remains(world: World, ran: Ran) -> None:
    """Either nothing was begun, or all that lives is named with its reason and command."""
    assert ran.errors == ""
    assert ran.exit_code == 1, ran
    assert world.saved is not None
    if ran.last["event"] == "failed":
        assert_said_plainly(ran)
        return
    remains, living = ran.last["remains"], world.living()
    assert living <= {one["name"] for one in remains}
    assert_roles_under_environments(world, living)
    for one in remains:
        assert one["why"].endswith((".", "needs it")), one
        assert "\n" not in one["why"]
        assert one["command"].startswith("aws ")


def assert_roles_under_environments(world: World, living: set[str]) -> None:
    """An environment without its instances' role can never be deleted."""
    prefix = world.commands.prefix
    if f"{prefix}-compute" in living:
        assert f"{prefix}-instance-{REGION}" in living
