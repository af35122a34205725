"""Random schedules on a virtual clock: the engine's task manager and Batch backend against models of Scaler and AWS.

No process, no thread, no socket, no waiting: a schedule of minutes takes milliseconds. `story.run_story(seed)` runs
one and gives what broke; `python -m tests.support.schedules` runs many.
"""
