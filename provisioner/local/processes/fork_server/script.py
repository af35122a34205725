"""`python -P …/fork_server/script.py SOCKET_FD SETTINGS`: loads this folder as a package of a unique name and serves.

Started by `executor.py`. Imports nothing of ours by its usual name; see the package's docstring.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

PACKAGE: Final = "scaler_batch_fork_server"


def main(arguments: list[str]) -> None:
    """Serve until the socket ends."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(Path(__file__).resolve().parent)]
    sys.modules[PACKAGE] = package
    importlib.import_module(f"{PACKAGE}.server").main(*arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
