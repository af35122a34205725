"""AWS's models of its services, read once a process instead of once a session of boto3: a third of a second each."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.loaders import Loader, create_loader


def read_once(patch: pytest.MonkeyPatch) -> None:
    """Sessions of botocore share what they have read, by the search path that they are configured with."""
    kept: dict[str | None, tuple[Loader, list[str]]] = {}

    def shared(search_path: str | None = None) -> Loader:
        if search_path not in kept:
            loader = create_loader(search_path)
            kept[search_path] = loader, list(loader.search_paths)
        loader, paths = kept[search_path]
        loader.search_paths[:] = paths  # each session of boto3 adds its own
        return loader

    patch.setattr(botocore.session, "create_loader", shared)
