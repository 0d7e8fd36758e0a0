"""The clocks of contracts, their weeks and their disputes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from marketplace.contracts import services
from marketplace.contracts.models import Bonus, Contract, HourlyTerms, Offer, PartRelease, Timesheet
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from tests.webapp.clocks.table import DAY, HOUR, MINUTE, Armed, Clock, Edge, House, now, state, told, usd
from tests.webapp.hours_cast import hire_now, weeks

CONTRACTS, DISPUTES = "marketplace.contracts.tasks", "marketplace.disputes.tasks"


# --- fixed price
def auto_approval(h: House) -> Armed:
    m = h.get("submitted")
    return Armed(m.auto_approve_at, lambda: services.milestone_auto_approve(milestone_id=m.pk), state(m), "submitted", "released")


def _pause(h: House, contract_id: int) -> None:
    """Staff stop the contract's clocks for three days."""
    staff = h.staff("admin")
    services.contract_pause(actor=staff, contract_id=contract_id, reason="We look into something.")
    h.wait(3 * DAY)
    services.contract_resume(actor=staff, contract_id=contract_id, reason="We did.")


def auto_approval_paused(h: House) -> Armed:
    m = h.get("submitted")
    _pause(h, m.contract_id)
    act = lambda: services.milestone_auto_approve(milestone_id=m.pk)  # noqa: E731
    return Armed(state(m, "auto_approve_at")(), act, state(m), "submitted", "released", since=m.submitted_at)


def auto_approval_disputed(h: House) -> Armed:
    """A dispute stopped it for three days and was taken back."""
    found = h.get("dispute")
    h.wait(3 * DAY)
    m = disputes.dispute_withdraw(actor=h.alice, dispute_id=found.pk).milestone
    act = lambda: services.milestone_auto_approve(milestone_id=m.pk)  # noqa: E731
    return Armed(m.auto_approve_at, act, state(m), "submitted", "released", since=m.submitted_at)


def auto_approval_refused(h: House) -> Armed:
    """A fortnight after the submission the freelancer refused to give the money back: the client has seven more to dispute it."""
    asked = _asked_back(h, 8 * DAY)
    h.wait(6 * DAY)
    services.refund_request_refuse(actor=h.bob, request_id=asked.pk, answer="It is all there.")
    m = asked.milestone
    act = lambda: services.milestone_auto_approve(milestone_id=m.pk)  # noqa: E731
    return Armed(state(m, "auto_approve_at")(), act, state(m), "submitted", "released")


def approval_reminder(h: House) -> Armed:
    m = h.get("submitted")
    act, shows = lambda: services.milestone_remind(milestone_id=m.pk), told("milestone.remind_approval")
    return Armed(m.auto_approve_at - 24 * HOUR, act, shows, 0, 1)


def clearing(h: House) -> Armed:
    m = services.milestone_approve(actor=h.alice, milestone_id=h.get("submitted").pk)
    act = lambda: services.milestone_clear(milestone_id=m.pk)  # noqa: E731
    return Armed(m.clears_at, act, lambda: usd(h.bob), (0, 0, 36_000, 0), (0, 0, 0, 36_000))


def part_clearing(h: House) -> Armed:
    m = h.get("submitted")
    services.milestone_approve_part(actor=h.alice, milestone_id=m.pk, amount_minor=30_000, rest="wallet", reason="A page is missing.")
    part = PartRelease.objects.get()
    act = lambda: services.part_clear(part_id=part.pk)  # noqa: E731
    return Armed(part.clears_at, act, lambda: usd(h.bob), (0, 0, 27_000, 0), (0, 0, 0, 27_000))


def bonus_clearing(h: House) -> Armed:
    m = services.milestone_refund(actor=h.bob, milestone_id=h.get("funded").pk, reason="Another time.")
    services.bonus_give(actor=h.alice, contract_id=m.contract_id, amount_minor=10_000)
    bonus = Bonus.objects.get()
    act = lambda: services.bonus_clear(bonus_id=bonus.pk)  # noqa: E731
    return Armed(bonus.clears_at, act, lambda: usd(h.bob), (0, 0, 9_000, 0), (0, 0, 0, 9_000))


def _asked_back(h: House, wait: timedelta = timedelta(0)) -> Any:
    m = h.get("submitted")
    h.wait(wait)
    return services.refund_request_open(actor=h.alice, milestone_id=m.pk, reason="This is not what we need.")


def refund_silence(h: House) -> Armed:
    asked = _asked_back(h)
    act = lambda: services.refund_request_expire(request_id=asked.pk)  # noqa: E731
    return Armed(asked.answer_by, act, lambda: (state(asked)(), usd(h.alice)), ("open", (0, 40_000, 0, 0)), ("granted", (40_000, 0, 0, 0)))


def refund_silence_paused(h: House) -> Armed:
    asked = _asked_back(h)
    _pause(h, asked.milestone.contract_id)
    act = lambda: services.refund_request_expire(request_id=asked.pk)  # noqa: E731
    return Armed(state(asked, "answer_by")(), act, state(asked), "open", "granted", since=asked.asked_at)


def refund_reminder(h: House) -> Armed:
    asked = _asked_back(h)
    act, shows = lambda: services.refund_request_remind(request_id=asked.pk), told("refund_request.remind")
    return Armed(asked.answer_by - 24 * HOUR, act, shows, 0, 1)


def offer_expiry(h: House) -> Armed:
    contract = h.get("offer")
    offer, act = Offer.objects.get(), lambda: services.offer_expire(contract_id=contract.pk)
    shows = lambda: (state(contract)(), state(h.get("proposal"))())  # noqa: E731
    return Armed(offer.expires_at, act, shows, ("offered", "offered"), ("cancelled", "expired"))


# --- the age of held money
def hold_alarm(h: House) -> Armed:
    m = h.get("funded")
    return Armed(None, lambda: services.hold_limit(milestone_id=m.pk), state(m, "hold_warnings"), 0, 1, since=m.funded_at)


def hold_alarm_disputed(h: House) -> Armed:
    m = h.get("dispute").milestone
    return Armed(None, lambda: services.hold_limit(milestone_id=m.pk), told("milestone.hold_alarm_disputed"), 0, 1, since=m.funded_at)


def hold_reminder(h: House) -> Armed:
    m = h.get("funded")
    h.wait(60 * DAY)
    assert services.hold_limit(milestone_id=m.pk)
    return Armed(None, lambda: services.hold_limit(milestone_id=m.pk), state(m, "hold_warnings"), 1, 2, since=m.funded_at)


def hold_returned(h: House) -> Armed:
    m = h.get("funded")
    for span in (60, 14):
        h.wait(span * DAY)
        assert services.hold_limit(milestone_id=m.pk)
    act, shows = lambda: services.hold_limit(milestone_id=m.pk), lambda: (state(m)(), usd(h.alice))
    return Armed(None, act, shows, ("funded", (0, 40_000, 0, 0)), ("refunded", (40_000, 0, 0, 0)), since=m.funded_at)


# --- weeks
def monday_nine(edge: Edge) -> datetime:
    """Monday 09:00 UTC of the week in which the edge lies."""
    day = edge.at.date() - timedelta(days=edge.at.weekday())
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


def paid_week(h: House) -> tuple[Contract, Timesheet]:
    """Bob works for Alice by the week from now on; the first is funded with 600.00 USD."""
    contract = hire_now(h.alice, h.bob)
    sheet = weeks(contract)[0]
    services.milestone_fund(
        actor=h.alice, milestone_id=sheet.milestone_id, provider="sandbox", method={"token": "tok_visa"}, idempotency_key="week"
    )
    return contract, sheet


def logged_week(h: House) -> Timesheet:
    """The first week, with an hour logged today."""
    _, sheet = paid_week(h)
    services.entry_log(actor=h.bob, timesheet_id=sheet.pk, day=now().date(), minutes=60, what="The cart.")
    return sheet


def questioned_week(h: House, wait: timedelta = timedelta(0)) -> Timesheet:
    """What Alice asks about, all of the week that Bob handed in."""
    sheet = logged_week(h)
    services.week_submit(actor=h.bob, timesheet_id=sheet.pk)
    h.wait(wait)
    asked = [{"entry_id": sheet.entries.get().pk, "reason": "What was done?"}]
    return services.week_question(actor=h.alice, timesheet_id=sheet.pk, questions=asked)


def weeks_open(h: House) -> Armed:
    contract, _ = paid_week(h)
    due = HourlyTerms.objects.get(contract=contract).next_week_at
    count = lambda: Timesheet.objects.filter(contract=contract).count()  # noqa: E731
    return Armed(due, lambda: services.weeks_open(contract_id=contract.pk), count, 2, 3)


def week_close(h: House) -> Armed:
    sheet = logged_week(h)
    shows = lambda: (state(sheet.milestone)(), usd(h.alice)[:2])  # noqa: E731
    was, becomes = ("in_progress", (0, 60_000)), ("submitted", (54_000, 6_000))
    return Armed(sheet.closes_at, lambda: services.week_close(timesheet_id=sheet.pk), shows, was, becomes)


def week_close_paused(h: House) -> Armed:
    sheet, began = logged_week(h), now()
    _pause(h, sheet.contract_id)
    act, due = lambda: services.week_close(timesheet_id=sheet.pk), state(sheet, "closes_at")()
    return Armed(due, act, state(sheet.milestone), "in_progress", "submitted", since=began)


def _silence(h: House, sheet: Timesheet) -> Armed:
    m = Timesheet.objects.select_related("milestone").get(pk=sheet.pk).milestone
    act = lambda: services.milestone_auto_approve(milestone_id=m.pk)  # noqa: E731
    return Armed(m.auto_approve_at, act, state(m), "submitted", "released")


def week_silence(h: House) -> Armed:
    sheet = logged_week(h)
    services.week_submit(actor=h.bob, timesheet_id=sheet.pk)
    return _silence(h, sheet)


def late_week_silence(h: House) -> Armed:
    """Beat was away, and came back when the week's Friday was near or over."""
    sheet = logged_week(h)
    h.wait(10 * DAY - 2 * HOUR)
    assert services.week_close(timesheet_id=sheet.pk)
    return _silence(h, sheet)


def questions_grant(h: House) -> Armed:
    part = questioned_week(h)
    act, shows = lambda: services.questions_grant(timesheet_id=part.pk), lambda: (state(part.milestone)(), usd(h.alice)[:2])
    return Armed(part.answer_by, act, shows, ("changes_requested", (54_000, 6_000)), ("refunded", (60_000, 0)))


def answered_silence(h: House) -> Armed:
    part = questioned_week(h, 7 * DAY)
    h.wait(2 * DAY - 2 * HOUR)
    answers = [{"entry_id": part.entries.get().pk, "text": "It is in the log."}]
    services.week_answer(actor=h.bob, timesheet_id=part.pk, answers=answers)
    return _silence(h, part)


def after_monday(span: timedelta) -> Any:
    """That long after the Monday on which the present week is over."""
    return lambda since, edge: monday_nine(edge) - 9 * HOUR + 7 * DAY + span


# --- disputes
def _staged(h: House, stage: str) -> Dispute:
    """The dispute at the beginning of that stage; nobody acted in the stages before."""
    found = disputes.dispute_respond(actor=h.bob, dispute_id=h.get("dispute").pk, text="They are not empty.")
    for name, days in (("negotiation", 14), ("proposal", 3), ("evidence", 7)):
        if stage == name:
            break
        h.wait(days * DAY)
        assert disputes.dispute_advance(dispute_id=found.pk)
    return Dispute.objects.get(pk=found.pk)


def _decided(h: House) -> Dispute:
    found, words = _staged(h, "decision"), "Half of it is there."
    split = {"to_freelancer_minor": 20_000, "to_client_minor": 20_000}
    return disputes.dispute_decide(actor=h.staff("support"), dispute_id=found.pk, reason=words, **split)


def _stage(h: House, found: Dispute, becomes: str) -> Armed:
    return Armed(found.decide_by, lambda: disputes.dispute_advance(dispute_id=found.pk), state(found), found.state, becomes)


def dispute_response(h: House) -> Armed:
    found = h.get("dispute")
    act, shows = lambda: disputes.dispute_advance(dispute_id=found.pk), lambda: (state(found)(), usd(h.alice))
    return Armed(found.decide_by, act, shows, ("opened", (0, 40_000, 0, 0)), ("settled", (40_000, 0, 0, 0)))


def dispute_negotiation(h: House) -> Armed:
    return _stage(h, _staged(h, "negotiation"), "proposal")


def dispute_proposal(h: House) -> Armed:
    return _stage(h, _staged(h, "proposal"), "evidence")


def dispute_evidence(h: House) -> Armed:
    return _stage(h, _staged(h, "evidence"), "decision")


def dispute_decision(h: House) -> Armed:
    found = _staged(h, "decision")
    return Armed(found.decide_by, lambda: disputes.dispute_advance(dispute_id=found.pk), told("dispute.late"), 0, 1)


def dispute_final(h: House) -> Armed:
    found = _decided(h)
    act, shows = lambda: disputes.dispute_advance(dispute_id=found.pk), lambda: (state(found)(), usd(h.alice), usd(h.bob))
    was, becomes = ("appeal", (0, 40_000, 0, 0), (0, 0, 0, 0)), ("settled", (20_000, 0, 0, 0), (0, 0, 18_000, 0))
    return Armed(found.decide_by, act, shows, was, becomes)


def dispute_appealed(h: House) -> Armed:
    found = disputes.dispute_appeal(actor=h.bob, dispute_id=_decided(h).pk, reason="All of it is there.")
    return Armed(found.decide_by, lambda: disputes.dispute_advance(dispute_id=found.pk), told("dispute.late"), 0, 1)


def dispute_hold_limit(h: House) -> Armed:
    m = h.get("submitted")
    h.wait(70 * DAY)
    found = disputes.dispute_open(actor=h.alice, milestone_id=m.pk, claim="The pages are empty.")
    disputes.dispute_respond(actor=h.bob, dispute_id=found.pk, text="They are not.")
    act = lambda: disputes.dispute_advance(dispute_id=found.pk)  # noqa: E731
    return Armed(None, act, state(found), "negotiation", "decision", since=m.funded_at)


def five_business_days(since: datetime, edge: Edge) -> datetime:
    """A week later; from a Saturday or Sunday on the time of day stays and the Friday after it ends it."""
    return since + {5: 6, 6: 5}.get(since.weekday(), 7) * DAY


CLOCKS = [
    Clock("auto-approval", f"{CONTRACTS}.auto_approve_due", auto_approval, 14 * DAY, what="auto_approve"),
    Clock("auto-approval-paused", f"{CONTRACTS}.auto_approve_due", auto_approval_paused, 17 * DAY),
    Clock("auto-approval-disputed", f"{CONTRACTS}.auto_approve_due", auto_approval_disputed, 17 * DAY),
    Clock("auto-approval-after-refusal", f"{CONTRACTS}.auto_approve_due", auto_approval_refused, 7 * DAY, lead=14 * DAY),
    Clock("approval-reminder", f"{CONTRACTS}.remind_due", approval_reminder, 13 * DAY, what="approval_reminder"),
    Clock("clearing", f"{CONTRACTS}.clear_due", clearing, 5 * DAY, what="clearing"),
    Clock("part-clearing", f"{CONTRACTS}.clear_due", part_clearing, 5 * DAY, what="part_clearing"),
    Clock("bonus-clearing", f"{CONTRACTS}.clear_due", bonus_clearing, 5 * DAY, what="bonus_clearing"),
    Clock("refund-silence", f"{CONTRACTS}.grant_refunds_due", refund_silence, 7 * DAY, what="refund_grant"),
    Clock("refund-silence-paused", f"{CONTRACTS}.grant_refunds_due", refund_silence_paused, 10 * DAY),
    Clock("refund-reminder", f"{CONTRACTS}.remind_due", refund_reminder, 6 * DAY, what="refund_reminder"),
    Clock("offer-expiry", f"{CONTRACTS}.expire_offers_due", offer_expiry, 7 * DAY, what="offer_expiry"),
    Clock("hold-alarm", f"{CONTRACTS}.limit_holds", hold_alarm, 60 * DAY, what="hold_limit"),
    Clock("hold-alarm-disputed", f"{CONTRACTS}.limit_holds", hold_alarm_disputed, 60 * DAY, what="hold_limit"),
    Clock("hold-reminder", f"{CONTRACTS}.limit_holds", hold_reminder, 74 * DAY, what="hold_limit"),
    Clock("hold-returned", f"{CONTRACTS}.limit_holds", hold_returned, 75 * DAY, what="hold_limit"),
    Clock("week-opens", f"{CONTRACTS}.open_weeks_due", weeks_open, after_monday(0 * DAY), begins=monday_nine, what="weeks_open"),
    Clock("week-closes", f"{CONTRACTS}.close_weeks_due", week_close, after_monday(12 * HOUR), begins=monday_nine, what="week_close"),
    Clock("week-closes-paused", f"{CONTRACTS}.close_weeks_due", week_close_paused, after_monday(84 * HOUR), begins=monday_nine),
    Clock("week-silence", f"{CONTRACTS}.auto_approve_due", week_silence, after_monday(5 * DAY - MINUTE), begins=monday_nine),
    Clock("week-silence-late", f"{CONTRACTS}.auto_approve_due", late_week_silence, 48 * HOUR, lead=10 * DAY - 2 * HOUR),
    Clock("questions-granted", f"{CONTRACTS}.grant_questions_due", questions_grant, 3 * DAY, what="questions_grant"),
    Clock("answered-silence", f"{CONTRACTS}.auto_approve_due", answered_silence, 4 * DAY, lead=9 * DAY - 2 * HOUR),
    Clock("dispute-response", f"{DISPUTES}.advance_due", dispute_response, five_business_days, begins=lambda e: e.at - 84 * HOUR,
          what="dispute_advance"),
    Clock("dispute-negotiation", f"{DISPUTES}.advance_due", dispute_negotiation, 14 * DAY),
    Clock("dispute-proposal", f"{DISPUTES}.advance_due", dispute_proposal, 3 * DAY, lead=14 * DAY),
    Clock("dispute-evidence", f"{DISPUTES}.advance_due", dispute_evidence, 7 * DAY, lead=17 * DAY),
    Clock("dispute-decision-late", f"{DISPUTES}.advance_due", dispute_decision, 5 * DAY, lead=24 * DAY),
    Clock("dispute-final", f"{DISPUTES}.advance_due", dispute_final, 7 * DAY, lead=24 * DAY),
    Clock("dispute-appeal-late", f"{DISPUTES}.advance_due", dispute_appealed, 5 * DAY, lead=24 * DAY),
    Clock("dispute-hold-limit", f"{DISPUTES}.advance_due", dispute_hold_limit, 75 * DAY),
]  # fmt: skip
