"""Which publication is current, and read-only connections to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from .. import paths
from ..refusals import Refused

POINTER = "CURRENT.json"


class NothingPublished(Refused):
    """There is no publication to read; the message says what to do."""


@dataclass(frozen=True)
class Published:
    """One publication of one audience. `published_at` is an instant in UTC."""

    publish_id: str
    path: Path
    published_at: datetime


def current(root: Path | None = None, audience: str = "staff") -> Published:
    """The publication that the pointer names. Raises NothingPublished."""
    folder = (root or paths.published()) / audience
    try:
        pointer = json.loads((folder / POINTER).read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise NothingPublished(f"nothing is published for {audience} in {folder}: run `make pipeline`") from missing
    path = folder / pointer["file"]
    if not path.is_file():
        raise NothingPublished(f"{folder / POINTER} names {path.name}, which is not there: run `make pipeline` to publish again")
    return Published(pointer["publish_id"], path, datetime.fromisoformat(pointer["published_at"]))


def open_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to one publication's file, so that several questions may be asked of the same one."""
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")  # a name that is not published is an error, never a variable of ours
    return connection


def connect(root: Path | None = None, audience: str = "staff") -> duckdb.DuckDBPyConnection:
    """A read-only connection to the current publication: schemas admin, client, freelancer, science (as the audience may see) and _meta."""
    return open_read_only(current(root, audience).path)
