"""The provisioner's commands: `python -m provisioner`, and the same under `scaler-batch`.

Errors leave as `EngineError`s; whoever runs the application prints them and exits with their code.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.errors import ConfigError, EngineError
from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.executor import Executor
from provisioner.models import Instruction, Plan
from provisioner.output import CONFIG_FILE, ENV_FILE, Provisioned, forget, load, save
from provisioner.planner import plan_cleanup, plan_provision, stack_of
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Makes and removes the AWS resources of a worker manager. For tests and development: production "
    "should come from your organization's own infrastructure as code.",
)

Region = Annotated[str, typer.Option(help="AWS region.")]
Prefix = Annotated[str, typer.Option(help="What the names of all resources start with.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="Saved configuration, all details.")]
EnvFile = Annotated[Path, typer.Option(help="Shell file with the four SCALER_ variables.")]


def main() -> None:
    """`python -m provisioner`: exit codes 0 done, 1 failed, 2 wrong usage."""
    try:
        app(prog_name="python -m provisioner")
    except EngineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


@app.command()
def provision(
    image: Annotated[str, typer.Option(help="Container image URI, with the runner inside.")],
    region: Region = "us-east-1",
    prefix: Prefix = "scaler-batch",
    vcpus: Annotated[int, typer.Option(help="vCPUs of a job.")] = 1,
    memory: Annotated[
        int, typer.Option(help="MiB of a job: rounded to a multiple of 2048, the container gets 90 %.")
    ] = 2048,
    max_vcpus: Annotated[int, typer.Option(help="vCPUs of all jobs together.")] = 256,
    instance_types: Annotated[str, typer.Option(help="EC2 instance types or families, comma-separated.")] = "optimal",
    job_timeout: Annotated[int, typer.Option(help="Minutes that one attempt may run.")] = 60,
    yes: Yes = False,
    config: ConfigFile = CONFIG_FILE,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Create what is missing: bucket, log group, roles, compute environment, job queue, job definition."""
    spec = ProvisionSpec(
        image=image,
        region=region,
        prefix=prefix,
        vcpus=vcpus,
        memory=memory,
        max_vcpus=max_vcpus,
        instance_types=tuple(name.strip() for name in instance_types.split(",")),
        job_timeout=job_timeout,
    )
    clients = Clients(region)
    stack = stack_of(region, prefix, clients)
    load(config)  # an unreadable file should be known before anything is made
    plan = plan_provision(spec, stack, RemoteState(clients))
    _apply(plan, clients, yes=yes)
    provisioned = Provisioned.of(spec, stack)
    save(provisioned, config, env_file)
    _tell(provisioned, config, env_file, asked=memory)


@app.command()
def cleanup(
    region: Region = "us-east-1",
    prefix: Prefix = "scaler-batch",
    yes: Yes = False,
    config: ConfigFile = CONFIG_FILE,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Delete everything of the prefix: its jobs, its resources, and all data in its bucket."""
    clients = Clients(region)
    stack = stack_of(region, prefix, clients)
    _apply(plan_cleanup(stack, RemoteState(clients)), clients, yes=yes)
    forget(stack.account, region, prefix, config, env_file)


@app.command()
def show(config: ConfigFile = CONFIG_FILE) -> None:
    """Print the saved configuration."""
    entries = load(config)
    if not entries:
        raise ProvisionError(f"Nothing is saved in {config}: run provision, or name a file with --config.")
    typer.echo(msgspec.json.format(msgspec.json.encode(entries)).decode())


def _apply(plan: Plan, clients: Clients, *, yes: bool) -> None:
    """Shows the steps, asks unless told not to, and does them."""
    if not plan:
        typer.echo("Nothing to change.")
        return
    if not yes:
        _confirm(plan, f"account {clients.account}, region {clients.region}")
    Executor(clients, _say).run(plan)


def _confirm(plan: Plan, place: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask for confirmation: give --yes to go on without.")
    typer.echo(f"{len(plan.instructions)} steps in {place}:")
    for instruction in plan.instructions:
        _say(instruction)
    typer.confirm("Do this?", abort=True)


def _say(instruction: Instruction) -> None:
    typer.echo(f"  {instruction.summary}")


def _tell(provisioned: Provisioned, config: Path, env_file: Path, asked: int) -> None:
    typer.echo(f"bucket {provisioned.bucket}")
    typer.echo(f"job queue {provisioned.job_queue}, job definition {provisioned.job_definition}")
    if provisioned.container_memory < asked:
        got = f"{provisioned.container_memory} MiB of {provisioned.memory} MiB"
        typer.echo(f"A container gets {got}, less than the {asked} MiB asked for: the host needs the rest.")
    typer.echo(f"Saved {config} and {env_file}; next: source {env_file}")
