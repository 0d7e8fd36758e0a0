"""Proof of the money invariants over the whole database: set-based SQL on MariaDB and SQLite alike, and one streamed pass for what a hash
and exact arithmetic prove.

Each invariant is a list of named rules; a rule is a query whose every row is a violation (id of the offending row, detail). A rule reports
at most `MOST` rows. Nothing is changed or locked. Milestones are read by their table's name, because payments sits below contracts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from django.db import connection

from marketplace.core import triggers as core_triggers

from ..models import Entry, Posting
from . import client_side, outside, recompute, triggers
from .accounts import USER_KINDS
from .causes import CAUSES
from .templates import TEMPLATES

MOST = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks a rule. `row` is "table id"."""

    invariant: int
    rule: str
    row: str
    detail: str


@dataclass(slots=True)
class Outcome:
    """What one invariant came to."""

    number: int
    statement: str
    violations: list[Violation]
    seconds: float


@dataclass(slots=True)
class Report:
    """All outcomes; `ok` says whether the ledger stands. `empty` fails a check that was not told to allow it."""

    entries: int
    postings: int
    allow_empty: bool
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return self.entries == 0

    @property
    def violations(self) -> list[Violation]:
        return [v for outcome in self.outcomes for v in outcome.violations]

    @property
    def ok(self) -> bool:
        return not self.violations and (self.allow_empty or not self.empty)


#: (rule, table of the row, SQL giving id and detail)
Rule = tuple[str, str, str]

_QUOTED_USER_KINDS = ", ".join(f"'{k}'" for k in sorted(USER_KINDS))

#: every posting as two changes of accounts
_MOVES = """(SELECT id, entry_id, leg, credit_account_id AS account_id, amount AS delta FROM payments_posting
  UNION ALL SELECT id, entry_id, leg, debit_account_id, -amount FROM payments_posting)"""

#: users' accounts with their balance after each posting. Ids of one account's postings are in the order of its lock.
_RUNNING = f"""(SELECT m.id, m.entry_id, m.account_id, a.kind,
    SUM(m.delta) OVER (PARTITION BY m.account_id ORDER BY m.id ROWS UNBOUNDED PRECEDING) AS balance
  FROM {_MOVES} m JOIN payments_account a ON a.id = m.account_id WHERE a.kind IN ({_QUOTED_USER_KINDS}))"""

_TEMPLATE_LEGS = " OR ".join(
    f"(e.kind = '{kind}' AND p.leg = '{name}' AND d.kind = '{leg.debit}' AND c.kind = '{leg.credit}')"
    for kind, template in TEMPLATES.items()
    for name, leg in template.legs.items()
)
_REQUIRED = " OR ".join(
    f"(e.kind = '{kind}' AND NOT EXISTS (SELECT 1 FROM payments_posting p WHERE p.entry_id = e.id AND p.leg = '{name}'))"
    for kind, template in TEMPLATES.items()
    for name, leg in template.legs.items()
    if leg.required
)
_ONCE = ", ".join(f"'{kind}'" for kind, template in TEMPLATES.items() if template.once)
_PRICED = ", ".join(f"'{kind}'" for kind, template in TEMPLATES.items() if template.priced)

POSTINGS: list[Rule] = [
    ("posting_amount_positive", "payments_posting", "SELECT id, amount FROM payments_posting WHERE amount <= 0"),
    (
        "posting_currency_of_accounts",
        "payments_posting",
        """SELECT p.id, p.currency FROM payments_posting p
           JOIN payments_account d ON d.id = p.debit_account_id JOIN payments_account c ON c.id = p.credit_account_id
           WHERE d.currency <> p.currency OR c.currency <> p.currency""",
    ),
]
COMPLETE: list[Rule] = [
    (
        "entry_posting_count",
        "payments_entry",
        """SELECT e.id, COUNT(p.id) FROM payments_entry e LEFT JOIN payments_posting p ON p.entry_id = e.id
           GROUP BY e.id, e.posting_count HAVING COUNT(p.id) <> e.posting_count OR COUNT(p.id) = 0""",
    ),
    (
        "entry_line_numbers",
        "payments_entry",
        """SELECT entry_id, MAX(line_no) FROM payments_posting GROUP BY entry_id
           HAVING MAX(line_no) <> COUNT(*) OR MIN(line_no) <> 1 OR COUNT(DISTINCT line_no) <> COUNT(*)""",
    ),
    (
        "entry_leg_of_template",
        "payments_posting",
        f"""SELECT p.id, p.leg FROM payments_posting p JOIN payments_entry e ON e.id = p.entry_id
            JOIN payments_account d ON d.id = p.debit_account_id JOIN payments_account c ON c.id = p.credit_account_id
            WHERE NOT ({_TEMPLATE_LEGS})""",
    ),
    ("entry_leg_required", "payments_entry", f"SELECT e.id, e.kind FROM payments_entry e WHERE {_REQUIRED}"),
    (
        "entry_leg_once",
        "payments_entry",
        "SELECT entry_id, leg FROM payments_posting GROUP BY entry_id, leg HAVING COUNT(*) > 1",
    ),
]
REPLAY: list[Rule] = [
    (
        "balance_is_replay",
        "payments_account",
        f"""SELECT b.account_id, b.available FROM payments_accountbalance b
            LEFT JOIN (SELECT account_id, SUM(delta) AS total, COUNT(*) AS n FROM {_MOVES} m GROUP BY account_id) r
              ON r.account_id = b.account_id
            WHERE b.available <> COALESCE(r.total, 0) OR b.postings <> COALESCE(r.n, 0)""",
    ),
    (
        "balance_is_kept",
        "payments_account",
        f"""SELECT a.id, a.kind FROM payments_account a LEFT JOIN payments_accountbalance b ON b.account_id = a.id
            WHERE (b.account_id IS NULL) = (a.kind IN ({_QUOTED_USER_KINDS}))""",
    ),
]
#: what users owe, or owed until it was written off, per account
_DEBTS = """(SELECT a.id, a.user_id, a.currency,
    COALESCE((SELECT SUM(p.amount) FROM payments_posting p WHERE p.debit_account_id = a.id), 0) -
    COALESCE((SELECT SUM(p.amount) FROM payments_posting p WHERE p.credit_account_id = a.id), 0) AS owed
  FROM payments_account a WHERE a.kind IN ('receivable', 'chargeback_loss'))"""
NOT_NEGATIVE: list[Rule] = [
    ("balance_not_negative", "payments_account", "SELECT account_id, available FROM payments_accountbalance WHERE available < 0"),
    ("debt_not_negative", "payments_account", f"SELECT id, owed FROM {_DEBTS} d WHERE owed < 0"),
    (
        "debt_is_paid_first",
        "payments_account",
        f"""SELECT d.id, b.available FROM {_DEBTS} d JOIN payments_account w ON w.user_id = d.user_id AND w.currency = d.currency
              AND w.kind IN ('wallet', 'available')
            JOIN payments_accountbalance b ON b.account_id = w.id WHERE d.owed > 0 AND b.available > 0""",
    ),
    ("balance_never_was_negative", "payments_posting", f"SELECT id, balance FROM {_RUNNING} r WHERE balance < 0"),
]
CONSERVED: list[Rule] = [
    (
        "milestone_conserved",
        "payments_account",
        """SELECT a.id, b.available FROM payments_account a JOIN payments_accountbalance b ON b.account_id = a.id
           LEFT JOIN (SELECT p.credit_account_id AS account_id, SUM(p.amount) AS total FROM payments_posting p
                JOIN payments_entry e ON e.id = p.entry_id WHERE e.kind IN ('hold', 'roll')
                GROUP BY p.credit_account_id) f ON f.account_id = a.id
           LEFT JOIN (SELECT p.debit_account_id AS account_id, SUM(p.amount) AS total FROM payments_posting p
                JOIN payments_entry e ON e.id = p.entry_id
                WHERE e.kind IN ('release', 'settle', 'refund', 'roll') GROUP BY p.debit_account_id) o ON o.account_id = a.id
           WHERE a.kind = 'hold' AND COALESCE(f.total, 0) <> COALESCE(o.total, 0) + b.available""",
    ),
    (
        "hold_moved_for_its_milestone",
        "payments_posting",
        """SELECT p.id, a.milestone_id FROM payments_posting p JOIN payments_entry e ON e.id = p.entry_id
           JOIN payments_account a ON a.id IN (p.debit_account_id, p.credit_account_id)
           WHERE a.kind = 'hold' AND (e.subject_type <> 'milestone' OR e.subject_id <> a.milestone_id)
             AND NOT (e.kind = 'roll' AND p.credit_account_id = a.id)""",
    ),
    (
        "roll_keeps_contract_and_amount",
        "payments_entry",
        """SELECT e.id, e.contract_id FROM payments_entry e
           JOIN payments_posting o ON o.entry_id = e.id AND o.leg = 'refund' JOIN payments_posting i ON i.entry_id = e.id AND i.leg = 'hold'
           JOIN payments_account s ON s.id = o.debit_account_id JOIN payments_account t ON t.id = i.credit_account_id
           LEFT JOIN contracts_milestone n ON n.id = t.milestone_id
           WHERE e.kind = 'roll' AND (o.amount <> i.amount OR o.credit_account_id <> i.debit_account_id OR s.id = t.id
             OR n.contract_id IS NULL OR n.contract_id <> e.contract_id)""",
    ),
    (
        "hold_closes_once",
        "payments_account",
        f"SELECT account_id, COUNT(*) FROM {_RUNNING} r WHERE kind = 'hold' AND balance = 0 GROUP BY account_id HAVING COUNT(*) > 1",
    ),
    (
        # the milestone's own clearing takes whatever was not cleared release by release
        "cleared_is_released",
        "payments_entry",
        """SELECT c.id, c.subject_id FROM payments_entry c WHERE c.kind = 'clear' AND
           (SELECT SUM(p.amount) FROM payments_entry e JOIN payments_posting p ON p.entry_id = e.id
            WHERE e.subject_type = 'milestone' AND e.subject_id = c.subject_id AND e.kind IN ('clear', 'clear_part')) <>
           (SELECT COALESCE(SUM(p.amount), 0) FROM payments_entry e JOIN payments_posting p ON p.entry_id = e.id
            WHERE e.subject_type = 'milestone' AND e.subject_id = c.subject_id AND e.kind IN ('release', 'settle')
              AND p.leg IN ('net', 'fx_in'))""",
    ),
    (
        "part_cleared_is_its_release",
        "payments_entry",
        """SELECT c.id, c.idempotency_key FROM payments_entry c
           LEFT JOIN payments_entry e ON (c.kind = 'clear_part' AND e.kind = 'release'
                AND e.idempotency_key = REPLACE(c.idempotency_key, 'clear_part:', 'release:'))
             OR (c.kind = 'clear_bonus' AND e.kind = 'bonus' AND e.idempotency_key = REPLACE(c.idempotency_key, 'clear_bonus:', 'bonus:'))
           WHERE c.kind IN ('clear_part', 'clear_bonus') AND (e.id IS NULL OR e.subject_id <> c.subject_id
             OR (SELECT SUM(p.amount) FROM payments_posting p WHERE p.entry_id = c.id) <>
                (SELECT COALESCE(SUM(p.amount), 0) FROM payments_posting p WHERE p.entry_id = e.id AND p.leg IN ('net', 'fx_in')))""",
    ),
]
FEES_BACK: list[Rule] = [
    (
        "fee_refund_within_its_fee",
        "payments_entry",
        """SELECT e.subject_id, SUM(p.amount) FROM payments_entry e JOIN payments_posting p ON p.entry_id = e.id
           WHERE e.kind = 'fee_refund' GROUP BY e.subject_id, p.leg
           HAVING SUM(p.amount) > COALESCE((SELECT o.amount FROM payments_posting o WHERE o.entry_id = e.subject_id AND o.leg = p.leg), 0)""",
    ),
]
DOCUMENTS: list[Rule] = [
    (
        "document_is_its_postings",
        "payments_document",
        """SELECT d.id, d.total_minor FROM payments_document d JOIN payments_posting p ON p.entry_id = d.entry_id
           WHERE (d.about = 'fee' AND p.leg IN ('fee', 'tax')) OR (d.about = 'work' AND p.leg IN ('net', 'fx_out', 'fee', 'tax', 'withheld'))
             OR d.about IN ('deposit', 'card_refund')
           GROUP BY d.id, d.total_minor HAVING SUM(p.amount) <> d.total_minor""",
    ),
    (
        "document_numbers_without_gap",
        "payments_document",
        """SELECT MAX(d.id), s.last FROM payments_series s LEFT JOIN payments_document d ON d.issuer_key = s.issuer_key AND d.prefix = s.prefix
           GROUP BY s.id, s.last HAVING COUNT(d.id) <> s.last OR COALESCE(MAX(d.number), 0) <> s.last""",
    ),
]
ONE_EFFECT: list[Rule] = [
    ("key_once", "payments_entry", "SELECT MAX(id), idempotency_key FROM payments_entry GROUP BY idempotency_key HAVING COUNT(*) > 1"),
    (
        "effect_once",
        "payments_entry",
        f"""SELECT MAX(id), kind FROM payments_entry WHERE kind IN ({_ONCE})
            GROUP BY kind, subject_type, subject_id HAVING COUNT(*) > 1""",
    ),
]
APPENDED: list[Rule] = [
    ("entry_has_a_cause", "payments_entry", "SELECT id, kind FROM payments_entry WHERE actor_id IS NULL AND rule = ''"),
    (
        "posting_of_its_instant",
        "payments_posting",
        """SELECT p.id, e.id FROM payments_posting p JOIN payments_entry e ON e.id = p.entry_id
           WHERE p.occurred_at <> e.occurred_at""",
    ),
    (
        "event_versions_without_gap",
        "core_event",
        "SELECT MAX(id), MAX(version) FROM core_event GROUP BY aggregate_type, aggregate_id HAVING MAX(version) <> COUNT(*)",
    ),
]
PRICED: list[Rule] = [
    (
        "gross_is_fee_tax_net",
        "payments_entry",
        f"""SELECT e.id, e.gross_minor FROM payments_entry e LEFT JOIN payments_posting p
              ON p.entry_id = e.id AND p.leg IN ('net', 'fx_out', 'fee', 'tax', 'withheld')
            WHERE e.kind IN ({_PRICED}) GROUP BY e.id, e.gross_minor
            HAVING e.gross_minor IS NULL OR e.gross_minor <> COALESCE(SUM(p.amount), 0)""",
    ),
    (
        # ids of one contract's payments are in the order of its lock; whether an entry has to tell `before` the streamed pass knows
        "fee_before_is_what_was_paid",
        "payments_entry",
        f"""SELECT id, paid FROM (SELECT id, JSON_EXTRACT(quote, '$.before') AS told,
              COALESCE(SUM(gross_minor) OVER (PARTITION BY contract_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS paid
            FROM payments_entry WHERE kind IN ({_PRICED})) x WHERE told IS NOT NULL AND CAST(told AS DECIMAL(30)) <> paid""",
    ),
    (
        "exchange_is_its_quote",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e LEFT JOIN payments_fxquote q ON q.id = e.subject_id AND e.subject_type = 'fx_quote'
           LEFT JOIN payments_posting o ON o.entry_id = e.id AND o.leg = 'fx_out' LEFT JOIN payments_posting i ON i.entry_id = e.id AND i.leg = 'fx_in'
           WHERE e.kind = 'exchange' AND (q.id IS NULL OR q.used_at IS NULL OR q.rate_id <> e.fx_rate_id
             OR o.amount <> q.sell_minor OR o.currency <> q.sell_currency OR i.amount <> q.buy_minor OR i.currency <> q.buy_currency)""",
    ),
]


def _milestone_rule(name: str, states: str, wrong: str) -> Rule:
    """Milestones in one of `states` whose money is `wrong` (a condition over funded, held and the kinds of entries)."""
    return (
        name,
        "contracts_milestone",
        f"""SELECT id, state FROM (
              SELECT m.id, m.state, m.amount_minor, m.cleared_at, COALESCE(b.available, 0) AS held,
                COALESCE(k.funded, 0) AS funded, COALESCE(k.paid, 0) AS paid, COALESCE(k.released, 0) AS released, COALESCE(k.refunded, 0) AS refunded,
                COALESCE(k.settled, 0) AS settled, COALESCE(k.cleared, 0) AS cleared
              FROM contracts_milestone m
              LEFT JOIN payments_account a ON a.milestone_id = m.id AND a.kind = 'hold'
              LEFT JOIN payments_accountbalance b ON b.account_id = a.id
              LEFT JOIN (SELECT e.subject_id, SUM(e.kind = 'hold') AS funded, SUM(e.kind = 'release') AS released,
                  SUM(e.kind = 'refund') AS refunded, SUM(e.kind = 'settle') AS settled, SUM(e.kind = 'clear') AS cleared,
                  SUM(CASE WHEN e.kind = 'release' THEN e.gross_minor ELSE 0 END) AS paid
                FROM payments_entry e WHERE e.subject_type = 'milestone' GROUP BY e.subject_id) k ON k.subject_id = m.id
            ) x WHERE {f"state IN ({states}) AND " if states else ""}({wrong})""",
    )


STATES: list[Rule] = [
    _milestone_rule("milestone_unfunded_has_no_money", "'planned', 'cancelled'", "funded > 0 OR held > 0"),
    _milestone_rule(
        "milestone_funded_is_held",
        "'funded', 'in_progress', 'submitted', 'changes_requested', 'disputed'",
        # what was given back in part, or moved on to the next milestone, lowers the milestone's amount with it
        "funded <> 1 OR held = 0 OR settled > 0 OR held + paid <> amount_minor",
    ),
    _milestone_rule("milestone_released_is_paid", "'released'", "funded <> 1 OR held <> 0 OR released = 0 OR paid <> amount_minor"),
    _milestone_rule("milestone_refunded_is_refunded", "'refunded'", "funded <> 1 OR held <> 0 OR refunded = 0"),
    _milestone_rule("milestone_resolved_is_settled", "'resolved'", "funded <> 1 OR held <> 0 OR settled + released + refunded = 0"),
    _milestone_rule("milestone_cleared_is_available", "", "(cleared_at IS NULL) <> (cleared = 0)"),
    (
        "hold_has_its_milestone",
        "payments_account",
        """SELECT a.id, a.milestone_id FROM payments_account a LEFT JOIN contracts_milestone m ON m.id = a.milestone_id
           WHERE a.kind = 'hold' AND m.id IS NULL""",
    ),
    (
        "payment_settled_is_deposited",
        "payments_payment",
        """SELECT y.id, y.state FROM payments_payment y
           LEFT JOIN payments_entry e ON e.kind = 'deposit' AND e.subject_type = 'payment' AND e.subject_id = y.id
           LEFT JOIN payments_posting p ON p.entry_id = e.id
           WHERE (y.state IN ('created', 'pending', 'failed', 'cancelled')) <> (e.id IS NULL)
             OR (e.id IS NOT NULL AND (p.amount IS NULL OR p.amount <> COALESCE(y.received_minor, y.amount_minor) OR p.currency <> y.currency))""",
    ),
    (
        "deposit_has_its_payment",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e LEFT JOIN payments_payment y ON y.id = e.subject_id
           WHERE e.kind IN ('deposit', 'chargeback') AND (e.subject_type <> 'payment' OR y.id IS NULL)""",
    ),
    (
        "payout_state_is_posted",
        "payments_payout",
        """SELECT o.id, o.state FROM payments_payout o
           LEFT JOIN (SELECT subject_id, SUM(kind = 'payout_request') AS asked, SUM(kind = 'payout_settle') AS paid,
                SUM(kind = 'payout_late') AS late, SUM(kind = 'payout_fail') AS failed, SUM(kind = 'payout_return') AS returned
                FROM payments_entry WHERE subject_type = 'payout' GROUP BY subject_id) k ON k.subject_id = o.id
           WHERE COALESCE(k.asked, 0) <> 1 OR (o.state = 'paid') <> (COALESCE(k.paid, 0) + COALESCE(k.late, 0) - COALESCE(k.returned, 0) = 1)
             OR (o.state = 'failed') <> (COALESCE(k.failed, 0) + COALESCE(k.returned, 0) - COALESCE(k.late, 0) = 1)""",
    ),
    (
        # each of them moves the payout's amount, whole
        "payout_moves_its_amount",
        "payments_payout",
        """SELECT e.id, SUM(p.amount) FROM payments_entry e JOIN payments_posting p ON p.entry_id = e.id
           LEFT JOIN payments_payout o ON o.id = e.subject_id AND e.subject_type = 'payout'
           WHERE e.kind IN ('payout_request', 'payout_settle', 'payout_fail', 'payout_return', 'payout_late')
           GROUP BY e.id, o.amount_minor, o.currency
           HAVING o.amount_minor IS NULL OR SUM(p.amount) <> o.amount_minor OR MIN(p.currency) <> o.currency OR MAX(p.currency) <> o.currency""",
    ),
    (
        "refund_state_is_posted",
        "payments_paymentrefund",
        """SELECT r.id, r.state FROM payments_paymentrefund r
           LEFT JOIN (SELECT subject_id, SUM(kind = 'card_refund_request') AS asked, SUM(kind = 'card_refund_settle') AS sent,
                SUM(kind = 'card_refund_fail') AS failed, SUM(kind = 'card_refund_return') AS returned
                FROM payments_entry WHERE subject_type = 'payment_refund' GROUP BY subject_id) k ON k.subject_id = r.id
           WHERE COALESCE(k.asked, 0) <> 1 OR (r.state = 'succeeded') <> (COALESCE(k.sent, 0) - COALESCE(k.returned, 0) = 1)
             OR (r.state = 'failed') <> (COALESCE(k.failed, 0) + COALESCE(k.returned, 0) = 1)""",
    ),
    (
        "refunds_are_within_their_payment",
        "payments_payment",
        """SELECT y.id, SUM(r.amount_minor) FROM payments_payment y JOIN payments_paymentrefund r ON r.payment_id = y.id
           WHERE r.state <> 'failed' GROUP BY y.id, y.amount_minor, y.received_minor
           HAVING SUM(r.amount_minor) > COALESCE(y.received_minor, y.amount_minor)""",
    ),
    (
        "chargeback_state_is_posted",
        "payments_chargeback",
        """SELECT c.id, c.state FROM payments_chargeback c
           LEFT JOIN (SELECT subject_id, SUM(kind = 'dispute_open') AS opened, SUM(kind = 'dispute_won') AS won
                FROM payments_entry WHERE subject_type = 'chargeback' GROUP BY subject_id) k ON k.subject_id = c.id
           WHERE (c.state IN ('open', 'lost')) <> (COALESCE(k.opened, 0) - COALESCE(k.won, 0) = 1)""",
    ),
]


def _query(invariant: int, rules: list[Rule]) -> list[Violation]:
    found = []
    with connection.cursor() as cursor:
        for rule, table, sql in rules:
            cursor.execute(f"{sql} LIMIT {MOST}")
            found += [Violation(invariant, rule, f"{table} {row}", str(detail)) for row, detail in cursor.fetchall()]
    return found


def _missing_protection() -> Iterator[Violation]:
    """Triggers and the unique key that make the ledger append-only and keys unique; without them the tables cannot be trusted."""
    for name in sorted(triggers.names() - core_triggers.existing()):
        yield Violation(7, "trigger_is_there", f"trigger {name}", "missing: run migrate to lay it again")


def _missing_keys() -> Iterator[Violation]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Entry._meta.db_table)
    if not any(c["unique"] and c["columns"] == ["idempotency_key"] for c in constraints.values()):
        yield Violation(6, "key_is_unique", "payments_entry", "the unique index on idempotency_key is missing")


class _Pass:
    """The streamed pass, run once for the invariants that need it."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str, int, str]] | None = None

    def of(self, invariant: int) -> list[Violation]:
        if self._found is None:
            self._found = [*recompute.violations(), *client_side.violations()]
        return [Violation(n, rule, f"payments_entry {entry}", detail) for n, rule, entry, detail in self._found if n == invariant][:MOST]


def run(
    *, allow_empty: bool = False, invariants: Collection[int] = range(1, 13), progress: Callable[[Outcome], None] | None = None
) -> Report:
    """Check the invariants over the whole ledger; `progress` is told each outcome as it comes.

    Reads in as many short statements as there are rules: run it on a quiet database, or on a snapshot (REPEATABLE READ) otherwise.
    """
    streamed = _Pass()
    every: dict[int, tuple[str, Callable[[], list[Violation]]]] = {
        1: ("every posting is positive, in the currency of its accounts", lambda: _query(1, POSTINGS)),
        2: ("every entry is complete: count, template, payload hash", lambda: _query(2, COMPLETE) + streamed.of(2)),
        3: ("every cached balance is the replay of its postings", lambda: _query(3, REPLAY)),
        4: ("no user's account is or ever was below zero", lambda: _query(4, NOT_NEGATIVE)),
        5: ("per milestone funded = released + refunded + held; a hold closes once", lambda: _query(5, CONSERVED)),
        6: ("at most one effect per key and per once-only act", lambda: _query(6, ONE_EFFECT + DOCUMENTS) + list(_missing_keys())),
        7: ("postings, actors and reasons are append-only", lambda: _query(7, APPENDED) + list(_missing_protection())),
        8: ("gross = fee + tax + net by the quoted schedule and rate", lambda: _query(8, PRICED + FEES_BACK) + streamed.of(8)),
        9: ("what contracts, disputes, payments and payouts say agrees with their postings", lambda: _query(9, STATES + CAUSES)),
        10: (
            "gateways' clearing accounts are made of their own operations, and compared days add up",
            lambda: _query(10, outside.GATEWAYS),
        ),
        11: ("no hold is older than its limit, and its clock acts once", lambda: _query(11, outside.clocks())),
        12: ("what a dispute splits sums to what is held", lambda: _query(12, outside.SPLITS)),
    }
    report = Report(Entry.objects.count(), Posting.objects.count(), allow_empty)
    for number in sorted(invariants):
        statement, check = every[number]
        begun = time.perf_counter()
        outcome = Outcome(number, statement, check(), 0.0)
        outcome.seconds = time.perf_counter() - begun
        report.outcomes.append(outcome)
        if progress is not None:
            progress(outcome)
    return report
