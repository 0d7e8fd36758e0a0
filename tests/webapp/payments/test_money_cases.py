"""Cases that went wrong somewhere once: money that comes after it was given up, debts after a chargeback, amounts too small to share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marketplace.contracts import services as work
from marketplace.core import clock
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import providers, selectors, services
from marketplace.payments.debts import owed, recover
from marketplace.payments.models import Account, Chargeback, Entry, FeeSchedule, FxRate, Payment

from .house_bank import HouseBank

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def bank(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HouseBank]:
    made = HouseBank()
    settings.PAYMENT_PROVIDERS = ["bank"]
    monkeypatch.setattr(providers, "_MAKERS", {"bank": lambda _: made})
    monkeypatch.setattr(providers, "_made", lambda name, credentials: made)
    yield made


def paid(user: Any, minor: int, token: str = "now", key: str = "k", currency: str = "USD") -> Payment:
    asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": token}, "idempotency_key": key, "provider": "bank"}
    return services.payment_start(actor_id=user.pk, amount=Money(minor, currency), **asked)


def wallet_of(user: Any, currency: str = "USD") -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk) if b.currency == currency)


def held(user: Any, minor: int, milestone: int = 7) -> Entry:
    about = {"contract_id": 1, "milestone_id": milestone, "actor_id": None, "rule": "test"}
    return run_in_transaction(lambda: services.hold(payer_id=user.pk, amount=Money(minor, "USD"), **about))


def given_back(user: Any, minor: int, milestone: int = 7) -> Entry:
    about = {"contract_id": 1, "milestone_id": milestone, "actor_id": None, "rule": "test", "reason": "test"}
    return run_in_transaction(lambda: services.refund(payer_id=user.pk, amount=Money(minor, "USD"), **about))


# --- money that was given up


def test_a_payment_that_succeeds_after_it_was_cancelled_is_deposited_once(alice: Any, bank: HouseBank, proven: Any) -> None:
    payment = paid(alice, 1_000, "later")
    assert services.payment_cancel(payment_id=payment.pk).state == "cancelled"
    assert (bank.things[str(payment.provider_ref)].status, wallet_of(alice)) == ("cancelled", 0)
    bank.things[str(payment.provider_ref)].status = "succeeded"

    for _ in range(2):
        assert services.payment_refresh(payment_id=payment.pk).state == "succeeded"

    assert wallet_of(alice) == 1_000
    assert list(Event.objects.filter(aggregate_type="payments.payment").order_by("id").values_list("kind", flat=True)) == [
        "payment.create",
        "payment.wait",
        "payment.cancel",
        "payment.succeed",
    ]
    proven()


@pytest.mark.parametrize("meanwhile", [False, True])
def test_late_money_funds_what_it_was_for_or_stays_in_the_wallet(
    alice: Any, bob: Any, bank: HouseBank, milestone: Any, meanwhile: bool
) -> None:
    part = milestone(alice, bob, Money(1_000, "USD"), "planned")
    type(part.contract).objects.filter(pk=part.contract.pk).update(state="active", started_at=part.contract.offered_at)
    by_card = {"provider": "bank", "method": {"token": "later"}, "idempotency_key": "k"}
    payment, _ = work.milestone_fund(actor=alice, milestone_id=part.pk, **by_card)
    assert payment is not None
    services.payment_cancel(payment_id=payment.pk)
    if meanwhile:
        paid(alice, 1_000, key="other")
        work.milestone_fund(actor=alice, milestone_id=part.pk, provider="wallet", method={}, idempotency_key="w")
    bank.things[str(payment.provider_ref)].status = "succeeded"

    services.payment_refresh(payment_id=payment.pk)
    drain()

    part.refresh_from_db()
    assert (part.state, part.payment_id) == ("funded", None if meanwhile else payment.pk)
    assert (wallet_of(alice), selectors.held(part.pk)) == (1_000 if meanwhile else 0, Money(1_000, "USD"))
    assert Event.objects.filter(kind="milestone.funding_refused").count() == meanwhile
    assert services.ledger_check().ok


# --- debts


@pytest.fixture
def debtor(alice: Any, bank: HouseBank) -> Any:
    """Alice, whose bank took 1,000 back while 700 of it were held: she owes 700."""
    payment = paid(alice, 1_000)
    held(alice, 700)
    made = bank.dispute(str(payment.provider_ref), 1_000)
    services.chargeback_refresh(provider="bank", ref=made.ref)
    assert (wallet_of(alice), owed(alice.pk, "USD")) == (0, 700)
    return alice


def decided(bank: HouseBank, how: str) -> None:
    (made,) = bank.of("dispute")
    made.status = how
    for _ in range(2):
        services.chargeback_refresh(provider="bank", ref=made.ref)


def test_money_that_comes_in_pays_the_debt_first(debtor: Any, bank: HouseBank, proven: Any) -> None:
    paid(debtor, 500, key="second")
    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (0, 200)
    with pytest.raises(Conflict, match="insufficient_funds"):
        run_in_transaction(lambda: held(debtor, 1, milestone=8))

    entry = given_back(debtor, 700)

    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (500, 0)
    lines = Entry.objects.filter(kind="debt_recover").order_by("id")
    assert [(e.subject_type, e.postings.get().amount) for e in lines] == [("entry", 500), ("entry", 200)]
    assert lines[1].subject_id == entry.pk
    proven()


def test_a_debt_is_paid_once_for_each_cause_and_never_beyond_itself(debtor: Any, bank: HouseBank, proven: Any) -> None:
    paid(debtor, 10_000, key="second")
    cause = Entry.objects.filter(kind="deposit").latest("id")

    assert run_in_transaction(lambda: recover(debtor.pk, "USD", cause=cause)) is None
    given_back(debtor, 700)

    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (10_000, 0)
    assert Entry.objects.filter(kind="debt_recover").count() == 1
    proven()


def test_a_debt_in_one_currency_is_not_paid_in_another(debtor: Any, bank: HouseBank, proven: Any) -> None:
    paid(debtor, 500, key="second", currency="KWD")

    assert (wallet_of(debtor, "KWD"), owed(debtor.pk, "USD")) == (500, 700)
    proven()


@pytest.mark.parametrize(("second", "wallet"), [(0, 300), (500, 800), (900, 1_200)])
def test_a_dispute_that_is_won_forgives_the_rest_and_returns_what_was_paid_of_it(
    debtor: Any, bank: HouseBank, proven: Any, second: int, wallet: int
) -> None:
    if second:
        paid(debtor, second, key="second")

    decided(bank, "won")

    assert (wallet_of(debtor), owed(debtor.pk, "USD"), Chargeback.objects.get().state) == (wallet, 0, "won")
    proven()


def test_a_lost_dispute_leaves_the_debt_until_it_is_paid(debtor: Any, bank: HouseBank, proven: Any) -> None:
    decided(bank, "lost")
    assert owed(debtor.pk, "USD") == 700

    given_back(debtor, 700)

    assert (wallet_of(debtor), owed(debtor.pk, "USD"), Payment.objects.get().state) == (0, 0, "charged_back")
    proven()


def test_a_settlement_to_the_client_and_a_refund_that_comes_back_pay_the_debt_too(
    debtor: Any, bob: Any, bank: HouseBank, proven: Any
) -> None:
    split = {"to_payee": Money(300, "USD"), "to_payer": Money(400, "USD"), "payee_currency": "USD", "fee_schedule": "standard-1"}
    about = {"contract_id": 1, "milestone_id": 7, "actor_id": None, "rule": "test", "reason": "test"}
    run_in_transaction(lambda: services.settle(payer_id=debtor.pk, payee_id=bob.pk, **split, **about))
    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (0, 300)
    second = paid(debtor, 1_000, key="second")
    asked = {"payment_id": second.pk, "amount": Money(600, "USD"), "idempotency_key": "back"}
    refund = services.payment_refund_request(actor=debtor, **asked)
    services.payment_refund_refresh(refund_id=refund.pk)
    made = bank.dispute(str(second.provider_ref), 1_000)
    services.chargeback_refresh(provider="bank", ref=made.ref)
    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (0, 900)
    bank.of("refund")[0].status = "failed"

    services.payment_refund_refresh(refund_id=refund.pk)

    assert (wallet_of(debtor), owed(debtor.pk, "USD")) == (0, 300)
    proven()


# --- amounts too small to share


@pytest.mark.parametrize("currency", ["USD", "KRW", "KWD"])
@pytest.mark.parametrize(
    ("gross", "legs"),
    [
        (1, {"net": 1}),
        (4, {"net": 4}),
        (5, {"fee": 1, "net": 4}),
        (9, {"fee": 1, "net": 8}),
        (27, {"fee": 3, "net": 24}),
        (30, {"fee": 3, "tax": 1, "net": 26}),
    ],
)
def test_the_smallest_amounts_lose_no_unit(
    alice: Any, bob: Any, bank: HouseBank, release: Any, proven: Any, currency: str, gross: int, legs: dict[str, int]
) -> None:
    """Ten per cent, and nineteen of that: the unit that is left goes to whoever lacks most."""
    FeeSchedule.objects.create(version="taxed", freelancer_fee_bps=1_000, tax_bps=1_900, active_from="2026-01-01T00:00:00Z")
    paid(alice, gross, currency=currency)
    about = {"contract_id": 1, "milestone_id": 7, "actor_id": None, "rule": "test"}
    run_in_transaction(lambda: services.hold(payer_id=alice.pk, amount=Money(gross, currency), **about))

    entry = release(bob, 7, Money(gross, currency), currency, fee_schedule="taxed")

    assert dict(entry.postings.values_list("leg", "amount")) == legs
    assert sum(legs.values()) == gross
    proven()


def test_a_fee_of_pay_that_shrank_to_nothing_has_nobody_to_go_back_to(
    alice: Any, bob: Any, staff: Any, bank: HouseBank, release: Any, proven: Any
) -> None:
    """Four won are less than a fils."""
    FxRate.objects.create(
        base="KRW", quote="KWD", rate="0.000221", spread_bps=100, source="test", as_of=clock.now().date(), fetched_at=clock.now()
    )
    paid(alice, 5, currency="KRW")
    about = {"contract_id": 1, "milestone_id": 7, "actor_id": None, "rule": "test"}
    run_in_transaction(lambda: services.hold(payer_id=alice.pk, amount=Money(5, "KRW"), **about))
    entry = release(bob, 7, Money(5, "KRW"), "KWD")
    assert dict(entry.postings.values_list("leg", "amount")) == {"fx_out": 4, "fee": 1}

    with pytest.raises(NotFound):
        services.fee_refund(actor=staff("finance"), entry_id=entry.pk, amount_minor=1, reason="Our fault.")
    proven()


def test_two_settlements_at_two_rates_keep_their_own_and_the_difference_stays_ours(
    alice: Any, bob: Any, bank: HouseBank, release: Any, proven: Any
) -> None:
    """Our position in a pair is what went out of one currency and what was paid in the other, each at its day's rate."""
    paid(alice, 20_000)
    about = {"contract_id": 1, "milestone_id": 7, "actor_id": None, "rule": "test"}
    run_in_transaction(lambda: services.hold(payer_id=alice.pk, amount=Money(20_000, "USD"), **about))
    received = []
    for part, rate in ((2, "1400"), (3, "1300")):
        values = {"spread_bps": 0, "source": f"test{part}", "as_of": clock.now().date(), "fetched_at": clock.now()}
        row = FxRate.objects.create(base="USD", quote="KRW", rate=rate, **values)
        entry = release(bob, 7, Money(10_000, "USD"), "KRW", part=part)
        assert entry.fx_rate_id == row.pk
        received.append(entry.postings.get(leg="fx_in").amount)

    assert received == [126_000, 117_000]
    keys = {f"fx_clearing:USD-KRW:{c}" for c in ("USD", "KRW")}
    position = {a.key: selectors.balance_replayed(a.pk) for a in Account.objects.filter(key__in=keys)}
    assert position == {"fx_clearing:USD-KRW:USD": 18_000, "fx_clearing:USD-KRW:KRW": -243_000}
    proven()
