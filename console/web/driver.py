"""Textual's driver of a visitor's console, whose resizes come in their order."""

from __future__ import annotations

from textual.drivers.web_driver import WebDriver
from textual.events import Resize
from textual.geometry import Size


class VisitorDriver(WebDriver):
    """Textual's own posts the size at the start over the event loop, and a visitor's resizes past that.

    So the first one may come last (textual 8.2), and a browser that was resized meanwhile keeps a console of a size
    that it no longer has.
    """

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """Take what the visitor's side says."""
        match packet_type, payload:
            case "resize", {"width": int(width), "height": int(height)}:
                self._size = width, height
                self.send_message(Resize(Size(width, height), Size(width, height)))
            case _:
                super().on_meta(packet_type, payload)
