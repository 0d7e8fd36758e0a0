"""A person's rows in the raw log, once the product has erased the person.

Closing an account blanks or deletes in the operational database (webapp: accounts.closing); reading brings that here, but the log still holds
what was there before. In every table whose contract has `[people]`, only the present state of the person's rows is kept, and of deleted ones
nothing. Which accounts are due is read from the log itself: closings that are erased and not yet recorded in `raw/erasures.json`, which also tells
whether marts and publications are clean since (pipelines.erase).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from .. import paths
from .changes import work_connection
from .compact import living_state
from .contracts import Contract
from .log import CorruptError, Entry, Log, current, log_columns, select, utc

CLOSINGS = "accounts_accountclosing"
USERS = "accounts_user"
RECORD = "erasures.json"
#: The product's other apps hear of an erasure through the outbox and do their part a little later.
SETTLED = timedelta(hours=1)
_AT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Due:
    """A person whom the product has erased: the number of the closing, and of the user."""

    closing_id: int
    user_id: int


def due(contracts: list[Contract], *, again: bool = False, now: datetime | None = None) -> list[Due]:
    """Accounts that the product erased at least SETTLED ago and of which the log may still tell something; with `again` also those done."""
    contract = next((c for c in contracts if c.table == CLOSINGS), None)
    log = Log(paths.raw())
    held = log.paths(log.manifest(), CLOSINGS)
    if contract is None or not held:
        return []
    done = set() if again else {int(number) for number in log.read_json(RECORD) or {}}
    before = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None) - SETTLED
    with duckdb.connect() as db:
        rows = db.execute(
            f"SELECT id, user_id FROM ({current(held, contract)}) WHERE _op = 'u' AND state = 'erased' AND _known_at <= {utc(before)} ORDER BY id"
        ).fetchall()
    return [Due(*row) for row in rows if row[0] not in done]


def record(erased: list[Due]) -> None:
    """Note that the log tells nothing of these people any more."""
    _write({str(one.closing_id): {"raw_at": _now(), "finished_at": None} for one in erased})


def unfinished() -> list[int]:
    """Closings that are out of the log, while publications of before may still tell of them."""
    return [int(number) for number, told in (Log(paths.raw()).read_json(RECORD) or {}).items() if told["finished_at"] is None]


def last() -> datetime | None:
    """When people were last taken out of the log, to the end of that second (UTC); None when nobody ever was."""
    told = [one["raw_at"] for one in (Log(paths.raw()).read_json(RECORD) or {}).values()]
    return datetime.strptime(max(told), _AT).replace(tzinfo=UTC) + timedelta(seconds=1) if told else None


def record_finished(closing_ids: list[int]) -> None:
    """Note that nothing of these people is left anywhere."""
    known = Log(paths.raw()).read_json(RECORD) or {}
    _write({str(number): known[str(number)] | {"finished_at": _now()} for number in closing_ids})


def _write(told: dict[str, dict[str, str | None]]) -> None:
    Log(paths.raw()).merge_json(RECORD, told)


def _now() -> str:
    return f"{datetime.now(UTC):{_AT}}"


def erase_raw(people: list[int], contracts: list[Contract]) -> dict[str, int]:
    """Take from the log what these users' rows were before; returns how many versions went, by table.

    Others' rows, and the state of every key that lives, stay as they are, or CorruptError is raised and nothing is changed. The removed files
    are deleted. Run again it finds nothing. Raises files.Busy when an extraction is at work.
    """
    log = Log(paths.raw())
    removed: dict[str, int] = {}
    with log.lock():
        manifest = log.manifest()
        log.clean(manifest)
        db = work_connection(log.staging)
        db.execute("CREATE TEMP TABLE erased_accounts_user_root AS SELECT unnest(?::BIGINT[]) AS key", [people])
        manifest.run_seq += 1
        staged: dict[str, Path] = {}
        for contract in _owners_first(contracts):
            log.keep()
            entry = manifest.tables.get(contract.table, Entry())
            held, columns = log.paths(manifest, contract.table), log_columns(contract)
            rows = select(held, columns)
            theirs = f"SELECT key FROM erased_{contract.table}"
            db.execute(
                f"CREATE OR REPLACE TEMP TABLE erased_{contract.table} AS SELECT DISTINCT {contract.key} AS key FROM ({rows}) WHERE {_of(contract)}"
            )
            present = f"SELECT * FROM ({current(held, contract, f'{contract.key} IN ({theirs})')}) WHERE _op = 'u'"
            query = f"SELECT * FROM (SELECT * FROM ({rows}) WHERE {contract.key} NOT IN ({theirs}) UNION ALL {present}) ORDER BY {contract.key}, _run_seq"
            counted = db.execute(f"SELECT (SELECT count(*) FROM ({rows})) - (SELECT count(*) FROM ({query}))").fetchone()
            if not counted or not counted[0]:
                continue
            before = living_state(db, held, contract)
            written = log.stage(db, contract.table, query)
            if before != living_state(db, [written[0]] if written else [], contract):
                raise CorruptError(f"{contract.table}: the state of its keys would change by an erasure; nothing was changed")
            entry.files.clear()
            if written:
                staged[contract.table] = written[0]
            removed[contract.table] = int(counted[0])
        db.close()
        if removed:
            log.commit(manifest, staged)
            log.clean(manifest)
    return removed


def _of(contract: Contract) -> str:
    """The condition that a row, in any version, leads to one of the people."""
    return " OR ".join(
        f"{column} IN (SELECT key FROM erased_{'accounts_user_root' if points_at == USERS else points_at})"
        for column, points_at in contract.people.items()
    )


def _owners_first(contracts: list[Contract]) -> list[Contract]:
    """Contracts with [people], each after the tables that it points at. Raises ValueError when one points at a table without."""
    waiting = [contract for contract in contracts if contract.people]
    ordered: list[Contract] = []
    known = {USERS}
    while waiting:
        ready = [contract for contract in waiting if set(contract.people.values()) <= known]
        if not ready:
            raise ValueError(f"[people] of {', '.join(c.table for c in waiting)} leads to no table that has a person")
        ordered += ready
        known |= {contract.table for contract in ready}
        waiting = [contract for contract in waiting if contract not in ready]
    return ordered
