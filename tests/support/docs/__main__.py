"""`python -m tests.support.docs` writes every generated section of the documents."""

from __future__ import annotations

from tests.support.docs.generated import SECTIONS

for section in SECTIONS:
    section.write()
