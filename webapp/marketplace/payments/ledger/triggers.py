"""What the database itself refuses, whoever writes: changed or deleted accounts, entries, postings and fee
schedules; a line beyond the declared count; a posting in another currency than its accounts. Laid after every migrate by core.triggers.
"""

from __future__ import annotations

from marketplace.core import triggers

APPEND_ONLY = (
    "payments_account",
    "payments_entry",
    "payments_posting",
    "payments_feeschedule",
    "payments_document",
    "payments_documentfile",
)
GUARD = "payments_posting_guard"

_TOO_MANY = "payments_posting: this line is beyond the count of its entry"
_CURRENCY = "payments_posting: both accounts must be of the currency of the posting"

_GUARD_MYSQL = f"""BEFORE INSERT ON payments_posting FOR EACH ROW BEGIN
  IF NEW.line_no < 1 OR NEW.line_no > (SELECT posting_count FROM payments_entry WHERE id = NEW.entry_id) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_TOO_MANY}';
  END IF;
  IF (SELECT COUNT(*) FROM payments_account
      WHERE id IN (NEW.debit_account_id, NEW.credit_account_id) AND currency = NEW.currency) <> 2 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_CURRENCY}';
  END IF;
END"""

_GUARD_SQLITE = f"""BEFORE INSERT ON payments_posting FOR EACH ROW BEGIN
  SELECT RAISE(ABORT, '{_TOO_MANY}')
    WHERE NEW.line_no < 1 OR NEW.line_no > (SELECT posting_count FROM payments_entry WHERE id = NEW.entry_id);
  SELECT RAISE(ABORT, '{_CURRENCY}')
    WHERE (SELECT COUNT(*) FROM payments_account
           WHERE id IN (NEW.debit_account_id, NEW.credit_account_id) AND currency = NEW.currency) <> 2;
END"""


def register() -> None:
    """Called once by the app's AppConfig."""
    for table in APPEND_ONLY:
        triggers.append_only(table)
    triggers.register("mysql", GUARD, _GUARD_MYSQL)
    triggers.register("sqlite", GUARD, _GUARD_SQLITE)


def names() -> set[str]:
    """The triggers that the ledger cannot be trusted without."""
    return {name for table in (*APPEND_ONLY, "core_event") for name in triggers.append_only_names(table)} | {GUARD}
