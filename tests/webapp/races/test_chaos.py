"""The chaos bench in small: a few faults of each kind, every check after them, and the checks themselves without locks. See tests/load/chaos_bench.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.load.chaos import deals, tellers
from tests.load.chaos.storm import Storm

from .bank import Bank


@pytest.fixture(autouse=True)
def books_balance() -> None:
    """The money lies in the bank's own database, and is counted there."""


@pytest.fixture
def bank(tmp_path: Path, db: None) -> Iterator[Bank]:
    made = Bank(tmp_path / "bank")

    def prepare() -> None:
        tellers.configure()
        deals.prepare()

    try:
        made.start(durable=False)
        made.lay(str(connection.settings_dict["NAME"]))
        made.run(prepare)
        yield made
    finally:
        made.stop()


def storm(bank: Bank, folder: Path, **more: bool) -> Storm:
    return Storm(bank, folder, seed=1, lanes=3, locks=more.get("locks", True), tell=print)


def test_nothing_is_lost_or_doubled_whatever_dies(bank: Bank, tmp_path: Path) -> None:
    done = storm(bank, tmp_path / "storm")
    done.round(1, kills=4, cuts=2)
    tally = done.tally
    assert (tally.broken, tally.lost, tally.doubled) == ([], [], [])
    assert {"process killed": 4, "server killed": 1}.items() <= tally.faults.items()
    assert tally.share >= 0.8
    assert tally.acts > 20


def test_an_act_that_was_undone_or_done_twice_is_seen(bank: Bank, tmp_path: Path) -> None:
    key = "101001:fund:0"
    bank.run(lambda: deals.lay([101001], seed=1))
    assert deals.deal(1, 101001).card

    def look() -> object:
        return deals.Books(1, [key]).left(key)

    assert set(bank.ask(look)[0].values()) == {0}
    assert bank.ask(lambda: (tellers.configure(), tellers.done(1, key))[1]) == "D"
    assert bank.ask(look) == ({"payment": 1, "deposit": 1, "charge": 1, "hold": 1, "told": 1}, {})
    with bank.connect().cursor() as cursor:
        cursor.execute("UPDATE payments_sandboxobject SET amount_minor = amount_minor + 1 WHERE kind = 'payment' ORDER BY id DESC LIMIT 1")
    assert any("clearing_is_the_gateways_balance" in wrong for wrong in bank.ask(tellers.differs_from_the_gateway))
