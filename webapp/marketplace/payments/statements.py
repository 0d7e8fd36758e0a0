"""Statements: every change of somebody's accounts with the balance after it, what stood where at a past instant, and the whole money of a contract.

All of it is replayed from the postings; nothing here reads a cached balance, so that a statement is itself a proof of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from marketplace.core.csv import csv_line
from marketplace.core.errors import NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor

from . import policies
from .ledger.accounts import USER_KINDS, Kind
from .models import Account, Entry, Posting

#: what a user reads of their own accounts: what they own, and what they owe
STATED_KINDS = frozenset({*USER_KINDS, Kind.RECEIVABLE})
#: how many rows are read at once while a whole statement is written
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Balances:
    """A user's money in one currency: `held` is on milestones they fund; `in_transit` is being paid out."""

    currency: str
    wallet: Money
    held: Money
    pending: Money
    available: Money
    in_transit: Money


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a statement are shown. Balances are those of the whole accounts, whatever is shown."""

    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    contract_id: int | None = None
    currency: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One change of one account. `balance` is the account's after it; `total` that of all accounts of the statement in the currency.

    `line` orders the lines and is the key of pages; money between two accounts of one statement makes two lines.
    """

    line: int
    account: Account
    posting: Posting
    change: Money
    balance: Money
    total: Money

    @property
    def entry(self) -> Entry:
        return self.posting.entry


@dataclass(frozen=True, slots=True)
class Position:
    """What an account held at an instant."""

    account: Account
    amount: Money


def accounts_of(user_id: int) -> list[Account]:
    """The accounts a user's statement is about, in the order in which they were made."""
    return list(Account.objects.filter(user_id=user_id, kind__in=STATED_KINDS).order_by("id"))


def account_for(actor: Actor, account_id: int) -> Account:
    """One account, for its owner and staff who see all money. Raises NotFound for an absent or somebody else's account alike."""
    found = Account.objects.filter(pk=account_id)
    if not policies.sees_all_money(actor):
        found = found.filter(user_id=actor.pk, kind__in=STATED_KINDS) if actor.pk is not None else found.none()
    account = found.first()
    if account is None:
        raise NotFound("account")
    return account


def _changes(account_ids: Sequence[int]) -> tuple[str, list[int]]:
    """SQL of every change of these accounts (not empty), and its parameters. Either side is one range of an index.

    The debit of a posting comes before its credit; ids of one account's postings are in the order of its lock.
    """
    marks = ", ".join(["%s"] * len(account_ids))
    columns = "id AS posting_id, entry_id, currency, occurred_at"
    sql = (
        f"SELECT id * 2 AS line, {columns}, debit_account_id AS account_id, -amount AS delta FROM payments_posting "
        f"WHERE debit_account_id IN ({marks}) UNION ALL "
        f"SELECT id * 2 + 1 AS line, {columns}, credit_account_id AS account_id, amount AS delta FROM payments_posting "
        f"WHERE credit_account_id IN ({marks})"
    )
    return sql, [*account_ids, *account_ids]


def _where(wanted: Wanted, accounts: Iterable[Account]) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    adapt = connection.ops.adapt_datetimefield_value
    for condition, value in (
        ("r.occurred_at >= %s", wanted.since and adapt(wanted.since)),
        ("r.occurred_at < %s", wanted.until and adapt(wanted.until)),
        ("r.currency = %s", wanted.currency),
        ("e.kind = %s", wanted.kind),
        ("e.contract_id = %s", wanted.contract_id),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.account is not None:
        shown = [a.pk for a in accounts if a.kind == wanted.account]
        conditions.append(f"r.account_id IN ({', '.join(['%s'] * len(shown))})" if shown else "1 = 0")
        values += shown
    return conditions, values


def _rows(accounts: Sequence[Account], wanted: Wanted, *, before: int | None, limit: int | None, newest: bool) -> list[Any]:
    """(line, posting id, account id, change, balance, total)"""
    if not accounts:
        return []
    changes, values = _changes([a.pk for a in accounts])
    conditions, more = _where(wanted, accounts)
    if before is not None:
        conditions.append("r.line < %s")
        more.append(before)
    running = "SUM(m.delta) OVER (PARTITION BY m.{} ORDER BY m.line ROWS UNBOUNDED PRECEDING)"
    sql = (
        f"SELECT r.line, r.posting_id, r.account_id, r.delta, r.balance, r.total FROM (SELECT m.*, {running.format('account_id')} AS balance, "
        f"{running.format('currency')} AS total FROM ({changes}) m) r JOIN payments_entry e ON e.id = r.entry_id "
        f"{'WHERE ' + ' AND '.join(conditions) if conditions else ''} ORDER BY r.line {'DESC' if newest else 'ASC'}"
        f"{f' LIMIT {int(limit)}' if limit is not None else ''}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *more])
        return list(cursor.fetchall())


def _lines(rows: Sequence[Any], accounts: Sequence[Account]) -> list[StatementLine]:
    by_id = {a.pk: a for a in accounts}
    postings = Posting.objects.select_related("entry").in_bulk([row[1] for row in rows])

    def line(row: Any) -> StatementLine:
        account = by_id[row[2]]
        change, balance, total = (Money(int(n), account.currency) for n in row[3:])
        return StatementLine(row[0], account, postings[row[1]], change, balance, total)

    return [line(row) for row in rows]


def lines_before(accounts: Sequence[Account], wanted: Wanted, *, before: int | None, limit: int) -> list[StatementLine]:
    """The newest lines of a statement before the key `before`, newest first. Two queries.

    What is posted meanwhile is after every line that was shown, so that pages neither repeat nor change.
    """
    return _lines(_rows(accounts, wanted, before=before, limit=limit, newest=True), accounts)


def lines_all(accounts: Sequence[Account], wanted: Wanted) -> Iterator[StatementLine]:
    """All lines of a statement, oldest first; postings are read in chunks."""
    rows = _rows(accounts, wanted, before=None, limit=None, newest=False)
    for start in range(0, len(rows), CHUNK):
        yield from _lines(rows[start : start + CHUNK], accounts)


def positions(accounts: Sequence[Account], at: datetime | None, *, strictly_before: bool = False) -> list[Position]:
    """What each of the accounts held at the instant (None: now), what was posted in it included unless `strictly_before`. One query.

    Accounts that had not been moved by then are left out.
    """
    if not accounts:
        return []
    changes, ids = _changes([a.pk for a in accounts])
    values: list[Any] = [*ids]
    sql = f"SELECT r.account_id, SUM(r.delta) FROM ({changes}) r"
    if at is not None:
        sql += f" WHERE r.occurred_at {'<' if strictly_before else '<='} %s"
        values.append(connection.ops.adapt_datetimefield_value(at))
    with connection.cursor() as cursor:
        cursor.execute(sql + " GROUP BY r.account_id", values)
        found = dict(cursor.fetchall())
    return [Position(a, Money(int(found[a.pk]), a.currency)) for a in accounts if a.pk in found]


def balances_at(user_id: int, at: datetime) -> list[Balances]:
    """The user's balances as they stood at the instant, as selectors.balances_of tells them now."""
    sums: dict[str, dict[str, int]] = {}
    for position in positions([a for a in accounts_of(user_id) if a.kind in USER_KINDS], at):
        kinds = sums.setdefault(position.amount.currency, {})
        kinds[position.account.kind] = kinds.get(position.account.kind, 0) + position.amount.minor
    order = (Kind.WALLET, Kind.HOLD, Kind.PENDING, Kind.AVAILABLE, Kind.PAYOUT_TRANSIT)
    return [Balances(c, *(Money(kinds.get(k, 0), c) for k in order)) for c, kinds in sorted(sums.items())]


def totals_at(accounts: Sequence[Account], at: datetime | None, *, strictly_before: bool = False) -> dict[str, Money]:
    """Currency → the sum of the accounts at the instant, by currency code; every currency of the accounts is there."""
    sums = dict.fromkeys(sorted({a.currency for a in accounts}), 0)
    for position in positions(accounts, at, strictly_before=strictly_before):
        sums[position.amount.currency] += position.amount.minor
    return {c: Money(minor, c) for c, minor in sums.items()}


HEADER = (
    *("at", "posting_id", "entry_id", "kind", "leg", "account", "milestone_id", "contract_id", "subject", "subject_id"),
    *("change", "balance", "total", "currency", "rule", "reason"),
)


def csv_file(accounts: Sequence[Account], wanted: Wanted) -> Iterator[str]:
    """The statement as lines of a CSV file, oldest first, amounts in major units; what people typed never runs as a formula."""
    yield csv_line(HEADER)
    for line in lines_all(accounts, wanted):
        entry, amounts = line.entry, (line.change, line.balance, line.total)
        yield csv_line(
            [
                *(entry.occurred_at, line.posting.pk, entry.pk, entry.kind, line.posting.leg, line.account.kind),
                *(line.account.milestone_id, entry.contract_id, entry.subject_type, entry.subject_id),
                *(_plain(amount) for amount in amounts),
                *(line.account.currency, entry.rule, entry.reason),
            ]
        )


def _plain(amount: Money) -> Decimal:
    return amount.to_decimal()


#: older entries by which a client paid what they owe us name the contract that brought the money; its other side has no part in it
_OF_NOBODY_ELSE = "debt_recover"


def contract_positions(contract_id: int, at: datetime | None) -> list[Position]:
    """What the contract's entries up to the instant have brought each account they moved, platform accounts included; sums to zero in each
    currency. The wallet of the client stands at what the contract has cost them so far, below zero.
    """
    postings = Posting.objects.filter(entry__contract_id=contract_id).exclude(entry__kind=_OF_NOBODY_ELSE)
    if at is not None:
        postings = postings.filter(occurred_at__lte=at)
    sums: dict[int, int] = {}
    for debit, credit, amount in postings.values_list("debit_account_id", "credit_account_id", "amount"):
        sums[debit] = sums.get(debit, 0) - amount
        sums[credit] = sums.get(credit, 0) + amount
    accounts = Account.objects.in_bulk(sums)
    return [Position(accounts[i], Money(sums[i], accounts[i].currency)) for i in sorted(sums)]


def story_of(contract_id: int) -> QuerySet[Entry]:
    """The contract's entries with their postings and accounts at hand: three queries for any number of them."""
    return (
        Entry.objects.filter(contract_id=contract_id)
        .exclude(kind=_OF_NOBODY_ELSE)
        .select_related("fx_rate")
        .prefetch_related("postings__debit_account", "postings__credit_account")
    )
