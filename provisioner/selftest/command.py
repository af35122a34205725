"""Command `selftest`: says what it will do and what that costs, asks, does it, and says what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from provisioner.commands.common import errors_as_json, interruptible, print_line, require_consent
from provisioner.commands.flags import ConfigFile, Json, Prefix, Region, Yes
from provisioner.commands.options import CONFIG_FILE
from provisioner.commands.printing import console
from provisioner.selftest.model import SelftestOutcome, SelftestPatience, SelftestReport, SelftestVerdict, cost_usd

if TYPE_CHECKING:
    from provisioner.selftest.place import SelftestPlace
    from provisioner.selftest.table import SelftestCheck

RESUME_HINT: Final = "what the selftest made was taken away again."
RESOURCES: Final = "Resources that another tool made"
JOBS_AT_ONCE: Final = 4
STYLES: Final = {
    SelftestVerdict.PASS: "green",
    SelftestVerdict.FAIL: "bold red",
    SelftestVerdict.SKIPPED: "yellow",
}
LOCAL_PATIENCE: Final = SelftestPatience(start_s=60.0, job_s=30.0, nap_s=5.0, look_s=0.1)


def selftest(
    region: Region = None,
    prefix: Prefix = "scaler-batch",
    job_queue: Annotated[str | None, typer.Option(help="Instead of a stack's.", rich_help_panel=RESOURCES)] = None,
    job_definition: Annotated[str | None, typer.Option(help="Instead of a stack's.", rich_help_panel=RESOURCES)] = None,
    s3_bucket: Annotated[str | None, typer.Option(help="Instead of a stack's.", rich_help_panel=RESOURCES)] = None,
    s3_prefix: Annotated[str | None, typer.Option(help="Key prefix of all objects.", rich_help_panel=RESOURCES)] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", metavar="NAME", help="Only this check; repeatable.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="On a local AWS instead: no account, no cost.")] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep every answer of AWS there, account ids and names replaced."),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
) -> None:
    """Prove on a real account what no stand-in can: jobs on each route, failures, cancels, takeovers, policies.

    Ten minutes at the most, a few cents, said before it starts. Leaves nothing. Exit code 1 unless every check passed.
    """
    from provisioner.selftest.place import GivenResources, place_here, place_on_aws
    from provisioner.selftest.table import chosen_checks

    checks = chosen_checks(check or ())
    with errors_as_json(as_json), interruptible(RESUME_HINT), ExitStack() as stack:
        raw = _raw_answers(record, stack)
        given = GivenResources(job_queue, job_definition, s3_bucket, s3_prefix)
        place = stack.enter_context(place_here()) if local else place_on_aws(region, prefix, config, given)
        if not as_json:
            _announce(place, checks, local=local)
        require_consent("Run it?", yes=yes or local)
        report = _run(place, checks, config, raw, local=local, as_json=as_json)
        if record is not None and raw is not None:
            _write_record(place, raw, record)
    _print_report(report, as_json=as_json)
    if not report.passed:
        raise typer.Exit(1)


def _raw_answers(record: Path | None, stack: ExitStack) -> Path | None:
    """Folder that answers are kept in, this process's from now on."""
    if record is None:
        return None
    from provisioner.selftest.recorder import AnswerRecorder

    raw = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="selftest-answers-")))
    AnswerRecorder(raw).start()
    return raw


def _announce(place: SelftestPlace, checks: Sequence[SelftestCheck], *, local: bool) -> None:
    target, out = place.target, console()
    where = "a local AWS" if local else f"account {place.clients.account}, {target.region}"
    out.print(f"Runs {len(checks)} checks with jobs of {target.job_queue} in {where}:", markup=False)
    for check in checks:
        out.print(f"  {check.name:<17} {check.claim}", markup=False)
    minutes = SelftestPatience().limit_s / 60
    price = 0.0 if local else cost_usd(target.vcpus * JOBS_AT_ONCE * minutes * 60, minutes * 60)
    out.print(f"Takes {minutes:.0f} minutes at the most, costs about ${price:.2f}: EC2 on demand, and requests.")
    made = "Scaler and a worker manager run on this machine meanwhile"
    role = ", in a role of its own with the exported policy alone" if target.stack is not None else ""
    out.print(f"{made}{role}. All that it made is gone at the end; lines of log stay until they expire,")
    out.print("and instances that started stay until AWS Batch ends them, some minutes later.")


def _run(
    place: SelftestPlace,
    checks: Sequence[SelftestCheck],
    config: Path,
    raw: Path | None,
    *,
    local: bool,
    as_json: bool,
) -> SelftestReport:
    from provisioner.selftest.bench import Bench
    from provisioner.selftest.selftest import run_selftest

    bench = Bench(
        place.target,
        place.clients,
        place.environ,
        patience=LOCAL_PATIENCE if local else SelftestPatience(),
        make_clients=place.clients_with,
        config=config,
        record=raw,
    )
    with console().status("starting") if not as_json else ExitStack():
        return run_selftest(bench, checks, print_line if as_json else _print_outcome)


def _print_outcome(outcome: SelftestOutcome) -> None:
    figures = f"{outcome.seconds:6.1f} s  ${outcome.usd:.4f}"
    line = f"{outcome.verdict.value:<7} {outcome.check:<17} {figures}  {outcome.evidence}"
    console().print(line, style=STYLES[outcome.verdict], markup=False, soft_wrap=True)


def _print_report(report: SelftestReport, *, as_json: bool) -> None:
    if as_json:
        print_line(report)
        return
    out, verdicts = console(), [one.verdict for one in report.outcomes]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict.value}" for verdict in SelftestVerdict)
    out.print(f"{counts}; {report.seconds:.0f} s, ${report.usd:.4f}.", style="bold", markup=False)
    out.print(f"Taken away: {'; '.join(report.cleaned)}.", markup=False, soft_wrap=True)
    for text in report.left:
        out.print(f"LEFT: {text}", style="bold red", markup=False, soft_wrap=True)


def _write_record(place: SelftestPlace, raw: Path, record: Path) -> None:
    from provisioner.selftest.recorder import STAND_IN_ACCOUNT, caller_names, write_recorded

    target, stack = place.target, place.target.stack
    caller = str(place.clients.call("sts", "get_caller_identity", {})["Arn"])
    names = {place.clients.account: STAND_IN_ACCOUNT, **caller_names(caller)}
    if stack is not None:
        names[stack.prefix] = "team"
    else:
        names |= {target.job_queue: "team-queue", target.job_definition: "team-job", target.bucket: "team-bucket"}
    write_recorded(raw, record, names, f"scaler-batch selftest --record, {target.region}")
