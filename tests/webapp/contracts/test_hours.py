"""Weekly hours: what may be logged, when a week is fixed, and where each minor unit of its money goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from marketplace.accounts.services import user_restore, user_suspend
from marketplace.contracts import hours_calendar as calendar
from marketplace.contracts import services, tasks
from marketplace.contracts.models import CapChange, Contract, HourlyTerms, TimeEntry, Timesheet
from marketplace.core import clock, features
from marketplace.core.errors import DomainError, InvalidInput, NotAllowed, NotFound
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.disputes import services as disputes
from marketplace.notifications.policies import notices
from marketplace.payments.models import Entry
from marketplace.payments.selectors import held
from tests.webapp.hours_cast import CAP, DAY, FULL, RATE, SECOND, fresh, go_to, past, usd, weeks


def refused(act: Callable[[], Any]) -> str:
    """The code of the refusal that the act meets."""
    with pytest.raises(DomainError) as e:
        act()
    return e.value.code


def money_of(sheet: Timesheet) -> list[tuple[str, str, int]]:
    """(kind, rule, what left or entered the hold) of the week's entries, in order."""
    found = Entry.objects.filter(subject_type="milestone", subject_id=sheet.milestone_id).exclude(kind="clear").order_by("id")
    return [(e.kind, e.rule, sum(p.amount for p in e.postings.all())) for e in found]


# ——— the offer and the weeks


def test_an_offer_with_a_cap_becomes_weeks_when_it_is_accepted(hourly: Contract) -> None:
    this, following = weeks(hourly)
    assert (hourly.pricing, hourly.total_minor, hourly.hours.rate_minor, hourly.hours.weekly_cap_minutes) == ("hourly", FULL, RATE, CAP)
    assert this.week_start.weekday() == 0 and following.week_start - this.week_start == 7 * DAY
    assert [(s.milestone.state, s.milestone.amount_minor, s.milestone.position) for s in (this, following)] == [
        ("planned", FULL, 1),
        ("planned", FULL, 2),
    ]
    assert this.closes_at == calendar.begins(this.week_start) + timedelta(days=7, hours=12)


def test_a_cap_needs_an_hourly_job_and_no_milestones(alice: Any, proposal: Any) -> None:
    assert refused(lambda: services.offer_make(actor=alice, proposal_id=proposal.pk, weekly_cap_minutes=600)) == "weekly_cap_invalid"


@pytest.mark.parametrize(("rate", "cap"), [(RATE, 10_081), (RATE, 0), (1, 29), (10**12, 61)])
def test_a_cap_that_no_week_or_hold_has_room_for_is_refused(hire: Callable[..., Contract], rate: int, cap: int) -> None:
    assert refused(lambda: hire(rate=rate, cap=cap)) == "weekly_cap_invalid"


def test_blocks_of_work_stay_a_legal_form(alice: Any, bob: Any, hourly: Contract) -> None:
    from marketplace.jobs import services as jobs

    job = jobs.job_create(
        actor=alice,
        title="A shop in blocks",
        description="A shop with a cart and a checkout.",
        category="web-development",
        pricing="hourly",
    )
    jobs.job_publish(actor=alice, job_id=job.pk)
    bid = jobs.proposal_submit(
        actor=bob,
        job_id=job.pk,
        cover_letter="I have built ten of these.",
        amount_minor=RATE,
        currency="USD",
        delivery_days=None,
        milestones=[],
        answers=[],
    )
    with pytest.raises(InvalidInput) as e, transaction.atomic():
        services.offer_make(actor=alice, proposal_id=bid.pk)
    assert set(e.value.fields) == {"weekly_cap_minutes", "milestones"}
    offer = services.offer_make(actor=alice, proposal_id=bid.pk, milestones=[{"title": "Ten hours", "amount_minor": 10 * RATE}])
    services.offer_accept(actor=bob, contract_id=offer.pk)
    assert not Timesheet.objects.filter(contract=offer).exists() and not HourlyTerms.objects.filter(contract=offer).exists()


# ——— logging


def test_hours_without_money_held_are_refused(hourly: Contract, log: Callable[..., TimeEntry]) -> None:
    assert refused(lambda: log(weeks(hourly)[0], 30)) == "week_not_funded"
    assert not TimeEntry.objects.exists()


def test_no_entry_in_the_future_to_the_minute(week: Timesheet, log: Callable[..., TimeEntry]) -> None:
    passed = calendar.minutes_passed(week.week_start, clock.now())
    assert 540 <= passed <= 545
    assert refused(lambda: log(week, passed + 2)) == "minutes_beyond_day"
    assert refused(lambda: log(week, 30, day=1)) == "day_in_the_future"
    assert log(week, passed).minutes == passed
    assert refused(lambda: log(week, 2)) == "minutes_beyond_day", "the same minutes cannot be worked twice"


def test_no_entry_outside_the_week_or_before_the_contract(
    hire: Callable[..., Contract], pay_week: Any, log: Callable[..., TimeEntry]
) -> None:
    past(calendar.begins(calendar.week_of(clock.now()) + calendar.WEEK))
    monday = calendar.week_of(clock.now())
    contract = hire(monday + 2 * DAY)  # accepted on a Wednesday
    sheet = pay_week(weeks(contract)[0])
    assert sheet.week_start == monday
    assert refused(lambda: log(sheet, 30, day=1)) == "day_before_contract"
    assert {refused(lambda d=d: log(sheet, 30, day=d)) for d in (-1, 7)} == {"day_not_in_week"}
    assert log(sheet, 30, day=2).day.weekday() == 2


def test_no_entry_beyond_the_cap(bob: Any, week: Timesheet, log: Callable[..., TimeEntry]) -> None:
    past(calendar.begins(week.week_start) + 2 * DAY)
    first = log(week, CAP - 1)
    assert refused(lambda: log(week, 2, day=1)) == "minutes_beyond_cap"
    second = log(week, 1, day=1)
    assert refused(lambda: services.entry_change(actor=bob, entry_id=second.pk, minutes=2)) == "minutes_beyond_cap"
    services.entry_remove(actor=bob, entry_id=first.pk)
    assert services.entry_change(actor=bob, entry_id=second.pk, minutes=CAP).minutes == CAP
    assert fresh(week).minutes == CAP and fresh(week).milestone.state == "in_progress"


def test_entries_are_the_freelancers_alone(
    alice: Any, bob: Any, charlie: Any, staff: Any, week: Timesheet, log: Callable[..., TimeEntry]
) -> None:
    entry = log(week, 30)
    for act in (
        lambda who: services.entry_log(actor=who, timesheet_id=week.pk, day=week.week_start, minutes=1, what="x"),
        lambda who: services.entry_change(actor=who, entry_id=entry.pk, minutes=1),
        lambda who: services.entry_remove(actor=who, entry_id=entry.pk),
        lambda who: services.week_submit(actor=who, timesheet_id=week.pk),
    ):
        with pytest.raises(NotAllowed):
            act(alice)
        with pytest.raises(NotFound):
            act(charlie)
    assert [e.minutes for e in week.entries.all()] == [30]


@pytest.mark.parametrize("text", ["العمل على السلة", "गाड़ी का काम", "🛒 " * 3_000, "=HYPERLINK(1)", "x" * 10_000], ids=list("adefx"))
def test_what_was_done_may_be_said_in_any_script(week: Timesheet, log: Callable[..., TimeEntry], text: str) -> None:
    assert TimeEntry.objects.get(pk=log(week, 30, what=text).pk).what == text.strip()


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001], ids=["nothing", "blank", "long"])
def test_what_was_done_must_be_said_and_shortly(week: Timesheet, log: Callable[..., TimeEntry], text: str) -> None:
    assert refused(lambda: log(week, 30, what=text)) == "what_invalid"


# ——— the week's end


def test_monday_noon_submits_what_is_logged_at_the_very_instant(
    alice: Any, bob: Any, week: Timesheet, logged: list[TimeEntry], log: Callable[..., TimeEntry]
) -> None:
    go_to(week.closes_at - 2 * SECOND)
    assert tasks.close_weeks_due() == 0
    assert services.week_close(timesheet_id=week.pk) is False, "asked too early, the service itself declines"
    services.entry_change(actor=bob, entry_id=logged[2].pk, minutes=34)
    clock.advance(3)
    assert refused(lambda: log(week, 1, day=4)) == "week_closed", "the hours are fixed by the clock, not by the sweep"
    assert refused(lambda: services.entry_remove(actor=bob, entry_id=logged[0].pk)) == "week_closed"
    assert [tasks.close_weeks_due() for _ in range(2)] == [1, 0]
    sheet = fresh(week)
    assert (sheet.milestone.state, sheet.milestone.amount_minor, sheet.funded_minor) == ("submitted", 33_400, FULL)
    assert sheet.milestone.auto_approve_at == calendar.begins(week.week_start) + timedelta(days=11, hours=23, minutes=59)
    assert sheet.milestone.auto_approve_at.weekday() == 4
    assert usd(alice)[:2] == (FULL - 33_400, 33_400), "what is not needed is back at once"
    assert money_of(week) == [("hold", "client_funding", FULL), ("refund", "unspent_hours", FULL - 33_400)]


def test_friday_night_approves_by_silence_at_the_very_instant(bob: Any, handed_in: Timesheet) -> None:
    go_to(handed_in.milestone.auto_approve_at - 2 * SECOND)
    assert tasks.auto_approve_due() == 0
    clock.advance(3)
    assert [tasks.auto_approve_due() for _ in range(2)] == [1, 0]
    sheet = fresh(handed_in)
    assert (sheet.milestone.state, sheet.milestone.approved_by_clock) == ("released", True)
    assert money_of(handed_in)[-1] == ("release", "week_review_silence", 33_300)
    assert usd(bob)[2] == 29_970
    past(sheet.milestone.clears_at)
    assert [tasks.clear_due() for _ in range(2)] == [1, 0]
    assert usd(bob)[2:] == (0, 29_970)


def test_the_client_approves_before_and_the_clock_finds_nothing(alice: Any, bob: Any, handed_in: Timesheet) -> None:
    due = handed_in.milestone.auto_approve_at
    services.milestone_approve(actor=alice, milestone_id=handed_in.milestone_id)
    assert usd(bob)[2] == 29_970 and usd(alice)[:2] == (FULL - 33_300, 0)
    past(due)
    assert tasks.auto_approve_due() == 0
    assert services.milestone_auto_approve(milestone_id=handed_in.milestone_id) is False


def test_a_week_without_hours_gives_its_money_back(alice: Any, week: Timesheet) -> None:
    past(week.closes_at)
    assert tasks.close_weeks_due() == 1
    assert fresh(week).milestone.state == "refunded"
    assert usd(alice)[:2] == (FULL, 0)
    assert money_of(week)[1:] == [("refund", "nothing_logged", FULL)]


def test_a_week_that_is_worked_in_full_leaves_nothing(alice: Any, bob: Any, week: Timesheet, log: Callable[..., TimeEntry]) -> None:
    past(calendar.begins(week.week_start) + 2 * DAY)
    log(week, CAP)
    services.week_submit(actor=bob, timesheet_id=week.pk)
    assert money_of(week) == [("hold", "client_funding", FULL)] and usd(alice)[:2] == (0, FULL)


def test_a_week_that_nobody_funded_ends_without_a_debt(hourly: Contract) -> None:
    sheet = weeks(hourly)[0]
    past(sheet.closes_at)
    assert tasks.close_weeks_due() == 1
    assert fresh(sheet).milestone.state == "cancelled" and not money_of(sheet)
    assert Contract.objects.get(pk=hourly.pk).state == "active", "the contract goes on with the next week"


def test_a_submitted_week_is_closed(bob: Any, handed_in: Timesheet, logged: list[TimeEntry], log: Callable[..., TimeEntry]) -> None:
    assert refused(lambda: log(handed_in, 1)) == "week_closed"
    assert refused(lambda: services.entry_change(actor=bob, entry_id=logged[0].pk, minutes=1)) == "week_closed"
    assert refused(lambda: services.week_submit(actor=bob, timesheet_id=handed_in.pk)) == "week_closed"


def test_a_week_without_entries_is_not_submitted_by_hand(bob: Any, week: Timesheet) -> None:
    assert refused(lambda: services.week_submit(actor=bob, timesheet_id=week.pk)) == "week_empty"


def test_the_milestones_own_routes_do_not_hand_in_a_week(alice: Any, bob: Any, week: Timesheet, logged: list[TimeEntry]) -> None:
    assert refused(lambda: services.milestone_submit(actor=bob, milestone_id=week.milestone_id, note="Done.")) == "milestone_is_a_week"
    services.week_submit(actor=bob, timesheet_id=week.pk)
    act = lambda: services.milestone_request_changes(actor=alice, milestone_id=week.milestone_id, text="No.")  # noqa: E731
    assert refused(act) == "milestone_is_a_week"


def test_beat_down_for_two_days_takes_nobodys_time(alice: Any, week: Timesheet, logged: list[TimeEntry]) -> None:
    past(week.closes_at + 2 * DAY)
    assert [tasks.open_weeks_due(), tasks.close_weeks_due(), tasks.auto_approve_due()] == [1, 1, 0]
    assert fresh(week).milestone.auto_approve_at == calendar.begins(week.week_start) + timedelta(days=11, hours=23, minutes=59)


def test_beat_down_beyond_the_friday_leaves_the_client_two_days(week: Timesheet, logged: list[TimeEntry]) -> None:
    past(week.closes_at + 6 * DAY)
    assert tasks.close_weeks_due() == 1 and tasks.auto_approve_due() == 0
    left = fresh(week).milestone.auto_approve_at - clock.now()
    assert timedelta(hours=47, minutes=59) < left <= timedelta(hours=48)


# ——— opening weeks


def test_a_new_week_opens_the_one_after_it_once(hourly: Contract) -> None:
    due = weeks(hourly)[1].week_start
    go_to(calendar.begins(due) - 2 * SECOND)
    assert tasks.open_weeks_due() == 0 and services.weeks_open(contract_id=hourly.pk) is False
    clock.advance(3)
    assert [tasks.open_weeks_due() for _ in range(2)] == [1, 0]
    assert [s.week_start for s in weeks(hourly)] == [due - 7 * DAY, due, due + 7 * DAY]
    told = Event.objects.get(kind="timesheet.unprotected")
    assert told.aggregate_id == weeks(hourly)[1].pk


def test_beat_down_for_three_weeks_opens_the_present_one(hourly: Contract) -> None:
    monday = weeks(hourly)[0].week_start
    past(calendar.begins(monday) + 22 * DAY)
    assert [tasks.open_weeks_due() for _ in range(2)] == [1, 0]
    assert [s.week_start for s in weeks(hourly)][-2:] == [monday + 21 * DAY, monday + 28 * DAY]
    assert tasks.close_weeks_due() == 2 and Contract.objects.get(pk=hourly.pk).state == "active"


def test_the_wallet_funds_the_week_as_it_begins(alice: Any, hourly: Contract, week: Timesheet) -> None:
    services.hours_settings(actor=alice, contract_id=hourly.pk, auto_fund=True)
    past(week.closes_at)  # nothing was logged: 600.00 are back when the second week has begun already
    assert [tasks.close_weeks_due(), tasks.open_weeks_due()] == [1, 1]
    this, second = weeks(hourly)[:2]
    assert (this.milestone.state, second.milestone.state) == ("refunded", "funded")
    assert money_of(second) == [("hold", "week_begins", FULL)] and usd(alice)[:2] == (0, FULL)
    assert not Event.objects.filter(kind="timesheet.unprotected").exists()


@pytest.mark.parametrize("what", ["switch", "client", "freelancer"])
def test_no_week_is_funded_by_itself_while_it_may_not_be_and_it_is_made_up_for(
    alice: Any, bob: Any, staff: Any, hourly: Contract, week: Timesheet, what: str
) -> None:
    boss, person = staff("admin"), {"client": alice, "freelancer": bob}.get(what)
    services.hours_settings(actor=alice, contract_id=hourly.pk, auto_fund=True)
    if person is None:
        features.put(actor=boss, name="FUNDING_OPEN", value=False, reason="r")
    else:
        user_suspend(actor=boss, user_id=person.pk, reason="Under review.")
    past(week.closes_at)
    assert [tasks.close_weeks_due(), tasks.open_weeks_due(), tasks.open_weeks_due()] == [1, 1, 0]
    second = weeks(hourly)[1]
    assert (second.milestone.state, usd(alice)[:2]) == ("planned", (FULL, 0))
    told = Event.objects.get(kind="timesheet.funding_waits")
    assert told.aggregate_id == second.pk and {n.user_id for n in notices(told)} == {alice.pk}
    if person is None:
        features.put(actor=boss, name="FUNDING_OPEN", value=None, reason="r")
    else:
        user_restore(actor=boss, user_id=person.pk, reason="Cleared.")
    assert [tasks.open_weeks_due() for _ in range(2)] == [1, 0]
    assert fresh(second).milestone.state == "funded" and money_of(second) == [("hold", "week_begins", FULL)]
    assert HourlyTerms.objects.get(contract=hourly).funding_waits_since is None


def test_unspent_money_rolls_to_the_week_that_waits(
    alice: Any, bob: Any, hourly: Contract, week: Timesheet, log: Callable[..., TimeEntry], pay_week: Any
) -> None:
    services.hours_settings(actor=alice, contract_id=hourly.pk, unspent="roll")
    log(week, 60)
    services.week_submit(actor=bob, timesheet_id=week.pk)
    second = weeks(hourly)[1]
    assert second.milestone.state == "planned" and usd(alice)[:2] == (54_000, 6_000), "540.00 are not a week: they stay in the wallet"
    services.milestone_refund(actor=bob, milestone_id=week.milestone_id)
    pay_week(second)
    past(second.closes_at)
    tasks.open_weeks_due()
    assert tasks.close_weeks_due() == 1
    third = weeks(hourly)[2]
    assert money_of(third) == [("hold", "unspent_rolls", FULL)] and usd(alice)[:2] == (FULL, FULL)


# ——— questions


def test_questioned_hours_are_held_apart_and_the_rest_goes_on(alice: Any, bob: Any, handed_in: Timesheet, questioned: Timesheet) -> None:
    sheet = fresh(handed_in)
    assert (sheet.milestone.state, sheet.milestone.amount_minor, sheet.minutes) == ("submitted", 20_000, 200)
    assert (questioned.milestone.state, questioned.milestone.amount_minor, questioned.minutes) == ("changes_requested", 13_300, 133)
    assert held(questioned.milestone_id).minor == 13_300 and usd(alice)[:2] == (FULL - 33_300, 33_300)
    past(sheet.milestone.auto_approve_at)
    assert tasks.auto_approve_due() == 1
    assert usd(bob)[2] == 18_000, "the hours that nobody questioned are paid for"


def test_questions_are_asked_once_and_of_submitted_hours(alice: Any, bob: Any, week: Timesheet, logged: list[TimeEntry]) -> None:
    ask = lambda *ids: services.week_question(  # noqa: E731
        actor=alice, timesheet_id=week.pk, questions=[{"entry_id": i, "reason": "Why?"} for i in ids]
    )
    assert refused(lambda: ask(logged[0].pk)) == "week_question_impossible"
    services.week_submit(actor=bob, timesheet_id=week.pk)
    assert refused(lambda: ask()) == "questions_invalid"
    assert refused(lambda: ask(logged[0].pk, logged[0].pk)) == "questions_invalid"
    assert refused(lambda: ask(10**9)) == "questions_invalid"
    ask(logged[0].pk)
    assert refused(lambda: ask(logged[1].pk)) == "week_questioned_before"


def test_questions_come_too_late_when_the_review_is_over(alice: Any, handed_in: Timesheet, logged: list[TimeEntry]) -> None:
    past(handed_in.milestone.auto_approve_at)
    questions = [{"entry_id": logged[0].pk, "reason": "Why?"}]
    assert refused(lambda: services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=questions)) == "week_review_over"


def test_a_week_that_is_questioned_whole_moves_whole(alice: Any, handed_in: Timesheet, logged: list[TimeEntry]) -> None:
    part = services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=[{"entry_id": e.pk, "reason": "Why?"} for e in logged])
    assert (fresh(handed_in).milestone.state, part.milestone.amount_minor) == ("refunded", 33_300)
    assert held(handed_in.milestone_id).minor == 0 and held(part.milestone_id).minor == 33_300


def test_answers_correct_or_stand(alice: Any, bob: Any, questioned: Timesheet, logged: list[TimeEntry]) -> None:
    answer = lambda *given: services.week_answer(actor=bob, timesheet_id=questioned.pk, answers=list(given))  # noqa: E731
    first, second = logged[1].pk, logged[2].pk
    assert refused(lambda: answer({"entry_id": first, "minutes": 50})) == "answers_invalid", "every question is answered"
    assert refused(lambda: answer({"entry_id": first, "minutes": 101}, {"entry_id": second, "minutes": 0})) == "answers_invalid"
    assert refused(lambda: answer({"entry_id": first, "minutes": 50}, {"entry_id": second})) == "answers_invalid", (
        "standing by it needs a reason"
    )
    before = usd(alice)
    answer({"entry_id": second, "text": "It was recorded."}, {"entry_id": first, "minutes": 50})
    part = fresh(questioned)
    assert (part.milestone.state, part.milestone.amount_minor, part.minutes) == ("submitted", 8_300, 83)
    assert usd(alice)[:2] == (before[0] + 5_000, before[1] - 5_000)
    due = part.milestone.auto_approve_at
    go_to(due - 2 * SECOND)
    assert services.milestone_auto_approve(milestone_id=part.milestone_id) is False
    clock.advance(3)
    tasks.auto_approve_due()
    assert tasks.auto_approve_due() == 0 and fresh(questioned).milestone.state == "released"
    assert usd(bob)[2] == 18_000 + 7_470


def test_withdrawn_hours_go_back_whole(alice: Any, bob: Any, questioned: Timesheet, logged: list[TimeEntry]) -> None:
    services.week_answer(actor=bob, timesheet_id=questioned.pk, answers=[{"entry_id": e.pk, "minutes": 0} for e in logged[1:]])
    assert fresh(questioned).milestone.state == "refunded" and usd(alice)[:2] == (FULL - 20_000, 20_000)


def test_silence_grants_the_questions_to_the_second(alice: Any, questioned: Timesheet) -> None:
    go_to(questioned.answer_by - 2 * SECOND)
    assert tasks.grant_questions_due() == 0 and services.questions_grant(timesheet_id=questioned.pk) is False
    clock.advance(3)
    assert [tasks.grant_questions_due() for _ in range(2)] == [1, 0]
    assert fresh(questioned).milestone.state == "refunded" and usd(alice)[:2] == (FULL - 20_000, 20_000)


def test_only_what_was_questioned_is_disputed(
    alice: Any, bob: Any, staff: Any, handed_in: Timesheet, questioned: Timesheet, logged: list[TimeEntry]
) -> None:
    services.week_answer(actor=bob, timesheet_id=questioned.pk, answers=[{"entry_id": e.pk, "text": "I stand by it."} for e in logged[1:]])
    dispute = disputes.dispute_open(actor=alice, milestone_id=questioned.milestone_id, claim="Nothing was done in these hours.")
    past(max(handed_in.milestone.auto_approve_at, fresh(questioned).milestone.auto_approve_at))
    assert tasks.auto_approve_due() == 1 and usd(bob)[2] == 18_000
    disputes.dispute_respond(actor=bob, dispute_id=dispute.pk, text="See the log.")
    disputes.dispute_offer(actor=alice, dispute_id=dispute.pk, to_freelancer_minor=6_000)
    disputes.dispute_offer(actor=bob, dispute_id=dispute.pk, to_freelancer_minor=6_000)
    assert fresh(questioned).milestone.state == "resolved" and usd(bob)[2] == 18_000 + 5_400
    assert usd(alice)[:2] == (FULL - 26_000, 0)


def test_a_withdrawn_dispute_gives_the_answer_its_time_back(alice: Any, bob: Any, questioned: Timesheet) -> None:
    due = questioned.answer_by
    dispute = disputes.dispute_open(actor=alice, milestone_id=questioned.milestone_id, claim="Nothing was done.")
    past(due)
    assert tasks.grant_questions_due() == 0, "a dispute stops the clock"
    disputes.dispute_withdraw(actor=alice, dispute_id=dispute.pk)
    part = fresh(questioned)
    assert part.milestone.state == "changes_requested" and part.answer_by > clock.now() + 2 * DAY


# ——— pauses and the end


def test_a_pause_stops_the_weeks_and_puts_their_clocks_off(
    bob: Any, staff: Any, hourly: Contract, week: Timesheet, log: Callable[..., TimeEntry]
) -> None:
    support = staff("support")
    past(calendar.begins(week.week_start) + 5 * DAY)
    log(week, 60)
    services.contract_pause(actor=support, contract_id=hourly.pk, reason="Holidays.")
    assert refused(lambda: log(week, 60)) == "contract_paused"
    past(week.closes_at + 8 * DAY)
    assert [tasks.close_weeks_due(), tasks.open_weeks_due(), services.week_close(timesheet_id=week.pk)] == [0, 0, False]
    services.contract_resume(actor=support, contract_id=hourly.pk)
    later = fresh(week)
    stood = clock.now() - calendar.begins(week.week_start) - 5 * DAY
    assert abs(later.closes_at - week.closes_at - stood) < timedelta(seconds=5)
    assert refused(lambda: log(week, 60, day=6)) == "minutes_beyond_day", "nobody worked while the contract stood still"
    assert log(week, 60, day=3).minutes == 60
    past(later.closes_at)
    assert tasks.close_weeks_due() >= 1 and fresh(week).milestone.state == "submitted"
    assert fresh(week).milestone.auto_approve_at - clock.now() > timedelta(hours=47)
    assert tasks.open_weeks_due() == 1 and weeks(hourly)[-1].week_start > clock.now().date()


def test_stopping_ends_the_weeks_and_the_contract_with_the_last_money(
    alice: Any, bob: Any, hourly: Contract, week: Timesheet, log: Callable[..., TimeEntry], pay_week: Any
) -> None:
    second = pay_week(weeks(hourly)[1])
    CapChange.objects.create(contract=hourly, proposer=bob, weekly_cap_minutes=60, proposed_at=clock.now(), live_key=hourly.pk)
    past(calendar.begins(week.week_start) + 2 * DAY)
    log(week, 60)
    services.hours_stop(actor=bob, contract_id=hourly.pk, reason="A new job.")
    assert fresh(second).milestone.state == "refunded" and usd(alice)[:2] == (FULL, FULL)
    assert CapChange.objects.get().state == "withdrawn"
    assert refused(lambda: services.hours_stop(actor=alice, contract_id=hourly.pk)) == "hours_stop_impossible"
    past(calendar.begins(week.week_start) + 3 * DAY)
    assert refused(lambda: log(week, 10, day=3)) == "day_after_stop"
    assert log(week, 10, day=2).minutes == 10
    past(week.closes_at)
    assert [tasks.open_weeks_due(), tasks.close_weeks_due()] == [0, 1]
    services.milestone_approve(actor=alice, milestone_id=week.milestone_id)
    assert Contract.objects.get(pk=hourly.pk).state == "completed" and len(weeks(hourly)) == 2


def test_stopping_gives_a_later_week_back_also_when_it_was_started(
    alice: Any, bob: Any, hourly: Contract, week: Timesheet, pay_week: Any
) -> None:
    second = pay_week(weeks(hourly)[1])
    services.milestone_start(actor=bob, milestone_id=second.milestone_id)
    services.hours_stop(actor=alice, contract_id=hourly.pk)
    assert fresh(second).milestone.state == "refunded" and usd(alice)[:2] == (FULL, FULL)


def test_the_client_who_ends_the_contract_has_later_weeks_back_at_once(
    alice: Any, hourly: Contract, week: Timesheet, pay_week: Any
) -> None:
    second = pay_week(weeks(hourly)[1])
    assert refused(lambda: services.contract_cancel(actor=alice, contract_id=hourly.pk)) == "funds_held"
    services.contract_cancel(actor=alice, contract_id=hourly.pk, reason="No budget.", ask_refund=True)
    assert (fresh(second).milestone.state, fresh(week).milestone.state) == ("refunded", "funded")
    assert usd(alice)[:2] == (FULL, FULL) and Contract.objects.get(pk=hourly.pk).state == "active"
    past(week.closes_at)
    assert tasks.close_weeks_due() == 1 and usd(alice)[:2] == (2 * FULL, 0)
    assert Contract.objects.get(pk=hourly.pk).state == "cancelled"


def test_a_week_has_no_due_date_to_move(alice: Any, bob: Any, week: Timesheet) -> None:
    later = clock.now() + 60 * DAY
    ask = lambda: services.extension_ask(actor=bob, milestone_id=week.milestone_id, due_at=later, reason="The flu.")  # noqa: E731
    assert refused(ask) == "milestone_is_a_week"


def test_a_contract_of_weeks_without_money_is_cancelled(alice: Any, hourly: Contract) -> None:
    services.contract_cancel(actor=alice, contract_id=hourly.pk, reason="No budget.")
    ended = Contract.objects.get(pk=hourly.pk)
    assert ended.state == "cancelled" and {s.milestone.state for s in weeks(hourly)} == {"cancelled"}
    past(calendar.begins(weeks(hourly)[1].week_start))
    assert tasks.open_weeks_due() == 0


# ——— the cap by agreement


def test_a_cap_is_changed_by_agreement_for_weeks_without_money(
    alice: Any, bob: Any, charlie: Any, hourly: Contract, week: Timesheet
) -> None:
    change = services.cap_change_propose(actor=alice, contract_id=hourly.pk, weekly_cap_minutes=1_200, note="The launch.")
    assert refused(lambda: services.cap_change_propose(actor=bob, contract_id=hourly.pk, weekly_cap_minutes=60)) == "cap_change_waits"
    answer = lambda who, action: services.cap_change_answer(actor=who, cap_change_id=change.pk, action=action)  # noqa: E731
    assert refused(lambda: answer(alice, "accept")) == "cap_change_accept_not_yours"
    assert refused(lambda: answer(bob, "withdraw")) == "cap_change_withdraw_not_yours"
    assert refused(lambda: answer(charlie, "accept")) == "not_found"
    answer(bob, "accept")
    assert refused(lambda: answer(bob, "decline")) == "cap_change_decline_impossible"
    this, following = weeks(hourly)
    assert (this.cap_minutes, this.milestone.amount_minor) == (CAP, FULL), "a funded week keeps the cap its money was held for"
    assert (following.cap_minutes, following.milestone.amount_minor) == (1_200, 2 * FULL)
    assert refused(lambda: services.cap_change_propose(actor=bob, contract_id=hourly.pk, weekly_cap_minutes=1_200)) == "weekly_cap_invalid"
    again = services.cap_change_propose(actor=bob, contract_id=hourly.pk, weekly_cap_minutes=60)
    assert services.cap_change_answer(actor=bob, cap_change_id=again.pk, action="withdraw").state == "withdrawn"


# ——— what people hear


def test_both_sides_hear_of_the_hours(alice: Any, bob: Any, hourly: Contract, questioned: Timesheet, logged: list[TimeEntry]) -> None:
    from marketplace.notifications.models import InboxItem

    services.week_answer(actor=bob, timesheet_id=questioned.pk, answers=[{"entry_id": e.pk, "text": "I did."} for e in logged[1:]])
    services.cap_change_propose(actor=bob, contract_id=hourly.pk, weekly_cap_minutes=60)
    past(calendar.begins(weeks(hourly)[-1].week_start))
    tasks.open_weeks_due()
    drain()
    heard = {u: set(InboxItem.objects.filter(user=u).values_list("kind", flat=True)) for u in (alice, bob)}
    assert {"timesheet.answer", "timesheet.unprotected", "cap_change.propose", "milestone.submit"} <= heard[alice]
    assert {"timesheet.question", "timesheet.unprotected", "milestone.fund"} <= heard[bob]
    assert not {"timesheet.question"} & heard[alice] and not {"timesheet.answer", "cap_change.propose"} & heard[bob]
    item = InboxItem.objects.get(user=bob, kind="timesheet.question")
    assert item.link == f"/contracts/{hourly.pk}" and "questioned hours" in item.text


def test_the_new_sentences_have_german_words() -> None:
    from marketplace.notifications.policies import RULES, words

    mine = {k for k in RULES if k.startswith(("timesheet.", "cap_change.")) or k in ("contract.stop_hours", "contract.hours_settings")}
    assert len(mine) == 11 and mine <= set(words("de"))
