"""Confirmations before AWS resources are made, changed or deleted from the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from console.foreign_text import clean
from console.tui.screens.dialog import GLUE, Dialog, Option, facts
from console.tui.stack.run import Run
from engine.telemetry.schema.messages import ENDED, JobState, ManagerView
from provisioner.json_schema import PlanReport, StackEntry
from provisioner.kinds import PlanAction

NOTES: Final = 3
NAMES: Final = 6
DIGEST: Final = len("sha256:") + 12


def confirm_provision(entry: StackEntry, plan: PlanReport, image: str) -> Dialog[bool]:
    """Confirmation of a provisioning, with its plan."""
    details = {
        "stack": _place(entry),
        "changes": _counts(plan),
        "first": _first(plan),
        "image": _short_image(image or entry.image),
        "notes": _notes(plan),
        "API": "as the plan says; can be stopped with X, and run again",
    }
    return Dialog("provision?", facts(details), [Option("y", "Provision", True, dangerous=True)], harmless="Leave it")


def confirm_cleanup(entry: StackEntry, plan: PlanReport, living: int) -> Dialog[bool]:
    """Confirmation of a cleanup, for which the prefix must be typed. `living`: jobs that have not ended."""
    many = f"{living} jobs that live are ended" if living > 1 else "one job that lives is ended"
    details = {
        "stack": _place(entry),
        "changes": _counts(plan),
        "first": _first(plan),
        "effect": f"{many if living else 'no job lives'}; the engine can submit nothing more",
        "notes": _notes(plan),
    }
    button = Option("y", "Delete it all", True, dangerous=True)
    return Dialog("clean up the stack?", facts(details), [button], harmless="Keep it all", typed=entry.prefix)


def confirm_build(entry: StackEntry) -> Dialog[bool]:
    """Confirmation of an image build."""
    details = {
        "stack": _place(entry),
        "effect": "an image with the job runner is built by this machine's container engine and pushed to the stack's "
        "registry; a provisioning then takes it",
        "not in it": "code of yours: for that, scaler-batch build-image has --requirements and --package",
    }
    return Dialog("build an image?", facts(details), [Option("y", "Build", True)], harmless="Leave it")


def confirm_stop(run: Run) -> Dialog[bool]:
    """Confirmation of stopping a run."""
    details = {"effect": f"{run.name} ends after the call that is under way; run again, it goes on from there"}
    return Dialog(f"stop {run.name}?", facts(details), [Option("y", "Stop it", True, dangerous=True)], harmless="Go on")


def confirm_quit_running(run: Run) -> Dialog[bool]:
    """Confirmation of quitting the console while a run is under way."""
    details = {"effect": f"{run.name} is under way and ends with the console; run again, it goes on from there"}
    return Dialog("quit?", facts(details), [Option("y", "Stop it and quit", True, dangerous=True)], harmless="Stay")


def living_jobs(managers: Iterable[ManagerView], entry: StackEntry) -> int:
    """Number of jobs at AWS that have not ended, of the managers that use the stack."""
    ours = (each for each in managers if each.region == entry.region and each.queue.endswith(entry.job_queue))
    over = ENDED | {JobState.QUEUED}
    return sum(number for each in ours for state, number in each.counts.items() if state not in over)


def _short_image(image: str) -> str:
    """Its repository, and as much of the digest as tells it from others."""
    name, at, digest = clean(image).rpartition("/")[2].partition("@")
    return f"{name}{at}{digest[:DIGEST]}"


def _place(entry: StackEntry) -> str:
    return clean(f"{entry.prefix} (account {entry.account}, {entry.region})")


def _counts(plan: PlanReport) -> str:
    counts = Counter(change.action for change in plan.changes)
    return ", ".join(f"{counts[action]}{GLUE}{action}" for action in PlanAction if counts[action]) or "nothing"


def _first(plan: PlanReport) -> str:
    names = [clean(f"{change.action} {change.kind} {change.name}").replace(" ", GLUE) for change in plan.to_do]
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def _notes(plan: PlanReport) -> str:
    return " ".join(f"{clean(note).rstrip('.')}." for note in plan.notes[:NOTES])
