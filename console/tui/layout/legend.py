"""Meanings of what the console draws: states, signs, columns, figures, filters and commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from console.tui.drawing.glyphs import Glyphs
from engine.telemetry.schema.messages import JobState

STATES: Final[Mapping[JobState, str]] = {
    JobState.QUEUED: "with the manager: waits for a slot; no job exists at AWS yet",
    JobState.SUBMITTED: "AWS Batch has it",
    JobState.PENDING: "AWS Batch holds it back, or tasks before it in its job have not ended",
    JobState.RUNNABLE: "waits for a host",
    JobState.STARTING: "a host was found: its container is being started",
    JobState.RUNNING: "the container runs",
    JobState.SUCCEEDED: "has ended, and its result was delivered",
    JobState.FAILED: "has ended, and its error was delivered",
    JobState.CANCELLED: "was taken back, by its client or by an operator",
    JobState.UNKNOWN: "the engine lost sight of it for now",
}

HEADS: Final[Mapping[str, str]] = {
    "STATE": "where the job is",
    "FUNCTION": "what it calls",
    "TASK": "beginning of Scaler's task id; y copies all of it",
    "INDEX": "place of its job in the array job",
    "MANAGER": "worker manager that has it, when there are several",
    "ROUTE": "how its payload travels: inside SubmitJob, the same compressed (gzip), or through S3",
    "SIZE": "of the payload before it is compressed",
    "ATT": "attempt that runs or ran: more than 1 means that it was tried again",
    "FOR": "time in its state; of an ended job, how long ago it ended",
    "AGE": "time since the manager got it; of an ended job, until it ended",
    "TOOK": "how long it ran, once it has ended",
    "REASON": "why it is where it is; rc= is the exit code. The selected row tells all of it",
}

FRAME: Final[Mapping[str, str]] = {
    "12/300": "jobs that fit the filter, of all that are kept",
    "of 900 ever": "jobs since the engine started: rows of ended ones go after a while",
    "by age ↑": "the order; with the arrow it is turned around",
    "Σ": "all jobs since the engine started",
    "left, ETA": "jobs that have not ended, and how long they may take",
    "+2/s": "jobs that entered the state, over the last ten seconds",
    "share": "part of the jobs whose payload went this way",
    "wire": "bytes after compression",
    "p50, p95, p99": "half, 95 %, 99 % of the last five minutes were below that",
    "534/1,000": "used and limit; unknown is a dash, never 0",
    "! !! THR": "from 80 % of a limit, from 95 %, and past it or slowed down by AWS",
    "1.1s behind": "how late log lines come",
    "(ro) (off)": "not allowed: this console is read-only, or the engine is out of reach",
}

FILTERS: Final[Mapping[str, str]] = {
    "price": "the word is in function, task id, job id or reason",
    "!price": "it isn't; ! turns around any of these",
    "=FAILED =RBL =run": "the state by name, code or beginning",
    "route:s3 fn:price": "this field holds it; also reason: cause: manager: client: id: job:",
    "fn~^price_(leg|x)": "a regular expression; also reason~ cause~ manager~ client~",
    "age>10m for>5m": "time since it came, time in its state; also took>30s",
    "size>=4k exit=137": "bytes, exit code; also attempt>1 retries>0 resubmits>0",
    'reason:"Host EC2"': "quotes keep blanks together",
    "up, down": "what was asked before; several words must all fit",
}

COMMANDS: Final[Mapping[str, str]] = {
    "jobs, logs [TEXT]": "places; also why [ID], resources, job ID",
    "filter TEXT": "also sort NAME, trend 5m|1h|24h, theme NAME",
    "save NAME": "keeps filter, order and columns; view NAME shows them, forget NAME drops them",
    "notify FILTER": "tells of the first failure and the end of the jobs that fit; again: no more",
    "drain": "and every other command of the palette (ctrl-p) by its name",
}


def signs(glyphs: Glyphs) -> Mapping[str, str]:
    """Meanings of the signs of a set."""
    return {
        glyphs.cursor: "the selected job",
        glyphs.mark: "a marked job",
        glyphs.stuck: "stuck: RUNNABLE for more than 10 minutes, or AWS says why it can't go on; an alert",
        glyphs.straggler: "runs for longer than three times the p95 of its function",
        glyphs.untold: "before a function: it asks for resources that nobody told, and runs with its definition's",
        glyphs.unknown: "not known; never the same as 0",
        glyphs.ellipsis: "something was cut, or is still to come",
        glyphs.live: "the engine's word is new",
    }
