"""Transactions on a real server: how one begins, and that a deadlock ends it for whoever caught the error."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from marketplace.accounts.models import User

from .rendezvous import PATIENCE, at_once

pytestmark = pytest.mark.mariadb


def asked() -> int:
    """Messages of this connection that the server has answered."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


def test_a_transaction_costs_two_messages_beside_its_statements(committed_db: None) -> None:
    before = asked()
    between = asked()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert asked() - between == (between - before) + 1 + 2


def test_what_a_deadlock_undid_is_not_written_on_by_who_caught_it(committed_db: None, alice: Any, bob: Any) -> None:
    """The victim's first update is gone with its transaction; another one after it would be kept alone. Django itself sees to it for updates only."""
    both = threading.Barrier(2)

    def rename(first: Any, second: Any) -> str:
        def named(user: Any, name: str) -> None:
            User.objects.filter(pk=user.pk).update(display_name=name)

        try:
            with transaction.atomic():
                named(first, "first")
                both.wait(PATIENCE)
                try:
                    User.objects.select_for_update().get(pk=second.pk)
                except OperationalError as error:
                    assert error.args[0] == 1213
                    named(bob, "written after the end")
        except transaction.TransactionManagementError:
            return "refused"
        return "kept"

    assert sorted(at_once(lambda: rename(alice, bob), lambda: rename(bob, alice))) == ["kept", "refused"]
    names = User.objects.filter(pk__in=(alice.pk, bob.pk)).values_list("display_name", flat=True)
    assert sorted(name == "first" for name in names) == [False, True]
    assert "written after the end" not in names
