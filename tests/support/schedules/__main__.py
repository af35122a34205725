"""`python -m tests.support.schedules [FIRST [COUNT]]`: run that many schedules; tell each that broke a promise."""

from __future__ import annotations

import sys
import time

from tests.support.schedules.story import run_story

first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
began, broken = time.perf_counter(), 0
for seed in range(first, first + count):
    story = run_story(seed)
    if story.broken:
        broken += 1
        print(story if count == 1 else f"seed {seed}: {story.broken[0]}", flush=True)
    elif count == 1:
        print(story)
seconds = time.perf_counter() - began
print(f"{count} schedules from seed {first} on, {broken} broken, {count / seconds * 60:.0f} a minute")
sys.exit(1 if broken else 0)
