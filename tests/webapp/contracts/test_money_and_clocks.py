"""Funding, approval, release, clearing, refunds and pauses, to the cent and to the second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.payments.models import Entry, FeeSchedule, Payment
from marketplace.payments.selectors import balances_of, held
from marketplace.payments.services import quote_make

DAY = timedelta(days=1)


def _usd(user: Any) -> tuple[int, int, int, int]:
    """(wallet, held, pending, available) of a user in USD minor units."""
    found = {b.currency: b for b in balances_of(user.pk)}.get("USD")
    return (0, 0, 0, 0) if found is None else (found.wallet.minor, found.held.minor, found.pending.minor, found.available.minor)


def _kinds(milestone: Milestone) -> list[str]:
    return list(Entry.objects.filter(subject_type="milestone", subject_id=milestone.pk).order_by("id").values_list("kind", flat=True))


def test_a_paid_milestone_is_funded_at_once_and_the_money_is_held(alice: Any, funded: Milestone) -> None:
    assert funded.state == "funded"
    assert held(funded.pk) == Money(40_000, "USD")
    assert _usd(alice) == (0, 40_000, 0, 0)
    assert funded.payment_id == Payment.objects.get().pk


def test_the_event_delivered_after_the_request_and_twice_holds_once(funded: Milestone) -> None:
    drain()
    event = Event.objects.get(kind="payment.succeed")
    from marketplace.contracts.events import milestone_fund

    milestone_fund(event)
    milestone_fund(event)
    assert _kinds(funded) == ["hold"]
    assert Event.objects.filter(kind="milestone.funding_refused").count() == 0


def test_the_same_key_again_continues_the_same_payment(alice: Any, funded: Milestone, fund: Callable[..., Milestone]) -> None:
    again = fund(funded)
    assert again.state == "funded"
    assert Payment.objects.count() == 1
    assert _kinds(funded) == ["hold"]


def test_another_key_on_a_funded_milestone_is_refused_before_anything_is_charged(funded: Milestone, fund: Callable[..., Milestone]) -> None:
    with pytest.raises(Conflict):
        fund(funded, key="fund-2")
    assert Payment.objects.count() == 1


def test_a_declined_card_funds_nothing(alice: Any, planned: Milestone, fund: Callable[..., Milestone]) -> None:
    assert fund(planned, token="tok_declined").state == "planned"
    assert Payment.objects.get().state == "failed"
    assert _usd(alice) == (0, 0, 0, 0)


def test_a_late_success_for_a_cancelled_milestone_leaves_the_money_in_the_wallet_and_says_why(
    alice: Any, contract: Contract, planned: Milestone, fund: Callable[..., Milestone]
) -> None:
    assert fund(planned, token="tok_delayed").state == "planned"
    services.contract_cancel(actor=alice, contract_id=contract.pk)
    from marketplace.payments.services import payment_refresh

    payment = payment_refresh(payment_id=Payment.objects.get().pk)
    assert payment.state == "succeeded"
    drain()
    services.milestone_take_payment(milestone_id=planned.pk, payment_id=payment.pk)
    assert _usd(alice) == (40_000, 0, 0, 0)
    told = Event.objects.get(kind="milestone.funding_refused")
    assert (
        told.reason == "The contract is cancelled; only milestones of an active contract are funded. The money is in the client's wallet."
    )
    assert _kinds(planned) == []


def test_money_in_the_wallet_funds_without_a_gateway(alice: Any, contract: Contract, funded: Milestone, bob: Any) -> None:
    services.milestone_refund(actor=bob, milestone_id=funded.pk, reason="Other plans.")
    second = contract.milestones.get(position=2)
    with pytest.raises(Conflict) as refused:
        services.milestone_fund(actor=alice, milestone_id=second.pk, provider="wallet", method={}, idempotency_key="w")
    assert refused.value.code == "insufficient_funds"
    assert _usd(alice) == (40_000, 0, 0, 0)
    assert Milestone.objects.get(pk=second.pk).state == "planned"


def test_only_the_client_pays(bob: Any, charlie: Any, planned: Milestone) -> None:
    for actor, error in ((bob, NotAllowed), (charlie, NotFound)):
        with pytest.raises(error):
            services.milestone_fund(
                actor=actor, milestone_id=planned.pk, provider="sandbox", method={"token": "tok_visa"}, idempotency_key="k"
            )
    assert Payment.objects.count() == 0


def test_approval_releases_gross_equals_fee_plus_net_and_clears_after_five_days(
    alice: Any, bob: Any, submitted: Milestone, days: Any
) -> None:
    done = services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    assert (done.state, done.approved_by_clock, done.auto_approve_at) == ("released", False, None)
    assert done.clears_at - done.released_at == 5 * DAY
    assert (_usd(alice), _usd(bob)) == ((0, 0, 0, 0), (0, 0, 36_000, 0))
    days(4.99)
    assert tasks.clear_due() == 0
    days(0.02)
    assert tasks.clear_due() == 1
    assert tasks.clear_due() == 0
    assert services.milestone_clear(milestone_id=done.pk) is False
    assert _usd(bob) == (0, 0, 0, 36_000)
    assert _kinds(done) == ["hold", "release", "clear"]


def test_the_fee_is_the_one_that_was_quoted_though_a_dearer_schedule_has_come(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, days: Any
) -> None:
    FeeSchedule.objects.create(version="dearer", freelancer_fee_bps=2_000, active_from=clock.now())
    days(1)
    assert quote_make(gross=Money(40_000, "USD"), payee_currency="USD").net == Money(32_000, "USD")
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    assert Entry.objects.get(kind="release").quote["fee_schedule"] == contract.fee_schedule == "standard-1"
    assert _usd(bob) == (0, 0, 36_000, 0)


def test_a_second_approval_is_a_conflict_and_releases_nothing(alice: Any, submitted: Milestone) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    with pytest.raises(Conflict):
        services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    assert _kinds(submitted).count("release") == 1


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_nobody_else_approves(who: str, request: pytest.FixtureRequest, submitted: Milestone) -> None:
    with pytest.raises((NotAllowed, NotFound)):
        services.milestone_approve(actor=request.getfixturevalue(who), milestone_id=submitted.pk)
    submitted.refresh_from_db()
    assert submitted.state == "submitted"
    assert _kinds(submitted) == ["hold"]


def test_fourteen_days_of_silence_approve_once(bob: Any, submitted: Milestone, days: Any) -> None:
    days(13.99)
    assert tasks.auto_approve_due() == 0
    days(0.02)
    assert tasks.auto_approve_due() == 1
    assert tasks.auto_approve_due() == 0
    submitted.refresh_from_db()
    assert (submitted.state, submitted.approved_by_clock) == ("released", True)
    assert Entry.objects.get(kind="release").rule == "auto_approval_14d"
    assert _usd(bob) == (0, 0, 36_000, 0)


def test_the_clock_acts_at_the_very_instant(submitted: Milestone, monkeypatch: pytest.MonkeyPatch) -> None:
    due = submitted.auto_approve_at
    monkeypatch.setattr(clock, "now", lambda: due - timedelta(microseconds=1))
    assert services.milestone_auto_approve(milestone_id=submitted.pk) is False
    monkeypatch.setattr(clock, "now", lambda: due)
    assert services.milestone_auto_approve(milestone_id=submitted.pk) is True


def test_a_change_request_stops_the_clock_and_a_new_version_starts_it(alice: Any, bob: Any, submitted: Milestone, days: Any) -> None:
    services.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="The phone layout is missing.", unmet=[1])
    submitted.refresh_from_db()
    assert submitted.auto_approve_at is None, "a clock that is stopped is not shown"
    days(30)
    assert tasks.auto_approve_due() == 0
    again = services.milestone_submit(actor=bob, milestone_id=submitted.pk, note="Now with a phone layout.")
    assert again.auto_approve_at - again.submitted_at == 14 * DAY
    versions = list(again.submissions.order_by("version").values_list("version", "change_request", "unmet"))
    assert versions == [(1, "The phone layout is missing.", [1]), (2, "", [])]


@pytest.mark.parametrize("unmet", [[2], [-1], ["0"], [True]])
def test_a_change_request_names_items_that_exist(alice: Any, submitted: Milestone, unmet: Any) -> None:
    with pytest.raises(InvalidInput):
        services.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="No.", unmet=unmet)
    submitted.refresh_from_db()
    assert submitted.state == "submitted"


def test_a_paused_contract_never_approves_by_silence_and_goes_on_where_it_stood(
    sam: Any, contract: Contract, submitted: Milestone, days: Any
) -> None:
    days(10)
    services.contract_pause(actor=sam, contract_id=contract.pk, reason="Both are on holiday.")
    days(20)
    assert tasks.auto_approve_due() == 0
    assert services.milestone_auto_approve(milestone_id=submitted.pk) is False
    services.contract_resume(actor=sam, contract_id=contract.pk)
    days(3.9)
    assert tasks.auto_approve_due() == 0
    days(0.2)
    assert tasks.auto_approve_due() == 1


def test_the_sides_cannot_pause(alice: Any, contract: Contract) -> None:
    with pytest.raises(NotAllowed):
        services.contract_pause(actor=alice, contract_id=contract.pk, reason="I do not want to pay.")


def test_giving_back_returns_all_of_it_and_no_clock_touches_it_again(alice: Any, bob: Any, submitted: Milestone, days: Any) -> None:
    services.milestone_refund(actor=bob, milestone_id=submitted.pk, reason="I cannot finish.")
    submitted.refresh_from_db()
    assert submitted.state == "refunded"
    assert (_usd(alice), _usd(bob)) == ((40_000, 0, 0, 0), (0, 0, 0, 0))
    days(60)
    assert (tasks.auto_approve_due(), tasks.clear_due()) == (0, 0)
    assert _kinds(submitted) == ["hold", "refund"]


def test_the_client_cannot_take_the_money_back_alone(alice: Any, submitted: Milestone) -> None:
    with pytest.raises(NotAllowed):
        services.milestone_refund(actor=alice, milestone_id=submitted.pk)
    assert held(submitted.pk) == Money(40_000, "USD")


def test_a_contract_completes_with_its_last_milestone(alice: Any, bob: Any, contract: Contract, submitted: Milestone, fund: Any) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    contract.refresh_from_db()
    assert contract.state == "active"
    second = fund(contract.milestones.get(position=2), key="fund-2")
    services.milestone_submit(actor=bob, milestone_id=second.pk, note="All of it.")
    services.milestone_approve(actor=alice, milestone_id=second.pk)
    contract.refresh_from_db()
    assert contract.state == "completed"
    assert contract.ended_at is not None
    assert _usd(bob) == (0, 0, 90_000, 0)


def test_a_contract_whose_milestones_were_all_given_back_is_cancelled(bob: Any, contract: Contract, funded: Milestone, fund: Any) -> None:
    second = fund(contract.milestones.get(position=2), key="fund-2")
    for milestone in (funded, second):
        services.milestone_refund(actor=bob, milestone_id=milestone.pk)
    contract.refresh_from_db()
    assert contract.state == "cancelled"
