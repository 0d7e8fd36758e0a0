"""Bonuses, requests between the sides, pauses, progress, boards, old holds, and the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
import time_machine
from django.conf import settings

from marketplace.accounts.models import AccountClosing
from marketplace.contracts import calendar, selectors, services, tasks
from marketplace.contracts.models import Bonus, CalendarFeed, Contract, Milestone, RefundRequest, WorkRequest, WorkTask
from marketplace.core import clock
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import Event, IdempotencyRecord, StaffAct
from marketplace.core.money import Money
from marketplace.disputes import services as disputes
from marketplace.payments.models import Entry
from marketplace.payments.selectors import held
from tests.webapp.contracts.test_refunds import at, kinds, usd
from tests.webapp.people import Person

DAY = timedelta(days=1)


@pytest.fixture
def rich(alice: Any, bob: Any, funded: Milestone) -> Milestone:
    """The first milestone given back: alice's wallet holds 400.00 USD."""
    return services.milestone_refund(actor=bob, milestone_id=funded.pk, reason="Other plans.")


# --- bonuses ---------------------------------------------------------------------------------------------------------
def test_a_bonus_bears_the_contracts_fee_and_clears_after_five_days(
    alice: Any, bob: Any, contract: Contract, rich: Milestone, days: Any
) -> None:
    bonus = services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=10_000, note="Faster than promised.")
    assert (usd(alice), usd(bob)) == ((30_000, 0, 0, 0), (0, 0, 9_000, 0))
    entry = Entry.objects.get(kind="bonus")
    assert (entry.quote["fee_schedule"], entry.gross_minor, entry.rule) == (contract.fee_schedule, 10_000, "client_bonus")
    days(4.99)
    assert tasks.clear_due() == 0
    days(0.02)
    assert [tasks.clear_due() for _ in range(2)] == [1, 0]
    assert services.bonus_clear(bonus_id=bonus.pk) is False
    assert usd(bob) == (0, 0, 0, 9_000)


def test_a_bonus_comes_from_the_wallet_and_nothing_else(committed_db: None, alice: Any, bob: Any, contract: Contract) -> None:
    refused = Person(alice).post(f"contracts/{contract.pk}/bonus", {"amount_minor": 5_000, "note": "Well done."})
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_funds")
    assert not Bonus.objects.exists() and not Entry.objects.exists()
    assert not Event.objects.filter(kind="bonus.give").exists()


def test_a_bonus_whose_answer_was_lost_is_not_given_twice(alice: Any, contract: Contract, rich: Milestone) -> None:
    asked, key = {"amount_minor": 10_000, "note": " Well done. "}, "9c1f0a52"
    path = f"contracts/{contract.pk}/bonus"
    first = Person(alice).post(path, asked, key=key)
    # the process died after its commit and before the answer was stored: a minute later the request is free to be taken over
    IdempotencyRecord.objects.update(response_status=None, claimed_at=clock.now() - timedelta(minutes=5))
    again = Person(alice).post(path, asked, key=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (Bonus.objects.count(), Entry.objects.filter(kind="bonus").count(), usd(alice)[0]) == (1, 1, 30_000)
    with pytest.raises(IdempotencyConflict):
        services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=10_001, note="Well done.", idempotency_key=key)
    assert Person(alice).post(path, asked, key="another").json() != first.json()
    assert Bonus.objects.count() == 2


def test_no_bonus_goes_to_an_account_that_was_closed(alice: Any, bob: Any, contract: Contract, rich: Milestone) -> None:
    services.contract_cancel(actor=alice, contract_id=contract.pk)
    now = clock.now()
    leaving = AccountClosing.objects.create(user=bob, live_key=bob.pk, requested_at=now, closes_at=now, state="shut")
    with pytest.raises(Conflict, match="bonus_impossible"):
        services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1_000)
    assert (usd(alice), Bonus.objects.exists()) == ((40_000, 0, 0, 0), False)
    AccountClosing.objects.filter(pk=leaving.pk).update(state="cancelled", live_key=None)
    services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1_000)


def test_a_bonus_is_paid_until_sixty_days_after_the_end(alice: Any, bob: Any, contract: Contract, rich: Milestone) -> None:
    services.contract_cancel(actor=alice, contract_id=contract.pk)
    contract.refresh_from_db()
    with time_machine.travel(contract.ended_at + 60 * DAY, tick=False):
        services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1)
    with time_machine.travel(contract.ended_at + 60 * DAY + timedelta(seconds=1), tick=False), pytest.raises(Conflict, match="bonus"):
        services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1)


def test_only_the_client_gives_a_bonus_of_a_contract_that_began(alice: Any, bob: Any, charlie: Any, sam: Any, offer: Contract) -> None:
    for actor, error in ((alice, Conflict), (bob, NotAllowed), (sam, NotAllowed), (charlie, NotFound)):
        with pytest.raises(error):
            services.bonus_give(actor=actor, contract_id=offer.pk, amount_minor=1)


def test_what_is_worth_less_than_a_cent_clears_once_and_stops_no_sweep(
    alice: Any, bob: Any, sam: Any, contract: Contract, submitted: Milestone, days: Any
) -> None:
    Contract.objects.filter(pk=contract.pk).update(payee_currency="EUR")
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=1, rest="wallet", reason="A cent.")
    services.refund_request_refuse(actor=bob, request_id=RefundRequest.objects.get().pk, answer="No.")
    services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="Nearly all.", amount_minor=39_998)
    services.refund_request_accept(actor=bob, request_id=RefundRequest.objects.latest("id").pk)
    bonus = services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=1)
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    days(5.01)
    assert [tasks.clear_due() for _ in range(2)] == [0, 0]
    now = clock.now()
    assert not selectors.part_clearing_due_ids(now) and not selectors.clearing_due_ids(now) and not selectors.bonus_clearing_due_ids(now)
    assert Bonus.objects.get(pk=bonus.pk).cleared_at is not None and not Entry.objects.filter(kind__startswith="clear").exists()


# --- extension and progress ------------------------------------------------------------------------------------------
def test_a_later_date_is_asked_for_and_agreed(alice: Any, bob: Any, funded: Milestone) -> None:
    later = funded.due_at + 5 * DAY
    asked = services.extension_ask(actor=bob, milestone_id=funded.pk, due_at=later, reason="The flu.")
    with pytest.raises(Conflict, match="work_request_open"):
        services.extension_ask(actor=alice, milestone_id=funded.pk, due_at=later + DAY, reason="Me too.")
    for wrong in (services.work_request_accept, services.work_request_decline):
        with pytest.raises(NotAllowed):
            wrong(actor=bob, request_id=asked.pk)
    with pytest.raises(NotAllowed):
        services.work_request_withdraw(actor=alice, request_id=asked.pk)
    assert at(funded).due_at == funded.due_at
    assert services.work_request_accept(actor=alice, request_id=asked.pk, answer="Get well.").state == "accepted"
    assert at(funded).due_at == later
    with pytest.raises(Conflict):
        services.work_request_accept(actor=alice, request_id=asked.pk)


def test_a_declined_date_changes_nothing_and_may_be_asked_again(alice: Any, bob: Any, funded: Milestone) -> None:
    for end in (services.work_request_decline, services.work_request_withdraw):
        asked = services.extension_ask(actor=bob, milestone_id=funded.pk, due_at=funded.due_at + DAY, reason="The flu.")
        end(actor=alice if end is services.work_request_decline else bob, request_id=asked.pk)
    assert at(funded).due_at == funded.due_at
    assert list(WorkRequest.objects.order_by("id").values_list("state", flat=True)) == ["declined", "withdrawn"]


def test_a_new_date_is_later_ahead_and_within_what_can_be_held(alice: Any, bob: Any, funded: Milestone) -> None:
    limit = funded.funded_at + 75 * DAY
    for due in (funded.due_at, clock.now() - DAY, limit + timedelta(seconds=1), clock.now() + 4000 * DAY):
        with pytest.raises(InvalidInput) as refused:
            services.extension_ask(actor=bob, milestone_id=funded.pk, due_at=due, reason="Later.")
        assert list(refused.value.fields) == ["due_at"]
    asked = services.extension_ask(actor=bob, milestone_id=funded.pk, due_at=limit, reason="Later.")
    services.milestone_submit(actor=bob, milestone_id=funded.pk, note="Done already.")
    with pytest.raises(Conflict, match="extension_impossible"):
        services.work_request_accept(actor=alice, request_id=asked.pk)


def test_a_date_that_a_pause_overtook_does_not_come_sooner(alice: Any, bob: Any, sam: Any, funded: Milestone, days: Any) -> None:
    asked = services.extension_ask(actor=bob, milestone_id=funded.pk, due_at=funded.due_at + DAY, reason="The flu.")
    services.contract_pause(actor=sam, contract_id=funded.contract_id, reason="Looking into it.")
    days(3)
    services.contract_resume(actor=sam, contract_id=funded.contract_id)
    with pytest.raises(Conflict, match="extension_impossible"):
        services.work_request_accept(actor=alice, request_id=asked.pk)


def test_a_date_asked_for_before_the_money_came_stays_within_its_limit(
    alice: Any, bob: Any, planned: Milestone, fund: Callable[..., Milestone]
) -> None:
    asked = services.extension_ask(actor=bob, milestone_id=planned.pk, due_at=clock.now() + 100 * DAY, reason="A long trip.")
    funded = fund(planned)
    with pytest.raises(Conflict, match="extension_impossible"):
        services.work_request_accept(actor=alice, request_id=asked.pk)
    assert at(funded).state == "funded"


def test_progress_is_asked_for_and_reported(alice: Any, bob: Any, funded: Milestone) -> None:
    asked = services.progress_ask(actor=alice, milestone_id=funded.pk, text="How far are you?")
    with pytest.raises(Conflict):
        services.work_request_accept(actor=bob, request_id=asked.pk)
    report = services.progress_report(actor=bob, milestone_id=funded.pk, text="Two pages stand.", percent=50)
    asked.refresh_from_db()
    assert (asked.state, report.request_id) == ("accepted", asked.pk)
    assert services.progress_report(actor=bob, milestone_id=funded.pk, text="Three.").request_id is None
    for percent in (-1, 101, True, "50"):
        with pytest.raises(InvalidInput):
            services.progress_report(actor=bob, milestone_id=funded.pk, text="No.", percent=percent)
    with pytest.raises(NotAllowed):
        services.progress_report(actor=alice, milestone_id=funded.pk, text="I do it.")


# --- pauses ----------------------------------------------------------------------------------------------------------
def test_both_sides_agree_on_a_pause_and_either_ends_it(alice: Any, bob: Any, contract: Contract, submitted: Milestone, days: Any) -> None:
    asked = services.pause_ask(actor=bob, contract_id=contract.pk, reason="Holidays.")
    contract.refresh_from_db()
    assert contract.paused_at is None
    with pytest.raises(NotAllowed):
        services.work_request_accept(actor=bob, request_id=asked.pk)
    services.work_request_accept(actor=alice, request_id=asked.pk)
    second = contract.milestones.get(position=2)
    days(20)
    assert (tasks.auto_approve_due(), tasks.remind_due()) == (0, 0)
    services.contract_resume(actor=bob, contract_id=contract.pk)
    near = timedelta(minutes=1)
    assert abs(at(submitted).auto_approve_at - submitted.auto_approve_at - 20 * DAY) < near
    assert abs(at(second).due_at - second.due_at - 20 * DAY) < near
    assert at(submitted).due_at == submitted.due_at, "what was handed in is late or not by its own date"
    contract.refresh_from_db()
    assert contract.paused_at is None
    with pytest.raises(Conflict):
        services.contract_resume(actor=bob, contract_id=contract.pk)


def test_what_staff_paused_only_staff_let_go_on_and_both_acts_are_audited(
    alice: Any, sam: Any, staff: Any, contract: Contract, submitted: Milestone
) -> None:
    asked = services.pause_ask(actor=alice, contract_id=contract.pk, reason="Holidays.")
    with pytest.raises(NotAllowed, match="staff_only"):
        services.contract_pause(actor=staff("finance"), contract_id=contract.pk, reason="I look at money only.")
    services.contract_pause(actor=sam, contract_id=contract.pk, reason="We look into it.")
    asked.refresh_from_db()
    assert asked.state == "superseded"
    with pytest.raises(NotAllowed, match="contract_resume_not_yours"):
        services.contract_resume(actor=alice, contract_id=contract.pk)
    services.contract_resume(actor=sam, contract_id=contract.pk)
    acts = StaffAct.objects.filter(action="contract_pause", object_id=contract.pk)
    assert list(acts.order_by("id").values_list("field", "reason")) == [
        ("by_staff", "We look into it."),
        ("paused", "We look into it."),
        ("by_staff", "Resumed."),
        ("paused", "Resumed."),
    ]


def test_a_pause_holds_a_refund_requests_clock(alice: Any, bob: Any, sam: Any, contract: Contract, submitted: Milestone, days: Any) -> None:
    days(1)
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(2)
    services.contract_pause(actor=sam, contract_id=contract.pk, reason="We look into it.")
    days(30)
    assert (tasks.grant_refunds_due(), services.refund_request_expire(request_id=request.pk)) == (0, False)
    services.contract_resume(actor=sam, contract_id=contract.pk)
    days(4.9)
    assert tasks.grant_refunds_due() == 0
    services.refund_request_withdraw(actor=alice, request_id=request.pk)
    stood = 30 + 2 + 4.9
    assert abs(at(submitted).auto_approve_at - submitted.auto_approve_at - stood * DAY) < timedelta(minutes=1), "no moment counted twice"


def test_a_request_refused_in_a_pause_counts_no_moment_twice(
    alice: Any, bob: Any, sam: Any, contract: Contract, submitted: Milestone, days: Any
) -> None:
    request = services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    days(2)
    services.contract_pause(actor=sam, contract_id=contract.pk, reason="We look into it.")
    days(3)
    services.refund_request_refuse(actor=bob, request_id=request.pk, answer="It is done.")
    days(4)
    services.contract_resume(actor=sam, contract_id=contract.pk)
    assert abs(at(submitted).auto_approve_at - submitted.auto_approve_at - 9 * DAY) < timedelta(minutes=1)


# --- the age of holds ------------------------------------------------------------------------------------------------
def test_an_old_hold_is_told_of_and_returns(alice: Any, bob: Any, funded: Milestone) -> None:
    def sweep(after: timedelta) -> list[int]:
        with time_machine.travel(funded.funded_at + after, tick=False):
            return [tasks.limit_holds() for _ in range(2)]

    second = timedelta(seconds=1)
    assert [sweep(d) for d in (60 * DAY - second, 60 * DAY, 74 * DAY - second, 74 * DAY, 75 * DAY - second)] == [
        [0, 0],
        [1, 0],
        [0, 0],
        [1, 0],
        [0, 0],
    ]
    assert (at(funded).state, held(funded.pk)) == ("funded", Money(40_000, "USD"))
    assert sweep(75 * DAY) == [1, 0]
    assert (at(funded).state, kinds(funded), usd(alice)) == ("refunded", ["hold", "refund"], (40_000, 0, 0, 0))
    assert Entry.objects.get(kind="refund").rule == "hold_limit_75d"
    told = Event.objects.filter(kind__in=("milestone.hold_alarm", "milestone.hold_reminder", "milestone.refund")).order_by("id")
    assert [e.kind for e in told] == ["milestone.hold_alarm", "milestone.hold_reminder", "milestone.refund"]


def test_a_beat_that_was_down_returns_an_old_hold_at_once(alice: Any, funded: Milestone, days: Any) -> None:
    days(77)
    assert [tasks.limit_holds() for _ in range(2)] == [1, 0]
    assert at(funded).state == "refunded"


def test_a_disputed_hold_is_told_of_but_left_to_its_dispute(alice: Any, submitted: Milestone, days: Any) -> None:
    disputes.dispute_open(actor=alice, milestone_id=submitted.pk, claim="Empty pages.")
    days(60.1)
    assert [tasks.limit_holds() for _ in range(2)] == [1, 0]
    days(20)
    assert tasks.limit_holds() == 0
    assert (at(submitted).state, held(submitted.pk)) == ("disputed", Money(40_000, "USD"))


def test_a_part_paid_and_too_old_keeps_what_was_paid(alice: Any, bob: Any, submitted: Milestone, days: Any) -> None:
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_000, rest="wallet", reason="A page is missing.")
    services.refund_request_refuse(actor=bob, request_id=RefundRequest.objects.get().pk, answer="No.")
    services.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="Please add it.")
    days(75.01)
    assert tasks.limit_holds() == 1
    assert (at(submitted).state, at(submitted).amount_minor, usd(alice)) == ("released", 30_000, (10_000, 0, 0, 0))
    assert tasks.clear_due() == 1
    assert usd(bob) == (0, 0, 0, 27_000)


def test_what_is_due_beyond_45_days_is_funded_later(alice: Any, planned: Milestone, fund: Callable[..., Milestone]) -> None:
    due = clock.now() + 60 * DAY
    Milestone.objects.filter(pk=planned.pk).update(due_at=due)
    opens = due - 45 * DAY
    with pytest.raises(Conflict, match="more than 45 days ahead"):
        fund(planned)
    with time_machine.travel(opens - timedelta(seconds=1), tick=False), pytest.raises(Conflict, match=f"{opens:%Y-%m-%d %H:%M}"):
        fund(planned)
    with time_machine.travel(opens, tick=False):
        assert fund(planned).state == "funded"


# --- boards ----------------------------------------------------------------------------------------------------------
def test_both_sides_arrange_the_board(alice: Any, bob: Any, funded: Milestone) -> None:
    a, b, c = (services.work_task_add(actor=who, milestone_id=funded.pk, title=t) for who, t in ((alice, "A"), (bob, "B"), (alice, "C")))
    services.work_task_change(actor=bob, task_id=c.pk, position=0)
    services.work_task_change(actor=bob, task_id=a.pk, column="done", assignee="freelancer")
    services.work_task_change(actor=alice, task_id=b.pk, column="done", position=0, title="B, reviewed")
    rows = [(t.column, t.title, t.assignee) for t in selectors.board_of(funded)]
    assert rows == [("todo", "C", ""), ("done", "B, reviewed", ""), ("done", "A", "freelancer")]
    services.work_task_remove(actor=bob, task_id=c.pk)
    with pytest.raises(NotFound):
        services.work_task_change(actor=bob, task_id=c.pk, title="Again")


def test_a_board_is_bounded_and_closes_with_its_milestone(alice: Any, bob: Any, sam: Any, funded: Milestone, settings: Any) -> None:
    settings.MAX_MILESTONE_TASKS = 2
    task, _ = (services.work_task_add(actor=alice, milestone_id=funded.pk, title=t) for t in "AB")
    with pytest.raises(Conflict, match="board_full"):
        services.work_task_add(actor=alice, milestone_id=funded.pk, title="C")
    with pytest.raises(NotAllowed):
        services.work_task_change(actor=sam, task_id=task.pk, title="C")
    for wrong in ({"title": ""}, {"title": "x" * 201}, {"column": "later"}, {"assignee": "staff"}):
        with pytest.raises(InvalidInput):
            services.work_task_change(actor=alice, task_id=task.pk, **wrong)
    services.milestone_refund(actor=bob, milestone_id=funded.pk)
    with pytest.raises(Conflict, match="board_closed"):
        services.work_task_change(actor=alice, task_id=task.pk, title="C")
    assert WorkTask.objects.get(pk=task.pk).title == "A"


# --- the calendar ----------------------------------------------------------------------------------------------------
def feed_path(user: Any) -> str:
    return calendar.url_of(CalendarFeed.objects.get(user=user)).removeprefix(settings.BASE_URL)


def test_the_feed_has_every_deadline_in_utc_and_only_for_whoever_has_its_address(
    alice: Any, bob: Any, charlie: Any, contract: Contract, submitted: Milestone
) -> None:
    Contract.objects.filter(pk=contract.pk).update(title="Shop; \r\nBEGIN:VALARM, über 日本")
    made = Person(bob).post("me/calendar-feed")
    assert "calendar/" not in made.content.decode(), "the stored answer holds no secret"
    url = Person(bob).get("me/calendar-feed").json()["url"]
    path = url.removeprefix(settings.BASE_URL)
    answer = Person().client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    found = icalendar.Calendar.from_ical(answer.content)
    events = {str(e["summary"]).split(":")[0]: e for e in found.walk("VEVENT")}
    assert events["Silence approves"]["dtstart"].dt == submitted.auto_approve_at.replace(microsecond=0)
    assert events["Silence approves"]["dtstart"].dt.utcoffset() == timedelta(0)
    assert "400.00 USD is released" in str(events["Silence approves"]["description"])
    assert "über 日本" in str(events["Silence approves"]["summary"])
    assert b"BEGIN:VALARM" not in answer.content.replace(b"BEGIN:VALARM\\,", b"")
    assert Person().client.get(path.replace(".ics", "0.ics")).status_code == 404
    assert Person(charlie).get("me/calendar-feed").json() == {"url": None, "created_at": None}


def test_an_unchanged_feed_is_not_sent_again_and_a_changed_one_is(alice: Any, bob: Any, submitted: Milestone) -> None:
    Person(alice).post("me/calendar-feed")
    http = Person().client
    first = http.get(feed_path(alice))
    again = http.get(feed_path(alice), HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    services.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="No.")
    changed = http.get(feed_path(alice), HTTP_IF_NONE_MATCH=first["ETag"])
    assert changed.status_code == 200 and b"Refund request" in changed.content


def test_a_revoked_or_renewed_address_opens_nothing(alice: Any, contract: Contract) -> None:
    person = Person(alice)
    person.post("me/calendar-feed")
    old = feed_path(alice)
    person.post("me/calendar-feed")
    new = feed_path(alice)
    assert [Person().client.get(p).status_code for p in (old, new)] == [404, 200]
    alice.is_active = False
    alice.save()
    assert Person().client.get(new).status_code == 404
    alice.is_active = True
    alice.save()
    person.client.delete("/api/v1/me/calendar-feed", HTTP_IDEMPOTENCY_KEY="revoke-1")
    assert Person().client.get(new).status_code == 404
    assert person.get("me/calendar-feed").json()["url"] is None


def test_a_feed_costs_the_same_for_one_and_for_many(alice: Any, contract: Contract, submitted: Milestone) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        calendar.render(alice.pk, clock.now())
    twin = Contract.objects.get(pk=contract.pk)
    for _ in range(3):
        twin.proposal.pk, twin.proposal.live_key = None, None
        twin.proposal.save()
        twin.pk, twin.proposal_id = None, twin.proposal.pk
        twin.save()
        Milestone.objects.create(
            contract=twin, position=1, title="M", amount_minor=1, currency="USD", due_at=datetime(2099, 1, 1, tzinfo=UTC)
        )
    with CaptureQueriesContext(connection) as four:
        content = calendar.render(alice.pk, clock.now())
    assert len(one) == len(four)
    assert content.count(b"Can be funded") == 3
