"""What jobs cost and need, in words: for the terminal and for screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console import format

if TYPE_CHECKING:
    from engine.telemetry.schema.messages import BudgetView, Fit, ManagerView, Price, Remaining, Usage

MORE: Final = 1.6
"""Times the budget that is spent: what is offered as the next one, `:budget 80` after 50."""
UNSEEN_S: Final = 150.0
"""Of idle hosts' time; less is what lies between two readings."""


def describe_usage(usage: Usage | None, remaining: Remaining | None, *, ascii: bool = False) -> str:
    """`12.40 spent; 1.24 an hour; 4.10–6.00 more to the end`, in vCPU-hours without prices."""
    if usage is None:
        return format.UNKNOWN if not ascii else "-"
    if usage.money is None:
        unit, spent, now = " vCPU-hours", format.hours(usage.vcpu_hours), f"{usage.vcpus:,.10g} vCPUs now"
    else:
        unit, spent, now = "", format.money(usage.money), f"{format.money(usage.money_per_hour)} an hour"
    parts = [f"{spent}{unit} spent", now]
    if remaining is not None:
        parts.append(f"{describe_remaining(remaining, ascii=ascii)}{unit} more to the end")
    return "; ".join(parts)


def describe_wasted(manager: ManagerView) -> str:
    """`0.90 by runs without a result; at least 0.30 by idle hosts, seen 40m of 3h05m; now 48 vCPUs …`; empty: nothing.

    What hosts cost is told at the least: the memory that comes with their vCPUs isn't known.
    """
    return "; ".join(filter(None, (_wasted_by_runs(manager.usage), _wasted_by_hosts(manager), _idle_now(manager))))


def _wasted_by_runs(usage: Usage | None) -> str:
    if usage is None or not usage.wasted_vcpu_s:
        return ""
    wasted = format.money(usage.wasted_money)
    if usage.wasted_money is None:
        wasted = f"{format.hours(usage.wasted_vcpu_hours)} vCPU-hours"
    return f"{wasted} by runs without a result"


def _wasted_by_hosts(manager: ManagerView) -> str:
    """Until a reading told something it says what was seen only."""
    hosts = manager.idle_hosts
    if hosts is None:
        return ""
    unseen = hosts.watched_s - hosts.seen_s > UNSEEN_S
    seen = f"seen {format.span(hosts.seen_s)} of {format.span(hosts.watched_s)}" if unseen else ""
    if not hosts.vcpu_s:
        return f"idle hosts: {seen}" if seen else ""
    vcpu_hours = f"{format.hours(hosts.vcpu_hours)} vCPU-hours"
    wasted = vcpu_hours if hosts.money is None else f"at least {format.money(hosts.money)}"
    return f"{wasted} by idle hosts" + (f", {seen}" if seen else "")


def _idle_now(manager: ManagerView) -> str:
    if not manager.idle_vcpus:
        return ""
    text = f"now {manager.idle_vcpus:,.10g} vCPUs of hosts without a job of this manager"
    price = manager.price.vcpu_hour if manager.price is not None else None
    return text if price is None else f"{text}, at least {format.money(manager.idle_vcpus * price)} an hour"


def describe_remaining(remaining: Remaining, *, ascii: bool = False) -> str:
    """Range of what will be spent: `4.10–6.00`, one figure where both are alike, `≥` while there may be more."""
    if remaining.low_money is None:
        low, high = (format.hours(each / 3600) for each in (remaining.low_vcpu_s, remaining.high_vcpu_s))
    else:
        low, high = format.money(remaining.low_money), format.money(remaining.high_money)
    text = low if low == high else f"{low}{'-' if ascii else format.UNKNOWN}{high}"
    return f"{'>=' if ascii else '≥'}{text.replace('<0.01', '0.00')}" if remaining.more else text


def describe_price(price: Price | None, now: float) -> str:
    """Price of a vCPU-hour with its range, who says so and how old that is; or why it is unknown."""
    if price is None:
        return format.UNKNOWN
    if price.vcpu_hour is None:
        return f"unknown: {price.note}"
    ranged = price.low is not None and price.high is not None and price.low != price.high
    spread = f"{price.low:.4g} to {price.high:.4g}" if ranged else f"{price.low or price.vcpu_hour:.4g}"
    types = f" of {price.types} instance types" if price.types > 1 else ""
    at = "" if price.read_at is None else f", {format.age(now - price.read_at)} ago"
    note = f"; {price.note}" if price.note else ""
    return f"{spread} a vCPU-hour{types}, {price.source}{at}{note}"


def describe_budget(view: BudgetView) -> str:
    """`31.20 of 50.00`, and that it is spent."""
    is_money = view.budget.unit == "money"
    used = format.money(view.used) if is_money else format.hours(view.used)
    return f"{used} of {view.budget.describe()}" + (f"; {describe_spent(view)}" if view.is_spent else "")


def describe_spent(view: BudgetView) -> str:
    """`paused: the budget of 50.00 is spent; :budget 80 goes on`."""
    return f"paused: the budget of {view.budget.describe()} is spent; {raise_budget(view)} goes on"


def raise_budget(view: BudgetView) -> str:
    """The console's command that raises it: `:budget 80`. What was used meanwhile may be far more than the budget."""
    unit = "" if view.budget.unit == "money" else "vcpuh"
    limit, used = view.budget.limit, view.used or 0.0
    more = MORE * (limit if used < limit * MORE * 0.9 else used)
    return f":budget {more:.3g}{unit}" if more < 800 else f":budget AMOUNT{unit}"


def describe_fit(fit: Fit, *, cores: bool = True) -> str:
    """`asks 1,843 MiB, p95 212 MiB: 512 fits 3.6 times as many`; with `cores` vCPUs, too, where they are known."""
    asked = "of several sizes" if fit.asked_mib is None else f"asks {fit.asked_mib:,} MiB"
    text = f"{asked}, p95 {fit.p95_mib:,} MiB"
    if fit.advised_mib is not None and fit.times_as_many is not None:
        text += f": {fit.advised_mib:,} fits {fit.times_as_many:.2g} times as many"
    if cores and fit.p95_cores is not None and fit.asked_vcpus is not None:
        text += f"; {fit.asked_vcpus:g} vCPU, p95 {fit.p95_cores:.2g} busy"
    return text


def spent_budgets(views: tuple[ManagerView, ...]) -> list[BudgetView]:
    """Budgets that are spent."""
    return [view.budget for view in views if view.budget is not None and view.budget.is_spent]
