"""Jobs really run: what they find, what becomes of their output and of their end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from provisioner.local.aws import LocalAWS
from tests.support.cluster.running_engine import await_condition
from tests.support.local_aws.account import BUCKET, Account, definition_request

ONCE_MORE = {"attempts": 3}


def test_a_job_finds_aws_variables_and_no_others_of_ours(account: Account) -> None:
    job = account.run("print(sorted(name for name in environ if name.startswith(('AWS_BATCH', 'AWS_R'))))")
    names = ["AWS_BATCH_CE_NAME", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JOB_ID", "AWS_BATCH_JQ_NAME"]
    assert account.lines(job) == [str(names)]


def test_array_children_see_their_index(account: Account) -> None:
    parent = account.run("print(environ['AWS_BATCH_JOB_ARRAY_INDEX'])", arrayProperties={"size": 3})
    lines = [account.lines(account.job(f"{parent['jobId']}:{index}")) for index in range(3)]
    assert lines == [["0"], ["1"], ["2"]]


def test_attempts_see_their_number(account: Account) -> None:
    job = account.run("print(environ['AWS_BATCH_JOB_ATTEMPT']); code = 9", retryStrategy=ONCE_MORE)
    assert account.lines(job) == ["3"]
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [9, 9, 9]


def test_a_job_reaches_s3_with_the_client_it_is_given(account: Account) -> None:
    account.run(f"make_client(None).put_object(Bucket={BUCKET!r}, Key='from-job', Body=b'x')")
    assert account.s3.get_object(Bucket=BUCKET, Key="from-job")["Body"].read() == b"x"


def test_a_parameter_is_found_by_its_exact_name_only(account: Account) -> None:
    job = account.run("print(argv[1])")
    assert account.lines(job) == ["Ref::code2"]


def test_output_is_there_while_the_job_runs(account: Account) -> None:
    job_id = account.submit("import time; print('early', flush=True); time.sleep(600)")
    running = account.until(job_id, "RUNNING")
    while account.lines(running) != ["early"]:
        time.sleep(0.01)
    account.batch.terminate_job(jobId=job_id, reason="seen")


def test_a_signal_shows_as_a_containers_exit_code(account: Account) -> None:
    job = account.run("import os; os.kill(os.getpid(), 11)")
    assert job["container"]["exitCode"] == 139


def test_an_exception_of_the_program_is_exit_code_1_and_in_the_log(account: Account) -> None:
    job = account.run("1 / 0")
    assert job["container"]["exitCode"] == 1
    assert account.lines(job)[-1] == "ZeroDivisionError: division by zero"


def test_memory_past_the_limit_kills_the_first_process(account: Account) -> None:
    job = account.run("import time; hog = bytearray(600 * 2**20); time.sleep(60)")
    assert job["container"]["exitCode"] == 137
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_memory_past_the_limit_in_a_child_kills_the_child(account: Account) -> None:
    code = (
        "import os, time\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    hog = bytearray(600 * 2**20); time.sleep(60)\n"
        "code = os.waitpid(pid, 0)[1]\n"
    )
    job = account.run(code)
    assert job["container"]["exitCode"] == 9
    assert "reason" not in job["container"]


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/proc/self/autogroup").exists(), reason="refused now and then")
def test_a_jobs_session_weighs_little_beside_scheduler_and_manager(account: Account) -> None:
    code = "import os; print(os.nice(0), open('/proc/self/autogroup').read().split()[-1])"
    assert account.lines(account.run(code)) == ["10 10"]


def test_a_process_group_inside_a_job_ends_with_it_while_other_jobs_run_on(account: Account) -> None:
    """As a packed task has one."""
    other = account.submit("import time; time.sleep(600)")
    account.until(other, "RUNNING")
    code = "import os, subprocess; print(subprocess.Popen(['sleep', '600'], process_group=0).pid)"
    pid = int(account.lines(account.run(code))[0])
    await_condition(lambda: not is_running(pid))
    account.batch.terminate_job(jobId=other, reason="enough")
    account.ended(other)


def test_what_a_job_leaves_running_ends_with_it(account: Account) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    pid = int(account.lines(account.run(code))[0])
    await_condition(lambda: not is_running(pid))  # killed with its job, and gone when the system has seen to it


def test_a_timeout_is_sigterm_and_a_failed_job(account: Account) -> None:
    code = (
        "import signal, time\n"
        "def told(*_):\n    print('got SIGTERM', flush=True); raise SystemExit(5)\n"
        "signal.signal(signal.SIGTERM, told)\n"
        "time.sleep(600)\n"
    )
    timeout: Any = {"attemptDurationSeconds": 60}
    job = account.run(code, timeout=timeout, retryStrategy=ONCE_MORE)
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert account.lines(job) == ["got SIGTERM"]
    assert len(job["attempts"]) == 1


def test_terminating_kills_what_ignores_sigterm(account: Account) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    job_id = account.submit(code)
    running = account.until(job_id, "RUNNING")
    while account.lines(running) != ["deaf"]:
        time.sleep(0.01)
    account.batch.terminate_job(jobId=job_id, reason="enough")
    job = account.ended(job_id)
    assert (job["statusReason"], job["container"]["exitCode"]) == ("enough", 137)


def test_output_of_300_mib_flows_and_is_bounded(account: Account) -> None:
    code = "import os\nblock = (b'x' * 99 + b'\\n') * 655\nfor _ in range(4800): os.write(1, block)\nprint('last')"
    job = account.run(code)
    assert job["container"]["exitCode"] == 0
    assert account.lines(job)[-1] == "last"
    assert resident_mib(account.aws) < 300


def test_a_missing_log_group_is_a_start_failure(account: Account) -> None:
    request = definition_request("logs-elsewhere", ["pass"])
    logging = {"logDriver": "awslogs", "options": {"awslogs-group": "/none"}}
    request["containerProperties"]["logConfiguration"] = logging
    account.batch.register_job_definition(**request)
    job = account.run("", jobDefinition="logs-elsewhere")
    assert job["statusReason"] == "Task failed to start"
    assert "log group does not exist" in job["container"]["reason"]


def test_jobs_are_counted(account: Account) -> None:
    account.aws.reset_peak()
    account.run("", arrayProperties={"size": 5})
    jobs = account.aws.jobs()
    assert jobs["running"] == 0
    assert 1 <= jobs["peak_running"] <= 5


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def resident_mib(aws: LocalAWS) -> float:
    with open(f"/proc/{aws.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
