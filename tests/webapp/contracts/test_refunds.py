"""Partial approval and requests for held money: to the cent, to the second, and whose word they need."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, Milestone, PartRelease, RefundRequest
from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.notifications.policies import notices
from marketplace.payments.models import Entry
from marketplace.payments.selectors import balances_of, held
from tests.webapp.people import Person

DAY = timedelta(days=1)


def usd(user: Any) -> tuple[int, int, int, int]:
    """(wallet, held, pending, available) of a user in USD minor units."""
    found = {b.currency: b for b in balances_of(user.pk)}.get("USD")
    return (0, 0, 0, 0) if found is None else (found.wallet.minor, found.held.minor, found.pending.minor, found.available.minor)


def kinds(milestone: Milestone) -> list[str]:
    return list(Entry.objects.filter(subject_type="milestone", subject_id=milestone.pk).order_by("id").values_list("kind", flat=True))


def at(milestone: Milestone) -> Milestone:
    return Milestone.objects.get(pk=milestone.pk)


@pytest.fixture
def second(contract: Contract, fund: Callable[..., Milestone]) -> Milestone:
    """The second milestone, funded with 600.00 USD."""
    return fund(contract.milestones.get(position=2), key="fund-second")


@pytest.fixture
def parted(alice: Any, submitted: Milestone) -> RefundRequest:
    """300.00 of the 400.00 approved; the rest shall go back to the wallet."""
    services.milestone_approve_part(
        actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="wallet", reason="The last page is missing."
    )
    return RefundRequest.objects.get(milestone=submitted)


@pytest.fixture
def asked(alice: Any, submitted: Milestone) -> RefundRequest:
    """All of the first milestone asked back."""
    return services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="This is not what we need.")


# --- partial approval ------------------------------------------------------------------------------------------------
def test_a_part_is_paid_at_once_and_the_rest_waits_for_the_freelancer(
    alice: Any, bob: Any, submitted: Milestone, parted: RefundRequest
) -> None:
    milestone = at(submitted)
    assert (milestone.state, milestone.refund_asked_at, kinds(milestone)) == ("submitted", parted.asked_at, ["hold", "release"])
    assert (usd(alice), usd(bob)) == ((0, 10_000, 0, 0), (0, 0, 27_000, 0))
    assert (parted.state, parted.to, parted.amount_minor, parted.answer_by - parted.asked_at) == ("open", "wallet", 10_000, 7 * DAY)


def test_the_freelancer_agrees_and_the_rest_returns(alice: Any, bob: Any, submitted: Milestone, parted: RefundRequest) -> None:
    done = services.refund_request_accept(actor=bob, request_id=parted.pk)
    assert (done.state, done.live_key) == ("accepted", None)
    assert (at(submitted).state, kinds(submitted)) == ("released", ["hold", "release", "refund"])
    assert (usd(alice), usd(bob)) == ((10_000, 0, 0, 0), (0, 0, 27_000, 0))
    with pytest.raises(Conflict):
        services.refund_request_accept(actor=bob, request_id=parted.pk)


def test_the_rest_goes_on_to_the_next_milestone(alice: Any, bob: Any, submitted: Milestone, second: Milestone, days: Any) -> None:
    days(1)
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="next", reason="With the build.")
    request = RefundRequest.objects.get()
    assert held(second.pk) == Money(60_000, "USD"), "nothing moves before the freelancer answers"
    services.refund_request_accept(actor=bob, request_id=request.pk)
    assert (at(submitted).state, held(submitted.pk), held(second.pk)) == ("released", Money(0, "USD"), Money(70_000, "USD"))
    assert (at(submitted).amount_minor, at(second).amount_minor) == (30_000, 70_000)
    assert at(second).held_since == at(submitted).funded_at, "the money is as old as it was"
    services.milestone_submit(actor=bob, milestone_id=second.pk, note="All of it.")
    services.milestone_approve(actor=alice, milestone_id=second.pk)
    assert (usd(alice), usd(bob)) == ((0, 0, 0, 0), (0, 0, 90_000, 0))
    assert Contract.objects.get().state == "completed"


def test_the_rest_goes_nowhere_where_it_cannot(alice: Any, bob: Any, submitted: Milestone, contract: Contract) -> None:
    def roll(milestone: Milestone) -> None:
        services.milestone_approve_part(actor=alice, milestone_id=milestone.pk, amount_minor=1, rest="next", reason="Later.")

    with pytest.raises(Conflict, match="Fund it first"):
        roll(submitted)
    assert kinds(submitted) == ["hold"]
    Milestone.objects.filter(contract=contract, position=2).update(state="cancelled")
    with pytest.raises(Conflict, match="no_next_milestone"):
        roll(submitted)


def test_a_rest_that_the_next_cannot_take_any_more_lapses_and_stays(
    alice: Any, bob: Any, submitted: Milestone, second: Milestone, days: Any
) -> None:
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="next", reason="Later.")
    request = RefundRequest.objects.get()
    services.milestone_submit(actor=bob, milestone_id=second.pk, note="The build.")
    with pytest.raises(Conflict, match="next_milestone_not_ready"):
        services.refund_request_accept(actor=bob, request_id=request.pk)
    days(7.01)
    assert [tasks.grant_refunds_due() for _ in range(2)] == [1, 0]
    request.refresh_from_db()
    milestone = at(submitted)
    assert (request.state, milestone.state, held(submitted.pk)) == ("lapsed", "submitted", Money(10_000, "USD"))
    assert milestone.auto_approve_at >= request.closed_at + 7 * DAY, "time to dispute it"


def test_parts_clear_on_their_own_and_the_close_clears_the_rest(
    alice: Any, bob: Any, submitted: Milestone, parted: RefundRequest, days: Any
) -> None:
    days(2)
    services.refund_request_refuse(actor=bob, request_id=parted.pk, answer="It is all there.")
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    assert usd(bob) == (0, 0, 36_000, 0)
    days(2.99)
    assert tasks.clear_due() == 0
    days(0.02)
    assert [tasks.clear_due() for _ in range(2)] == [1, 0]
    assert usd(bob) == (0, 0, 9_000, 27_000)
    days(2)
    assert [tasks.clear_due() for _ in range(2)] == [1, 0]
    assert usd(bob) == (0, 0, 0, 36_000)
    assert kinds(submitted) == ["hold", "release", "release", "clear_part", "clear"]


def test_beat_down_for_two_days_clears_part_and_rest_in_any_order(
    alice: Any, bob: Any, submitted: Milestone, parted: RefundRequest, days: Any
) -> None:
    services.refund_request_refuse(actor=bob, request_id=parted.pk, answer="It is all there.")
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    days(7)
    assert services.milestone_clear(milestone_id=submitted.pk) is True
    assert services.part_clear(part_id=PartRelease.objects.get().pk) is False, "it went with the rest"
    assert (usd(bob), tasks.clear_due()) == ((0, 0, 0, 36_000), 0)


@pytest.mark.parametrize("amount", [0, -1, 40_000, 40_001, True, 1.5, "1"])
def test_a_part_is_less_than_all_and_more_than_nothing(alice: Any, submitted: Milestone, amount: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=amount, rest="wallet", reason="No.")
    assert list(refused.value.fields) == ["amount_minor"]
    assert kinds(submitted) == ["hold"]


def test_only_the_client_approves_in_part_and_only_what_was_handed_in(
    alice: Any, bob: Any, charlie: Any, sam: Any, funded: Milestone
) -> None:
    part = {"milestone_id": funded.pk, "amount_minor": 1, "rest": "wallet", "reason": "No."}
    for actor, error in ((bob, NotAllowed), (sam, NotAllowed), (charlie, NotFound), (alice, Conflict)):
        with pytest.raises(error):
            services.milestone_approve_part(actor=actor, **part)
    assert not RefundRequest.objects.exists()


# --- refund requests -------------------------------------------------------------------------------------------------
def test_silence_gives_it_back_at_the_very_instant_and_once(alice: Any, bob: Any, asked: RefundRequest, submitted: Milestone) -> None:
    with time_machine.travel(asked.answer_by - timedelta(microseconds=1), tick=False):
        assert tasks.grant_refunds_due() == 0
        assert services.refund_request_expire(request_id=asked.pk) is False
    with time_machine.travel(asked.answer_by, tick=False):
        assert [tasks.grant_refunds_due() for _ in range(2)] == [1, 0]
        assert services.refund_request_expire(request_id=asked.pk) is False
    asked.refresh_from_db()
    assert (asked.state, at(submitted).state, kinds(submitted)) == ("granted", "refunded", ["hold", "refund"])
    assert Entry.objects.get(kind="refund").rule == "refund_silence_7d"
    assert (usd(alice), usd(bob)) == ((40_000, 0, 0, 0), (0, 0, 0, 0))


@pytest.mark.parametrize(
    "start", ["2026-03-26T10:00:00", "2026-10-22T10:00:00", "2028-02-25T10:00:00"], ids=["summer-time", "winter-time", "leap-day"]
)
def test_seven_days_are_seven_times_24_hours(alice: Any, request: pytest.FixtureRequest, start: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        submitted = request.getfixturevalue("submitted")
        opened = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
        assert opened.answer_by - moment == timedelta(hours=7 * 24)
        assert submitted.auto_approve_at - moment == timedelta(hours=14 * 24)
    with time_machine.travel(moment + timedelta(hours=7 * 24, seconds=-1), tick=False):
        assert tasks.grant_refunds_due() == 0
    with time_machine.travel(moment + timedelta(hours=7 * 24), tick=False):
        assert tasks.grant_refunds_due() == 1


def test_no_silence_approves_while_money_is_asked_back_and_the_clock_goes_on_where_it_stood(
    alice: Any, bob: Any, submitted: Milestone, days: Any
) -> None:
    days(1)
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(5)
    services.refund_request_withdraw(actor=alice, request_id=request.pk)
    assert abs(at(submitted).auto_approve_at - submitted.auto_approve_at - 5 * DAY) < timedelta(minutes=1)
    days(7.9)
    late = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="Still no.")
    days(6.9)
    assert tasks.auto_approve_due() == 0
    assert services.milestone_auto_approve(milestone_id=submitted.pk) is False
    services.refund_request_refuse(actor=bob, request_id=late.pk, answer="It is done.")
    assert timedelta(days=6.99) < at(submitted).auto_approve_at - clock.now() <= 7 * DAY, "time to dispute it"
    days(7.01)
    assert tasks.auto_approve_due() == 1


def test_a_part_of_the_hold_goes_back_and_the_work_goes_on(alice: Any, bob: Any, funded: Milestone) -> None:
    for _ in range(2):
        request = services.refund_request_open(actor=alice, milestone_id=funded.pk, amount_minor=10_000, reason="Smaller now.")
        services.refund_request_accept(actor=bob, request_id=request.pk)
    assert (at(funded).state, held(funded.pk), kinds(funded)) == ("funded", Money(20_000, "USD"), ["hold", "refund", "refund"])
    assert at(funded).amount_minor == 20_000
    services.milestone_submit(actor=bob, milestone_id=funded.pk, note="Done.")
    services.milestone_approve(actor=alice, milestone_id=funded.pk)
    assert (usd(alice), usd(bob)) == ((20_000, 0, 0, 0), (0, 0, 18_000, 0))
    assert Event.objects.get(kind="milestone.release").after["amount_minor"] == 20_000


def test_handing_in_work_refuses_the_request(alice: Any, bob: Any, funded: Milestone) -> None:
    request = services.refund_request_open(actor=alice, milestone_id=funded.pk, reason="You are late.")
    services.milestone_start(actor=bob, milestone_id=funded.pk)
    again = services.milestone_submit(actor=bob, milestone_id=funded.pk, note="Here it is.")
    request.refresh_from_db()
    assert (request.state, again.state, again.refund_asked_at) == ("refused", "submitted", None)
    assert again.auto_approve_at - again.submitted_at == 14 * DAY
    assert tasks.grant_refunds_due() == 0


def test_a_dispute_takes_the_decision_over(alice: Any, bob: Any, asked: RefundRequest, submitted: Milestone, days: Any) -> None:
    disputes.dispute_open(actor=bob, milestone_id=submitted.pk, claim="It is done.")
    asked.refresh_from_db()
    assert (asked.state, at(submitted).state) == ("superseded", "disputed")
    days(8)
    assert tasks.grant_refunds_due() == 0
    with pytest.raises(Conflict):
        services.refund_request_accept(actor=bob, request_id=asked.pk)
    with pytest.raises(Conflict):
        services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="Again.")


def test_a_withdrawn_dispute_leaves_no_time_counted_twice(alice: Any, bob: Any, submitted: Milestone, days: Any) -> None:
    services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(2)
    dispute = disputes.dispute_open(actor=bob, milestone_id=submitted.pk, claim="It is done.")
    days(3)
    disputes.dispute_withdraw(actor=bob, dispute_id=dispute.pk)
    assert abs(at(submitted).auto_approve_at - submitted.auto_approve_at - 5 * DAY) < timedelta(minutes=1)


def test_an_approval_ends_the_clients_own_request(alice: Any, bob: Any, asked: RefundRequest, submitted: Milestone) -> None:
    with pytest.raises(Conflict, match="refund_request_open"):
        services.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="Blue, please.")
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    asked.refresh_from_db()
    assert (asked.state, at(submitted).state, usd(bob)) == ("superseded", "released", (0, 0, 36_000, 0))


def test_giving_all_back_ends_the_request(alice: Any, bob: Any, submitted: Milestone) -> None:
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, amount_minor=1, reason="A cent.")
    services.milestone_refund(actor=bob, milestone_id=submitted.pk, reason="Take all of it.")
    request.refresh_from_db()
    assert (request.state, at(submitted).state, usd(alice)) == ("superseded", "refunded", (40_000, 0, 0, 0))


def test_nobody_can_ask_without_end(alice: Any, bob: Any, submitted: Milestone) -> None:
    for _ in range(3):
        request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
        services.refund_request_refuse(actor=bob, request_id=request.pk, answer="Yes.")
    with pytest.raises(Conflict, match="refund_requests_spent"):
        services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")


@pytest.mark.parametrize("amount", [0, -1, 40_001, True, "1"])
def test_what_is_asked_for_is_held(alice: Any, submitted: Milestone, amount: Any) -> None:
    with pytest.raises(InvalidInput):
        services.refund_request_open(actor=alice, milestone_id=submitted.pk, amount_minor=amount, reason="No.")
    assert not RefundRequest.objects.exists()


def test_whose_word_it_is(alice: Any, bob: Any, charlie: Any, sam: Any, asked: RefundRequest) -> None:
    for service, wrong in (
        (services.refund_request_accept, (alice, sam)),
        (services.refund_request_withdraw, (bob, sam)),
    ):
        for actor in wrong:
            with pytest.raises(NotAllowed):
                service(actor=actor, request_id=asked.pk)
        with pytest.raises(NotFound):
            service(actor=charlie, request_id=asked.pk)
    with pytest.raises(NotAllowed):
        services.refund_request_refuse(actor=alice, request_id=asked.pk, answer="No.")
    asked.refresh_from_db()
    assert asked.state == "open"


def test_ending_a_contract_asks_every_hold_back_and_silence_ends_it(
    alice: Any, bob: Any, contract: Contract, funded: Milestone, days: Any
) -> None:
    with pytest.raises(Conflict, match="funds_held"):
        services.contract_cancel(actor=alice, contract_id=contract.pk, reason="Over.")
    with pytest.raises(NotAllowed):
        services.contract_cancel(actor=bob, contract_id=contract.pk, reason="Over.", ask_refund=True)
    with pytest.raises(InvalidInput):
        services.contract_cancel(actor=alice, contract_id=contract.pk, ask_refund=True)
    services.contract_cancel(actor=alice, contract_id=contract.pk, reason="We stop the project.", ask_refund=True)
    request = RefundRequest.objects.get()
    assert (request.ends_contract, request.amount_minor) == (True, 40_000)
    assert list(contract.milestones.order_by("position").values_list("state", flat=True)) == ["funded", "cancelled"]
    days(7.01)
    assert tasks.grant_refunds_due() == 1
    contract.refresh_from_db()
    assert (contract.state, usd(alice)) == ("cancelled", (40_000, 0, 0, 0))


# --- what people are told --------------------------------------------------------------------------------------------
def test_a_day_before_silence_moves_money_people_are_told_once(
    alice: Any, bob: Any, submitted: Milestone, asked: RefundRequest, days: Any
) -> None:
    days(5.9)
    assert tasks.remind_due() == 0
    days(0.2)
    assert [tasks.remind_due() for _ in range(2)] == [1, 0]
    assert Event.objects.filter(kind="refund_request.remind").count() == 1
    services.refund_request_withdraw(actor=alice, request_id=asked.pk)
    ends = at(submitted).auto_approve_at
    days((ends - clock.now()) / DAY - 1.1)
    assert tasks.remind_due() == 0
    days(0.2)
    assert [tasks.remind_due() for _ in range(2)] == [1, 0]
    assert Event.objects.filter(kind="milestone.remind_approval").count() == 1


# --- where the rest may go -------------------------------------------------------------------------------------------
def _rolling(alice: Any, submitted: Milestone) -> RefundRequest:
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="next", reason="With the build.")
    return RefundRequest.objects.get(milestone=submitted)


def _answer_clock(user: Any, contract: Contract, milestone: Milestone) -> str:
    found = Person(user).get(f"contracts/{contract.pk}").json()["clocks"]
    return next(c["then"] for c in found if (c["clock"], c["milestone_id"]) == ("refund_answer", milestone.pk))


def test_the_rest_does_not_join_money_that_is_asked_back_itself(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, second: Milestone, days: Any
) -> None:
    other = services.refund_request_open(actor=alice, milestone_id=second.pk, reason="We may not need it.")
    with pytest.raises(Conflict, match="next_milestone_asked_back"):
        _rolling(alice, submitted)
    services.refund_request_withdraw(actor=alice, request_id=other.pk)
    request = _rolling(alice, submitted)
    days(1)
    services.refund_request_open(actor=alice, milestone_id=second.pk, reason="We do not need it.")
    for side in (alice, bob):
        assert "stays where it is, as things stand. A refund request is open on “Build” itself." in _answer_clock(side, contract, submitted)
    with pytest.raises(Conflict, match="next_milestone_asked_back"):
        services.refund_request_accept(actor=bob, request_id=request.pk)
    days(6.01)
    assert [tasks.grant_refunds_due() for _ in range(2)] == [1, 0]
    request.refresh_from_db()
    assert (request.state, held(submitted.pk), held(second.pk)) == ("lapsed", Money(10_000, "USD"), Money(60_000, "USD"))
    lapsed = Event.objects.get(kind="refund_request.lapse")
    assert lapsed.reason.startswith("A refund request is open on “Build” itself.")
    assert {n.user_id for n in notices(lapsed)} == {alice.pk, bob.pk}


def test_whoever_takes_the_rest_is_told_its_limit_and_it_ends_at_that_instant(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, fund: Callable[..., Milestone]
) -> None:
    ends = at(submitted).funded_at + 75 * DAY
    until = f"held until {ends:%Y-%m-%d %H:%M} UTC."
    with time_machine.travel(ends - 65 * DAY, tick=False):
        second = fund(contract.milestones.get(position=2), key="fund-second")
        request = _rolling(alice, submitted)
        for side in (alice, bob):
            said = f"moves to the next milestone, “Build”, whose money can then be {until}"
            assert said in _answer_clock(side, contract, submitted)
        services.refund_request_accept(actor=bob, request_id=request.pk)
        took = Event.objects.get(kind="milestone.take_rest")
        assert took.after["ends_at"] == ends.isoformat() and took.reason.endswith(until)
        assert {n.user_id for n in notices(took)} == {alice.pk, bob.pk} and all(took.reason in n.text for n in notices(took))
        for side in (alice, bob):
            shown = Person(side).get(f"contracts/{contract.pk}").json()["clocks"]
            limits = [datetime.fromisoformat(c["at"]) for c in shown if (c["clock"], c["milestone_id"]) == ("hold_limit", second.pk)]
            assert limits == [ends]
    with time_machine.travel(ends - 15 * DAY, tick=False):
        assert [tasks.limit_holds() for _ in range(2)] == [1, 0], "the alarm, once"
    with time_machine.travel(ends - timedelta(microseconds=1), tick=False):
        assert [tasks.limit_holds() for _ in range(2)] == [1, 0], "the reminder, once"
        assert held(second.pk) == Money(70_000, "USD")
    with time_machine.travel(ends, tick=False):
        assert [tasks.limit_holds() for _ in range(2)] == [1, 0]
    assert (at(second).state, held(second.pk)) == ("refunded", Money(0, "USD"))


def test_an_old_rest_does_not_take_the_next_milestones_own_money_back_early(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, fund: Callable[..., Milestone], days: Any
) -> None:
    alarm = at(submitted).funded_at + 60 * DAY
    services.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="A little more.")
    with time_machine.travel(alarm - 2 * DAY, tick=False):
        services.milestone_submit(actor=bob, milestone_id=submitted.pk, note="The second version.")
        fund(contract.milestones.get(position=2), key="fund-second")
        request = _rolling(alice, submitted)
    with time_machine.travel(alarm, tick=False):
        with pytest.raises(Conflict, match="rest_too_old"):
            services.refund_request_accept(actor=bob, request_id=request.pk)
        assert "would take the money of “Build” back with it" in _answer_clock(bob, contract, submitted)
    with time_machine.travel(alarm - timedelta(microseconds=1), tick=False):
        services.refund_request_accept(actor=bob, request_id=request.pk)
    assert held(contract.milestones.get(position=2).pk) == Money(70_000, "USD")


def test_a_rest_that_cannot_be_held_until_the_next_is_due_goes_to_the_wallet(
    alice: Any, contract: Contract, submitted: Milestone, second: Milestone
) -> None:
    limit = at(submitted).funded_at + 75 * DAY
    Milestone.objects.filter(pk=second.pk).update(funded_at=second.funded_at + DAY, due_at=limit + timedelta(microseconds=1))
    with pytest.raises(Conflict, match=r"rest_too_old.*is due later"):
        _rolling(alice, submitted)
    Milestone.objects.filter(pk=second.pk).update(due_at=limit)
    assert _rolling(alice, submitted).to == "next"
