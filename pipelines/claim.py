"""Who may write what lies on an object store, where no lock of a machine keeps the others out.

One file says which of the others count: the log's manifest, an audience's pointer. The right to write is a note inside it, and it is replaced
only by who knows its present version. So whoever claims it makes every later write of the claimant before fail, whatever that one
still believes: two writers never both win, and clocks decide nothing but politeness. Within the lease others stay away; a claim of
this machine's own is of a process that died, since its lock was free.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import files, settings
from .store import Store, Stored, StoreError

_WRITER = "writer"


class Claim:
    """One writer's right. `content` is what the file says, `token` a word for the names of what is written, and `leftovers` are the files
    (with their bytes) that lay there before the right was given."""

    def __init__(self, store: Store, name: str, folder: Path) -> None:
        self.token = secrets.token_hex(4)
        self.leftovers: dict[str, int] = {}
        self.content: dict[str, Any] | None = None
        self._store, self._name, self._machine = store, name, _machine(folder)
        self._lease = timedelta(minutes=settings.load().store.lease_minutes)
        self._version: str | None = None
        self._renewed = datetime.min.replace(tzinfo=UTC)

    def take(self) -> None:
        """Get the right. Raises files.Busy while another machine has it."""
        # Listed before the claim: whoever wrote what is listed and does not count cannot make it count any more once the claim stands,
        # so that it may be removed at any time.
        self.leftovers = self._store.sizes()
        stored = self._store.read(self._name)
        content: dict[str, Any] = json.loads(stored.content) if stored else {}
        holder = content.pop(_WRITER, None)
        if holder and holder["machine"] != self._machine and datetime.now(UTC) < datetime.fromisoformat(holder["until"]):
            until = holder["until"][:16].replace("T", " ")
            raise files.Busy(f"{holder['host']} writes {self._store.address}, until {until} UTC unless it ends before; wait for it to end")
        self.content, self._version = content or None, stored.version if stored else None
        self._write()

    def keep(self) -> None:
        """Make the lease longer when it is time. Raises files.Busy when another machine has taken the log over."""
        if datetime.now(UTC) - self._renewed > self._lease / 3:
            self._write()

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file. Raises files.Busy, and changes nothing, when another machine has taken it over."""
        before, self.content = self.content, content
        try:
            self._write()
        except BaseException:
            self.content = before
            raise

    def release(self) -> None:
        """Let the next one in at once. Whoever cannot say so keeps others waiting for the lease's end, and no more."""
        with contextlib.suppress(files.Busy, StoreError):
            self._store.replace(self._name, _text(self.content or {}), self._version)

    def _write(self) -> None:
        now = datetime.now(UTC)
        writer = {"machine": self._machine, "host": socket.gethostname(), "token": self.token, "until": (now + self._lease).isoformat()}
        self._version = self._store.replace(self._name, _text({**(self.content or {}), _WRITER: writer}), self._version)
        self._renewed = now


def said(stored: Stored | None) -> dict[str, Any] | None:
    """What such a file says to readers; None when nothing counts yet."""
    content: dict[str, Any] = json.loads(stored.content) if stored else {}
    content.pop(_WRITER, None)
    return content or None


def _text(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _machine(folder: Path) -> str:
    """A name of this run-time folder that nobody else has."""
    path = folder / ".machine"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(path, secrets.token_hex(8))
    return str(files.read_json(path))
