"""Run Scaler's own tests with engines of ours, and print how each ended: those that are named, or all that are run.

`python -m tests.support.peer tests/client/test_client.py::TestClient::test_noop_map`. Exit code 1 when one failed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.support.peer.releases import PackageIndexError, ray, sources
from tests.support.peer.table import EXCLUDED
from tests.support.peer.upstream import NOT_RUN, Result, file_of, names_with_a_cluster, peer_cluster, run_tests

FILES_AT_ONCE: Final = 4


def main(names: Sequence[str]) -> int:
    """Run and print."""
    try:
        path = (sources(), ray())
    except PackageIndexError as error:
        print(error, file=sys.stderr)
        return 1
    wanted = names or [name for name in names_with_a_cluster(path[0]) if name not in EXCLUDED]
    results = dict(_results(path, sorted(wanted)))
    for name, result in results.items():
        print(f"{result.outcome} {result.seconds:6.1f} s  {name}")
    failed = {name: result for name, result in results.items() if result.outcome != "passed"}
    for name, result in failed.items():
        print(f"\n-- {name}\n{result.text}")
    print(f"\n{len(results) - len(failed)} of {len(results)} passed")
    return bool(failed)


def _results(path: Sequence[Path], wanted: Sequence[str]) -> Iterator[tuple[str, Result]]:
    with tempfile.TemporaryDirectory() as folder, peer_cluster(path, Path(folder) / "cluster") as cluster:

        def run(tests: Sequence[str]) -> Iterator[tuple[str, Result]]:
            place = Path(tempfile.mkdtemp(dir=folder))
            found = run_tests(cluster, path, tests, place)
            return ((name, found.get(name, NOT_RUN)) for name in tests)

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            for some in pool.map(run, [list(each) for _, each in groupby(wanted, file_of)]):
                yield from some


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
