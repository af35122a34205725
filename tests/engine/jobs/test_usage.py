"""What jobs use, cost and need: counted as they change, right in every group and in all."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from engine.aws.batch_states import BatchState
from engine.causes import CauseKind, FailureCause
from engine.jobs.groups import JobGroups
from engine.model import BudgetUnit, Demand, JobObservation, Price, ResourceShape
from engine.tasks.task_record import TaskState
from engine.telemetry.schema.messages import GetGroups, GroupBy, JobGroup, Usage
from engine.telemetry.tally.row_groups import group_rows
from tests.support.engine.managed_tasks import Managed, begin, end, report, run

PRICE = Price(vcpu_hour=0.36, gib_hour=0.036)
"""Of a second of a job of 2 vCPUs and 4 GiB: 0.00024."""
RATE = (0.36, 0.036)
A_SECOND = (2 * 0.36 + 4 * 0.036) / 3600
OOM = FailureCause(CauseKind.OUT_OF_MEMORY, memory_mib=4096)


@pytest.fixture
def managed() -> Managed:
    return Managed()


def usage(managed: Managed, price: Price = PRICE) -> Usage:
    found = managed.registry.usage(price)
    assert found is not None
    return found


def group_of(managed: Managed, key: str, by: GroupBy = GroupBy.FUNCTION) -> JobGroup:
    groups = managed.registry.groups
    found = groups.find(by, key)
    assert found is not None, key
    return found.view("wm-1", managed.clock.now, more=False, stragglers=0, rate=groups.rate)


def usages(managed: Managed, by: GroupBy) -> Iterator[Usage]:
    for group in managed.registry.groups.all(by):
        view = group.view("wm-1", managed.clock.now, more=False, stragglers=0, rate=managed.registry.groups.rate)
        assert view.usage is not None
        yield view.usage


def test_what_runs_is_counted_while_it_runs(managed: Managed) -> None:
    begin(managed, 1)
    begin(managed, 2)
    managed.clock.now += 1800
    found = usage(managed)
    assert (found.vcpu_hours, found.gib_s, found.vcpus) == (2.0, 2 * 4 * 1800, 4.0)
    assert found.money == pytest.approx(2 * 1800 * A_SECOND)
    assert found.money_per_hour == pytest.approx(2 * 3600 * A_SECOND)


def test_what_ended_stays_counted_and_costs_no_more(managed: Managed) -> None:
    run(managed, 1, 100.0)
    managed.clock.now += 1000
    found = usage(managed)
    assert (found.vcpu_s, found.vcpus, found.money_per_hour) == pytest.approx((200.0, 0.0, 0.0))
    assert found.wasted_vcpu_s == 0.0


def test_a_failed_run_is_wasted_and_counts_for_its_cause(managed: Managed) -> None:
    run(managed, 1, 100.0)
    begin(managed, 2)
    managed.clock.now += 50
    end(managed, 2, 50.0, succeeded=False, cause=OOM)
    assert usage(managed).wasted_vcpu_s == pytest.approx(100.0)
    by_cause = group_of(managed, "out of memory", GroupBy.REASON).usage
    assert by_cause is not None
    assert (by_cause.vcpu_s, by_cause.wasted_money) == pytest.approx((100.0, 50 * A_SECOND))


@pytest.mark.parametrize("state", [BatchState.RUNNABLE, BatchState.STARTING])
def test_an_attempt_that_was_reclaimed_is_wasted(managed: Managed, state: BatchState) -> None:
    begin(managed, 1)
    managed.clock.now += 100
    report(managed, 1, state)
    managed.clock.now += 500
    report(managed, 1, BatchState.RUNNING)
    managed.clock.now += 200
    end(managed, 1, 200.0)
    found = usage(managed)
    assert (found.vcpu_s, found.wasted_vcpu_s) == pytest.approx((600.0, 200.0))


def test_what_is_out_of_sight_for_a_while_runs_on_and_is_not_wasted(managed: Managed) -> None:
    begin(managed, 1)
    managed.clock.now += 100
    managed.tasks.move(1, TaskState.ADOPTING)
    managed.clock.now += 50
    assert (usage(managed).vcpu_s, usage(managed).wasted_vcpu_s) == pytest.approx((300.0, 0.0))
    managed.tasks.move(1, TaskState.SUBMITTED)
    managed.clock.now += 25
    end(managed, 1, 175.0)
    assert (usage(managed).vcpu_s, usage(managed).wasted_vcpu_s) == pytest.approx((350.0, 0.0))


def test_a_run_that_was_never_seen_to_run_counts_as_long_as_it_took(managed: Managed) -> None:
    managed.tasks.submit(1)
    end(managed, 1, 7.0)
    assert usage(managed).vcpu_s == pytest.approx(14.0)


def test_a_task_has_what_it_asks_for_and_else_what_the_definition_says(managed: Managed) -> None:
    managed.registry.default_demand = Demand(1.0, 2.0)
    begin(managed, 1)
    record = managed.tasks.arrive(2)
    managed.registry.on_left(record)
    record.shape = ResourceShape(vcpus=8)
    managed.registry.on_arrived(record)
    managed.tasks.submit(2)
    report(managed, 2, BatchState.RUNNING)
    found = usage(managed)
    assert (found.vcpus, found.gib) == (9.0, 4.0)


def test_without_a_known_demand_nothing_is_told(managed: Managed) -> None:
    managed.registry.default_demand = None
    run(managed, 1, 10.0)
    assert managed.registry.usage(PRICE) is None
    assert managed.registry.used(BudgetUnit.VCPU_HOURS, PRICE) is None


def test_without_a_price_money_is_unknown_and_vcpu_hours_are_not(managed: Managed) -> None:
    run(managed, 1, 1800.0)
    found = usage(managed, Price(note="denied"))
    assert (found.money, found.wasted_money, found.money_per_hour) == (None, None, None)
    assert managed.registry.used(BudgetUnit.VCPU_HOURS, Price(note="denied")) == pytest.approx(1.0)


def test_the_first_price_holds_for_what_was_before_and_a_later_one_does_not(managed: Managed) -> None:
    usage(managed, Price(note="not read yet"))
    begin(managed, 1)
    managed.clock.now += 100
    assert usage(managed).money == pytest.approx(100 * A_SECOND)
    dear = Price(vcpu_hour=3.6, gib_hour=0.36)
    assert usage(managed, dear).money == pytest.approx(100 * A_SECOND)
    managed.clock.now += 100
    end(managed, 1, 200.0)
    assert usage(managed, dear).money == pytest.approx(1100 * A_SECOND)
    group = group_of(managed, "price").usage
    assert group is not None
    assert group.money == pytest.approx(1100 * A_SECOND)


def test_each_kind_of_group_adds_up_to_the_whole_whatever_happens() -> None:
    """Groups fold into others, jobs change their groups, prices change, rows age out."""
    rng, managed = random.Random(5), Managed(ended_kept=20)
    managed.registry.groups = JobGroups(kept=4)
    living: list[int] = []
    for number in range(400):
        managed.clock.now += rng.random() * 10
        match rng.randrange(5):
            case 0 | 1:
                begin(managed, number, f"f{rng.randrange(9)}")
                living.append(number)
            case 2 if living:
                one = living.pop(rng.randrange(len(living)))
                cause = FailureCause(CauseKind.EXIT_CODE, number=rng.randrange(6))
                end(managed, one, rng.random(), succeeded=rng.random() < 0.6, cause=cause)
            case 3 if living and rng.random() < 0.4:
                managed.tasks.move(living[0], TaskState.ADOPTING, TaskState.SUBMITTED)
            case 3 if living:
                observed = JobObservation(attempt=1, reason=f"why {rng.randrange(7)}")
                managed.registry.on_observed(managed.tasks.records[rng.choice(living)].task_id, observed)
            case _:
                managed.registry.usage(Price(vcpu_hour=rng.random()))
    whole = managed.registry.groups.total.view(managed.clock.now, managed.registry.groups.rate)
    assert whole is not None
    for by in GroupBy:
        parts = list(usages(managed, by))
        for name in Usage.__struct_fields__:
            if (by, name) == (GroupBy.REASON, "money"):
                continue  # a run takes its cost along to its cause by the price of that moment
            assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name)), (by, name)


def test_what_is_left_is_told_as_a_range_from_runs_like_those_before(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 50.0 if number % 2 else 150.0)
    assert group_of(managed, "price").remaining is None
    usage(managed)
    for number in range(100, 110):
        managed.tasks.arrive(number).function_name = "price"
        managed.tasks.submit(number)
    left = group_of(managed, "price").remaining
    assert left is not None
    assert (left.low_vcpu_s, left.high_vcpu_s) == pytest.approx((1000, 3000), rel=0.03)
    assert left.high_money == pytest.approx(left.high_vcpu_s / 2 * A_SECOND)
    assert managed.registry.remaining(more=False) == left


def test_jobs_of_which_nothing_can_be_foretold_make_it_a_lower_bound(managed: Managed) -> None:
    for number in range(5):
        run(managed, number, 50.0)
    begin(managed, 10)
    begin(managed, 11, "other")
    found = managed.registry.remaining(more=False)
    assert found is not None
    assert found.more


def lose(managed: Managed, number: int, seconds: float) -> None:
    """Begin a task whose host goes after some time, and which waits again."""
    begin(managed, number)
    managed.clock.now += seconds
    report(managed, number, BatchState.RUNNABLE)


def test_what_jobs_used_is_told_by_their_rows_too(managed: Managed) -> None:
    """As with a filter, and out of a recording."""
    managed.registry.groups.use_price(PRICE, managed.clock.now)
    run(managed, 1, 10.0)
    run(managed, 2, 20.0, succeeded=False)
    lose(managed, 3, 30.0)
    begin(managed, 4)
    managed.clock.now += 40
    (group,) = group_rows(managed.registry.rows(), GetGroups(), managed.clock.now, {"wm-1": RATE}).groups
    counted = group_of(managed, group.key).usage
    assert group.usage is not None
    assert counted is not None
    assert counted.wasted_vcpu_s > 0
    for field in Usage.__struct_fields__:
        assert getattr(group.usage, field) == pytest.approx(getattr(counted, field)), field
    assert (group.remaining, group.fit) == (None, None)


def test_rows_of_an_older_release_do_not_tell_what_jobs_used(managed: Managed) -> None:
    run(managed, 1, 10.0)
    managed.tasks.arrive(2)
    old = [msgspec.structs.replace(row, demand=None) for row in managed.registry.rows()]
    groups = group_rows(old, GetGroups(), managed.clock.now).groups
    assert [group.usage for group in groups] == [None, None]


# ---- fit

MIB = 2**20


def use(managed: Managed, first: int, count: int, peak_mib: int, cpu_s: float = 5.0) -> None:
    for number in range(first, first + count):
        begin(managed, number)
        managed.clock.now += 10
        end(managed, number, 10.0, peak_bytes=peak_mib * MIB, cpu_s=cpu_s)


def test_a_function_tells_what_it_asks_for_and_uses(managed: Managed) -> None:
    use(managed, 0, 20, 212)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert (fit.jobs, fit.asked_mib, fit.p95_mib, fit.peak_mib, fit.asked_vcpus) == (20, 4096, 212, 212, 2.0)
    assert fit.p95_cores == pytest.approx(0.5, rel=0.03)
    assert (fit.advised_mib, fit.times_as_many) == (512, 8.0)


def test_a_run_that_is_over_at_once_tells_no_cores(managed: Managed) -> None:
    for number in range(20):
        begin(managed, number)
        managed.clock.now += 10
        end(managed, number, 0.001, peak_bytes=22 * MIB, cpu_s=0.4)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert fit.p95_cores is None


def test_below_twenty_jobs_nothing_is_advised(managed: Managed) -> None:
    use(managed, 0, 19, 212)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert fit.advised_mib is None


def test_what_is_advised_is_enough_for_the_largest(managed: Managed) -> None:
    use(managed, 0, 99, 100)
    use(managed, 99, 1, 2000)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert (fit.peak_mib, fit.advised_mib) == (2000, 2304)


@pytest.mark.parametrize("peak_mib", [3900, 5000])
def test_nothing_is_advised_where_nothing_is_gained(managed: Managed, peak_mib: int) -> None:
    use(managed, 0, 30, peak_mib)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert fit.advised_mib is None


def test_nothing_is_advised_after_a_job_ran_out_of_memory_or_asked_for_something_else(managed: Managed) -> None:
    use(managed, 0, 30, 212)
    begin(managed, 100)
    end(managed, 100, 1.0, succeeded=False, cause=OOM)
    fit = group_of(managed, "price").fit
    assert fit is not None
    assert fit.advised_mib is None
    other = Managed()
    use(other, 0, 30, 212)
    other.registry.default_demand = Demand(2.0, 8.0)
    use(other, 30, 30, 212)
    mixed = group_of(other, "price").fit
    assert mixed is not None
    assert (mixed.asked_mib, mixed.advised_mib) == (None, None)
