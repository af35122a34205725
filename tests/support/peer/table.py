"""What of Scaler's tests is run with engines of ours: every test that starts a cluster, and why some are left out.

The list is that of the release in constraints.txt; a test compares it with the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "tests/client/test_client.py": (
        "TestClient::test_one_submit",
        "TestClient::test_one_map",
        "TestClient::test_submit_and_map",
        "TestClient::test_noop_submit",
        "TestClient::test_noop_map",
        "TestClient::test_noop_cancel",
        "TestClient::test_cancel_unassigned",
        "TestClient::test_heavy_function",
        "TestClient::test_very_large_payload",
        "TestClient::test_sleep",
        "TestClient::test_raise_exception",
        "TestClient::test_function",
        "TestClient::test_map",
        "TestClient::test_more_tasks",
        "TestClient::test_context_manager",
        "TestClient::test_no_disconnect",
        "TestClient::test_extra_disconnects",
        "TestClient::test_processor_died",
        "TestClient::test_non_hashable_client",
        "TestClient::test_send_object",
        "TestClient::test_send_object2",
        "TestClient::test_scheduler_crash",
        "TestClient::test_responsiveness",
        "TestClient::test_clear",
        "TestClient::test_client_no_address_outside_worker",
        "TestClientPreload::test_preload_success",
        "TestClientPreload::test_preload_failure",
        "TestClientPreload::test_parse_preload_spec_error",
        "TestClientPreload::test_execute_preload_error",
    ),
    "tests/client/test_client_heartbeat.py": ("TestClientHeartbeat::test_client_long_blocking_io",),
    "tests/client/test_future.py": (
        "TestFuture::test_callback",
        "TestFuture::test_as_completed",
        "TestFuture::test_state",
        "TestFuture::test_cancel",
        "TestFuture::test_exception",
        "TestFuture::test_client_disconnected",
        "TestFuture::test_mocked_success",
        "TestFuture::test_mocked_as_completed",
        "TestFuture::test_mocked_task_failure",
        "TestFuture::test_mocked_worker_failure",
        "TestFuture::test_mocked_cancel",
        "TestFuture::test_mocked_cancel_concurrent",
        "TestFuture::test_mocked_cancel_as_completed",
    ),
    "tests/client/test_tls.py": ("TestClientTLS::test_submit",),
    "tests/cluster/test_cluster.py": ("TestCluster::test_manual_storage_address",),
    "tests/cluster/test_cluster_disconnect.py": (
        "TestClusterDisconnect::test_cluster_disconnect",
        "TestClusterDisconnect::test_scheduler_disconnect_raises_disconnected_error",
        "TestGracefulWorkerShutdown::test_graceful_shutdown_re_dispatches_task_immediately",
    ),
    "tests/compat/test_ray_compat.py": (
        "TestRayCompat::test_basic",
        "TestRayCompat::test_ray_example_square",
        "TestRayCompat::test_ray_example_numpy",
        "TestRayCompat::test_ray_example_nested_simple",
        "TestRayCompat::test_ray_example_nested_quicksort",
        "TestRayCompat::test_ray_passing_refs",
        "TestRayCompat::test_ray_wait_timeout",
        "TestRayCompat::test_ray_wait_no_timeout",
        "TestRayCompat::test_ray_wait_num_returns",
        "TestRayCompat::test_ray_util_as_completed",
        "TestRayCompat::test_ray_util_map_unordered",
        "TestRayCompat::test_ray_external_cluster",
        "TestRayCompat::test_decorate_before_explicit_init",
        "TestRayCompat::test_ray_actor_not_implemented",
    ),
    "tests/core/test_death_timeout.py": (
        "TestDeathTimeout::test_no_scheduler",
        "TestDeathTimeout::test_shutdown",
        "TestDeathTimeout::test_no_timeout_if_suspended",
    ),
    "tests/core/test_profiling.py": (
        "TestProfiling::test_future_completed",
        "TestProfiling::test_future_incomplete",
        "TestProfiling::test_cpu_time_busy",
        "TestProfiling::test_cpu_time_sleep",
    ),
    "tests/core/test_protected.py": (
        "TestProtected::test_protected_true",
        "TestProtected::test_protected_false",
    ),
    "tests/graph/test_graph.py": (
        "TestGraph::test_graph",
        "TestGraph::test_graph_duplicated_dependency",
        "TestGraph::test_graph_duplicated_dependency_on_failure",
        "TestGraph::test_graph_fail",
        "TestGraph::test_graph_fail_2",
        "TestGraph::test_graph_return_order",
        "TestGraph::test_get_data_key",
        "TestGraph::test_reference_data_key",
        "TestGraph::test_none_value",
        "TestGraph::test_cancel",
        "TestGraph::test_cancel_unassigned",
        "TestGraph::test_client_quit",
        "TestGraph::test_cull_graph",
        "TestGraph::test_graph_error",
    ),
    "tests/scheduler/test_balance.py": (
        "TestBalance::test_balance",
        "TestBalance::test_balance_cancel_worker_death",
        "TestBalance::test_balance_cancel_worker_socket_closed",
    ),
    "tests/scheduler/test_capabilities.py": (
        "TestCapabilities::test_capabilities",
        "TestCapabilities::test_graph_capabilities",
    ),
    "tests/scheduler/test_dead_worker.py": ("TestDeadWorker::test_scheduler_responsive_after_worker_death",),
    "tests/serializer/test_serializer.py": (
        "TestSerializer::test_one_task",
        "TestSerializer::test_heavy_function",
    ),
    "tests/task/test_nested_task.py": (
        "TestNestedTask::test_nested_task_arg_client",
        "TestNestedTask::test_recursive_task",
        "TestNestedTask::test_multiple_recursive_task",
        "TestNestedTask::test_nested_task_auto_address",
        "TestNestedTask::test_nested_task_explicit_address",
    ),
    "tests/ui/test_ui.py": (
        "TestUI::test_noop",
        "TestUI::test_memory_usage",
    ),
    "tests/worker/agent/test_suspended_processor.py": ("TestDyingSuspendedProcessor::test_dying_suspended_processor",),
}
"""By file, what takes longest first."""

BY_HAND: Final = "minutes and gigabytes: by hand, `.venv/bin/python -m tests.support.peer NAME`"
STOCK_FAILS: Final = "fails with Scaler's own workers here, too"
SKIPPED: Final = "Scaler itself skips it"
BOUNDED: Final = "bounds wall time to fractions of a second, which other tests beside it take: by hand, alone"
NATIVE: Final = "kills the processes of Scaler's own workers"

EXCLUDED: Final[Mapping[str, str]] = {
    "tests/client/test_client.py::TestClient::test_heavy_function": f"10,000 tasks of 500 MB; {BY_HAND}",
    "tests/client/test_client.py::TestClient::test_noop_map": f"10,000 tasks; {BY_HAND}",
    "tests/client/test_client.py::TestClient::test_noop_submit": f"10,000 tasks; {BY_HAND}",
    "tests/client/test_client.py::TestClient::test_responsiveness": BOUNDED,
    "tests/client/test_client.py::TestClient::test_very_large_payload": f"512 MiB there and back; {BY_HAND}",
    "tests/client/test_tls.py::TestClientTLS::test_submit": "its certificates are not in the source distribution",
    "tests/compat/test_ray_compat.py::TestRayCompat::test_ray_actor_not_implemented": STOCK_FAILS,
    "tests/compat/test_ray_compat.py::TestRayCompat::test_ray_example_nested_quicksort": STOCK_FAILS,
    "tests/compat/test_ray_compat.py::TestRayCompat::test_ray_wait_timeout": BOUNDED,
    "tests/scheduler/test_dead_worker.py::TestDeadWorker::test_scheduler_responsive_after_worker_death": NATIVE,
    "tests/serializer/test_serializer.py::TestSerializer::test_heavy_function": f"5 tasks of 500 MB; {BY_HAND}",
    "tests/task/test_nested_task.py::TestNestedTask::test_multiple_recursive_task": f"67 clients in jobs; {BY_HAND}",
    "tests/ui/test_ui.py::TestUI::test_memory_usage": SKIPPED,
    "tests/ui/test_ui.py::TestUI::test_noop": SKIPPED,
}
"""Why a test is not run."""


def run_names() -> list[str]:
    """Full names of the tests that are run."""
    every = [f"{file}::{test}" for file, tests in TESTS.items() for test in tests]
    return [name for name in every if name not in EXCLUDED]
