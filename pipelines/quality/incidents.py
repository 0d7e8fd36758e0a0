"""Tests and rounds that failed, from the first failure until they went well again: what the marts tell of them.

While something fails nothing is published, and a round that fails cannot tell of itself. So each is kept here (`quality/incidents.json`) until a
later run of the extraction takes it into the raw log, with all that was found since; the round that goes well again publishes it. What changes is
taken along once more: the newest run's row of an incident tells how it stands. `quality/last_good_round` was last touched when a round went well.

Belongs here: what was found, not how (outcomes). A disk that is full stops nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import files, paths
from ..refusals import discreet

logger = logging.getLogger("openlance.quality")
TEST, ROUND = "test", "round"
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Incident:
    """`name`: the test, or the step of the round; `node`: the model a test looks at; instants are ISO texts (UTC)."""

    kind: str
    name: str
    node: str
    began_at: str
    last_at: str
    #: When it was first known to be well again.
    ended_at: str | None
    #: Builds or rounds in which it failed, and rows that the last of them found.
    times: int
    row_count: int
    message: str
    #: When a round last went well before it, None when none ever did.
    well_before_at: str | None = None


#: An incident, and whether the log has it as it stands.
_Kept = tuple[Incident, bool]


@dataclass(frozen=True)
class Failure:
    """What failed just now."""

    name: str
    node: str
    row_count: int
    message: str


def _path() -> Path:
    return paths.var() / "quality" / "incidents.json"


def _last_good() -> Path:
    return paths.var() / "quality" / "last_good_round"


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def _read() -> list[_Kept]:
    """All that are kept; nothing of a file that cannot be read."""
    try:
        return [(Incident(**one["incident"]), one["told"]) for one in files.read_json(_path()) or []]
    except (OSError, ValueError, TypeError, KeyError) as failure:
        logger.warning("incidents were not read: %s", failure)
        return []


def _change(edit: Callable[[list[_Kept]], list[_Kept]]) -> None:
    """Whoever changes what is kept does so alone; what cannot be kept is a warning."""
    try:
        with files.lock(_path().with_name(".incidents.lock"), wait_seconds=_PATIENCE_SECONDS):
            files.write_json(_path(), [{"incident": asdict(incident), "told": told} for incident, told in edit(_read())])
    except (OSError, files.Busy) as failure:
        logger.warning("incidents were not kept: %s", failure)


def open_now(kind: str) -> list[Incident]:
    """Those of a kind that have not ended."""
    return [incident for incident, _ in _read() if incident.kind == kind and not incident.ended_at]


def note(kind: str, failures: Sequence[Failure], well: Callable[[Incident], bool] = lambda incident: False) -> None:
    """Keep what failed, and the end of what is open, failed no more and is `well`."""
    if not (failures or open_now(kind)):
        return
    at, before = _now(), _well_before() if kind == ROUND else None

    def edit(kept: list[_Kept]) -> list[_Kept]:
        failing, found = {(failure.name, failure.node): failure for failure in failures}, []
        for incident, told in kept:
            if incident.kind == kind and not incident.ended_at:
                again = failing.pop((incident.name, incident.node), None)
                if again:
                    incident, told = _again(incident, again, at), False
                elif well(incident):
                    incident, told = replace(incident, ended_at=at), False
            found.append((incident, told))
        for new in failing.values():
            found.append((Incident(kind, new.name, new.node, at, at, None, 1, new.row_count, discreet(new.message), before), False))
        return found

    _change(edit)


def _again(incident: Incident, failure: Failure, at: str) -> Incident:
    return replace(incident, last_at=at, times=incident.times + 1, row_count=failure.row_count, message=discreet(failure.message))


def went_well() -> None:
    """A round came to its end: what failed in earlier ones is over."""
    note(ROUND, [], well=lambda incident: True)
    with contextlib.suppress(OSError):
        _last_good().parent.mkdir(parents=True, exist_ok=True)
        _last_good().touch()


def _well_before() -> str | None:
    try:
        return datetime.fromtimestamp(_last_good().stat().st_mtime, UTC).replace(tzinfo=None).isoformat()
    except OSError:
        return None


def untold() -> list[Incident]:
    """What the log does not have as it stands."""
    return [incident for incident, told in _read() if not told]


def told(taken: Sequence[Incident]) -> None:
    """The log has these; of what ended nothing stays here. One that changed meanwhile is taken along again."""
    if not taken:
        return

    def edit(kept: list[_Kept]) -> list[_Kept]:
        now = [(incident, was_told or incident in taken) for incident, was_told in kept]
        return [(incident, is_told) for incident, is_told in now if not (is_told and incident.ended_at)]

    _change(edit)


def row(incident: Incident) -> tuple[Any, ...]:
    """An incident as the log keeps it: see extract.log.INCIDENTS_COLUMNS."""
    instants = {"began_at", "last_at", "ended_at", "well_before_at"}
    return tuple(
        datetime.fromisoformat(value) if name in instants and value else value
        for name, value in zip(asdict(incident), astuple(incident), strict=True)
    )
