"""How anything is drawn: spans and their roles, themes, glyphs, charts, wrapping."""
