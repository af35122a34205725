"""However a task fails, the client gets a clear error of the right kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import first_now

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
def test_exceptions_that_do_not_pickle_say_what_is_lost(client: Client) -> None:
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
        assert type(lock) is ValueError and "<unlocked" in str(lock)
        assert "argument 0 (TypeError: cannot pickle" in "".join(lock.__notes__)
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
    (tmp_path / "sitecustomize.py").write_text(f"import os; os.environ['SCALER_BATCH_CGROUP'] = {str(tmp_path)!r}")
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


@pytest.mark.long
def test_exceptions_of_every_shape_keep_type_and_fields(client: Client) -> None:
    client("""
        import asyncio, dataclasses, json, subprocess, threading, urllib.error

        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            user: str
            limit: int

        @dataclasses.dataclass(frozen=True, kw_only=True)
        class Keyword(Exception):
            user: str

        class Slotted(Exception):
            __slots__ = ("code",)
            def __init__(self, code):
                self.code = code

        class Reduced(Exception):
            def __init__(self, *, code):
                super().__init__(f"code {code}")
                self.code = code
            def __reduce__(self):
                return rebuild, (self.code,)

        class Held(Exception):
            pass

        class Stubborn(Exception):
            def __setattr__(self, name, value):
                raise RuntimeError("never")

        def rebuild(code):
            return Reduced(code=code)

        def held():
            error = Held("h", threading.Lock())
            error.lock, error.number = threading.Lock(), 7
            return error

        def itself():
            error = ValueError("x")
            error.args = (error,)
            return error

        def loop():
            first, second = ValueError("a"), KeyError("b")
            first.__cause__, second.__cause__ = second, first
            return first

        MAKERS = {
            "frozen": lambda: Frozen("anna", 3), "keyword": lambda: Keyword(user="anna"),
            "slotted": lambda: Slotted(4), "reduced": lambda: Reduced(code=5), "stubborn": lambda: Stubborn("s"),
            "held": held, "itself": itself, "loop": loop,
            "os": lambda: FileNotFoundError(2, "gone", "/x"),
            "unicode": lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
            "json": lambda: json.JSONDecodeError("bad", "{", 1),
            "called": lambda: subprocess.CalledProcessError(3, ["ls"], b"out"),
            "stop": lambda: StopIteration(6), "syntax": lambda: SyntaxError("bad", ("f", 1, 2, "text")),
            "imports": lambda: ImportError("no", name="m", path="/p"), "memory": lambda: MemoryError("m"),
            "http": lambda: urllib.error.HTTPError("u", 404, "gone", {}, None),
            "incomplete": lambda: asyncio.IncompleteReadError(b"x", 2),
            "huge": lambda: ValueError("h" * 3_000_000), "key": lambda: KeyError(("k", 1)),
        }

        def fail(kind, how):
            if how == "alone":
                raise MAKERS[kind]()
            if how == "caused":
                raise MAKERS[kind]() from ZeroDivisionError("z")
            raise KeyError("outer") from MAKERS[kind]()

        def run_all():
            import batch_job_errors, pickle
            told = []
            for kind in MAKERS:
                for how in ("alone", "caused", "cause"):
                    try:
                        fail(kind, how)
                    except Exception as error:
                        packer = batch_job_errors.ExceptionPacker(CLASSES)
                        told.append((kind, how, packer.pack(error, ["a note"])))
            return told

        import pickle
        CLASSES = frozenset({Frozen, Keyword, Slotted, Reduced, Held, Stubborn})
        for kind, how, packed in round_trip(run_all).value:
            error, expected = pickle.loads(packed), MAKERS[kind]()
            told = error.__cause__ if how == "cause" else error
            assert type(told) is type(expected), (kind, how, error, told)
            if how == "caused" and kind not in ("reduced",):
                assert type(error.__cause__) is ZeroDivisionError, (kind, error.__cause__)
            if kind not in ("held", "itself"):
                assert str(told) == str(expected), (kind, how, str(told)[:99])
            for name in ("user", "limit", "code", "errno", "filename", "start", "pos", "returncode", "lineno"):
                if hasattr(expected, name):
                    assert getattr(told, name) == getattr(expected, name), (kind, how, name)
            if kind == "held":
                assert told.number == 7 and told.args[0] == "h" and not hasattr(told, "lock")
                assert "lock" in "".join(told.__notes__) and "argument 1" in "".join(told.__notes__)
        """)


@pytest.mark.long
def test_a_real_task_brings_a_frozen_exception_and_a_group(client: Client) -> None:
    client("""
        import dataclasses, sys, threading

        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            user: str
            limit: int

        def fail(kind):
            if kind == "group":
                raise ExceptionGroup("g", [Frozen("anna", 3), OSError(2, "gone")])
            raise Frozen("anna", 3) from KeyError("k")

        error = failure(fail, "frozen").value
        assert type(error) is Frozen and (error.user, error.limit) == ("anna", 3)
        assert type(error.__cause__) is KeyError and "in fail" in "".join(error.__notes__)
        if sys.version_info >= (3, 11):
            group = failure(fail, "group").value
            assert [type(one) for one in group.exceptions] == [Frozen, FileNotFoundError], group
        """)


@pytest.mark.long
def test_the_hint_names_the_true_cause_of_what_cant_be_loaded(client: Client) -> None:
    client("""
        import functools

        @functools.lru_cache
        def cached(x):
            return x

        class Strange:
            def __reduce__(self):
                return broken, ()

        def broken():
            raise ValueError("while rebuilt")

        told = str(failure(cached, 1, code=2).value)
        assert "lru_cache" in told and "same versions" not in told, told
        told = str(failure(len, Strange(), code=2).value)
        assert "broken raised it" in told and "same versions" not in told, told
        """)
