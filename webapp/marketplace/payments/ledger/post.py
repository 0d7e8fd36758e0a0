"""The one way to write an entry: check the template, lock the users' balances, decide on the locked rows, insert, move the balances.

The statements are few and written out, because every movement of money queues on them: one read of account ids, one locking read of
balances in primary-key order, one insert each for the entry and its postings, one update of balances.
Platform accounts are not locked and have no cached balance, so that transfers do not queue on one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction

from marketplace.core import clock
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput
from marketplace.core.money import Money

from ..models import Entry
from . import accounts
from .accounts import Ref
from .templates import TEMPLATES

#: (line_no, leg, debit account id, credit account id, amount in minor units, currency)
Row = tuple[int, str, int, int, int, str]

# in the order of the model, from which an entry that was just written is made without asking the database
_ENTRY = (
    *("kind", "idempotency_key", "payload_hash", "posting_count", "subject_type", "subject_id", "contract_id", "gross_minor", "fx_rate_id"),
    *("quote", "actor_id", "rule", "reason", "occurred_at"),
)
_ENTRY_FIELDS = ("id", *_ENTRY)
_INSERT_ENTRY = f"INSERT INTO payments_entry ({', '.join(_ENTRY)}) VALUES ({', '.join(['%s'] * len(_ENTRY))})"


@dataclass(frozen=True, slots=True)
class Line:
    """One leg to post: `amount` from the debited to the credited account."""

    leg: str
    debit: Ref
    credit: Ref
    amount: Money


def payload_hash(
    kind: str,
    subject_type: str,
    subject_id: int | None,
    contract_id: int | None,
    gross_minor: int | None,
    fx_rate_id: int | None,
    quote: dict[str, Any],
    rows: Sequence[Row],
) -> str:
    """sha256 (hex) of what an entry moves and why; equal for equal requests, and recomputed from the tables by the check."""
    payload = [kind, subject_type, subject_id, contract_id, gross_minor, fx_rate_id, quote, rows]
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()


def post(
    kind: str,
    *,
    key: str,
    lines: Sequence[Line],
    subject: tuple[str, int],
    actor_id: int | None,
    rule: str,
    reason: str = "",
    contract_id: int | None = None,
    gross: Money | None = None,
    fx_rate_id: int | None = None,
    quote: dict[str, Any] | None = None,
) -> Entry:
    """Write the entry in the caller's transaction and return it; the same key with the same payload returns the entry written before.

    Raises IdempotencyConflict when the key was used with another payload, Conflict("insufficient_funds") when a user's account
    would go below zero, ValueError when the lines do not fit the template, TransactionManagementError outside a transaction.
    Nothing has been written when it raises.
    """
    db = connections[DEFAULT_DB_ALIAS]
    if not db.in_atomic_block:
        raise transaction.TransactionManagementError("an entry is posted inside the transaction that makes it true")
    lines = [line for line in lines if line.amount.minor != 0]
    _fit(kind, lines)
    refs = {ref.key: ref for line in lines for ref in (line.debit, line.credit)}
    gross_minor = gross.minor if gross is not None else None
    quote = quote or {}
    with db.cursor() as cursor:
        ids = accounts.ids(cursor, refs.values())
        rows: list[Row] = [
            (n, line.leg, ids[line.debit.key], ids[line.credit.key], line.amount.minor, line.amount.currency)
            for n, line in enumerate(lines, start=1)
        ]
        digest = payload_hash(kind, *subject, contract_id, gross_minor, fx_rate_id, quote, rows)
        deltas = _deltas({ids[ref.key] for ref in refs.values() if ref.cached}, rows)
        balances = _lock(cursor, sorted(deltas), db.features.has_select_for_update)
        if any(balances[i] + delta < 0 for i, (delta, _) in deltas.items()):
            known = _known(key, digest)
            if known is not None:
                return known
            raise Conflict("insufficient_funds", "There is not enough money in the account for this.")
        now = clock.now()
        at = db.ops.adapt_datetimefield_value(now)
        before = (kind, key, digest, len(lines), *subject, contract_id, gross_minor, fx_rate_id)
        after = (actor_id, rule, reason[:500])
        try:
            cursor.execute(_INSERT_ENTRY, (*before, orjson.dumps(quote).decode(), *after, at))
        except IntegrityError:
            # the failed statement alone is undone on MariaDB and SQLite; the rival's row is visible at READ COMMITTED
            known = _known(key, digest)
            if known is None:
                raise
            return known
        entry = Entry.from_db(db.alias, _ENTRY_FIELDS, (cursor.lastrowid, *before, quote, *after, now))
        _insert_postings(cursor, entry.pk, rows, at)
        _move_balances(cursor, deltas)
    return entry


def _fit(kind: str, lines: Sequence[Line]) -> None:
    """Raise ValueError unless the lines fit the template of `kind`."""
    template = TEMPLATES[kind]
    if not lines:
        raise InvalidInput("amount_zero", "There is nothing to move: the amount must be greater than zero.")
    legs = [line.leg for line in lines]
    missing = {name for name, leg in template.legs.items() if leg.required} - set(legs)
    if missing or len(set(legs)) != len(legs):
        raise ValueError(f"{kind}: legs {legs} do not fit the template (missing {sorted(missing)})")
    for line in lines:
        leg = template.legs.get(line.leg)
        if leg is None or (leg.debit, leg.credit) != (line.debit.kind, line.credit.kind):
            raise ValueError(f"{kind}: no leg {line.leg} from {line.debit.kind} to {line.credit.kind}")
        if line.amount.minor < 0:
            raise InvalidInput("amount_negative", "The amount must be greater than zero.")
        if not line.debit.currency == line.credit.currency == line.amount.currency:
            raise ValueError(f"{kind}: {line.leg} mixes currencies")


def _deltas(cached: set[int], rows: Sequence[Row]) -> dict[int, tuple[int, int]]:
    """account id → (change of its balance, number of postings), for accounts with a cached balance."""
    found = dict.fromkeys(cached, (0, 0))
    for _, _, debit, credit, amount, _ in rows:
        for account, signed in ((debit, -amount), (credit, amount)):
            if account in found:
                delta, count = found[account]
                found[account] = (delta + signed, count + 1)
    return found


def _lock(cursor: Any, account_ids: Sequence[int], for_update: bool) -> dict[int, int]:
    """Lock the balances in primary-key order (one range read of the primary key) and return their amounts."""
    if not account_ids:
        return {}
    marks = ", ".join(["%s"] * len(account_ids))
    cursor.execute(
        f"SELECT account_id, available FROM payments_accountbalance WHERE account_id IN ({marks}) ORDER BY account_id{' FOR UPDATE' if for_update else ''}",
        account_ids,
    )
    return dict(cursor.fetchall())


def _known(key: str, digest: str) -> Entry | None:
    """The entry that was posted under the same key before, None when there is none. Raises IdempotencyConflict when it moved something else."""
    entry = Entry.objects.filter(idempotency_key=key).first()
    if entry is not None and entry.payload_hash != digest:
        raise IdempotencyConflict
    return entry


def _insert_postings(cursor: Any, entry_id: int, rows: Sequence[Row], at: Any) -> None:
    values: list[Any] = []
    for row in rows:
        values += (entry_id, *row, at)
    marks = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(rows))
    cursor.execute(
        f"INSERT INTO payments_posting (entry_id, line_no, leg, debit_account_id, credit_account_id, amount, currency, occurred_at) VALUES {marks}",
        values,
    )


def _move_balances(cursor: Any, deltas: dict[int, tuple[int, int]]) -> None:
    """One update for all accounts; the CHECK on the table refuses an overdraft that the decision above let through."""
    if not deltas:
        return
    case = " ".join(["WHEN %s THEN %s"] * len(deltas))
    moved = [v for i, (delta, _) in deltas.items() for v in (i, delta)]
    counted = [v for i, (_, count) in deltas.items() for v in (i, count)]
    cursor.execute(
        f"UPDATE payments_accountbalance SET available = available + CASE account_id {case} END, "
        f"postings = postings + CASE account_id {case} END WHERE account_id IN ({', '.join(['%s'] * len(deltas))})",
        [*moved, *counted, *deltas],
    )
    if cursor.rowcount != len(deltas):
        raise RuntimeError(f"balances of {sorted(deltas)} were not all there to be moved")
