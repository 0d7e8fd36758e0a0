"""Changes a share of a sample market's rows, scattered over all keys, as a day's business would: for whoever measures what following them costs.

In each table about half of the changed rows are new (like rows that are there, with their own numbers and instants), the rest are changed
and a few deleted. Append-only tables (postings, entries, facts of the outbox) get new rows alone: pairs of postings that move money there and
back between two accounts, so that every balance and every check of the books stays as it was. Rows that others refer to are not deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_NOW = "UTC_TIMESTAMP(6)"


def _next(table: str, number: str, *among: str) -> str:
    """The number after the last one among rows that agree in the columns `among`; each new row of them gets its own."""
    same = " AND ".join(f"other.{column} = {table}.{column}" for column in among)
    place = f"ROW_NUMBER() OVER (PARTITION BY {', '.join(among)} ORDER BY id)"
    return f"(SELECT MAX(other.{number}) FROM {table} other WHERE {same}) + {place}"


@dataclass(frozen=True)
class Table:
    """How rows of a table change: `new` are the columns in which a new row differs from the one it is like (SEED is the seed), `changed` what an update sets."""

    name: str
    new: dict[str, str] = field(default_factory=dict)
    changed: str = ""
    deletes: bool = False
    #: which rows may serve as an example of a new one, be changed, be deleted
    among: str = "TRUE"
    deletable: str = "TRUE"


TABLES = (
    Table("activity_impression", {"batch": "CONCAT('n', LEFT(batch, 35))", "shown_at": _NOW}, "propensity = propensity * 0.99", True),
    Table("activity_view", {"viewed_at": _NOW}, "viewed_at = viewed_at + INTERVAL 1 SECOND", True),
    Table("activity_search", {"searched_at": _NOW}, "hits = hits + 1", True),
    Table(
        "core_event",
        {
            "version": _next("core_event", "version", "aggregate_type", "aggregate_id"),
            "occurred_at": _NOW,
            "created_at": "CURRENT_TIMESTAMP(6)",
        },
    ),
    Table(
        "jobs_proposal",
        {"state": "'withdrawn'", "live_key": "NULL", "submitted_at": _NOW, "decided_at": _NOW, "offered_at": "NULL"},
        "delivery_days = delivery_days + 1, first_seen_at = COALESCE(first_seen_at, submitted_at)",
        True,
        deletable="state = 'withdrawn' AND NOT EXISTS (SELECT 1 FROM contracts_contract c WHERE c.proposal_id = jobs_proposal.id)",
    ),
    Table("notifications_inboxitem", {}, f"read_at = COALESCE(read_at, {_NOW})", True),
    Table("notifications_letter", {}, "attempts = attempts + 1"),
    Table(
        "messaging_message",
        {"seq": _next("messaging_message", "seq", "conversation_id"), "client_key": "CONCAT('again-SEED-', id)", "sent_at": _NOW},
        "sent_at = sent_at + INTERVAL 1 SECOND",
    ),
    Table("accounts_signin", {"at": _NOW}, "", True),
    Table("jobs_job", {}, "title = CONCAT(LEFT(title, 60), ' (again)')"),
    Table("accounts_freelancerprofile", {}, "overview = CONCAT('Again: ', overview)"),
    Table("trust_review", {}, "edited_at = UTC_TIMESTAMP(6)"),
)


def change(connection: Any, share: float, seed: int) -> dict[str, tuple[int, int, int]]:
    """Change about `share` of the rows of each table, one transaction a table; returns table → (new, changed, deleted). Autocommit is taken for granted."""
    done = {}
    for table in TABLES:
        columns = _columns(connection, table.name)
        if columns:
            done[table.name] = _change(connection, table, columns, share, seed)
    done["payments_posting"] = (_there_and_back(connection, share, seed), 0, 0)
    return done


def _change(connection: Any, table: Table, columns: list[str], share: float, seed: int) -> tuple[int, int, int]:
    updated = deleted = added = 0
    parts = (0.45, 0.05) if table.new else (0.95, 0.05)
    if table.changed:
        updated = _run(
            connection, f"UPDATE {table.name} SET {table.changed} WHERE {table.among} AND {_picked(seed, 'u', share * parts[0])}"
        )
    if table.deletes:
        # rows that others refer to stay
        sql = f"DELETE IGNORE FROM {table.name} WHERE {table.deletable} AND {_picked(seed, 'd', share * parts[1])}"
        deleted = _run(connection, sql)
    if table.new:
        values = {"updated_at": "CURRENT_TIMESTAMP(6)"} | table.new
        kept = 1 - (parts[0] if table.changed else 0) - (parts[1] if table.deletes else 0)
        names = [name for name in columns if name != "id"]
        chosen = ", ".join(values.get(name, f"`{name}`").replace("SEED", str(seed)) for name in names)
        listed = ", ".join(f"`{name}`" for name in names)
        rows = f"SELECT {chosen} FROM {table.name} WHERE {table.among} AND {_picked(seed, 'i', share * kept)}"
        added = _run(connection, f"INSERT INTO {table.name} ({listed}) {rows}")
    return added, updated, deleted


def _there_and_back(connection: Any, share: float, seed: int) -> int:
    """Entries of two postings that undo each other, between the accounts of postings that are there."""
    # not by way of a hold: what goes into one is told as funded
    holds = "SELECT id FROM payments_account WHERE kind = 'hold'"
    like = (
        "SELECT payments_posting.id, debit_account_id d, credit_account_id c, amount, currency, subject_type, subject_id FROM payments_posting"
        " JOIN payments_entry ON payments_entry.id = entry_id"
        f" WHERE {_picked(seed, 'p', share / 2, 'payments_posting.id')} AND debit_account_id NOT IN ({holds}) AND credit_account_id NOT IN ({holds})"
    )
    key = f"CONCAT('bench-{seed}-', p.id)"
    _run(
        connection,
        "INSERT INTO payments_entry (updated_at, kind, idempotency_key, payload_hash, posting_count, subject_type, subject_id, quote, rule, reason, occurred_at)"
        f" SELECT CURRENT_TIMESTAMP(6), 'correction', {key}, SHA2({key}, 256), 2, p.subject_type, p.subject_id, '{{}}', 'bench', '', {_NOW} FROM ({like}) p",
    )
    return sum(
        _run(
            connection,
            "INSERT INTO payments_posting (updated_at, entry_id, line_no, leg, debit_account_id, credit_account_id, amount, currency, occurred_at)"
            f" SELECT CURRENT_TIMESTAMP(6), e.id, {line}, 'correction', {sides}, p.amount, p.currency, e.occurred_at"
            f" FROM ({like}) p JOIN payments_entry e ON e.idempotency_key = {key}",
        )
        for line, sides in ((1, "p.d, p.c"), (2, "p.c, p.d"))
    )


def _picked(seed: int, act: str, share: float, key: str = "id") -> str:
    return f"CRC32(CONCAT('{seed}{act}', {key})) MOD 1000000 < {round(share * 1_000_000)}"


def _columns(connection: Any, table: str) -> list[str]:
    cursor = connection.cursor()
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s"
        " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position",
        [table],
    )
    return [name for (name,) in cursor.fetchall()]


def _run(connection: Any, sql: str) -> int:
    cursor = connection.cursor()
    cursor.execute(sql)
    count = int(cursor.rowcount)
    cursor.close()
    return count
