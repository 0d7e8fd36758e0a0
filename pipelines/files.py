"""Durable files: what was written survives a crash, and a reader sees the old content or the new one, never a part."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .refusals import Refused


class Busy(Refused):
    """Another process holds the lock."""


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, content: Any) -> None:
    """Replace `path` atomically and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    sync(path.parent)


def read_json(path: Path) -> Any | None:
    """The content, or None when the file is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def lock(path: Path, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold an exclusive lock that the system releases when the process ends, however it ends. Raises Busy when it is taken and stays so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as taken:
                if time.monotonic() >= deadline:
                    raise Busy(f"another process works in {path.parent}; wait for it to end") from taken
                time.sleep(0.1)
        yield
