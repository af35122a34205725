"""CloudWatch Logs with empty and partly full pages, as AWS may answer GetLogEvents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class PagedLogs:
    """Stands in for `AwsClient`: `pages` of a stream, oldest first; at either end a token repeats."""

    pages: list[list[str]]
    calls: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    gate: Any = field(default=None)

    async def call(self, operation: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        self.calls += 1
        self.asked.append(arguments)
        token = arguments.get("nextToken")
        at = (0 if arguments["startFromHead"] else len(self.pages) - 1) if token is None else int(token[1:])
        shown = self.pages[at] if 0 <= at < len(self.pages) else []
        events = [{"timestamp": 1_000, "message": text} for text in shown]
        return {
            "events": events,
            "nextForwardToken": f"f{min(at + 1, len(self.pages))}",
            "nextBackwardToken": f"b{max(at - 1, -1)}",
        }
