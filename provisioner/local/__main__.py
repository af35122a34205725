"""The local AWS as a process, started through `scaler_batch.command`. Its options are those of `LocalAWSOptions`."""

from __future__ import annotations

import argparse
import sys

import msgspec

from engine.errors import EngineError
from provisioner.local.options import LocalAWSOptions
from provisioner.local.server import serve


def parse(argv: list[str]) -> LocalAWSOptions:
    """Options of the command line; those of `--options` win."""
    parser = argparse.ArgumentParser(prog="python -m provisioner.local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state-dir", required=True, help="the only folder that is written to")
    parser.add_argument("--fault", action="append", default=[], help="see provisioner/local/faults/faults.py")
    parser.add_argument("--options", default="{}", help="more of LocalAWSOptions, as JSON")
    given = parser.parse_args(argv)
    more = msgspec.json.decode(given.options, type=dict)
    flags = {"port": given.port, "state_dir": given.state_dir, "faults": given.fault}
    return msgspec.convert({**flags, **more}, LocalAWSOptions)


if __name__ == "__main__":
    try:
        serve(parse(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
