"""Random generators that loading a function left behind: which draw the same in each process, and which must not.

A generator that was seeded has the same state in each process that loaded the function; what the system seeded has
another in each. So two loads tell them apart, and a copy of the second kind is seeded anew.
"""

from __future__ import annotations

import gc
import hashlib
import pickle
import random
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from batch_job_template.load_report import MOST


def fingerprints() -> tuple[str, ...]:
    """The states of this process's generators, in no order."""
    return tuple(_fingerprint(one) for one in _generators())[:MOST]


def renewal(others: Collection[str]) -> Callable[[], None]:
    """What gives a copy of this process its random numbers, where another that loaded the same has `others`.

    Raises whatever a generator raises that can't be seeded.
    """
    found = list(_generators())
    if len(found) > MOST:
        raise ValueError(f"{len(found)} random generators, expected at most {MOST}")
    differing = [one for one in found if _fingerprint(one) not in others]
    for one in differing:
        _seed(one)
    state = None if _GLOBAL in differing else random.getstate()

    def renew() -> None:
        for one in differing:
            _seed(one)
        if state is not None:
            random.setstate(state)  # Python seeds it at each fork

    return renew


_GLOBAL: Final[random.Random] = getattr(random, "_inst")  # noqa: B009


def _generators() -> Iterator[Any]:
    """Python's global one and what a collection sees: those of numpy, too."""
    yield _GLOBAL
    numpy = sys.modules.get("numpy.random.bit_generator")
    kinds = (random.Random,) if numpy is None else (random.Random, numpy.BitGenerator)
    names = getattr(getattr(tempfile, "_name_sequence", None), "_rng", None)  # has another in each process anyway
    for one in gc.get_objects():
        if issubclass(type(one), kinds) and type(one) is not random.SystemRandom and one not in (_GLOBAL, names):
            yield one


def _fingerprint(generator: Any) -> str:
    state = generator.getstate() if isinstance(generator, random.Random) else generator.state
    return hashlib.sha256(pickle.dumps(state)).hexdigest()


def _seed(generator: Any) -> None:
    if isinstance(generator, random.Random):
        generator.seed()
    else:
        generator.state = type(generator)().state
