"""`scaler-batch code push`: gives a running engine the user's own modules, without an image build or a restart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.printing import harmless, print_json
from console.cli.progress import say
from console.cli.session import EngineOption, JsonOption, KeysOption, ManagerOption, call_engine, connect
from console.format import size

if TYPE_CHECKING:
    from engine.code.archive import CodeArchive
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import Done

FOLDERS_HELP: Final = "Folders of your modules, or of a package; all that jobs shall have, in the order of their path."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
code = typer.Typer(no_args_is_help=True, help="Your own modules, which jobs have without an image build.")
app.add_typer(code, name="code")


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@code.callback()
def code_group() -> None:
    """Your own modules, which jobs have without an image build."""


@code.command()
def push(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help=FOLDERS_HELP)],
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Give these modules to the jobs of what is submitted from now on; what was submitted keeps its code.

    Git-ignored and hidden files, caches, virtual environments and secrets stay here. Pure Python only.
    """
    from engine.code.archive import pack_code
    from engine.telemetry.schema.messages import VERSION

    archive = pack_code([str(folder) for folder in folders])
    for note in archive.notes:
        say(harmless(note))
    with connect(engine, keys, control=True) as client:
        done = _send(client, archive, manager)
    if json:
        facts = {"code": archive.digest, "files": archive.files, "size": len(archive.data)}
        print_json({"version": VERSION, "text": done.text, **facts})
    else:
        print(f"{harmless(done.text)} ({size(len(archive.data))})")


def _send(client: TelemetryClient, archive: CodeArchive, manager: str) -> Done:
    """Give the answer to the last piece. Raises `EngineError`."""
    from engine.telemetry.schema.messages import CODE_PIECE_BYTES, Done, PushCode

    answer = Done("")
    for offset in range(0, len(archive.data), CODE_PIECE_BYTES):
        piece = archive.data[offset : offset + CODE_PIECE_BYTES]
        request = PushCode(archive.digest, len(archive.data), offset, piece, manager)
        answer = call_engine(client, request, Done)
    return answer
