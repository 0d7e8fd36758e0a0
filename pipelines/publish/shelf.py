"""The publications on the object store, when the settings name one: what counts here counts there first.

Files, parts and pointer lie there under the names they have here. Readers still open files of their own disk (marts_reader.fetch): a page
answers from Parquet in milliseconds, and not from another machine's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import files, store
from ..claim import Claim
from ..marts_reader import POINTER, fetch
from ..marts_reader.kept import names, parts


def follow(folder: Path) -> None:
    """What another machine published since is brought here, so that this one goes on from it."""
    fetch.bring(folder, whole=True)


def point(folder: Path, content: dict[str, Any]) -> None:
    """Make the publications of `content` count: on the store, where what they need is sent first and the rest removed after, then here.

    Raises files.Busy, and changes nothing for readers, when another machine publishes, or has since this one looked.
    """
    place = store.below(f"published/{folder.name}")
    if place is not None:
        claim = Claim(place, POINTER, folder)
        claim.take()
        try:
            _send(place, claim, folder, content)
        finally:
            claim.release()
    files.write_json(folder / POINTER, content)


def _send(place: store.Store, claim: Claim, folder: Path, content: dict[str, Any]) -> None:
    before = files.read_json(folder / POINTER)
    if claim.content and claim.content["publish_id"] != (before or {}).get("publish_id"):
        raise files.Busy(
            f"another machine has published {claim.content['publish_id']} for {folder.name}; the next round goes on from there"
        )
    needed = _needed(folder, content)
    # what only older publications used may be going at this moment, although it was listed
    there = claim.leftovers.keys() & (_needed(folder, before) if claim.content else set())
    for name in sorted(needed - there):
        claim.keep()
        place.put(folder / name, name)
    claim.write(content)
    place.remove(claim.leftovers.keys() - needed - {POINTER})


def _needed(folder: Path, pointer: dict[str, Any] | None) -> set[str]:
    """Names of the files and parts of all publications that a pointer knows."""
    found: set[str] = set()
    for name in names(pointer):
        if (folder / name).is_file():
            found |= {name, *(f"parts/{part}" for part in parts(folder / name))}
    return found
