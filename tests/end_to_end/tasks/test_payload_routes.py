"""Payloads of every size, compressible or not, alone and in arrays: the route of the table, and the right value."""

from __future__ import annotations

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cases import first_now
from tests.support.cluster.running_engine import Engine, run_client, submitted_routes

SIZES = (0, 1, 1000, 3000, 4096, 5000, 8192, 20_000, 28 * 1024, 30 * 1024, 64 * 1024)
FILLERS = ("bytes(size)", "os.urandom(size)")


@pytest.mark.long
@pytest.mark.parametrize("filler", first_now(FILLERS), ids=["compressible", "random"])
def test_single_payloads_of_every_size_come_back_right(cluster: LocalCluster, engine: Engine, filler: str) -> None:
    script = f"""
    with Client(address=ADDRESS) as client:
        for size in {SIZES}:
            data = {filler}
            assert client.submit(lambda d: d, data).result(timeout=60) == data, size
    print("all right")
    """
    assert "all right" in run_client(cluster, script)


@pytest.mark.long
@pytest.mark.parametrize("filler", first_now(reversed(FILLERS)), ids=["random", "compressible"])
def test_arrays_of_every_size_come_back_right(cluster: LocalCluster, engine: Engine, filler: str) -> None:
    script = f"""
    with Client(address=ADDRESS) as client:
        for size in {SIZES}:
            data = [{filler} for _ in range(5)]
            assert client.map(lambda d: d, data) == data, size
    print("all right")
    """
    assert "all right" in run_client(cluster, script)


def test_each_payload_takes_the_route_of_the_table(cluster: LocalCluster, engine: Engine) -> None:
    script = """
    with Client(address=ADDRESS) as client:
        for data in (b"", bytes(20_000), os.urandom(20_000)):
            client.submit(lambda d: len(d), data).result(timeout=60)
    """
    before = len(submitted_routes(engine))
    run_client(cluster, script)
    assert submitted_routes(engine)[before:] == ["inline", "inline-gzip", "s3"]


@pytest.mark.long
def test_a_result_of_more_than_half_a_gigabyte_comes_back(cluster: LocalCluster, engine: Engine) -> None:
    """More than 2^29 bytes, where messages of many libraries end; it takes 4 GiB of memory in all."""
    script = """
    def make(size):
        return bytes(size - 1) + b"!"
    size = 520 << 20
    with Client(address=ADDRESS) as client:
        future = client.submit_verbose(make, args=(size,), kwargs={}, capabilities={"memory": 4096})
        result = future.result(timeout=100)
        print(len(result) == size, result[-1:])
    """
    assert run_client(cluster, script).split() == ["True", "b'!'"]
