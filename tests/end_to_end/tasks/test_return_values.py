"""Whatever a real client script sends comes back right: values, types, exceptions, on both transports."""

from __future__ import annotations

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, run_client

pytestmark = pytest.mark.parametrize("cluster", ["ymq", pytest.param("zmq", marks=pytest.mark.long)], indirect=True)

VALUES = """
    import functools, hashlib

    def square(x):
        return x ** 2

    def outer(x):
        def inner(y):
            return square(y) + x
        return inner(x)

    def adder(n):
        return lambda x: x + n

    class Point:
        def __init__(self, x): self.x = x
        def __eq__(self, other): return self.x == other.x

    big = os.urandom(5 * 1024 * 1024)
    with Client(address=ADDRESS, profiling=True) as client:
        assert client.map(square, range(20)) == [x ** 2 for x in range(20)]
        assert client.submit(outer, 3).result() == 12
        assert client.submit(adder(5), 1).result() == 6
        assert client.submit(lambda: None).result() is None
        assert client.submit(lambda n: list(i for i in range(n)), 4).result() == [0, 1, 2, 3]
        assert client.submit(functools.partial(pow, 2), 10).result() == 1024
        digest = lambda data: hashlib.sha256(data).hexdigest()
        assert client.submit(digest, big).result() == digest(big)
        assert len(client.submit(lambda n: bytes(n), 5 * 1024 * 1024).result()) == 5 * 1024 * 1024
        assert client.submit(lambda p: Point(p.x + 1), Point(1)).result() == Point(2)
        future = client.submit(square, 9)
        assert future.result() == 81
        assert future.profiling_info().duration_s >= 0
    print("all right")
"""

EXCEPTIONS = """
    class PriceError(Exception):
        def __init__(self, leg, reason):
            super().__init__(leg, reason)
            self.leg = leg

    def fail(kind):
        print("about to fail")
        if kind == "custom":
            raise PriceError("leg 7", "no curve")
        if kind == "cause":
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise KeyError("rate") from error
        raise ValueError("bad", 42)

    with Client(address=ADDRESS) as client:
        errors = {kind: client.submit(fail, kind).exception() for kind in ("custom", "cause", "plain")}
    assert type(errors["custom"]) is PriceError and errors["custom"].leg == "leg 7", errors["custom"]
    assert type(errors["cause"]) is KeyError and type(errors["cause"].__cause__) is ZeroDivisionError, errors["cause"]
    assert type(errors["plain"]) is ValueError and errors["plain"].args == ("bad", 42), errors["plain"]
    notes = "\\n".join(errors["plain"].__notes__)
    assert "in fail" in notes and "about to fail" in notes, notes
    print("all right")
"""


def test_values_of_every_kind_come_back_right(cluster: LocalCluster, engine: Engine) -> None:
    assert "all right" in run_client(cluster, VALUES)


def test_exceptions_keep_type_arguments_cause_and_bring_traceback_and_log(
    cluster: LocalCluster, engine: Engine
) -> None:
    assert "all right" in run_client(cluster, EXCEPTIONS)
