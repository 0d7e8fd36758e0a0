"""What a folder of publications keeps: those the pointer knows, and the parts that they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from .. import files
from .pointer import POINTER


def names(pointer: dict[str, Any] | None) -> list[str]:
    """Files of the publications that a pointer knows, the current one first."""
    return [pointer["file"], *(earlier["file"] for earlier in pointer["previous"])] if pointer else []


def parts(file: Path) -> set[str]:
    """Names of the parts that one publication reads."""
    with duckdb.connect(str(file), read_only=True) as db:
        return {row[0] for row in db.execute("SELECT part FROM _meta.model WHERE part IS NOT NULL").fetchall()}


def collect(folder: Path) -> None:
    """Remove publications that the pointer no longer knows, what killed publishes left, and parts no kept publication uses."""
    kept = set(names(files.read_json(folder / POINTER)))
    for path in folder.glob("marts-*"):
        if path.name not in kept:
            path.unlink()
    used: set[str] = set()
    for name in kept:
        if (folder / name).is_file():
            used |= parts(folder / name)
    for path in (folder / "parts").glob("*"):
        if path.name not in used:
            path.unlink()
