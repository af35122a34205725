"""Command `doctor`: whether everything is well that jobs need, or why a job or a queue is stuck. Changes nothing.

What reads AWS is loaded when it runs, so that `--help` needn't wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.common import errors_as_json, print_line
from provisioner.commands.flags import ConfigFile, Json, Prefix, Region
from provisioner.commands.options import CONFIG_FILE
from provisioner.commands.printing import console

STUCK: Final = "Why nothing runs"


def doctor(
    region: Region = None,
    prefix: Prefix = "scaler-batch",
    max_vcpus: Annotated[
        int | None, typer.Option(help="Hold the account's quota against this; else against what lives.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Whether this scheduler can be reached.")
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Instead: why this job does not run.", rich_help_panel=STUCK)
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Instead: what blocks this queue; with --job, its queue.", rich_help_panel=STUCK
        ),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
) -> None:
    """Check credentials, permissions, quotas, network, queue and image, with the fix for what isn't well.

    Exit code 1 when a check fails, or a diagnosis could read too little for any verdict; else what may not be looked
    at is "unknown", and no failure.
    """
    with errors_as_json(as_json):
        if job is not None or queue is not None:
            _refuse("--max-vcpus", max_vcpus)
            _refuse("--scheduler", scheduler)
            failed = _diagnose(_region(region, prefix, config), queue or "", job, as_json=as_json)
        else:
            failed = _examine(_region(region, prefix, config), prefix, config, max_vcpus, scheduler, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _region(region: str | None, prefix: str, config: Path) -> str:
    from provisioner.commands.place import chosen_region

    return chosen_region(region, prefix, config)


def _diagnose(region: str, queue: str, job: str | None, *, as_json: bool) -> bool:
    from engine.diagnosis.diagnose import Diagnoser
    from engine.diagnosis.model import CheckStatus, VerdictKind
    from provisioner.doctor.doctor import CALLS_PER_S
    from provisioner.doctor.reads import ClientReads
    from provisioner.doctor.report import diagnosis_document, print_diagnosis

    with console().status("reading AWS"):
        diagnoser = Diagnoser(ClientReads(Clients(region)), calls_per_s=CALLS_PER_S, region=region)
        found = diagnoser.diagnose(queue, job)
    if as_json:
        print_line(diagnosis_document(found))
    else:
        print_diagnosis(found)
    return found.kind is VerdictKind.UNREADABLE or any(check.result is CheckStatus.FAIL for check in found.checks)


def _examine(
    region: str, prefix: str, config: Path, max_vcpus: int | None, scheduler: str | None, *, as_json: bool
) -> bool:
    from provisioner.doctor.doctor import Doctor, DoctorRequest
    from provisioner.doctor.report import findings_document, print_findings

    request = DoctorRequest(region=region, prefix=prefix, config=config, max_vcpus=max_vcpus, scheduler=scheduler)
    with console().status("looking"):
        findings = Doctor(clients=Clients(request.region), request=request).examine()
    if as_json:
        print_line({"region": request.region, "prefix": request.prefix, **findings_document(findings)})
    else:
        print_findings(findings)
    return any(one.failed for one in findings)


def _refuse(flag: str, value: object) -> None:
    if value is not None:
        raise ConfigError(f"{flag} is {value!r}, but a diagnosis has no use for it: leave out --job and --queue.")
