"""The outcome of a task that the manager fails itself, without a word of its function."""

from __future__ import annotations

import pickle

from engine.model import Outcome, Profile


def failed_outcome(task_id: bytes, error: Exception) -> Outcome:
    """A failure whose body is `error`, pickled: of a builtin class, so that any client can load it.

    Its reason is the first line of the error's text.
    """
    reason = str(error).partition("\n")[0]
    return Outcome(task_id, succeeded=False, body=pickle.dumps(error), profile=Profile(), reason=reason)
