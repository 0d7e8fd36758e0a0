"""The chaos bench in small: a few faults of each kind, every check after them, and the checks themselves without locks. See tests/load/chaos_bench.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.load.chaos import deals, tellers
from tests.load.chaos.storm import Storm

from .bank import Bank


@pytest.fixture(autouse=True)
def books_balance() -> None:
    """The money lies in the bank's own database, and is counted there."""


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[Bank]:
    made = Bank(tmp_path_factory.mktemp("bank"))

    def prepare() -> None:
        tellers.configure()
        deals.prepare()

    try:
        made.start(durable=False)
        made.lay(str(connection.settings_dict["NAME"]))
        with django_db_blocker.unblock():
            made.run(prepare)
        yield made
    finally:
        made.stop()


def storm(bank: Bank, folder: Path, **more: bool) -> Storm:
    return Storm(bank, folder, seed=1, lanes=3, locks=more.get("locks", True), tell=print)


def test_nothing_is_lost_or_doubled_whatever_dies(bank: Bank, tmp_path: Path) -> None:
    done = storm(bank, tmp_path / "storm")
    done.round(1, kills=3, cuts=2)
    tally = done.tally
    assert (tally.broken, tally.lost, tally.doubled) == ([], [], [])
    assert {"process killed": 3, "server killed": 1}.items() <= tally.faults.items()
    assert tally.share >= 0.8
    assert tally.acts > 10


def test_an_act_that_is_not_there_and_money_that_differs_are_seen(bank: Bank) -> None:
    pk = next(pk for pk in range(201_000, 202_000) if deals.deal(1, pk).card == "tok_visa")
    key = f"{pk}:fund:0"
    bank.run(lambda: deals.lay([pk], seed=1))

    def look() -> object:
        return deals.Books(1, [key]).left(key)

    assert set(bank.ask(look)[0].values()) == {0}
    assert bank.ask(lambda: (tellers.configure(), tellers.done(1, key))[1]) == "D"
    assert bank.ask(look) == ({"payment": 1, "deposit": 1, "charge": 1, "hold": 1, "told": 1}, {})
    with bank.connect().cursor() as cursor:
        cursor.execute("UPDATE payments_sandboxobject SET amount_minor = amount_minor + 1 WHERE kind = 'payment' ORDER BY id DESC LIMIT 1")
    assert any("clearing_is_the_gateways_balance" in wrong for wrong in bank.ask(tellers.differs_from_the_gateway))
