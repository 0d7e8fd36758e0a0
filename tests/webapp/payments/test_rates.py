"""At which rates money moves: young enough ones, of the ECB or set by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from marketplace.contracts.models import Contract
from marketplace.contracts.tasks import auto_approve_due
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.payments import selectors, services
from marketplace.payments.models import Entry, FxRate
from tests.webapp.contracts_cast import books_balance, contract, fund, funded, offer, planned, proposal, submitted  # noqa: F401 (fixtures)
from tests.webapp.people import Person

def rate_of(currency: str, source: str, as_of: date, per_usd: str = "130") -> FxRate:
    values = {"rate": Decimal(per_usd), "spread_bps": 100, "fetched_at": clock.now()}
    return FxRate.objects.create(base="USD", quote=currency, source=source, as_of=as_of, **values)


def test_work_is_approved_and_paid_once_the_rate_is_young_enough_again(
    committed_db: None,
    alice: Any,
    bob: Any,
    submitted: Any,  # noqa: F811
    settings: Any,
) -> None:
    settings.FX_PACKAGED_RATES = False
    today = clock.now().date()
    Contract.objects.filter(pk=submitted.contract_id).update(payee_currency="KES")
    row = rate_of("KES", "by hand", today - timedelta(days=31))
    client = Person(alice)
    approved = partial(client.post, f"milestones/{submitted.pk}/approve")

    refused = approved()

    assert (refused.status_code, refused.json()["code"]) == (409, "fx_rate_old")
    submitted.refresh_from_db()
    assert (submitted.state, selectors.held(submitted.pk)) == ("submitted", Money(40_000, "USD"))
    assert not Entry.objects.filter(kind="release").exists()
    # silence approves no more than the client does, and loses nothing either
    clock.advance(int((submitted.auto_approve_at - clock.now()).total_seconds()) + 1)
    assert auto_approve_due() == 0
    FxRate.objects.filter(pk=row.pk).update(as_of=clock.now().date() - timedelta(days=30))

    assert auto_approve_due() == 1
    entry = Entry.objects.get(kind="release")
    assert entry.fx_rate_id == row.pk
    # said again, it is the same entry, at any age of its rate
    FxRate.objects.filter(pk=row.pk).update(as_of=clock.now().date() - timedelta(days=300))
    gross = Money(40_000, "USD")
    again = services.release(
        contract_id=submitted.contract_id,
        milestone_id=submitted.pk,
        payee_id=bob.pk,
        gross=gross,
        payee_currency="KES",
        fee_schedule=entry.quote["fee_schedule"],
        actor_id=None,
        rule=entry.rule,
    )
    assert again.pk == entry.pk
