"""Guard of one command: runs it for as long as the guard's own standard input is open, then ends it.

Started through `scaler_batch.command`, with the COMMAND's words. For programs that are not ours and so don't
know when their parent is gone: the parent holds the other end, and the kernel closes it however the parent ends. If
the guard itself is killed, Linux ends the command with it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from types import FrameType
from typing import Final

from provisioner.local.processes.fork_server import process_tree

GRACE_S: Final = 5.0
PARENT_CHECK_S: Final = 1.0


def main(command: list[str]) -> int:
    """Run the command. Returns its exit code, or 0 when we ended it."""
    parent, changed = os.getppid(), catch_signals()
    # The guard has one thread: a preexec function is safe in it.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=process_tree.die_with_parent)
    while child.poll() is None:
        if not wait_for_change(changed, parent):
            end(child)
            return 0
    return child.returncode


def catch_signals() -> int:
    """Return a descriptor that says `T` when we shall end, `C` when the command may have ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def tell(signum: int, _frame: FrameType | None) -> None:
        os.write(writer, b"C" if signum == signal.SIGCHLD else b"T")

    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, tell)
    return reader


def wait_for_change(changed: int, parent: int) -> bool:
    """Block until something may have changed. Returns False when the command shall end."""
    readable, _, _ = select.select([0, changed], [], [], PARENT_CHECK_S)
    if changed in readable and b"T" in os.read(changed, 4096):
        return False
    closed = 0 in readable and not os.read(0, 4096)
    # The parent may be gone while a process that it forked holds our standard input open.
    return not closed and os.getppid() == parent


def end(child: subprocess.Popen[bytes]) -> None:
    """Terminate the command; kill it after `GRACE_S` seconds."""
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
