"""Tables behind one worker: which table a task goes to, and what happens when one of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from engine.link_health import LinkHealth
from engine.messages import CancelAnswer, CancelRequested
from engine.model import Link, LinkId
from engine.tasks.tables import Table, Tables, shared_tables
from engine.tasks.task_manager import AWSHPCTaskManager
from tests.support.engine.batch_harness import config
from tests.support.engine.task_manager_bench import Bench, Scheduler, settle, task, task_id


class Worker(Scheduler):
    """A worker link that counts how often it was told to connect anew."""

    reconnected = 0

    def reconnect(self) -> None:
        self.reconnected += 1


@dataclass
class Owner:
    """What runs a table: a task manager between backend, storage and scheduler that only record."""

    offered: Sequence[str] = ()
    bench: Bench = field(default_factory=Bench)
    is_stopping: bool = False
    advertised: int = 2
    orphans: int = 0
    is_worker_full: bool = False
    addresses: list[str] = field(default_factory=list)
    ended: list[Exception] = field(default_factory=list)

    @property
    def tasks(self) -> AWSHPCTaskManager:
        return self.bench.tasks

    @property
    def capabilities(self) -> dict[str, int]:
        return {"vcpus": -1, "memory": -1, **dict.fromkeys(self.offered, -1)}

    @property
    def scheduler_link(self) -> Link:
        return LinkHealth("scheduler", id=LinkId.SCHEDULER, quiet_after_s=1.0).view

    def use_storage_address(self, address: str) -> None:
        self.addresses.append(address)

    def end(self, error: Exception) -> None:
        self.ended.append(error)


class Group:
    """Tables in the order of their keywords: what each is reserved for, and what it offers."""

    def __init__(self, **tables: tuple[Sequence[str], Sequence[str]]) -> None:
        self.tables, self.worker = Tables(), Worker()
        self.owners = {name: Owner(offered) for name, (_, offered) in tables.items()}
        self.each = {
            name: Table(name, frozenset(reserved), self.owners[name]) for name, (reserved, _) in tables.items()
        }
        for table in self.each.values():
            self.tables.add(table)
            self.tables.on_open(table)
        self.tables.connect(self.worker)

    async def arrive(self, name: str, **capabilities: int) -> list[str]:
        """Names of the tables that have the task then."""
        self.tables.on_task(replace(task(name), capabilities=capabilities))
        await settle()
        return self.holders(name)

    def holders(self, name: str) -> list[str]:
        return [table for table, owner in self.owners.items() if owner.tasks.knows(task_id(name))]


def cpu_and_gpu() -> Group:
    return Group(gpu=(["gpu"], ["gpu"]), cpu=([], []), large=([], ["linux"]))


@pytest.mark.parametrize(
    ("asked", "table"),
    [
        ({}, "cpu"),
        ({"memory": 4096, "vcpus": 2}, "cpu"),
        ({"gpu": 1}, "gpu"),
        ({"gpu": -1, "memory": 9000}, "gpu"),
        ({"gpu": 0}, "cpu"),
        ({"linux": -1}, "large"),
        ({"unheard": 1}, "cpu"),
    ],
)
async def test_a_reserved_table_takes_only_what_asks_for_it_and_the_first_that_fits_the_rest(
    asked: dict[str, int], table: str
) -> None:
    assert await cpu_and_gpu().arrive("a", **asked) == [table]


async def test_a_task_stays_where_its_job_is_known_whatever_it_asks_for() -> None:
    group = cpu_and_gpu()
    group.owners["large"].bench.backend.left_behind = {task_id("a")}
    await group.arrive("a")
    assert group.owners["large"].bench.backend.adopted.keys() == {task_id("a")}


async def test_cancels_go_to_the_table_of_the_task_and_what_nobody_knows_is_answered() -> None:
    group = cpu_and_gpu()
    await group.arrive("a", gpu=1)
    for name in ("a", "b"):
        group.tables.on_cancel(CancelRequested(task_id(name), force=True))
    await settle()
    assert sorted(group.worker.answers) == [
        (task_id("a"), CancelAnswer.CANCELED),
        (task_id("b"), CancelAnswer.NOT_FOUND),
    ]


async def test_results_of_all_tables_go_through_the_one_worker() -> None:
    group = cpu_and_gpu()
    await group.arrive("a", gpu=1)
    await group.arrive("b")
    for name, table in (("a", "gpu"), ("b", "cpu")):
        await group.owners[table].bench.submitted(name)
        await group.owners[table].bench.finish(name)
    assert {notice.task_id for notice in group.worker.results} == {task_id("a"), task_id("b")}


async def test_what_the_scheduler_is_told_is_the_sum_of_all() -> None:
    tables = cpu_and_gpu().tables
    assert (tables.advertised, tables.slots) == (6, 6)
    assert tables.capabilities.keys() == {"vcpus", "memory", "gpu", "linux"}


async def test_the_link_waits_until_all_are_open_and_is_the_next_ones_when_its_table_ends() -> None:
    group = Group(first=([], []), second=(["gpu"], ["gpu"]))
    late = Table("late", frozenset(), Owner())
    group.tables.add(late)
    turns = [asyncio.create_task(group.tables.lead(group.each[name])) for name in ("first", "second")]
    await settle()
    before = [turn.done() for turn in turns]
    group.tables.on_open(late)
    await settle()
    opened = [turn.done() for turn in turns]
    group.tables.leave(group.each["first"])
    await settle()
    assert (before, opened, [turn.done() for turn in turns]) == ([False, False], [True, False], [True, True])


async def test_tasks_of_a_table_that_ended_are_handed_out_again_and_go_elsewhere() -> None:
    group = Group(first=(["gpu"], ["gpu"]), second=([], []), third=([], []))
    await group.arrive("a")
    group.tables.leave(group.each["second"])
    assert group.worker.reconnected == 1
    group.tables.on_link_lost()
    await group.arrive("a")
    assert "third" in group.holders("a")


async def test_a_table_that_ends_without_tasks_leaves_the_link_alone() -> None:
    group = cpu_and_gpu()
    group.tables.leave(group.each["large"])
    group.tables.leave(group.each["large"])
    assert group.worker.reconnected == 0


async def test_a_table_that_is_ending_gets_no_new_tasks() -> None:
    group = cpu_and_gpu()
    group.owners["cpu"].is_stopping = True
    assert await group.arrive("a") == ["large"]


async def test_the_table_of_the_link_drains_with_those_that_end_too() -> None:
    group = cpu_and_gpu()
    await group.arrive("a")
    group.owners["gpu"].is_stopping = True
    alone = await group.tables.drain(0.01, group.each["gpu"])
    group.owners["cpu"].is_stopping = True
    assert (alone, await group.tables.drain(0.01, group.each["gpu"])) == (True, False)


async def test_object_storage_and_the_clusters_end_are_told_to_all() -> None:
    group, error = cpu_and_gpu(), RuntimeError("shut down")
    group.tables.use_address("tcp://storage:1")
    group.tables.end_others(group.each["gpu"], error)
    assert [owner.addresses for owner in group.owners.values()] == [["tcp://storage:1"]] * 3
    assert [owner.ended for owner in group.owners.values()] == [[], [error], [error]]


async def test_only_tables_of_a_scheduler_with_a_reserved_one_share_a_link() -> None:
    a, b = "tcp://a:1", "tcp://b:1"
    addresses_and_reserved = [(a, ()), (b, ()), (a, ("gpu",)), (b, ())]
    configs = [
        config(worker_manager_id=f"wm-{place}", scheduler_address=address, reserved_for=reserved)
        for place, (address, reserved) in enumerate(addresses_and_reserved)
    ]
    first, second, third, fourth = shared_tables(configs)
    assert first is third
    assert len({id(each) for each in (first, second, fourth)}) == 3
