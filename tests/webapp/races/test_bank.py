"""The bank: tellers move money in threads on a MariaDB of the test's own, and are killed, and the server is killed, in the middle of it.

At every consistent read all money is there, under both isolation levels. After a restart and a replay of the tellers' journals nothing is lost and
nothing is doubled.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from . import bank_teller
from .bank import Bank, ended

TELLERS, THREADS, SECONDS = 2, 3, float(os.environ.get("OPENLANCE_BANK_SECONDS", "1.5"))
ALL = bank_teller.PAYERS * bank_teller.PURSE
#: what everybody has, and what the platform took, in one statement: one consistent read under either isolation level
TOTAL = """SELECT (SELECT COALESCE(SUM(available), 0) FROM payments_accountbalance) +
  (SELECT COALESCE(SUM(p.amount), 0) FROM payments_posting p JOIN payments_account a ON a.id = p.credit_account_id WHERE a.kind = 'fees')"""


@pytest.fixture(autouse=True)
def books_balance() -> None:
    """The money lies in the bank's own database, and is counted there."""


@pytest.fixture
def bank(tmp_path: Path, db: None) -> Iterator[Bank]:
    made = Bank(tmp_path / "bank")
    try:
        made.start()
        made.lay(str(connection.settings_dict["NAME"]))
        made.run(bank_teller.prepare)
        yield made
    finally:
        made.stop()


class Reader:
    """Looks at all the money again and again, at one isolation level, and remembers every total that was not all of it."""

    def __init__(self, bank: Bank, level: str) -> None:
        self.bank, self.level = bank, level
        self.reads, self.wrong = 0, Counter[int]()

    def until(self, seconds: float, or_when: Callable[[], bool] = lambda: False) -> None:
        line = self.bank.connect()
        line.cursor().execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {self.level}")
        end = time.monotonic() + seconds
        while time.monotonic() < end and not or_when():
            with line.cursor() as cursor:
                cursor.execute("START TRANSACTION")
                for _ in range(2):  # in one transaction: at REPEATABLE READ the same instant, else two
                    cursor.execute(TOTAL)
                    total = int(cursor.fetchone()[0])
                    self.reads += 1
                    if total != ALL:
                        self.wrong[total] += 1
                cursor.execute("COMMIT")
        line.close()


def marks(journals: list[Path]) -> dict[str, set[str]]:
    """I, D and R → keys, over all tellers."""
    found: dict[str, set[str]] = {"I": set(), "D": set(), "R": set()}
    for journal in journals:
        for line in journal.read_text().splitlines():
            mark, key = line.split()
            found[mark].add(key)
    return found


def posted(bank: Bank) -> Counter[str]:
    """key → how often its act is in the ledger."""
    step = {"hold": 0, "release": 1, "refund": 2}
    with bank.connect().cursor() as cursor:
        cursor.execute("SELECT kind, subject_id FROM payments_entry WHERE kind IN ('hold', 'release', 'refund')")
        return Counter(f"{milestone}:{step[kind]}" for kind, milestone in cursor.fetchall())


def balances(bank: Bank) -> list[tuple[Any, ...]]:
    """Accounts whose cached balance is not the sum of their postings."""
    with bank.connect().cursor() as cursor:
        cursor.execute(
            "SELECT b.account_id, b.available, b.postings, COALESCE(SUM(m.amount), 0), COUNT(m.amount) FROM payments_accountbalance b LEFT JOIN "
            "(SELECT credit_account_id AS a, amount FROM payments_posting UNION ALL SELECT debit_account_id, -amount FROM payments_posting) m "
            "ON m.a = b.account_id GROUP BY b.account_id, b.available, b.postings "
            "HAVING b.available <> COALESCE(SUM(m.amount), 0) OR b.postings <> COUNT(m.amount)"
        )
        return list(cursor.fetchall())


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_tellers_and_the_server_die_in_the_middle_and_nothing_is_lost_or_doubled(bank: Bank, level: str, tmp_path: Path) -> None:
    journals = [tmp_path / f"teller{n}.journal" for n in range(TELLERS)]

    def open_the_till(n: int) -> int:
        return bank.process(lambda: bank_teller.work(n, THREADS, journals[n]), level.lower())

    def busy(least: int) -> Callable[[], bool]:
        return lambda: all(j.exists() and j.read_text().count("D") >= least for j in journals)

    reader = Reader(bank, level)
    tellers = [open_the_till(n) for n in range(TELLERS)]
    try:
        reader.until(60, busy(10))
        assert busy(10)(), "the tellers did not begin"
        reader.until(SECONDS)
        os.kill(tellers[0], signal.SIGKILL)
        assert ended(tellers[0]) == -signal.SIGKILL
        reader.until(SECONDS)  # the other one goes on
        before = marks(journals)
        bank.kill()
        acknowledged = marks(journals)["D"]
        bank.start()
        reader.until(SECONDS)  # the survivor finds the server again by itself
        tellers[0] = open_the_till(0)
        after = len(marks(journals)["D"])
        reader.until(60, lambda: len(marks(journals)["D"]) > after + 10)
        for journal in journals:
            journal.with_suffix(".stop").touch()
        assert [ended(tellers.pop(0)) for _ in range(TELLERS)] == [0] * TELLERS
    finally:
        for teller in tellers:
            os.kill(teller, signal.SIGKILL)

    assert before["D"] <= acknowledged <= set(posted(bank)), "an act that was done is gone"
    for journal in journals:
        bank.run(lambda journal=journal: bank_teller.replay(journal))  # type: ignore[misc]
    there = posted(bank)
    begun = marks(journals)
    assert set(there) == begun["I"], "begun and in the ledger are not the same"
    assert set(there.values()) == {1}, "an act was done twice"
    # with a snapshot of before, a teller cannot see that the other one did their common act a moment ago, and is refused; the house runs at READ COMMITTED
    assert begun["R"] <= (begun["D"] if level == "REPEATABLE READ" else set()), "an act was refused though its money was there"
    assert (reader.wrong, balances(bank)) == ({}, [])
    assert reader.reads > 50
