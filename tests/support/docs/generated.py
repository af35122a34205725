"""Sections of documents that are made from the code's own tables.

`python -m tests.support.docs` writes all of them; a test holds that they are current.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs import config_reference, key_reference, metric_reference, state_reference
from tests.support.docs.documents import DOCS


@dataclass(frozen=True)
class GeneratedSection:
    """What stands between the two marker comments of this name."""

    document: Path
    marker: str
    make: Callable[[], str]

    def current(self) -> str:
        """What stands there now."""
        return self._parts()[1]

    def write(self) -> None:
        """Replace it by what the code says."""
        before, _, after = self._parts()
        self.document.write_text(before + self.make() + after)

    def _parts(self) -> tuple[str, str, str]:
        begin, end = f"<!-- {self.marker}: begin -->\n", f"<!-- {self.marker}: end -->\n"
        before, _, rest = self.document.read_text().partition(begin)
        section, _, after = rest.partition(end)
        return before + begin, section, end + after


SECTIONS = (
    GeneratedSection(DOCS / "configuration.md", "configuration", config_reference.reference),
    GeneratedSection(DOCS / "console.md", "keys", key_reference.reference),
    GeneratedSection(DOCS / "reference.md", "metrics", metric_reference.reference),
    GeneratedSection(DOCS / "architecture.md", "task-states", state_reference.reference),
)
