"""Program that ends with its parent, kill -9 of the parent included: Linux does that, elsewhere it may live on.

Started through `scaler_batch.command` with the parent's process id and the words of a command, it ties itself and
becomes that command. Between fork and exec, where the tie could be made as well, no code of Python's may run in a
process that has threads, as a console has: `preexec_fn` in https://docs.python.org/3/library/subprocess.html.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import scaler_batch


def tied(command: Sequence[str]) -> tuple[str, ...]:
    """Make the command that is `command`, tied to this process. Start it on the main thread: the tie is to a thread."""
    return scaler_batch.command(__name__, str(os.getpid()), *command)


def main(parent: int, command: Sequence[str]) -> None:
    """Become the command; ends at once when the parent is gone already."""
    from provisioner.local.processes.fork_server.process_tree import die_with_parent

    die_with_parent()
    if os.getppid() != parent:  # it ended before the tie was made
        sys.exit(1)
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
