"""View of a list that an engine answers with again and again: selection by identity, and the part on screen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ListView(Generic[Item]):
    """Choice in a list. The selection is what `identity` gives, never a position. Knows nothing of a terminal."""

    def __init__(self, identity: Callable[[Item], Hashable]) -> None:
        self._identity = identity
        self.items: Sequence[Item] = ()
        self.selected: Hashable | None = None
        """None until the user moves: what is most urgent stays on top."""
        self.top = 0
        self.height = 1
        """Lines on screen; the table keeps it up to date."""

    @property
    def index(self) -> int | None:
        """Index of the selected item; None without one."""
        if self.selected is None:
            return None
        places = (place for place, item in enumerate(self.items) if self._identity(item) == self.selected)
        return next(places, None)

    @property
    def selected_item(self) -> Item | None:
        """The selected item."""
        return None if (at := self.index) is None else self.items[at]

    @property
    def current(self) -> Item | None:
        """The selected item, or the top one while there is none."""
        return self.selected_item or (self.items[0] if self.items else None)

    def is_selected(self, item: Item) -> bool:
        """The cursor is on this item."""
        return self.selected is not None and self._identity(item) == self.selected

    def visible(self) -> Sequence[Item]:
        """Items on screen."""
        return self.items[self.top : self.top + self.height]

    def take(self, items: Sequence[Item]) -> None:
        """Take in a newer list; the selected item stays on its line of the screen where it can."""
        at = self.index
        line = None if at is None else at - self.top
        self.items = items
        now = self.index
        self._scroll_to(self.top if now is None or line is None else now - line)

    def move(self, by: int) -> None:
        """Select the item `by` lines further; the first move selects the top one."""
        at = self.index
        self.move_to((self.top if by >= 0 else len(self.items) - 1) if at is None else at + by)

    def move_to(self, index: int) -> None:
        """Select the item at `index`, the last one if there are fewer, and bring it on screen."""
        if not self.items:
            return
        index = min(max(0, index), len(self.items) - 1)
        self.selected = self._identity(self.items[index])
        self._scroll_to(min(max(self.top, index - self.height + 1), index))

    def scroll(self, by: int) -> None:
        """Scroll by lines; the selection stays."""
        self._scroll_to(self.top + by)

    def resize(self, height: int) -> None:
        """Set the number of lines on screen; the selected item stays among them."""
        self.height = max(1, height)
        at = self.index
        self._scroll_to(self.top if at is None else min(max(self.top, at - self.height + 1), at))

    def _scroll_to(self, top: int) -> None:
        self.top = max(0, min(top, len(self.items) - self.height))


def move_in(view: ListView[Item], how: str) -> None:
    """Move as a key says: `down`, `up`, `page_down`, `page_up`, `top` or `bottom`."""
    half = max(1, view.height // 2)
    steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
    if how in steps:
        view.move(steps[how])
    else:
        view.move_to(0 if how == "top" else len(view.items) - 1)
