"""Growth as a picture: small charts, one below the other, in plain SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.peers.growth import Growth, Size

WIDTH: Final = 640
CHART_HEIGHT: Final = 150
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 30, 30
INK, FAINT, LINE, DOT = "#24292f", "#8c959f", "#9ec5fe", "#0b5ed7"


@dataclass(frozen=True)
class Chart:
    """One figure over the number of tasks: what was measured, and the fitted curve."""

    title: str
    value: Callable[[Size], float]
    fitted: Callable[[float], float]


def plot(growth: Growth) -> str:
    """CPU and calls a task, and peak memory if it was measured; tasks on a logarithmic axis, the others from zero."""
    cpu, calls, memory = (growth.lines[name] for name in ("cpu_ms", "calls", "peak_rss_mib"))
    charts = [
        Chart("CPU of the manager, ms a task", lambda one: one.cpu_ms_a_task, cpu.a_task),
        Chart("API calls a task", lambda one: one.calls_a_task, calls.a_task),
    ]
    if any(one.peak_rss_mib for one in growth.sizes):
        charts.append(Chart("Peak memory, MiB", lambda one: one.peak_rss_mib, memory.at))
    parts = [_chart(chart, growth.sizes, number * CHART_HEIGHT) for number, chart in enumerate(charts)]
    height = CHART_HEIGHT * len(charts) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(chart: Chart, sizes: Sequence[Size], top: int) -> str:
    low, high = math.log10(sizes[0].tasks), math.log10(sizes[-1].tasks)
    highest = 1.15 * max(chart.value(one) for one in sizes) or 1.0
    floor = top + CHART_HEIGHT - BOTTOM

    def across(tasks: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(tasks) - low) / ((high - low) or 1)

    def up(value: float) -> float:
        return floor - (CHART_HEIGHT - TOP - BOTTOM) * min(max(value, 0.0), highest) / highest

    steps = [10 ** (low + (high - low) * step / 60) for step in range(61)]
    curve = " ".join(f"{across(n):.1f},{up(chart.fitted(n)):.1f}" for n in steps)
    parts = [
        f'<text x="{LEFT}" y="{top + 18}" fill="{INK}" font-weight="bold">{chart.title}</text>',
        f'<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}" stroke="{FAINT}"/>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end" fill="{FAINT}">0</text>',
        f'<polyline points="{curve}" fill="none" stroke="{LINE}" stroke-width="3"/>',
    ]
    for one in sizes:
        x, value = across(one.tasks), chart.value(one)
        parts += [
            f'<circle cx="{x:.1f}" cy="{up(value):.1f}" r="4" fill="{DOT}"/>',
            f'<text x="{x:.1f}" y="{up(value) - 8:.1f}" text-anchor="middle" fill="{INK}">{value:.3g}</text>',
            f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle" fill="{FAINT}">{one.tasks:,}</text>',
        ]
    return "\n".join(parts)
