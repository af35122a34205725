"""After its result is out, a task's process ends as a Python program does, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.paths import CONTAINER

Client = Callable[[str], None]


def test_a_task_ends_as_a_program_does_with_threads_atexit_functions_and_open_files(client: Client) -> None:
    client("""
        import gzip, os, pathlib, tempfile
        folder = tempfile.mkdtemp()

        def leave(folder):
            import atexit, gzip, threading, zipfile
            global plain, packed, listed
            plain = open(folder + "/plain", "w")
            plain.write("data")
            packed = gzip.open(folder + "/packed", "wt")
            packed.write("data")
            listed = zipfile.ZipFile(folder + "/listed", "w")
            listed.writestr("name", "data")
            atexit.register(lambda: open(folder + "/atexit", "w").close())

            def later():
                threading.main_thread().join()
                open(folder + "/thread", "w").close()

            threading.Thread(target=later).start()
            print("printed", end="")
            return 1

        returned = round_trip(leave, folder)
        assert returned.value == 1 and returned.exit_code == 0, returned
        place = pathlib.Path(folder)
        assert sorted(os.listdir(folder)) == ["atexit", "listed", "packed", "plain", "thread"], os.listdir(folder)
        assert (place / "plain").read_text() == "data"
        assert gzip.open(place / "packed", "rt").read() == "data"
        import zipfile
        assert zipfile.ZipFile(place / "listed").read("name") == b"data"
        """)


@pytest.mark.parametrize("collected", [0, 1], ids=["never collected", "collected once"])
def test_what_only_a_collection_finds_is_ended_however_long_it_lives(client: Client, collected: int) -> None:
    client(f"""
        import os, tempfile
        folder = tempfile.mkdtemp()

        def leave(folder):
            import gc
            class Last:
                def __del__(self):
                    open(folder + "/ended", "w").close()
            one = Last()
            one.itself = one
            [gc.collect() for _ in range({collected})]

        assert round_trip(leave, folder).exit_code == 0
        assert os.listdir(folder) == ["ended"]
        """)


@pytest.mark.long
def test_a_task_that_raised_ends_as_a_program_does(client: Client) -> None:
    client("""
        import os, tempfile
        folder = tempfile.mkdtemp()

        def leave(folder):
            import atexit
            global kept
            kept = open(folder + "/file", "w")
            kept.write("data")
            atexit.register(lambda: open(folder + "/atexit", "w").close())
            raise KeyError(1)

        assert type(failure(leave, folder).value) is KeyError
        assert os.path.exists(folder + "/atexit") and open(folder + "/file").read() == "data"
        """)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(7)"])
def test_a_process_that_dies_while_it_shuts_down_keeps_its_result(client: Client, end: str) -> None:
    client(f"""
        def leave():
            import atexit, os
            atexit.register(lambda: {end})
            return b"v" * 3_000_000

        returned = round_trip(leave)
        assert returned.value == b"v" * 3_000_000 and returned.exit_code == 0, returned
        assert returned.meta.cpu_s > 0 and returned.meta.peak_bytes > 1 << 20, returned.meta
        """)


HANGS = {
    "threads": "threading.Thread(target=threading.Event().wait, name='endless').start()",
    "atexit functions": "atexit.register(threading.Event().wait)",
}


@pytest.mark.parametrize(
    "what", [pytest.param(one, marks=pytest.mark.long if one != "threads" else ()) for one in HANGS]
)
def test_a_shutdown_that_does_not_end_is_cut_and_said(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The runner's patience is made short: nothing would come within any."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(CONTAINER)!r}); import batch_job_supervisor as s; s.SHUTDOWN_S = 0.1"
    )
    monkeypatch.setenv("RUNNER_SITE", str(tmp_path))
    client(f"""
        def leave():
            import atexit, threading
            {HANGS[what]}
            return 1

        returned = round_trip(leave)
        assert returned.value == 1 and returned.exit_code == 0, returned
        assert "cut off" in returned.log and {what!r} in returned.log, returned.log
        """)


@pytest.mark.long
def test_a_process_that_a_task_forks_ends_as_a_program_does(client: Client) -> None:
    client("""
        import os, tempfile
        folder = tempfile.mkdtemp()

        def forks(folder):
            import atexit, os
            if (helper := os.fork()) == 0:
                global kept
                kept = open(folder + "/file", "w")
                kept.write("data")
                atexit.register(lambda: open(folder + "/atexit", "w").close())
                return "the helper's"
            os.waitpid(helper, 0)
            return sorted(os.listdir(folder)), open(folder + "/file").read()

        assert round_trip(forks, folder).value == (["atexit", "file"], "data")
        """)


@pytest.mark.long
def test_what_the_runner_opened_before_the_fork_is_left_alone(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finalizer and a buffered file of the runner's process are not run by each task that it forks."""
    (tmp_path / "sitecustomize.py").write_text(
        "import weakref\n"
        "class Owner: pass\n"
        f"owner, kept = Owner(), open({str(tmp_path / 'kept')!r}, 'w')\n"
        "kept.write('once')\n"
        f"weakref.finalize(owner, lambda: open({str(tmp_path / 'ends')!r}, 'a').write('once'))\n"
    )
    monkeypatch.setenv("RUNNER_SITE", str(tmp_path))
    client("""
        assert round_trip(len, "abc").value == 3
        """)
    assert (tmp_path / "kept").read_text() == "once"
    assert (tmp_path / "ends").read_text() == "once"
