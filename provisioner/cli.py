"""Commands of the provisioner: `python -m provisioner`, and the same under `scaler-batch`.

Errors leave as `EngineError`s; the program that runs the application prints them and exits with their code.
"""

from __future__ import annotations

import sys

import typer

from engine.errors import EngineError
from provisioner.commands.build_image import build_image
from provisioner.commands.cleanup import cleanup
from provisioner.commands.doctor import doctor
from provisioner.commands.export import export
from provisioner.commands.plan import plan
from provisioner.commands.provision import provision
from provisioner.commands.show import show
from provisioner.selftest.command import selftest

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Makes and removes the AWS resources of a worker manager. For tests and development: production "
    "should come from your organization's own infrastructure as code, for which `export` gives a template.",
)

for command in (plan, provision, show, cleanup, build_image, doctor, export, selftest):
    app.command()(command)


def main() -> None:
    """Run `python -m provisioner`: exit codes 0 done, 1 failed, 2 wrong usage."""
    try:
        app(prog_name="python -m provisioner")
    except EngineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
