"""Where the repository's files are, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = ROOT / "README.md"
CONTAINER: Final = ROOT / "container"
