"""The one door to this program: makes the names of its four packages its own, then runs one of its programs.

`console`, `engine`, `provisioner` and `container` are names that a user's project may have, too, and whatever is on
PYTHONPATH or in the current folder comes before an installed package. So everything of ours that starts as a process
starts here: the console script `scaler-batch`, `python -m scaler_batch`, and by this file's path (see `command`) the
engine and the helpers of the local AWS. What runs a user's code never does: there a user's own packages come first.

Needs the standard library only, and little of that: `--help` waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from os.path import abspath, dirname
from types import ModuleType
from typing import Final

NAMES: Final = ("console", "engine", "provisioner", "container")
ROOT: Final = dirname(abspath(__file__))
MODULE_FLAG: Final = "-m"
"""Before the name of a module of ours, as Python itself has it."""


class OwnPackageFinder:
    """Import finder that resolves our four top-level names, and only these, from our own root folder.

    Narrower than a folder at the front of `sys.path`: an installed copy's root is site-packages, and in front that
    would come before the standard library.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of one of our packages; None leaves every other name to the usual finders."""
        return PathFinder.find_spec(name, [ROOT], target) if name in NAMES else None


def claim_names() -> None:
    """Put our finder before all others. Call it before the first import of ours; again it does nothing."""
    sys.modules.setdefault("scaler_batch", sys.modules[__name__])  # one copy, when this file is the program, too
    if OwnPackageFinder not in sys.meta_path:
        sys.meta_path.insert(0, OwnPackageFinder)


def command(module: str | None = None, *words: str) -> tuple[str, ...]:
    """Return the command line that runs `module` of ours with `words`; without a module it is `scaler-batch` itself.

    `-P` keeps the current folder and this file's own from being searched.
    """
    door = (sys.executable, "-P", abspath(__file__))
    return (*door, MODULE_FLAG, module, *words) if module is not None else door


def main() -> None:
    """Run the console, or after `-m` the module of ours that is named there."""
    claim_names()
    if sys.argv[1:2] == [MODULE_FLAG] and len(sys.argv) > 2:
        _run_module(sys.argv[2])
        return
    try:
        from console.cli.main import main as run_console
    except KeyboardInterrupt:  # right after the start; from here on the console ends itself
        sys.exit(1)
    run_console()


def _run_module(name: str) -> None:
    import runpy

    del sys.argv[1:3]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
