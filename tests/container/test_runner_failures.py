"""However a task fails, the client gets a clear error of the right kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import first_now
from tests.support.paths import CONTAINER

Client = Callable[[str], None]


def test_an_exception_keeps_type_arguments_and_cause_and_carries_its_story(client: Client) -> None:
    client("""
        def fail(x):
            print("about to fail")
            try:
                {}[x]
            except KeyError as error:
                raise ValueError("unspeakable", x) from error

        returned = failure(fail, 3)
        error = returned.value
        assert type(error) is ValueError and error.args == ("unspeakable", 3)
        assert type(error.__cause__) is KeyError and error.__cause__.args == (3,)
        assert error.__context__ is error.__cause__ and error.__suppress_context__
        assert "in fail" in returned.notes and "about to fail" in returned.notes
        assert "batch_job" not in returned.notes
        assert returned.meta.phase == "running" and returned.meta.status == "exception"
        assert "unspeakable" not in returned.log
        assert "Traceback (most recent call last):" in returned.log and ", in fail\\nKeyError" in returned.log
        assert returned.log.count("That led to:") == 1 and ", in fail\\nValueError" in returned.log
        assert "batch_job_" not in returned.log
        """)


@pytest.mark.long
def test_an_exception_class_of_main_is_caught_by_the_client(client: Client) -> None:
    client("""
        class Plain(Exception):
            pass

        class Rich(Plain):
            def __init__(self, code, detail):
                super().__init__(f"{code}: {detail}")
                self.code = code

        class Outer:
            class Inner(Exception):
                pass

        def fail(kind):
            if kind == "plain":
                raise Plain("p") from Outer.Inner("cause")
            if kind == "rich":
                raise Rich(5, "five")
            raise Outer.Inner("i")

        init = Rich.__init__
        plain, rich, inner = (failure(fail, kind).value for kind in ("plain", "rich", "inner"))
        assert type(plain) is Plain and type(plain.__cause__) is Outer.Inner
        assert type(rich) is Rich and rich.code == 5 and str(rich) == "5: five"
        assert type(inner) is Outer.Inner
        assert Rich.__init__ is init, "the client's class must stay as it is"
        """)


@pytest.mark.long
def test_a_class_that_the_client_made_inside_of_a_function_is_its_own_class(client: Client) -> None:
    client("""
        def make():
            class Local(Exception):
                pass
            return Local

        Local = make()

        def fail():
            raise Local("mine")

        assert type(failure(fail).value) is Local
        """)


@pytest.mark.long
def test_a_class_that_is_made_while_the_function_runs_is_described(client: Client) -> None:
    client("""
        def fail():
            class Hidden(Exception):
                pass
            raise Hidden("boom") from ValueError("cause")

        error = failure(fail).value
        assert type(error) is RuntimeError and "Hidden: boom" in str(error)
        assert type(error.__cause__) is ValueError
        """)


@pytest.mark.long
def test_an_exception_too_large_to_travel_is_described(client: Client) -> None:
    client("""
        def fail():
            import sys
            sys.modules["batch_job_errors"].MAX_RESULT_BYTES = 10_000
            raise ValueError("short", bytes(20_000))

        error = failure(fail).value
        assert type(error) is RuntimeError and "bytes serialized, at most 10000 can travel" in str(error), error
        """)


@pytest.mark.long
def test_exceptions_that_do_not_pickle_are_described(client: Client) -> None:
    client("""
        import threading

        class Evil(Exception):
            def __str__(self):
                raise RuntimeError("no text")
            def __reduce__(self):
                raise RuntimeError("no pickle")

        def fail(kind):
            raise ValueError(threading.Lock()) if kind == "lock" else Evil()

        lock, evil = failure(fail, "lock").value, failure(fail, "evil").value
        assert type(lock) is RuntimeError and "ValueError: <unlocked" in str(lock)
        assert type(evil) is RuntimeError and "Evil" in str(evil)
        """)


@pytest.mark.long
def test_library_exceptions_with_awkward_constructors_survive(client: Client) -> None:
    client("""
        import json, subprocess

        def fail(kind):
            if kind == "unicode":
                b"\\xff".decode("utf-8")
            if kind == "json":
                import json
                json.loads("{")
            if kind == "process":
                subprocess.run(["false"], check=True)
            open("/nowhere")

        unicode, bad_json, process, missing = (failure(fail, k).value for k in ("unicode", "json", "process", ""))
        assert type(unicode) is UnicodeDecodeError and unicode.object == b"\\xff"
        assert type(bad_json) is json.JSONDecodeError and bad_json.pos == 1
        assert type(process) is subprocess.CalledProcessError and process.returncode == 1
        assert type(missing) is FileNotFoundError and missing.filename == "/nowhere"
        """)


@pytest.mark.parametrize(
    ("body", "text"),
    first_now([("sys.exit(0)", "called sys.exit(0)"), ("raise KeyboardInterrupt", "raised KeyboardInterrupt")]),
)
def test_what_would_end_the_client_is_described(client: Client, body: str, text: str) -> None:
    client(f"""
        import sys

        def fail():
            {body}

        error = failure(fail).value
        assert type(error) is RuntimeError and {text!r} in str(error), error
        """)


@pytest.mark.long
def test_a_process_that_ends_past_python_is_reported(client: Client) -> None:
    client("""
        import ctypes, os, signal

        def end(how):
            print("last words")
            if how == "exit":
                os._exit(3)
            if how == "imitate":
                os._exit(75)
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            ctypes.string_at(0)

        done, fake, killed, crashed = (failure(end, how) for how in ("exit", "imitate", "kill", "crash"))
        for returned in (done, fake, killed, crashed):
            assert type(returned.value) is RuntimeError
            assert returned.meta.status == "died" and returned.meta.phase == "running"
            assert "last words" in returned.notes
        assert "exit code 3" in str(done.value) and done.meta.exit_code == 3
        assert "exit code 75" in str(fake.value)
        assert "SIGKILL" in str(killed.value) and "memory" in str(killed.value) and killed.meta.signal == 9
        assert "SIGSEGV" in str(crashed.value) and "Segmentation fault" in crashed.notes
        """)


@pytest.mark.long
def test_an_exception_is_told_by_class_and_innermost_line_of_the_users_own_code(client: Client) -> None:
    client("""
        import json

        class Outer:
            class Missing(Exception):
                pass

        def deeper(text):
            raise Outer.Missing("no price of " + text)

        def fail(kind):
            return json.loads(kind) if kind == "{" else deeper(kind)

        import textwrap

        own, library, other = failure(fail, "DE0001").meta, failure(fail, "{").meta, failure(textwrap.wrap, 7, 0).meta
        assert other.place.startswith("textwrap.py:")
        assert (own.error, own.message) == ("Missing", "no price of DE0001")
        assert own.place == f"__main__:{deeper.__code__.co_firstlineno + 1} deeper"
        assert (library.error, library.phase) == ("JSONDecodeError", "running")
        assert library.place == f"__main__:{fail.__code__.co_firstlineno + 1} fail"
        assert not own.is_damaged and not own.is_out_of_memory
        """)


@pytest.mark.long
def test_a_process_that_says_nothing_leaves_no_class_and_no_place(client: Client) -> None:
    client("""
        import os

        meta = failure(lambda: os._exit(7)).meta
        assert (meta.status, meta.exit_code, meta.error, meta.place, meta.message) == ("died", 7, "", "", "")
        """)


def test_a_result_that_cannot_be_serialized_names_its_type(client: Client) -> None:
    client("""
        returned = failure(lambda: (i for i in range(3)))
        assert type(returned.value) is TypeError and "generator" in str(returned.value)
        assert returned.meta.phase == "returning"
        """)


@pytest.mark.long
def test_what_cannot_be_loaded_exits_2_with_a_hint(client: Client) -> None:
    client("""
        import sys, types

        module = types.ModuleType("only_here")
        exec("def f(): pass", module.__dict__)
        sys.modules["only_here"] = module

        class Exploding:
            def __reduce__(self):
                return (eval, ("1/0",))

        class Crashing:
            def __reduce__(self):
                import os
                return (os._exit, (7,))

        missing = failure(module.f, code=2)
        assert type(missing.value) is RuntimeError and "add the module 'only_here'" in str(missing.value)
        assert type(missing.value.__cause__) is ModuleNotFoundError
        exploding = failure(len, Exploding(), code=2)
        assert "ZeroDivisionError" in str(exploding.value) and exploding.meta.phase == "loading"
        crashing = failure(len, Crashing(), code=2)
        assert "exit code 7 while the function and its arguments were loaded" in str(crashing.value)
        assert crashing.meta.status == "unloadable"
        """)


@pytest.mark.long
@pytest.mark.parametrize(("kills_for_memory", "kind"), [(1, "MemoryError"), (0, "RuntimeError")])
def test_a_process_killed_for_memory_is_a_memory_error(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills_for_memory: int, kind: str
) -> None:
    """The runner reads its control group from a folder in which the task counts as the kernel would."""
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    (tmp_path / "memory.max").write_text(f"{256 << 20}\n")
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(CONTAINER)!r}); import pathlib, batch_job_memory as m; "
        f"m.CGROUP = pathlib.Path({str(tmp_path)!r}); "
        "[setattr(f, '__defaults__', (m.CGROUP,)) for f in (m.oom_kills, m.memory_limit)]"
    )
    monkeypatch.setenv("RUNNER_SITE", str(tmp_path))
    client(f"""
        import os, signal

        def starve():
            with open({str(tmp_path / "memory.events")!r}, "w") as file:
                file.write("oom_kill {kills_for_memory}\\n")
            os.kill(os.getpid(), signal.SIGKILL)

        returned = failure(starve)
        assert type(returned.value) is {kind}, returned
        assert returned.meta.is_out_of_memory is {bool(kills_for_memory)}
        if returned.meta.is_out_of_memory:
            assert "256 MiB that the job has" in str(returned.value) and "--memory" in str(returned.value)
        """)
