"""All rows that fit a filter, of an engine with too many to publish: asked for page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from console.tui.jobs.jobs_view import JobsView
from engine.telemetry.client.source import Source
from engine.telemetry.schema.messages import PAGE_LIMIT, Answer, GetJobPage, JobPage, JobRow, Refusal

Take = Callable[[Sequence[JobRow]], None]


def fetch_all_rows(source: Source, view: JobsView, take: Take, fail: Callable[[str], None]) -> None:
    """Hand every row that fits the view's filter to `take`: at once, or when the engine has sent the last page.

    `fail` gets a sentence when it refuses.
    """
    if not view.paged:
        take([row for row in view.jobs.slice(0, view.matching) if row is not None])
        return
    # by age: an order that changes little while the pages come
    _Pages(source, GetJobPage(view.filter, "age", False, view.manager, 0, PAGE_LIMIT), take, fail).ask()


class _Pages:
    def __init__(self, source: Source, wanted: GetJobPage, take: Take, fail: Callable[[str], None]) -> None:
        self._source, self._wanted, self._take, self._fail = source, wanted, take, fail
        self._rows: dict[str, JobRow] = {}

    def ask(self) -> None:
        self._source.ask(self._wanted, self._on_answer)

    def _on_answer(self, answer: Answer) -> None:
        if isinstance(answer, Refusal):
            self._fail(answer.text)
        if not isinstance(answer, JobPage):
            return
        self._rows.update((row.task_id, row) for row in answer.rows)
        offset = self._wanted.offset + len(answer.rows)
        if answer.rows and offset < answer.matching:
            self._wanted = msgspec.structs.replace(self._wanted, offset=offset)
            self.ask()
        else:
            self._take(list(self._rows.values()))
