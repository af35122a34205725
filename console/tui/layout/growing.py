"""Sizes of the dashboard's panes that a user changed: by key, or by a drag of the line between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.tui.preferences import PaneSizes

if TYPE_CHECKING:
    from textual.geometry import Region, Size
    from textual.widget import Widget

LEAST_JOBS: Final = 8
"""Lines that the jobs keep."""
LEAST_LOGS: Final = 3
LEAST_JOBS_CELLS: Final = 60
LEAST_SIDE: Final = 34
STEP_LINES: Final = 2
STEP_CELLS: Final = 6


@dataclass(slots=True)
class Growing:
    """Log pane and side of the dashboard, and what is between them and the jobs. `whole`: of the screen."""

    logs: Widget
    side: Widget
    around: int
    """Lines of the screen that are neither jobs nor logs."""

    def set_logs(self, lines: int, whole: Size) -> int:
        """Give the log so many lines, as far as there is room; returns them."""
        lines = max(LEAST_LOGS, min(lines, whole.height - self.around - LEAST_JOBS))
        self.logs.styles.height = lines
        return lines

    def set_side(self, cells: int, whole: Size) -> int:
        """Give the side so many cells, as far as there is room; returns them."""
        cells = max(LEAST_SIDE, min(cells, whole.width - LEAST_JOBS_CELLS))
        self.side.styles.width = cells
        return cells

    def restore(self, sizes: PaneSizes, whole: Size, *, beside: bool) -> None:
        """Lay the kept sizes over the stylesheet's own; `beside`: the side stands beside the jobs, not below."""
        if sizes.logs:
            self.set_logs(sizes.logs, whole)
        if sizes.side and beside:
            self.set_side(sizes.side, whole)
        elif not beside:
            self.side.styles.width = None

    def clear(self) -> None:
        """Leave the sizes to the stylesheet, as for a zoom."""
        self.logs.styles.height = self.side.styles.width = None


def line_at(x: int, y: int, logs: Region, side: Region) -> str:
    """Name of the pane whose border to the jobs is at that cell: `logs`, `side`, or none."""
    if y == logs.y and logs.x <= x < logs.right:
        return "logs"
    return "side" if x in (side.x - 1, side.x) and side.x and side.y <= y < side.bottom else ""
