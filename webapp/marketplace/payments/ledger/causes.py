"""Rules that tie rows of contracts and disputes to the entries they caused, amount for amount and once. The tables are read by their names,
because payments sits below those apps; each rule is (name, table of the row, SQL giving id and detail), as in check.
"""

from __future__ import annotations

#: releases of a part, with the number of the part that their key names (0 for a key of another form)
_PARTS = """(SELECT id, subject_id, contract_id, gross_minor, CAST(SUBSTR(said, INSTR(said, ':') + 1) AS DECIMAL) AS part FROM (
    SELECT id, subject_id, contract_id, gross_minor, REPLACE(idempotency_key, 'release:', '') AS said
    FROM payments_entry WHERE kind = 'release' AND subject_type = 'milestone') k)"""

#: entry → the currency in which its money left the payer
_LEFT_IN = "(SELECT entry_id, MIN(currency) AS currency FROM payments_posting WHERE leg IN ('net', 'fx_out', 'fee') GROUP BY entry_id)"

CAUSES: list[tuple[str, str, str]] = [
    (
        "bonus_is_posted",
        "contracts_bonus",
        f"""SELECT b.id, b.gross_minor FROM contracts_bonus b
            LEFT JOIN payments_entry e ON e.kind = 'bonus' AND e.subject_type = 'bonus' AND e.subject_id = b.id
            LEFT JOIN {_LEFT_IN} c ON c.entry_id = e.id
            GROUP BY b.id, b.gross_minor, b.contract_id, b.currency HAVING COUNT(e.id) <> 1 OR MIN(e.gross_minor) <> b.gross_minor
              OR COALESCE(MIN(e.contract_id), 0) <> b.contract_id OR MIN(c.currency) <> b.currency""",
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
        f"""SELECT r.id, r.gross_minor FROM contracts_partrelease r JOIN contracts_milestone m ON m.id = r.milestone_id
            LEFT JOIN {_PARTS} e ON e.subject_id = r.milestone_id AND e.part = r.part
            LEFT JOIN {_LEFT_IN} c ON c.entry_id = e.id
            GROUP BY r.id, r.gross_minor, r.currency, m.contract_id HAVING COUNT(e.id) <> 1 OR MIN(e.gross_minor) <> r.gross_minor
              OR COALESCE(MIN(e.contract_id), 0) <> m.contract_id OR MIN(c.currency) <> r.currency""",
    ),
    (
        "part_entry_has_its_row",
        "payments_entry",
        f"""SELECT e.id, e.subject_id FROM {_PARTS} e LEFT JOIN contracts_partrelease r ON r.milestone_id = e.subject_id AND r.part = e.part
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
           WHERE e.kind = 'roll' AND (m.id IS NULL OR m.contract_id <> e.contract_id OR m.state <> 'released' OR b.available <> 0
             OR NOT EXISTS (SELECT 1 FROM contracts_partrelease r WHERE r.milestone_id = m.id)
             OR (SELECT COUNT(*) FROM contracts_refundrequest q WHERE q.milestone_id = m.id AND q.`to` = 'next'
                 AND q.state IN ('accepted', 'granted') AND q.amount_minor = o.amount AND q.currency = o.currency) <> 1)""",
    ),
    (
        "roll_follows_its_request",
        "contracts_refundrequest",
        """SELECT q.id, q.state FROM contracts_refundrequest q
           LEFT JOIN payments_entry e ON e.kind = 'roll' AND e.subject_type = 'milestone' AND e.subject_id = q.milestone_id
           WHERE q.`to` = 'next' AND q.state IN ('accepted', 'granted') AND e.id IS NULL""",
    ),
    (
        "settlement_is_posted",
        "disputes_dispute",
        """SELECT d.id, d.to_freelancer_minor FROM disputes_dispute d
           LEFT JOIN payments_entry e ON e.kind = 'settle' AND e.subject_type = 'milestone' AND e.subject_id = d.milestone_id
           LEFT JOIN payments_posting p ON p.entry_id = e.id AND p.leg = 'refund'
           WHERE d.settled_at IS NOT NULL AND (e.id IS NULL OR e.gross_minor <> d.to_freelancer_minor
             OR COALESCE(p.amount, 0) <> d.to_client_minor)""",
    ),
    (
        "settlement_has_its_dispute",
        "payments_entry",
        """SELECT e.id, e.subject_id FROM payments_entry e
           LEFT JOIN contracts_milestone m ON m.id = e.subject_id AND m.state = 'resolved' AND m.contract_id = e.contract_id
           WHERE e.kind = 'settle' AND (m.id IS NULL OR
             (SELECT COUNT(*) FROM disputes_dispute d WHERE d.milestone_id = m.id AND d.settled_at IS NOT NULL) <> 1)""",
    ),
]
