"""The table of metrics in `docs/reference.md`, made from what the engine would let Prometheus scrape."""

from __future__ import annotations

from prometheus_client import Metric

from engine.model import CallStats, Link, Quota
from engine.telemetry.schema.messages import RouteStats
from engine.telemetry.server.metrics import SnapshotCollector
from tests.support.engine.telemetry_samples import NOW, snapshot


def reference() -> str:
    """One row a metric, in the order in which the engine gives them."""
    shown = snapshot(
        routes=(RouteStats("s3"),),
        calls=(CallStats("SubmitJob"),),
        quotas=(Quota("slots", 1, 2, "slots", "engine", NOW),),
        links=(Link("AWS", True, NOW, expires_at=NOW),),
        oldest_runnable_at=NOW,
    )
    rows = map(_row, SnapshotCollector(lambda: shown).collect())
    return "\n".join(["| metric | labels | meaning |", "|---|---|---|", *rows]) + "\n"


def _row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = ", ".join(f"`{label}`" for label in metric.samples[0].labels) if metric.samples else ""
    return f"| `{name}` | {labels} | {metric.documentation} |"
