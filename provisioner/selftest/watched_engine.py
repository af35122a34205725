"""Engine of the selftest: the engine as it is, whose first SubmitJob's answer gets lost, or whose answers are kept.

`python -P -m provisioner.selftest.watched_engine [--drop-answer FILE] [--record FOLDER] --settings JSON`. Nothing is
stood in for: the request is carried out, and what AWS said is thrown away where a line that breaks would lose it. FILE
is made when that happened.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from provisioner.selftest.recorder import AnswerRecorder

SUBMIT: Final = "/v1/submitjob"


def drop_first_answer(mark: Path, send: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap botocore's sending: after the first SubmitJob was answered the line breaks."""

    def lossy(session: URLLib3Session, request: Any) -> Any:
        response = send(session, request)
        if request.url.endswith(SUBMIT) and response.status_code == 200 and not mark.exists():
            mark.touch()
            raise ConnectionClosedError(endpoint_url=request.url)
        return response

    return lossy


def main(arguments: Sequence[str]) -> None:
    """Arm what is asked for, and be the engine."""
    parser = argparse.ArgumentParser(prog=__name__)
    parser.add_argument("--drop-answer", type=Path)
    parser.add_argument("--record", type=Path)
    ours, rest = parser.parse_known_args(arguments)
    if ours.record is not None:
        AnswerRecorder(ours.record).start()
    if ours.drop_answer is not None:
        send: Any = drop_first_answer(ours.drop_answer, URLLib3Session.send)
        URLLib3Session.send = send  # type: ignore[method-assign]
    sys.argv[1:] = rest
    runpy.run_module("engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
