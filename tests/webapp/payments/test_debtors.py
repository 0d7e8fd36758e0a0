"""Whoever owes us is not paid out what they owe: not in the same currency, not in another one, not by a payout that was asked for before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.notifications.policies import notices
from marketplace.payments import payout_rounds, selectors, services
from marketplace.payments.debts import owed
from marketplace.payments.models import Chargeback, Entry, FxRate, Payment, Payout, PayoutSchedule, RiskHold
from marketplace.payments.providers import sandbox
from marketplace.payments.reasons import in_words

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)  # a Wednesday
PLACE = {"token": "bank_ok"}


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    time_machine.move_to(NOON, tick=False)
    values = {"spread_bps": 0, "source": "test", "as_of": NOON.date(), "fetched_at": NOON}
    FxRate.objects.create(base="USD", quote="EUR", rate="0.5", **values)
    selectors._remembered_rate.cache_clear()
    yield time_machine
    selectors._remembered_rate.cache_clear()


@pytest.fixture
def spent(bob: Any, fund: Any) -> Payment:
    """70.00 USD that bob paid and that are held on a milestone now: his wallet is empty."""
    fund(bob, 70, usd(7_000))
    return Payment.objects.get(payer=bob)


def taken_back(payment: Payment) -> None:
    """His bank takes it back."""
    ref = sandbox.dispute(str(payment.provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=ref)
    assert Chargeback.objects.get(payment=payment).owed_minor == payment.amount_minor


def has(user: Any, currency: str = "USD") -> int:
    return sum(b.available.minor for b in selectors.balances_of(user.pk) if b.currency == currency)


def asked(user: Any, amount: Money, key: str = "p") -> Payout:
    return services.payout_request(actor=user, amount=amount, method=PLACE, idempotency_key=key)


def failed(payout: Payout) -> bool:
    payout.refresh_from_db()
    return (payout.state, payout.failure_code) == ("failed", "money_owed")


def test_what_is_available_pays_a_chargeback_at_once(spent: Payment, alice: Any, bob: Any, earn: Any, proven: Any) -> None:
    earn(alice, bob, 7, usd(10_000))
    taken_back(spent)
    assert (has(bob), owed(bob.pk, "USD")) == (2_000, 0)
    assert asked(bob, usd(2_000)).state == "held"
    proven()


def test_payouts_that_were_not_sent_pay_it_the_newest_first_and_no_more_of_them_than_needed(
    spent: Payment, alice: Any, bob: Any, earn: Any, proven: Any
) -> None:
    earn(alice, bob, 7, usd(15_000))
    first, second, third = (asked(bob, usd(minor), key=str(minor)) for minor in (5_000, 4_500, 4_000))
    taken_back(spent)
    assert [failed(p) for p in (first, second, third)] == [False, True, True]
    assert (has(bob), owed(bob.pk, "USD"), first.state) == (1_500, 0, "held")
    assert not RiskHold.objects.filter(subject_id__in=(second.pk, third.pk), state="open").exists()
    told = [n for e in Event.objects.filter(kind="payout.fail") for n in notices(e, lambda ids: dict.fromkeys(ids, "de"))]
    assert [n.user_id for n in told] == [bob.pk, bob.pk]
    assert all("Sie schulden uns, was Ihre Bank zurückgeholt hat." in n.text for n in told)
    proven()


def test_what_was_sent_goes_on(spent: Payment, alice: Any, bob: Any, earn: Any, at_noon: Any, proven: Any) -> None:
    earn(alice, bob, 7, usd(10_000))
    payout = services.payout_request(actor=bob, amount=usd(9_000), method={"token": "bank_delayed"}, idempotency_key="p")
    at_noon.shift(timedelta(hours=25))
    assert services.payout_send(payout_id=payout.pk).state == "sent"
    taken_back(spent)
    assert (Payout.objects.get().state, owed(bob.pk, "USD")) == ("sent", 7_000)
    proven()


def test_of_another_currency_the_worth_of_the_debt_stays_here(spent: Payment, alice: Any, bob: Any, earn: Any, proven: Any) -> None:
    """70.00 USD are worth 35.00 EUR."""
    earn(alice, bob, 7, eur(10_000))
    taken_back(spent)
    with pytest.raises(Conflict, match="money_owed") as refused:
        run_in_transaction(lambda: asked(bob, eur(5_501)))
    assert "You owe 70.00 USD. At least 35.00 EUR of your balance stays here" in refused.value.message
    assert (asked(bob, eur(5_500), "q").state, has(bob, "EUR"), owed(bob.pk, "USD")) == ("held", 3_500, 7_000)
    with pytest.raises(Conflict, match="money_owed"):
        run_in_transaction(lambda: asked(bob, eur(3_500), "r"))
    proven()


def test_once_it_is_paid_everything_is_paid_out(spent: Payment, alice: Any, bob: Any, earn: Any, pay: Any, proven: Any) -> None:
    earn(alice, bob, 7, eur(10_000))
    taken_back(spent)
    pay(bob, usd(7_000))
    assert asked(bob, eur(9_000)).state == "held"
    proven()


def test_without_a_rate_nothing_of_the_other_currency_goes(spent: Payment, alice: Any, bob: Any, earn: Any) -> None:
    earn(alice, bob, 7, eur(10_000))
    taken_back(spent)
    FxRate.objects.all().delete()
    selectors._remembered_rate.cache_clear()
    with pytest.raises(Conflict, match="Nothing can be paid out in this currency"):
        run_in_transaction(lambda: asked(bob, eur(2_000)))


def test_one_of_another_currency_that_waits_is_stopped_when_it_is_to_be_sent(
    spent: Payment, alice: Any, bob: Any, earn: Any, at_noon: Any, proven: Any
) -> None:
    earn(alice, bob, 7, eur(10_000))
    payout = asked(bob, eur(5_501))
    assert has(bob, "EUR") == 3_499
    taken_back(spent)
    payout.refresh_from_db()
    assert payout.state == "held", "there is time to pay the debt until then"
    at_noon.shift(timedelta(hours=25))
    services.payout_send(payout_id=payout.pk)
    assert (failed(payout), has(bob, "EUR"), payout.sent_at) == (True, 9_000, None)
    again = asked(bob, eur(5_500), "q")
    at_noon.shift(timedelta(hours=25))
    assert services.payout_send(payout_id=again.pk).state == "paid"
    proven()


@pytest.mark.parametrize(
    ("earned", "result", "left"), [(10_000, "requested", 3_500), (3_888, "money_owed", 3_499), (3_889, "money_owed", 3_500)]
)
def test_a_round_pays_out_what_is_more_than_the_debt_or_tells_why_not(
    spent: Payment, alice: Any, bob: Any, earn: Any, at_noon: Any, earned: int, result: str, left: int
) -> None:
    place = services.payout_method_add(actor=bob, provider="sandbox", method=PLACE)
    services.payout_schedule_put(actor=bob, currency="EUR", pace="weekly", method_id=place.pk)
    earn(alice, bob, 7, eur(earned))
    taken_back(spent)
    at_noon.shift(timedelta(days=5))
    (due,) = payout_rounds.due_schedule_ids(datetime(2026, 11, 9, 12, tzinfo=UTC))
    assert services.payout_schedule_run(schedule_id=due)
    assert (PayoutSchedule.objects.get().last_result, has(bob, "EUR")) == (result, left)
    told = [n for e in Event.objects.filter(kind="payout_schedule.skip") for n in notices(e)]
    assert [in_words("money_owed") in n.text for n in told] == [True] * (result == "money_owed")


def test_the_check_notices_available_money_of_somebody_who_owes(spent: Payment, alice: Any, bob: Any, earn: Any, monkeypatch: Any) -> None:
    from marketplace.payments import debts

    earn(alice, bob, 7, usd(10_000))
    monkeypatch.setattr(debts, "available_locked", lambda *_: 0)
    taken_back(spent)
    assert not Entry.objects.filter(kind="debt_set_off").exists()
    assert {v.rule for v in services.ledger_check(invariants=[4]).violations} == {"debt_is_paid_first"}
