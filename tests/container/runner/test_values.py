"""What a function is given and returns comes through whole, whatever it is and whichever way it travels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.cases import first_now

Client = Callable[[str], None]


@pytest.mark.long
def test_plain_functions_lambdas_closures_and_nested_functions(client: Client) -> None:
    client("""
        offset = 7

        def square(x):
            return x ** 2 + offset

        def make(factor):
            def inner(x):
                return [factor * i for i in range(x)]
            return inner

        assert round_trip(square, 5).value == 32
        assert round_trip(lambda x, y: (x, y), None, "ü").value == (None, "ü")
        assert round_trip(make(3), 4).value == [0, 3, 6, 9]
        assert round_trip(lambda: None).value is None
        """)


@pytest.mark.parametrize("route", first_now(["inline", "gzip", "s3"]))
def test_each_route_brings_the_arguments(client: Client, route: str) -> None:
    client(f"""
        returned = round_trip(lambda text, n: text * n, "ab" * 50, 3, route={route!r})
        assert returned.value == "ab" * 150
        assert returned.exit_code == 0
        """)


def test_five_mebibytes_in_and_out(client: Client) -> None:
    client("""
        import os
        data = os.urandom(5 << 20)
        assert round_trip(lambda data: data[::-1], data, route="s3").value == data[::-1]
        """)


def test_a_result_of_a_class_of_main_is_the_clients_own_class(client: Client) -> None:
    client("""
        from dataclasses import dataclass

        @dataclass
        class Point:
            x: int

        value = round_trip(lambda: Point(3)).value
        assert value == Point(3) and type(value) is Point
        """)


@pytest.mark.long
def test_a_custom_serializer_of_main_works_without_scaler_in_the_image(client: Client) -> None:
    client("""
        import pickle
        from scaler.client.serializer.mixins import Serializer
        from tests.support.runner.client import dumps

        class Marked(Serializer):
            @staticmethod
            def serialize(obj):
                return pickle.dumps(("marked", obj))

            @staticmethod
            def deserialize(data):
                import cloudpickle
                return cloudpickle.loads(data)

        assert round_trip(lambda: 5, serializer=dumps(Marked)).value == ("marked", 5)
        """)


@pytest.mark.long
def test_scalers_own_serializer_is_known_by_its_real_pickle(client: Client) -> None:
    client("""
        from scaler.client.serializer.default import DefaultSerializer
        from tests.support.runner.client import dumps
        assert round_trip(lambda: 6, serializer=dumps(DefaultSerializer)).value == 6
        assert round_trip(lambda: 7, serializer=dumps(DefaultSerializer())).value == 7
        """)


def test_the_frame_says_what_the_run_cost(client: Client) -> None:
    client("""
        import time

        def busy():
            block = bytearray(64 << 20)
            end = time.process_time() + 0.2
            while time.process_time() < end:
                pass
            return len(block)

        meta = round_trip(busy).meta
        assert meta.phase == "returning" and meta.attempt == 1
        assert 0.2 <= meta.duration_s < 30 and 0.2 <= meta.cpu_s < 30
        assert 64 << 20 <= meta.peak_bytes < 1 << 30
        assert abs(meta.started_at - time.time()) < 60
        """)


def test_output_passes_through_and_values_are_never_logged(client: Client) -> None:
    client("""
        import os, subprocess
        from tests.support.runner.client import STORE, payload, start_runner
        from container.batch_job_wire.payload_frames import encode_payload
        from container.batch_job_wire.payload_forms import to_inline

        def talk(secret):
            print("hello out")
            os.system("echo hello child")
            return secret

        frame = encode_payload([(b"i" * 16, payload(talk, ("s3cret",)))])
        process = start_runner(os.environ["S3"], "1" * 32, to_inline(frame))
        out, log = process.communicate(timeout=60)
        assert out == b"hello out\\nhello child\\n"
        assert b"s3cret" not in log and b"exit 0" in log
        """)


@pytest.mark.long
def test_300_mebibytes_of_output_flow_in_bounded_memory(client: Client) -> None:
    client("""
        import os, subprocess
        from tests.support.runner.client import payload, start_runner
        from container.batch_job_wire.payload_frames import encode_payload
        from container.batch_job_wire.payload_forms import to_inline

        def talk():
            for _ in range(300):
                os.write(1, b"x" * (1 << 20))

        frame = encode_payload([(b"i" * 16, payload(talk, ()))])
        process = start_runner(os.environ["S3"], "1" * 32, to_inline(frame))
        counted = sum(len(chunk) for chunk in iter(lambda: os.read(process.stdout.fileno(), 1 << 20), b""))
        _, status, usage = os.wait4(process.pid, 0)
        process.stdout.close(), process.stderr.close()
        process.returncode = status
        assert (counted, status) == (300 << 20, 0)
        assert usage.ru_maxrss < 120 * 1024, usage.ru_maxrss
        """)


@pytest.mark.long
def test_a_process_that_the_function_leaves_behind_does_not_hold_the_job_up(client: Client) -> None:
    client("""
        import os, signal

        def leave():
            pid = os.fork()
            if pid == 0:
                signal.pause()
            return pid

        returned = round_trip(leave)
        os.kill(returned.value, signal.SIGKILL)
        """)


def test_a_large_argument_is_in_the_memory_of_its_task_about_once(client: Client) -> None:
    client("""
        import os
        data = os.urandom(96 << 20)

        def tell(data, small):
            return len(data), data[-5:], small

        small = round_trip(tell, b"12345", 1)
        large = round_trip(tell, data, 1, route="shared")
        assert large.value == (len(data), data[-5:], 1), large.log
        assert large.meta.peak_bytes - small.meta.peak_bytes < 1.4 * len(data), (small.meta, large.meta)
        """)


@pytest.mark.long
def test_a_serializer_of_the_clients_own_gets_a_large_argument_as_bytes(client: Client) -> None:
    client("""
        import cloudpickle, pickle

        class Own:
            @staticmethod
            def serialize(value):
                return pickle.dumps(value)

            @staticmethod
            def deserialize(data):
                assert type(data) is bytes
                return pickle.loads(data)

        data = bytes(20 << 20)
        assert round_trip(len, data, serializer=cloudpickle.dumps(Own), route="shared").value == len(data)
        """)


@pytest.mark.long
def test_a_large_result_is_not_in_memory_beside_the_object_that_it_is_of(client: Client) -> None:
    client("""
        size = 96 << 20

        small = round_trip(lambda count: b"r" * count, 1)
        large = round_trip(lambda count: b"r" * count, size)
        assert large.value == b"r" * size, large.log
        assert large.meta.peak_bytes - small.meta.peak_bytes < 1.4 * size, (small.meta, large.meta)
        """)


@pytest.mark.long
def test_a_large_result_arrives_where_the_disk_takes_none_and_where_descriptors_were_closed(client: Client) -> None:
    client("""
        def without_disk(count):
            import os, resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (18 << 20, 18 << 20))
            return b"r" * count

        def without_descriptors(count):
            import os
            os.closerange(3, 256)
            return b"r" * count

        for function in (without_disk, without_descriptors):
            returned = round_trip(function, 20 << 20)
            assert returned.value == b"r" * (20 << 20), returned.log
        """)
