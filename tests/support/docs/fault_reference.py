"""The table of faults in `docs/local.md`: that of the module which reads them, whose kinds it must name."""

from __future__ import annotations

from provisioner.local.faults import faults


def reference() -> str:
    """The table as the module's own docstring has it, with the strings as code."""
    lines = [line for line in (faults.__doc__ or "").splitlines() if line.startswith("|")]
    return "\n".join(["| `--fault` | what happens |", "|---|---|", *map(_row, lines[2:])]) + "\n"


def kinds() -> list[str]:
    """The kinds that the table names."""
    rows = [line.split("|")[1] for line in reference().splitlines()[2:]]
    return [word.strip().strip("`").partition(":")[0].partition("[")[0] for row in rows for word in row.split(",")]


def _row(line: str) -> str:
    _, strings, meaning, _ = line.split("|")
    forms = ", ".join(f"`{form.strip()}`" for form in strings.split(","))
    return f"| {forms} | {meaning.strip()} |"
