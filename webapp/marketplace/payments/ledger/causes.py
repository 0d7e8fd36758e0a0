"""Rules that tie rows of contracts and disputes to the entries they caused, amount for amount and once. The tables are read by their names,
because payments sits below those apps; each rule is (name, table of the row, SQL giving id and detail), as in check.

Each rule is one pass: from its rows, which are few, to entries by their subject, and to postings by their entry; or once over the entries.
"""

from __future__ import annotations

#: releases of milestones, with the number of the part that their key names: -1, which no part has, when the key is of another form
_RELEASES = """(SELECT id, subject_id, contract_id, gross_minor,
    CASE WHEN INSTR(said, ':') > 0 THEN CAST(SUBSTR(said, INSTR(said, ':') + 1) AS DECIMAL) ELSE -1 END AS part FROM (
    SELECT id, subject_id, contract_id, gross_minor, REPLACE(idempotency_key, 'release:', '') AS said
    FROM payments_entry WHERE kind = 'release' AND subject_type = 'milestone') k)"""

#: what leaves the payer bears the price's currency; only fx_in is in the payee's
_OF_PRICE = "p.leg <> 'fx_in'"


def _paid(table: str, alias: str, contract: str, joins: str) -> str:
    """Rows that say a gross amount, without exactly one entry `e` of that amount, contract and currency."""
    return f"""SELECT {alias}.id, {alias}.gross_minor FROM {table} {alias} {joins}
        LEFT JOIN payments_posting p ON p.entry_id = e.id AND {_OF_PRICE}
        GROUP BY {alias}.id, {alias}.gross_minor, {alias}.currency, {contract}
        HAVING COUNT(DISTINCT e.id) <> 1 OR MIN(e.gross_minor) <> {alias}.gross_minor OR COALESCE(MIN(e.contract_id), 0) <> {contract}
          OR MIN(p.currency) <> {alias}.currency OR MAX(p.currency) <> {alias}.currency"""


CAUSES: list[tuple[str, str, str]] = [
    (
        "bonus_is_posted",
        "contracts_bonus",
        _paid(
            "contracts_bonus",
            "b",
            "b.contract_id",
            "LEFT JOIN payments_entry e ON e.subject_type = 'bonus' AND e.subject_id = b.id AND e.kind = 'bonus'",
        ),
    ),
    (
        "bonus_entry_has_its_row",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e LEFT JOIN contracts_bonus b ON b.id = e.subject_id AND e.subject_type = 'bonus'
           WHERE e.kind IN ('bonus', 'clear_bonus') AND (b.id IS NULL OR (e.kind = 'clear_bonus' AND b.cleared_at IS NULL))""",
    ),
    (
        "part_is_released",
        "contracts_partrelease",
        _paid(
            "contracts_partrelease",
            "r",
            "m.contract_id",
            f"""JOIN contracts_milestone m ON m.id = r.milestone_id
                LEFT JOIN {_RELEASES} e ON e.subject_id = r.milestone_id AND e.part = r.part""",
        ),
    ),
    (
        # the first part is the release that closes the hold: it needs no row of its own
        "part_entry_has_its_row",
        "payments_entry",
        f"""SELECT e.id, e.subject_id FROM {_RELEASES} e LEFT JOIN contracts_partrelease r ON r.milestone_id = e.subject_id AND r.part = e.part
            WHERE e.part <> 1 AND r.id IS NULL""",
    ),
    (
        # the rest of a milestone that was paid in part, all of it, as its client asked and its freelancer agreed
        "roll_is_of_its_request",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e
           JOIN payments_posting o ON o.entry_id = e.id AND o.leg = 'refund' JOIN payments_account s ON s.id = o.debit_account_id
           JOIN payments_accountbalance b ON b.account_id = s.id
           LEFT JOIN contracts_milestone m ON m.id = e.subject_id AND e.subject_type = 'milestone' AND m.id = s.milestone_id
           LEFT JOIN (SELECT DISTINCT milestone_id FROM contracts_partrelease) r ON r.milestone_id = m.id
           LEFT JOIN (SELECT milestone_id, amount_minor, currency, COUNT(*) AS times FROM contracts_refundrequest
                WHERE `to` = 'next' AND state IN ('accepted', 'granted') GROUP BY milestone_id, amount_minor, currency) q
             ON q.milestone_id = m.id AND q.amount_minor = o.amount AND q.currency = o.currency
           WHERE e.kind = 'roll' AND (m.id IS NULL OR m.contract_id <> e.contract_id OR m.state <> 'released' OR b.available <> 0
             OR r.milestone_id IS NULL OR COALESCE(q.times, 0) <> 1)""",
    ),
    (
        "roll_follows_its_request",
        "contracts_refundrequest",
        """SELECT q.id, q.state FROM contracts_refundrequest q
           LEFT JOIN payments_entry e ON e.subject_type = 'milestone' AND e.subject_id = q.milestone_id AND e.kind = 'roll'
           LEFT JOIN payments_posting o ON o.entry_id = e.id AND o.leg = 'refund'
           WHERE q.`to` = 'next' AND q.state IN ('accepted', 'granted')
             AND (o.id IS NULL OR o.amount <> q.amount_minor OR o.currency <> q.currency)""",
    ),
    (
        # once, the whole of what was booked, to the payer of a payment that was never deposited
        "credit_is_its_difference",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e LEFT JOIN payments_posting p ON p.entry_id = e.id
           LEFT JOIN payments_account w ON w.id = p.credit_account_id
           LEFT JOIN payments_difference d ON d.id = e.subject_id AND e.subject_type = 'difference' AND d.state = 'credited'
           LEFT JOIN payments_payment y ON y.id = CAST(REPLACE(d.item, 'payment:', '') AS DECIMAL) AND INSTR(d.item, 'payment:') = 1
           WHERE e.kind = 'difference_credit' AND (d.id IS NULL OR y.id IS NULL OR d.effect_minor <> p.amount OR d.currency <> p.currency
             OR w.user_id <> y.payer_id OR y.settled_at IS NOT NULL)""",
    ),
    (
        # the whole of what two people agreed on, out of the debt that it names
        "write_off_is_its_request",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e LEFT JOIN payments_posting p ON p.entry_id = e.id
           LEFT JOIN payments_debtwriteoff o ON o.id = e.subject_id AND e.subject_type = 'debt_write_off' AND o.state = 'written_off'
           WHERE e.kind = 'debt_write_off' AND (o.id IS NULL OR o.account_id <> p.credit_account_id OR o.amount_minor <> p.amount
             OR o.asked_by_id = o.decided_by_id)""",
    ),
    (
        "write_off_is_posted",
        "payments_debtwriteoff",
        """SELECT o.id, o.state FROM payments_debtwriteoff o
           LEFT JOIN payments_entry e ON e.kind = 'debt_write_off' AND e.subject_type = 'debt_write_off' AND e.subject_id = o.id
           WHERE (o.state = 'written_off') <> (e.id IS NOT NULL)""",
    ),
    (
        "settlement_is_posted",
        "disputes_dispute",
        f"""SELECT d.id, d.to_freelancer_minor FROM disputes_dispute d
            LEFT JOIN payments_entry e ON e.subject_type = 'milestone' AND e.subject_id = d.milestone_id AND e.kind = 'settle'
            LEFT JOIN payments_posting p ON p.entry_id = e.id AND {_OF_PRICE}
            WHERE d.settled_at IS NOT NULL GROUP BY d.id, d.to_freelancer_minor, d.to_client_minor, d.currency
            HAVING COUNT(DISTINCT e.id) <> 1 OR MIN(e.gross_minor) <> d.to_freelancer_minor
              OR SUM(CASE WHEN p.leg = 'refund' THEN p.amount ELSE 0 END) <> d.to_client_minor
              OR MIN(p.currency) <> d.currency OR MAX(p.currency) <> d.currency""",
    ),
    (
        "settlement_has_its_dispute",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e
           LEFT JOIN contracts_milestone m ON m.id = e.subject_id AND e.subject_type = 'milestone' AND m.contract_id = e.contract_id
           LEFT JOIN (SELECT milestone_id, COUNT(*) AS times FROM disputes_dispute WHERE settled_at IS NOT NULL GROUP BY milestone_id) d
             ON d.milestone_id = m.id
           WHERE e.kind = 'settle' AND (m.id IS NULL OR m.state <> 'resolved' OR COALESCE(d.times, 0) <> 1)""",
    ),
]
