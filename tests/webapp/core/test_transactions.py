"""The edge of every service: what is run again after which error, and that a transaction is repeated whole or not at all."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import OperationalError, connection

from marketplace.accounts.models import User
from marketplace.core.errors import Unavailable
from marketplace.core.transactions import ATTEMPTS, run_in_transaction, unit_of_work

pytestmark = pytest.mark.parity


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause between two attempts is drawn at random: here it is always nothing."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.0)


def conflicts() -> list[OperationalError]:
    """What this kind of database says when the same transaction may succeed the next time."""
    if connection.vendor == "sqlite":
        return [OperationalError("database is locked")]
    return [OperationalError(code, "conflict") for code in (1213, 1205, 1020)]


def add(user: Any, mark: str) -> None:
    """An effect that counts how often it happened."""
    name = User.objects.values_list("display_name", flat=True).get(pk=user.pk)
    User.objects.filter(pk=user.pk).update(display_name=f"{name}{mark}")


def name_of(user: Any) -> str:
    return str(User.objects.values_list("display_name", flat=True).get(pk=user.pk))


def test_after_a_lock_conflict_the_whole_transaction_is_run_again(committed_db: None, alice: Any) -> None:
    for number, conflict in enumerate(conflicts(), start=1):
        waiting = [conflict]

        def work(waiting: list[OperationalError] = waiting) -> str:
            add(alice, "+")
            if waiting:
                raise waiting.pop()
            return "done"

        assert run_in_transaction(work) == "done"
        assert name_of(alice) == "Alice" + "+" * number, "the first attempt's effect was kept, or the second's lost"


def test_a_conflict_inside_an_inner_service_repeats_the_outer_one(committed_db: None, alice: Any) -> None:
    """The deadlock has undone what the outer service did: running only the inner part again would lose it."""
    waiting = conflicts()[:1]
    begun = []

    @unit_of_work
    def inner() -> None:
        add(alice, "i")
        if waiting:
            raise waiting.pop()

    @unit_of_work
    def outer() -> None:
        begun.append("outer")
        add(alice, "o")
        inner()

    outer()
    assert begun == ["outer", "outer"]
    assert name_of(alice) == "Aliceoi"


def test_conflicts_that_do_not_end_are_told_and_leave_nothing(committed_db: None, alice: Any) -> None:
    begun = []

    @unit_of_work
    def work() -> None:
        begun.append(1)
        add(alice, "+")
        raise conflicts()[0]

    with pytest.raises(Unavailable) as refused:
        work()
    assert refused.value.code == "busy"
    assert len(begun) == ATTEMPTS
    assert name_of(alice) == "Alice"


def test_any_other_error_is_not_repeated_and_leaves_nothing(committed_db: None, alice: Any) -> None:
    for error in (OperationalError(2006, "server has gone away"), OperationalError("no such table: x"), ValueError("a bug")):
        begun = []

        @unit_of_work
        def work(error: Exception = error, begun: list[int] = begun) -> None:
            begun.append(1)
            add(alice, "+")
            raise error

        with pytest.raises(type(error)):
            work()
        assert begun == [1]
        assert name_of(alice) == "Alice"
