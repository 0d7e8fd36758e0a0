"""Two people who have the same phone asked to pay in the same moment, with commits that are real."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection

from marketplace.core.errors import Conflict
from marketplace.core.money import Money
from marketplace.payments import services
from marketplace.payments.models import Payment

from .daraja_world import DarajaWorld


def test_of_two_who_ask_a_phone_at_once_one_does(
    committed_db: None, alice: Any, bob: Any, mpesa_settings: dict[str, str], daraja_world: DarajaWorld, settings: Any
) -> None:
    settings.PAYMENT_CREDENTIALS = {"mpesa": mpesa_settings}
    told: list[str] = []
    ready = threading.Barrier(2)

    def ask(payer_id: int) -> None:
        values = {"purpose": "wallet", "purpose_id": None, "method": {"phone": "0712 345678"}, "provider": "mpesa"}
        try:
            ready.wait(10)
            asked = services.payment_start(actor_id=payer_id, amount=Money(150_000, "KES"), idempotency_key=f"of {payer_id}", **values)  # type: ignore[arg-type]
            told.append(asked.state)
        except Conflict as e:
            told.append(e.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(user.pk,)) for user in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == ["pending", "phone_waits"]
    assert (len(daraja_world.pushes), Payment.objects.count()) == (1, 1)
