"""The simulated history is what the services would have written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.db import transaction

from marketplace.accounts.models import ClientProfile
from marketplace.contracts.models import Contract
from marketplace.payments.events import verify_earlier_payers
from marketplace.payments.models import Entry, Payment, Posting
from marketplace.payments.services import ledger_check
from tests.webapp.simulation.replaying import Replay, signature

pytestmark = pytest.mark.django_db
SAMPLE = 300


def test_the_ledger_of_a_simulated_market_keeps_every_invariant(simulated: Any) -> None:
    report = ledger_check()
    assert report.ok, report.violations[:5]
    assert report.entries > 1_000


def test_the_clients_who_paid_are_the_verified_ones(simulated: Any) -> None:
    paid = set(Payment.objects.filter(settled_at__isnull=False).values_list("payer_id", flat=True))
    said = dict(ClientProfile.objects.values_list("user_id", "payment_verified"))
    assert {user for user, verified in said.items() if verified} == paid & said.keys()
    assert 0 < len(paid) < len(said)
    assert verify_earlier_payers() == 0


def test_sampled_contracts_replayed_through_the_services_end_the_same(simulated: Any) -> None:
    ids = list(Contract.objects.order_by("id").values_list("id", flat=True))
    assert len(ids) >= SAMPLE, "the small market has too few contracts to sample from"
    chosen = np.random.default_rng(7).choice(ids, SAMPLE, replace=False)
    states, different = set(), []
    for pk in sorted(int(i) for i in chosen):
        original = Contract.objects.get(pk=pk)
        copy = Replay(original).run()
        was, now = signature(original), signature(copy)
        states.add(original.state)
        different += [(pk, part, was[part], now[part]) for part in was if was[part] != now[part]]
    assert not different, f"{len(different)} differences, first: {different[0]}"
    assert {"completed", "cancelled", "active"} <= states
    assert ledger_check().ok


def test_the_comparison_sees_a_changed_leg(simulated: Any) -> None:
    """Control: a signature is not blind to what it compares."""
    done = Contract.objects.filter(state="completed").order_by("id").first()
    assert done is not None
    before = signature(done)
    Contract.objects.filter(pk=done.pk).update(total_minor=done.total_minor + 1)
    try:
        assert signature(done) != before
    finally:
        Contract.objects.filter(pk=done.pk).update(total_minor=done.total_minor)
    assert signature(done) == before


def test_the_comparison_sees_the_amount_of_a_leg(simulated: Any) -> None:
    """Control: two entries more, alike but for what their one leg moves, are told apart."""
    done = Contract.objects.filter(state="completed").order_by("id").first()
    leg = Posting.objects.filter(entry__contract_id=done.pk).order_by("id").last()
    assert done is not None and leg is not None
    like, amount, signatures = leg.entry_id, leg.amount, []
    for moved in (amount, amount, amount + 1):
        with transaction.atomic():
            entry = Entry.objects.get(pk=like)
            entry.pk, entry.idempotency_key, entry.posting_count = None, "one-more", 1
            entry.save(force_insert=True)
            leg.pk, leg.entry, leg.line_no, leg.amount = None, entry, 1, moved
            leg.save(force_insert=True)
            signatures.append(signature(done))
            transaction.set_rollback(True)
    first, again, other = signatures
    assert first == again
    assert {part for part in first if first[part] != other[part]} == {"entries"}
