"""Templates: a function that comes again is loaded once, and its tasks can't tell it from a load of their own."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from container.batch_job_memory import LARGE_BYTES
from container.batch_job_wire.payload_forms import to_bundle, to_inline
from container.batch_job_wire.payload_frames import encode_payload
from container.batch_job_wire.protocol import result_key
from container.batch_job_wire.result_frames import decode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from tests.support.cases import these_now
from tests.support.runner.client import STORE, payload, start_runner
from tests.support.runner.forked_jobs import KILLED, ForkedJobs
from tests.support.runner.packs import PACK, SECRET, SUBMISSION, by_value, frame_of, job, result_of, task_id
from tests.support.runner.s3_stand_in import S3StandIn

LOADED_ONCE: Final = "the function is loaded once for the tasks that follow"
WITHOUT: Final = "each task loads its function itself: "
COUNTED: Final = """
import os
class Counted:
    def __init__(self, file):
        self.file = file
    def __setstate__(self, state):
        with open(state["file"], "a") as loads:
            loads.write(f"{os.getpid()}\\n")
        number = sum(1 for _ in open(state["file"]))
        load(number)
        self.__dict__ = state
def load(number):
    pass
counted = Counted(FILE)
"""
"""Tells each process in which the function is loaded; `load` is called with the number of the load."""


@pytest.fixture
def jobs(jobs: ForkedJobs) -> Iterator[ForkedJobs]:
    jobs.has_template = True
    yield jobs
    jobs.has_template = False


class Pack:
    """Tasks with a function that tells where it is loaded."""

    def __init__(self, s3: S3StandIn, jobs: ForkedJobs, folder: Path) -> None:
        self._s3 = s3
        self._jobs = jobs
        self._file = folder / "loads"

    def run(self, source: str, arguments: Sequence[object], prelude: str = "") -> tuple[int, str]:
        self._file.write_text("")
        frame = frame_of(COUNTED.replace("FILE", repr(str(self._file))) + source, arguments)
        [(code, log)] = self._jobs.run(self._s3.endpoint, [job(frame)], prelude)
        return code, log

    @property
    def loads(self) -> list[int]:
        """The processes in which the function was loaded, in order."""
        return list(map(int, self._file.read_text().split()))

    def result(self, number: int) -> tuple[ResultMeta, Any]:
        meta, body = decode_result(
            self._s3.objects[f"/{STORE}/{result_key(SUBMISSION, task_id(number))}"], task_id(number), SECRET
        )
        return meta, pickle.loads(body)

    def values(self, count: int) -> list[Any]:
        return [self.result(number)[1] for number in range(count)]


@pytest.fixture
def pack(s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path) -> Pack:
    return Pack(s3, jobs, tmp_path)


APART: Final = """
import random
seen = []
def f(x):
    import tempfile
    seen.append(x)
    folder = tempfile.gettempdir()
    before = os.listdir(folder)
    open(os.path.join(folder, "left"), "w").close()
    score = open("/proc/self/oom_score_adj").read().strip()
    children = open(f"/proc/self/task/{os.getpid()}/children").read()
    return counted and [seen, before, os.environ["TMPDIR"] == folder, score, os.getpgid(0) == os.getpid(), children], (
        os.getpid(), os.getppid(), folder, random.random(),
    )
"""


def test_a_function_is_loaded_by_the_first_task_and_the_template_and_each_task_has_a_process_as_if_it_had_loaded_it(
    pack: Pack,
) -> None:
    code, log = pack.run(APART, range(5))
    assert (code, len(pack.loads), log.count(LOADED_ONCE), WITHOUT in log) == (0, 2, 1, False), log
    alike = [[[n], [], True, "1000", True, ""] for n in range(5)]
    assert [value[0] for value in pack.values(5)] == alike
    pids, parents, folders, randoms = zip(*(value[1] for value in pack.values(5)), strict=True)
    assert len({*pids, *pack.loads}) == 6  # the first task's process is the first that loads
    assert (len(set(parents)), parents[1:]) == (2, (pack.loads[1],) * 4)  # the bare process, and the template
    assert len(set(randoms)) == 5
    assert not any(Path(folder).exists() for folder in folders)


def test_without_the_option_each_task_loads_its_function(pack: Pack, jobs: ForkedJobs) -> None:
    jobs.has_template = False
    code, log = pack.run("def f(x): return x, counted and None", range(3))
    assert (code, len(pack.loads), LOADED_ONCE in log, WITHOUT in log) == (0, 3, False, False), log


LEAVING: Final = {
    "threads": "import threading\n if number == 2: threading.Thread(target=threading.Event().wait).start()",
    "files": "global kept\n kept = open('/dev/null')",
    "devices": "global kept\n import socket\n kept = socket.socket()",
    "processes": "if number == 2 and not os.fork():\n  os.read(os.pipe()[0], 1)",
    "memory or locks": "global kept\n import mmap\n kept = mmap.mmap(-1, 4096)",
    "temporary files": "import tempfile\n if number == 2: tempfile.mkdtemp()",
    "a tenth of the job's memory": "pass",
    "it can't be loaded there (ValueError)": "if number == 2: raise ValueError",
    "its process ended": "if number == 2: os._exit(3)",
    "or took too long": "import signal\n if number == 2: signal.pause()",
}
HASTY: Final = """
import batch_job_template.templates, batch_job_template.inspection
batch_job_template.templates.LOAD_PATIENCE_S = {patience}
batch_job_template.inspection.memory_limit = lambda: {limit}
"""


@pytest.mark.parametrize("why", these_now(LEAVING, ("threads", "files", "its process ended", "or took too long")))
def test_what_tasks_would_share_or_miss_is_said_once_and_each_loads_its_function_as_without_a_template(
    pack: Pack, why: str
) -> None:
    source = f"def load(number):\n {LEAVING[why]}\ndef f(x): return x, counted and None"
    prelude = HASTY.format(patience=0.1 if "long" in why else 10, limit=4096 if "tenth" in why else 0)
    code, log = pack.run(source, range(4), prelude)
    assert (code, len(pack.loads), log.count(WITHOUT), LOADED_ONCE in log) == (0, 5, 1, False), log
    assert why in log.partition(WITHOUT)[2].splitlines()[0]
    assert [value[0] for value in pack.values(4)] == [0, 1, 2, 3]


def test_sigterm_while_a_template_loads_ends_the_job_with_no_further_task_called(pack: Pack) -> None:
    ended = "import signal\n if number == 2:\n  os.kill(int(os.environ['RUNNER']), signal.SIGTERM)\n  signal.pause()"
    code, log = pack.run(f"def load(number):\n {ended}\ndef f(x): return x, counted and None", range(3), BY_ITSELF)
    assert (code, len(pack.loads), pack.result(0)[1]) == (75, 2, (0, None)), log
    with pytest.raises(KeyError):
        pack.result(1)


BY_ITSELF: Final = "import batch_job_template.templates; batch_job_template.templates.LOAD_PATIENCE_S = 3600.0"


DRAWING: Final = """
import random
def load(number):
    global seeded, unseeded
    seeded, unseeded = random.Random(7), random.Random()
    random.seed(SEED)
def f(x):
    return counted and random.random(), seeded.random(), unseeded.random()
"""


@pytest.mark.parametrize(("seed", "differ"), [("7", 1), ("", 4)], ids=["seeded", "unseeded"])
def test_tasks_draw_the_same_random_numbers_only_where_they_did_without_a_template(
    pack: Pack, seed: str, differ: int
) -> None:
    code, log = pack.run(DRAWING.replace("SEED", seed), range(4))
    assert (code, len(pack.loads), LOADED_ONCE in log) == (0, 2, True), log
    assert [len(set(numbers)) for numbers in zip(*pack.values(4), strict=True)] == [differ, 1, 4]


ENDING: Final = """
def f(x):
    import signal
    if x == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if x == "kill the template":
        os.kill(int(open(counted.file).read().split()[1]), signal.SIGKILL)
    if x == "leave":
        if not os.fork():
            os.setsid()
            signal.pause()
    return x
"""


def test_a_task_that_ends_its_process_costs_the_template_nothing(pack: Pack) -> None:
    code, log = pack.run(ENDING, ["fine", "crash", "crash", "leave", "fine"])
    statuses = [pack.result(number)[0].status.value for number in range(5)]
    assert (code, statuses) == (0, ["success", "died", "died", "success", "success"]), log
    assert (len(pack.loads), pack.result(2)[0].signal, WITHOUT in log) == (2, 9, False)


def test_a_template_that_ends_costs_no_task_anything(pack: Pack) -> None:
    code, log = pack.run(ENDING, ["fine", "fine", "kill the template", "fine", "fine"])
    assert (code, pack.values(5)) == (0, ["fine", "fine", "kill the template", "fine", "fine"]), log
    assert (len(pack.loads), log.count(f"{WITHOUT}its process is gone")) == (4, 1), log


STARVED: Final = """
import batch_job_supervisor, itertools
counts = itertools.count()
batch_job_supervisor.oom_kills = lambda: next(counts)
"""


def test_a_task_that_the_kernel_ends_for_memory_ends_the_template_whose_memory_the_next_may_need(pack: Pack) -> None:
    code, log = pack.run(ENDING, ["fine", "fine", "crash", "fine"], STARVED)
    metas = [pack.result(number)[0] for number in range(4)]
    assert (code, [meta.is_out_of_memory for meta in metas]) == (0, [False, False, True, False]), log
    assert (len(pack.loads), log.count(f"{WITHOUT}a task needs its memory")) == (3, 1), log


def test_tasks_with_much_to_read_are_forked_from_the_runner_which_has_it(pack: Pack) -> None:
    code, log = pack.run("def f(x): return len(x), counted and None", [b"a", b"b", bytes(2**20), b"c"], LARGE)
    assert (code, len(pack.loads), [value[0] for value in pack.values(4)]) == (0, 3, [1, 1, 2**20, 1]), log


LARGE: Final = "import batch_job_template.templates; batch_job_template.templates.LARGE_BYTES = 2**16"


def test_only_consecutive_tasks_with_one_function_have_a_template(s3: S3StandIn, jobs: ForkedJobs) -> None:
    sources = {name: by_value(f"def f(x): return {name!r}") for name in "abc"}
    tasks = [(task_id(n), payload(sources[name], (n,))) for n, name in enumerate("abaabbbcc")]
    frame = encode_payload(tasks, secret=SECRET, is_packed=True)
    [(code, log)] = jobs.run(s3.endpoint, [job(frame)])
    found = [line for line in log.splitlines() if LOADED_ONCE in line or "success" in line]
    loads = [place for place, line in enumerate(found) if LOADED_ONCE in line]
    assert (code, loads) == (0, [3, 6, 10]), log


SEARCHING: Final = """
def f(turned):
    found, half = False, bytes(one ^ 1 for one in turned[:16])
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, *_, path = (line + " -").split(maxsplit=6)[:7]
            start, end = (int(word, 16) for word in place.split("-"))
            if "w" in rights and "[v" not in line:
                memory.seek(start)
                parts = memory.read(end - start).split(half)
                found = found or any(bytes(one ^ 1 for one in part[:16]) == turned[16:] for part in parts[1:])
    return found, counted and None
"""


def test_the_secret_that_signs_results_is_in_no_process_of_a_task(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path
) -> None:
    token, file = bytes(range(16)), tmp_path / "loads"
    secret = os.urandom(32)
    function = by_value(COUNTED.replace("FILE", repr(str(file))) + SEARCHING)
    tasks = [(task_id(n), payload(function, (bytes(one ^ 1 for one in secret),))) for n in range(4)]
    s3.objects[f"/{STORE}/payloads/{SUBMISSION}-{token.hex()}"] = encode_payload(tasks, secret=secret, is_packed=True)
    [(code, log)] = jobs.run(s3.endpoint, [job(b"", payload=to_bundle(token))])
    assert code == 0, log
    bodies = [s3.objects[f"/{STORE}/{result_key(SUBMISSION, task_id(n))}"] for n in range(4)]
    found = [pickle.loads(decode_result(data, task_id(n), secret)[1])[0] for n, data in enumerate(bodies)]
    assert found == [False] * 4


RUNNERS_OWN: Final = {
    *("batch_job_s3", "batch_job_supervisor", "botocore", "http.client"),
    *("hashlib", "json", "pathlib", "random", "shutil", "tempfile", "zlib"),
}


def test_a_task_has_no_module_in_its_process_that_only_the_runner_needs(s3: S3StandIn) -> None:
    """Each takes pages, which the kernel hands on to every task and takes back at its end."""
    source = f"def f(x):\n import sys\n return sorted({RUNNERS_OWN} & {{*sys.modules}})"
    process = start_runner(s3.endpoint, SUBMISSION, to_inline(frame_of(source, range(2))), options=PACK)
    _, log = process.communicate(timeout=60)
    assert [result_of(s3, n)[1] for n in range(2)] == [[], []], log


SHADOWING: Final = """
def load(number):
    import sys, time
    sys.path.insert(0, FOLDER)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
def f(x):
    return b"1" * x, counted and None
"""


def test_a_users_module_may_have_the_name_of_one_that_is_imported_late(s3: S3StandIn, tmp_path: Path) -> None:
    """The report of a long load needs `random`, a large result `tempfile`."""
    for name in ("random", "tempfile"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('mine')")
    source = COUNTED.replace("FILE", repr(str(tmp_path / "loads"))) + SHADOWING.replace("FOLDER", repr(str(tmp_path)))
    sizes = [3, LARGE_BYTES + 1]
    frame = to_inline(frame_of(source, sizes))
    process = start_runner(s3.endpoint, SUBMISSION, frame, options=f"{PACK};template=1")
    _, log = process.communicate(timeout=60)
    assert [len(result_of(s3, n)[1][0]) for n in range(2)] == sizes, log


DEADLY: Final = """
def f(x):
    import signal
    if x == "deadly":
        os.kill(int(os.environ["RUNNER"]), signal.SIGKILL)
        while os.path.exists("/proc/" + os.environ["RUNNER"]):
            pass
        os._exit(0)
    return x, counted and None
"""


def test_a_template_ends_with_its_runner(pack: Pack) -> None:
    code, log = pack.run(DEADLY, ["fine", "fine", "deadly", "fine"])
    assert code == KILLED + 9, log
    template = pack.loads[1]
    while is_alive(template):
        pass


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_output_of_a_task_is_its_own_and_what_a_load_prints_is_in_the_log_once_more(pack: Pack) -> None:
    source = "def load(number): print('loading')\ndef f(x):\n print(x)\n raise ValueError(counted and x)"
    code, log = pack.run(source, ["one", "two", "three"])
    assert (code, log.count("loading"), [log.count(f"{word}\n") >= 1 for word in ("one", "two", "three")]) == (
        0,
        2,
        [True] * 3,
    ), log
    assert all(pack.result(number)[0].status is ResultStatus.EXCEPTION for number in range(3))
    notes = ["".join(pack.result(number)[1].__notes__) for number in range(3)]
    assert ["two" in notes[1], "one" in notes[1], "three" in notes[2]] == [True, False, True]


def test_what_a_task_leaves_in_the_functions_globals_is_ended_as_a_program_ends_it(pack: Pack) -> None:
    source = """
class Left:
    def __del__(self):
        import os
        os.write(1, b"ended\\n")
left = None
def f(x):
    global left
    left = Left()
    return x, counted and None
"""
    code, log = pack.run(source, range(4))
    assert (code, len(pack.loads), log.count("ended\n")) == (0, 2, 4), log
