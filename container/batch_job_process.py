"""A process that was forked, and is to be a program of its own: how it begins like a fresh one, and ends like one."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import importlib
import io
import os
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any, Final

_BUFFERED: Final = (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)
_FILE: Final = io.IOBase.__base__ or io.IOBase
"""Python's own files and what derives from those; as no abstract class it is asked fast."""
_LEFT_ALONE: Final = (io.BytesIO, io.StringIO, io.RawIOBase)  # in memory, or without a buffer

OPEN_FILES: Final = "its open files"
"""What the end of a task's process waits for, unless it says something else."""
_exit_functions_before: Final = [0]
"""How many there were when the process was taken over."""
_frozen_globals: Final[list[dict[str, Any]]] = []
"""Of functions by value that no collection sees any more."""


def take_over_process(stdout: int, stderr: int) -> None:
    """Make a process like a fresh one: default signals, its own output, an empty `__main__`, no arguments."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    redirect(stdout, stderr)
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = _writer(1)
    sys.stderr = sys.__stderr__ = _writer(2)
    faulthandler.enable(sys.stderr)
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]
    _leave_behind_what_is_the_runners()


def redirect(stdout: int, stderr: int) -> None:
    """Take no input, and these descriptors as the standard ones."""
    for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)


def _leave_behind_what_is_the_runners() -> None:
    """Neither its finalizers nor its open files are ended by this process, and no page of them is copied."""
    for finalizer in list(getattr(weakref.finalize, "_registry", ())):
        finalizer.atexit = False
    _exit_functions_before[0] = _exit_functions()
    gc.freeze()


def search_first(folders: tuple[str, ...]) -> None:
    """Look for modules there first, in programs that the task starts, too."""
    if folders:
        sys.path[:0] = folders
        others = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join((*folders, others) if others else folders)
        importlib.invalidate_caches()


def stand_apart(folder: str, oom_score_adj: int) -> None:
    """Be a process group, and what the kernel ends for memory before the runner; have an own temporary folder."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    # https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
    with contextlib.suppress(OSError):
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(file, b"%d" % oom_score_adj)
        finally:
            os.close(file)
    if folder:
        os.environ["TMPDIR"] = folder
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]  # asked for anew


def _writer(number: int) -> io.TextIOWrapper:
    """Line by line: a crash loses nothing, and logs show what a task prints as it prints it."""
    return os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def flush() -> None:
    """Write out what the standard streams still hold."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have closed or replaced them
            stream.flush()


def end_program(tell: Callable[[str], None]) -> None:
    """Do what Python does at a program's end, in its order; daemon threads are cut off there, too.

    Python's own way there would tear down the runner's libraries in each task. `tell` hears what is waited for.
    https://docs.python.org/3/c-api/init.html#c.Py_FinalizeEx
    """
    told = OPEN_FILES
    for waits_for, end in (
        (_threads_left(), getattr(threading, "_shutdown", None)),
        (_exit_functions_left(), getattr(atexit, "_run_exitfuncs", None)),
        (OPEN_FILES, _end_objects),
    ):
        with contextlib.suppress(BaseException):  # the answer is given
            if waits_for not in ("", told):
                told = waits_for
                tell(told)
        with contextlib.suppress(BaseException):
            if end is not None:
                end()
    flush()


def _threads_left() -> str:
    left = [one.name for one in threading.enumerate() if not one.daemon and one is not threading.current_thread()]
    return f"its threads ({', '.join(left[:3])})" if left else ""


def _exit_functions_left() -> str:
    return "its atexit functions" if _exit_functions() > _exit_functions_before[0] else ""


def _exit_functions() -> int:
    count: Callable[[], int] = getattr(atexit, "_ncallbacks", lambda: 0)
    return count()


def _end_objects() -> None:
    """End what the task left in its globals, then write out open files: a collection may end a file below another."""
    _clear_globals()
    _flush_files()
    # A full one also gives up memory that is kept for reuse, which copies its pages: so only where it may find more.
    if gc.collect(2 if gc.get_objects(generation=2) else 1):
        _flush_files()


def _clear_globals() -> None:
    """As Python clears those of modules: here they are the globals of functions that came by value."""
    for values in (*_globals_by_value(), *_frozen_globals):
        values.update({name: None for name in values if name != "__builtins__"})


def _globals_by_value() -> list[dict[str, Any]]:
    functions = (one for one in gc.get_objects() if type(one) is types.FunctionType)
    found = {id(one.__globals__): one.__globals__ for one in functions if "__name__" in one.__globals__}
    return [values for values in found.values() if not _are_of_module(values)]


def _are_of_module(values: dict[str, Any]) -> bool:
    """Whether these are a module's: all of them, which are many, are only asked where its name doesn't tell."""
    if "__spec__" not in values:
        return False  # each module has one, if None
    named = getattr(sys.modules.get(values["__name__"]), "__dict__", None)
    return named is values or any(getattr(one, "__dict__", None) is values for one in list(sys.modules.values()))


def freeze_loaded() -> None:
    """Spare the processes that are forked from here the collection of what is loaded: it would copy all of its pages.

    They end the globals among it all the same.
    """
    gc.collect()
    _frozen_globals.extend(_globals_by_value())
    gc.freeze()


def _flush_files() -> None:
    """Write out what files hold that nobody closed: text, then what stands upon other files, then those."""
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, _FILE) and not issubclass(kind, _LEFT_ALONE)}
    files = [one for one in objects if type(one) in kinds]
    for file in sorted(files, key=_place_in_order):
        with contextlib.suppress(Exception):
            file.flush() if type(file) in (io.TextIOWrapper, *_BUFFERED) else file.close()


def _place_in_order(file: io.IOBase) -> int:
    return 0 if type(file) is io.TextIOWrapper else 2 if type(file) in _BUFFERED else 1
