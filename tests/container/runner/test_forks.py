"""Only the process that the runner started answers for a task, whatever user code forks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.cases import first_now

Client = Callable[[str], None]

ENDS = {
    "exits": "sys.exit(0)",
    "returns": "return b'the helper\\'s'",
    "raises": "raise ValueError('the helper\\'s')",
    "returns what can't be serialized": "return open(os.devnull)",
}


@pytest.mark.parametrize("end", first_now(ENDS.values(), 2), ids=ENDS.keys())
@pytest.mark.parametrize("size", first_now([3_000_000, 100_000, 10]))
def test_helpers_that_a_task_forks_answer_nothing(client: Client, end: str, size: int) -> None:
    client(f"""
        def fork_one(size):
            import os, sys
            for _ in range(4):
                if os.fork() == 0:
                    {end}
            return b"v" * size

        returned = round_trip(fork_one, {size})
        assert returned.exit_code == 0, returned
        assert returned.value == b"v" * {size}
        """)


def test_a_helper_that_outlives_its_task_answers_nothing(client: Client) -> None:
    client("""
        def fork_one():
            import os, time
            if os.fork() == 0:
                os.close(1), os.close(2)
                time.sleep(0.2)
                return "the helper's"
            return "the task's"

        assert round_trip(fork_one).value == "the task's"
        """)


@pytest.mark.long
def test_a_helper_ends_with_the_exit_code_of_a_program(client: Client) -> None:
    client("""
        def codes():
            import os, sys
            found = []
            for end in (lambda: None, lambda: sys.exit(7), lambda: sys.exit("words"), lambda: 1 / 0):
                helper = os.fork()
                if helper == 0:
                    return end()
                found.append(os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]))
            return found

        assert round_trip(codes).value == [0, 7, 1, 1]
        """)


@pytest.mark.long
def test_a_fork_while_the_task_is_loaded_or_returned_is_no_second_answer(client: Client) -> None:
    client("""
        class Forks:
            def __reduce__(self):
                return fork_here, ()

        class ForksWhenReturned:
            def __reduce__(self):
                fork_here()
                return int, (5,)

        def fork_here():
            import os
            if (helper := os.fork()) == 0:
                return 6
            os.waitpid(helper, 0)
            return 5

        def identity(x):
            return x

        def make(kind):
            return kind()

        assert round_trip(identity, Forks()).value == 5
        assert round_trip(make, ForksWhenReturned).value == 5
        """)


def test_what_something_else_writes_to_the_runner_is_an_error_and_no_crash(client: Client) -> None:
    client("""
        def scribble():
            import os, stat
            for number in range(3, 64):
                try:
                    if stat.S_ISSOCK(os.fstat(number).st_mode):
                        os.write(number, b"\\xff" * 64)
                except OSError:
                    pass
            return "never seen"

        returned = failure(scribble)
        assert type(returned.value) is RuntimeError and "damaged" in str(returned.value), returned
        """)


@pytest.mark.long
def test_an_outcome_without_its_body_is_no_success(client: Client) -> None:
    client("""
        def announce():
            import json, os, stat, struct
            told = {"status": "success", "phase": "returning", "label": "int", "error": "", "place": "", "message": ""}
            outcome = json.dumps({**told, "cpu_s": 0.0, "peak_bytes": 0}).encode()
            for number in range(3, 64):
                try:
                    if stat.S_ISSOCK(os.fstat(number).st_mode):
                        os.write(number, struct.pack("<cQ", b"o", len(outcome)) + outcome)
                except OSError:
                    pass
            os._exit(0)

        returned = failure(announce)
        assert type(returned.value) is RuntimeError and "exit code 0" in str(returned.value), returned
        """)


@pytest.mark.parametrize(
    "close",
    first_now(
        [
            "os.closerange(3, 256)",
            "os.closerange(0, 256)",
            "os.closerange(3, 256); kept = [open(os.devnull, 'w') for _ in range(40)]",
            "os.closerange(3, 256); kept = [socket.socketpair() for _ in range(20)]",
        ]
    ),
)
@pytest.mark.parametrize("size", first_now([3_000_000, 10]))
def test_a_task_that_closes_all_descriptors_keeps_its_result(client: Client, close: str, size: int) -> None:
    client(f"""
        def closes():
            import os, socket
            global kept
            {close}
            return b"v" * {size}

        assert round_trip(closes).value == b"v" * {size}
        """)


@pytest.mark.long
def test_a_task_that_closes_all_descriptors_and_raises_keeps_its_exception(client: Client) -> None:
    client("""
        def closes():
            import os
            print("closing")
            os.closerange(3, 256)
            raise KeyError("k")

        returned = failure(closes)
        assert type(returned.value) is KeyError and "closing" in returned.notes, returned
        """)
