"""Drawing: spans and their roles, themes, glyphs, charts, wrapping."""
