"""Rules that look beyond the postings: at the gateways' own books, at the clocks of held money, at what disputes split. Read by their tables'
names, as in causes; each rule is (name, table of the row, SQL giving id and detail).
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection

from marketplace.core import clock

#: how long a sweep may be late before a hold beyond its limit is a violation: beat may be down for two days
SWEEP_DAYS = 2

#: what an entry that touches a gateway's money is about, and with which gateway that is
_WITH = """(SELECT 'payment' AS type, id, provider FROM payments_payment
  UNION ALL SELECT 'payout', id, provider FROM payments_payout
  UNION ALL SELECT 'payment_refund', id, provider FROM payments_paymentrefund
  UNION ALL SELECT 'chargeback', id, provider FROM payments_chargeback
  UNION ALL SELECT 'difference', id, provider FROM payments_difference)"""


def _clearing(side: str) -> str:
    return f"""SELECT p.id, a.processor FROM payments_account a JOIN payments_posting p ON p.{side}_account_id = a.id
        JOIN payments_entry e ON e.id = p.entry_id LEFT JOIN {_WITH} o ON o.type = e.subject_type AND o.id = e.subject_id
        WHERE a.kind = 'clearing' AND (o.provider IS NULL OR o.provider <> a.processor)"""


GATEWAYS: list[tuple[str, str, str]] = [
    ("money_came_through_its_gateway", "payments_posting", _clearing("debit")),
    ("money_left_through_its_gateway", "payments_posting", _clearing("credit")),
    (
        # provider = ledger + in flight + not yet told + differences + what nothing explains
        "compared_day_adds_up",
        "payments_reconciliationtotal",
        """SELECT id, provider_minor FROM payments_reconciliationtotal WHERE provider_minor IS NOT NULL
             AND (unexplained_minor IS NULL OR provider_minor <> ledger_minor + in_flight_minor + uncovered_minor + differences_minor + unexplained_minor)""",
    ),
    (
        "difference_has_an_age_and_an_end",
        "payments_difference",
        """SELECT id, state FROM payments_difference
           WHERE since > opened_at OR (state IN ('open', 'waiting') AND live_key IS NULL)
             OR (state IN ('booked', 'written_off', 'crediting', 'credited') AND (live_key IS NOT NULL OR entry_id IS NULL))
             OR (state = 'matched' AND live_key IS NOT NULL) OR (state = 'explained' AND explanation = '')""",
    ),
]
SPLITS: list[tuple[str, str, str]] = [
    (
        "split_is_what_is_held",
        "disputes_dispute",
        """SELECT id, held_minor FROM disputes_dispute
           WHERE held_minor <= 0 OR (to_freelancer_minor IS NULL) <> (to_client_minor IS NULL)
             OR to_freelancer_minor < 0 OR to_client_minor < 0 OR to_freelancer_minor + to_client_minor <> held_minor
             OR (settled_at IS NOT NULL AND to_freelancer_minor IS NULL)""",
    ),
    (
        "settlement_empties_the_hold",
        "disputes_dispute",
        """SELECT d.id, d.held_minor FROM disputes_dispute d
           JOIN payments_account a ON a.milestone_id = d.milestone_id AND a.kind = 'hold'
           LEFT JOIN payments_entry e ON e.subject_type = 'milestone' AND e.subject_id = d.milestone_id AND e.kind = 'settle'
           LEFT JOIN payments_posting p ON p.entry_id = e.id AND p.debit_account_id = a.id
           WHERE d.settled_at IS NOT NULL GROUP BY d.id, d.held_minor HAVING COALESCE(SUM(p.amount), 0) <> d.held_minor""",
    ),
]


def clocks() -> list[tuple[str, str, str]]:
    """The rules of held money's age, as of the business clock."""
    ended = clock.now() - timedelta(days=settings.HOLD_LIMIT_DAYS + SWEEP_DAYS)
    until = connection.ops.adapt_datetimefield_value(ended)
    return [
        (
            # disputed money waits for its decision
            "hold_within_its_limit",
            "contracts_milestone",
            f"""SELECT m.id, m.state FROM contracts_milestone m
               JOIN payments_account a ON a.milestone_id = m.id AND a.kind = 'hold' JOIN payments_accountbalance b ON b.account_id = a.id
               WHERE b.available > 0 AND m.state <> 'disputed' AND COALESCE(m.held_since, m.funded_at) < '{until}'""",
        ),
        (
            "clock_acts_once",
            "payments_entry",
            """SELECT MAX(id), subject_id FROM payments_entry WHERE SUBSTR(rule, 1, 11) = 'hold_limit_' AND kind = 'refund'
               GROUP BY subject_type, subject_id HAVING COUNT(*) > 1""",
        ),
    ]
