"""The error of a task whose process died, as Scaler's own workers name it: renamed in the pickle, never unpickled.

The container needs no Scaler: its runner writes a builtin `RuntimeError`, with which every pickle of protocol 4 begins
alike. The client has `scaler.utility.exceptions.ProcessorDiedError`, and may catch it.
"""

from __future__ import annotations

import struct
from typing import Final

_LEAD: Final = struct.Struct("<3sQ")
_PROTO_AND_FRAME: Final = b"\x80\x04\x95"
_LONGEST_FRAME: Final = 1 << 32


def _by_name(module: str, name: str) -> bytes:
    """Opcodes of a class by reference: https://github.com/python/cpython/blob/main/Lib/pickletools.py"""
    return b"".join(b"\x8c" + bytes([len(text)]) + text.encode() + b"\x94" for text in (module, name)) + b"\x93"


_BUILTIN: Final = _by_name("builtins", "RuntimeError")
_DIED: Final = _by_name("scaler.utility.exceptions", "ProcessorDiedError")


def as_processor_died(body: bytes) -> bytes:
    """The pickled `RuntimeError` of a runner as a `ProcessorDiedError` with its text and notes; others unchanged."""
    if len(body) < _LEAD.size or not body.startswith(_BUILTIN, _LEAD.size):
        return body
    lead, frame = _LEAD.unpack_from(body)
    if lead != _PROTO_AND_FRAME or not len(_BUILTIN) <= frame < _LONGEST_FRAME:
        return body
    renamed = _LEAD.pack(lead, frame + len(_DIED) - len(_BUILTIN))
    return renamed + _DIED + body[_LEAD.size + len(_BUILTIN) :]
