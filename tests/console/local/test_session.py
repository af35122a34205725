"""What a session does when its engine or client ends, and what signals mean. Real processes, tiny programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console.local.session import ChildProgram, LocalSession, SessionEnd, Voice

# Opening the pipe `ready` blocks until the other side opens it too, so that no test sleeps.
# Its exit code tells that it was asked to drain.
DRAINED = 5
GRACE_S = 5.0
# What it waits for with `sigwait` can't come just before it waits, as it can before `pause`.
ENGINE = f"""
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
open("ready", "w").close()
signal.sigwait({{signal.SIGTERM}})
sys.exit({DRAINED})
"""
ANSWERING = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
open("ready", "w").close()
signal.sigwait({signal.SIGTERM})
open("drained", "w").close()
"""
STUBBORN = """
import os, signal
parent = os.getppid()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
open("ready", "w").close()
while True:
    signal.sigwait({signal.SIGTERM})
    os.kill(parent, signal.SIGINT)
"""
WAITS_FOR_ENGINE = "open('ready').close()\n"
INTERRUPTS_US = WAITS_FOR_ENGINE + "import os, signal\nos.kill(os.getppid(), signal.SIGINT)\n"


@pytest.fixture(autouse=True)
def _pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("ready")


def program(source: str) -> ChildProgram:
    return ChildProgram((sys.executable, "-c", source), os.environ)


async def run(engine: str, client: str | None = None) -> tuple[SessionEnd, list[str]]:
    said: list[str] = []
    voice = Voice(say=said.append, started=lambda: None)
    programs = (program(engine), program(client) if client else None)
    session = LocalSession(*programs, voice, capture=True, client_grace_seconds=GRACE_S)
    return await session.run(), said


async def test_a_client_that_ends_drains_the_engine() -> None:
    end, _ = await run(ENGINE, WAITS_FOR_ENGINE + "print('answer')")
    assert end == SessionEnd(DRAINED, 0, b"answer\n")


async def test_a_clients_exit_code_is_kept() -> None:
    end, _ = await run("import signal; signal.pause()", "import sys; sys.exit(7)")
    assert end.client_code == 7


async def test_an_engine_ended_before_it_could_listen_ended_well() -> None:
    end, _ = await run("import signal; signal.pause()", "pass")
    assert end.engine_code == 0


async def test_an_engine_that_fails_ends_the_client() -> None:
    end, _ = await run("import sys; sys.exit(1)", "import signal; signal.pause()")
    assert end == SessionEnd(1, client_interrupted=True)


async def test_the_first_interrupt_drains_before_the_client_ends() -> None:
    end, said = await run(ENGINE, INTERRUPTS_US + "signal.pause()")
    assert end == SessionEnd(DRAINED, client_interrupted=True)
    assert [line.partition(":")[0] for line in said] == ["draining"]


async def test_a_client_that_ends_soon_after_the_drain_ended_by_itself() -> None:
    waits = "open('drained').close()\nprint('answer')"
    os.mkfifo("drained")
    end, _ = await run(ANSWERING, INTERRUPTS_US + waits)
    assert end == SessionEnd(0, 0, b"answer\n")


async def test_the_second_interrupt_stops_at_once() -> None:
    end, said = await run(STUBBORN, INTERRUPTS_US + "signal.pause()")
    assert (end.engine_code, end.stopped) == (-signal.SIGKILL, True)
    assert said[-1] == "stopping now"


async def test_a_console_that_stops_it_now_has_asked_for_the_kill() -> None:
    end, _ = await run(STUBBORN, "import os, signal; os.kill(os.getppid(), signal.SIGHUP); signal.pause()")
    assert (end.engine_code, end.stopped) == (-signal.SIGKILL, True)


async def test_without_a_client_it_lasts_as_long_as_the_engine() -> None:
    end, _ = await run("import sys; sys.exit(3)")
    assert end == SessionEnd(3)


KILLED_PARENT = """
import asyncio, os, sys
from console.processes.children import start_child
async def main():
    child = await start_child([sys.executable, "-c", "import signal; signal.pause()"], os.environ)
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-P", "-c", KILLED_PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    fd = os.pidfd_open(child)
    parent.kill()
    parent.communicate()
    # The child's end makes its descriptor readable; select's timeout is the test's bound, not a pause.
    import select

    assert select.select([fd], [], [], 10)[0]
    os.close(fd)


async def test_a_client_that_ends_while_the_session_stays_is_told_at_once() -> None:
    told: list[tuple[int, bytes]] = []

    def ended(code: int, output: bytes) -> None:
        told.append((code, output))
        os.kill(os.getpid(), signal.SIGTERM)

    voice = Voice(say=lambda line: None, started=lambda: None, client_ended=ended)
    client = program(WAITS_FOR_ENGINE + "print('answer')")
    end = await LocalSession(program(ENGINE), client, voice, capture=True, stay=True).run()
    assert told == [(0, b"answer\n")]
    assert end == SessionEnd(DRAINED, 0, b"answer\n")
