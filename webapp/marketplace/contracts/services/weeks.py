"""The weeks of an hourly contract: each is a milestone for the cap at the agreed rate, funded ahead like any other.

A week is opened one ahead, so that the client can fund it before it begins. Its hours are fixed when the freelancer submits it or at Monday
noon: the milestone's amount becomes what they are worth and the rest of the hold goes back to the client's wallet at once. From then on
approval, silence, disputes, release and clearing are the milestone's. A week that nobody funded ends without a debt: nothing could be logged.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.accounts.selectors import is_suspended
from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money, exponent
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments import selectors as money
from marketplace.payments import services as payments

from .. import hours_calendar as calendar
from .. import policies
from ..hours_selectors import entries_of, hours_of, sheet_for, sheet_locked
from ..models import CapChange, Contract, HourlyTerms, Milestone, Submission, TimeEntry, Timesheet
from ..selectors import contract_for, contract_locked
from ..states import CAP_CHANGE, MILESTONE
from .ending import end_if_done
from .funding import put_in_hold

CAP_MOST = 7 * calendar.DAY_MINUTES


def cap_checked(minutes: object, rate_minor: int) -> int:
    """The weekly cap. Raises InvalidInput for one that no week has room for, or whose price is nothing or more than a milestone may hold."""
    if type(minutes) is not int or not 1 <= minutes <= CAP_MOST:
        message = f"A whole number of minutes from 1 to {CAP_MOST}."
        raise InvalidInput("weekly_cap_invalid", message, {"weekly_cap_minutes": [message]})
    price = calendar.worth(minutes, rate_minor)
    if not 1 <= price <= settings.MAX_AMOUNT_MINOR:
        message = f"A week at this cap and rate costs {price} minor units; it must be 1 to {settings.MAX_AMOUNT_MINOR}."
        raise InvalidInput("weekly_cap_invalid", message, {"weekly_cap_minutes": [message]})
    return minutes


def weekly_price(*, weekly_cap_minutes: object, rate_minor: int, currency: str) -> int:
    """The most that a week can cost. Raises InvalidInput for an unknown currency or an impossible cap."""
    exponent(currency)
    return calendar.worth(cap_checked(weekly_cap_minutes, rate_minor), rate_minor)


def hours_agree(contract: Contract, *, weekly_cap_minutes: int, rate_minor: int) -> HourlyTerms:
    """The terms of a weekly contract that is being offered, in the caller's transaction. Its weeks begin when it is accepted."""
    return HourlyTerms.objects.create(contract=contract, rate_minor=rate_minor, weekly_cap_minutes=weekly_cap_minutes)


def weeks_begin(contract: Contract) -> None:
    """Open this week and the next of a locked contract that was just accepted; nothing on a contract without weekly hours."""
    terms = hours_of(contract)
    if terms is not None:
        _open_weeks(contract, terms, clock.now())


def _open_weeks(contract: Contract, terms: HourlyTerms, now: datetime) -> Timesheet:
    """The present week, after it and the next were opened unless they were, and the clock set to the next Monday."""
    this_week = calendar.week_of(now)
    present = _open(contract, terms, this_week)
    _open(contract, terms, this_week + calendar.WEEK)
    terms.next_week_at = calendar.begins(this_week) + calendar.WEEK
    terms.save(update_fields=["next_week_at"])
    return present


def _open(contract: Contract, terms: HourlyTerms, week_start: date) -> Timesheet:
    known = Timesheet.objects.filter(contract=contract, week_start=week_start, part=Timesheet.Part.WEEK).select_related("milestone").first()
    if known is not None:
        return known
    milestone = Milestone.objects.create(
        contract=contract,
        position=next_position(contract),
        title=f"Week of {week_start.isoformat()}",
        amount_minor=calendar.worth(terms.weekly_cap_minutes, terms.rate_minor),
        currency=contract.currency,
    )
    sheet = Timesheet.objects.create(
        contract=contract,
        milestone=milestone,
        week_start=week_start,
        rate_minor=terms.rate_minor,
        cap_minutes=terms.weekly_cap_minutes,
        closes_at=calendar.closes_at(week_start),
    )
    after = {"week_start": week_start.isoformat(), "cap_minutes": sheet.cap_minutes, "amount_minor": milestone.amount_minor}
    events.record(aggregate=sheet, kind="timesheet.open", actor_id=None, after={**after, "currency": milestone.currency})
    return sheet


def next_position(contract: Contract) -> int:
    """The place of one more milestone on a locked contract."""
    last = contract.milestones.order_by("-position").values_list("position", flat=True).first()
    return (last or 0) + 1


@unit_of_work
def weeks_open(*, contract_id: int) -> bool:
    """A new week has begun: the one after it is opened, and its money taken from the wallet when the client wants that; says whether it did here.

    Both sides hear when the week that begins has no money: its hours would be unprotected, so none can be logged before it is funded. While
    funding is shut, or a side suspended, no money moves by itself: the client hears that, and the first run afterwards makes up for it.
    """
    contract = contract_locked(contract_id)
    terms, now = hours_of(contract), clock.now()
    if terms is None or terms.next_week_at is None or contract.state != "active" or contract.paused_at is not None:
        return False
    if terms.next_week_at > now:
        return _funding_goes_on(contract, terms, now)
    present = _open_weeks(contract, terms, now)
    if terms.auto_fund and present.milestone.state == "planned":
        _fund_by_itself(contract, terms, present, rule="week_begins")
    if present.milestone.state == "planned":
        events.record(aggregate=present, kind="timesheet.unprotected", actor_id=None, after={"week_start": present.week_start.isoformat()})
    return True


def _funding_goes_on(contract: Contract, terms: HourlyTerms, now: datetime) -> bool:
    """Make up for what _fund_by_itself had to put off, as the client wishes now; says whether anything was put off no longer."""
    if terms.funding_waits_since is None or _why_not_by_itself(contract):
        return False
    terms.funding_waits_since = None
    terms.save(update_fields=["funding_waits_since"])
    if terms.auto_fund:
        week = Timesheet.objects.filter(
            contract=contract, week_start=calendar.week_of(now), part=Timesheet.Part.WEEK, closed_at__isnull=True
        )
        sheet = week.filter(milestone__state="planned").select_related("milestone").first()
        if sheet is not None:
            _fund_by_itself(contract, terms, sheet, rule="week_begins")
    if terms.unspent == HourlyTerms.Unspent.ROLL:
        fund_next_week(contract)
    return True


def _why_not_by_itself(contract: Contract) -> str:
    """Why no money may move from the wallet without anybody's act now; empty when it may."""
    if not features.on("FUNDING_OPEN"):
        return "Milestones cannot be funded at the moment."
    if is_suspended(contract.client_id):
        return "Your account cannot fund work at the moment."
    if is_suspended(contract.freelancer_id):
        return "The freelancer takes no work at the moment."
    return ""


def _fund_by_itself(contract: Contract, terms: HourlyTerms, sheet: Timesheet, *, rule: str) -> bool:
    """Fund the planned week from the wallet, if it suffices; says whether it was. When that may not be now the client hears it once."""
    if why := _why_not_by_itself(contract):
        if terms.funding_waits_since is None:
            terms.funding_waits_since = clock.now()
            terms.save(update_fields=["funding_waits_since"])
            after = {
                "week_start": sheet.week_start.isoformat(),
                "amount_minor": sheet.milestone.amount_minor,
                "currency": contract.currency,
            }
            events.record(aggregate=sheet, kind="timesheet.funding_waits", actor_id=None, after=after, reason=why)
        return False
    return _take_from_wallet(contract, sheet.milestone, rule=rule)


def _take_from_wallet(contract: Contract, milestone: Milestone, *, rule: str) -> bool:
    """Fund the planned milestone when the client's wallet suffices; says whether it did."""
    try:
        with transaction.atomic():  # a refused hold leaves nothing of itself
            put_in_hold(contract, milestone, payment_id=None, rule=rule)
    except Conflict as e:
        if e.code != "insufficient_funds":
            raise
        milestone.refresh_from_db()
        milestone.contract = contract
        return False
    return True


def fund_next_week(contract: Contract) -> bool:
    """Fund the first open week of a locked contract that waits for money from the wallet, if that suffices; says whether it did."""
    if contract.state != "active" or contract.paused_at is not None:
        return False
    waiting = Timesheet.objects.filter(contract=contract, closed_at__isnull=True, closes_at__gt=clock.now(), milestone__state="planned")
    sheet = waiting.select_related("milestone").order_by("week_start").first()
    terms = hours_of(contract)
    return sheet is not None and terms is not None and _fund_by_itself(contract, terms, sheet, rule="unspent_rolls")


@unit_of_work
def week_submit(*, actor: User, timesheet_id: int, note: str = "") -> Timesheet:
    """The freelancer hands the week in before its clock does: its entries are fixed and its review begins.

    Raises Conflict for a week that is not funded, closed, over or without entries.
    """
    policies.require_role(sheet_for(actor, timesheet_id).contract, actor, "freelancer", "week_submit")
    contract, sheet = sheet_locked(timesheet_id)
    require_open(contract, sheet, clock.now())
    if sheet.minutes == 0:
        raise Conflict("week_empty", "Nothing is logged for this week: log your hours first, or let the week end by itself.")
    _fix(contract, sheet, role="freelancer", actor_id=actor.pk, note=note)
    return sheet


@unit_of_work
def week_close(*, timesheet_id: int) -> bool:
    """The week's clock: what is logged is submitted, a week without hours gives its money back, one without money ends; says whether it did here."""
    contract, sheet = sheet_locked(timesheet_id)
    now, milestone = clock.now(), sheet.milestone
    if sheet.closed_at is not None or sheet.closes_at > now or contract.paused_at is not None:
        return False
    if milestone.state == "planned":
        sheet.closed_at = now
        sheet.save(update_fields=["closed_at"])
        move(milestone, MILESTONE, "cancel", role="system", actor_id=None, reason="The week ended before it was funded.")
        end_if_done(contract, actor_id=None)
        return True
    if milestone.state not in ("funded", "in_progress"):
        return False
    _fix(contract, sheet, role="system", actor_id=None)
    return True


def require_open(contract: Contract, sheet: Timesheet, now: datetime) -> None:
    """Raise Conflict, saying what to do, unless entries of the locked week may change now."""
    if contract.state != "active":
        raise Conflict("contract_not_active", f"This contract is {contract.state}: no hours can be logged on it.")
    if contract.paused_at is not None:
        raise Conflict("contract_paused", "This contract is paused: its weeks stand still until it is resumed.")
    if sheet.closed_at is not None or now >= sheet.closes_at or sheet.part != Timesheet.Part.WEEK:
        raise Conflict("week_closed", "This week is closed: its hours cannot be changed any more.")
    if sheet.milestone.state == "planned":
        message = "No money is held for this week, so its hours would be unprotected. They can be logged once the client has funded it."
        raise Conflict("week_not_funded", message)
    if sheet.milestone.state not in ("funded", "in_progress"):
        raise Conflict("week_closed", f"This week is {sheet.milestone.state}: its hours cannot be changed now.")


def _fix(contract: Contract, sheet: Timesheet, *, role: str, actor_id: int | None, note: str = "") -> None:
    """Fix the entries of an open, funded week: the milestone is submitted for what they are worth, the rest returns to the wallet."""
    now, milestone = clock.now(), sheet.milestone
    entries = entries_of(sheet)
    worth = calendar.worth(sheet.minutes, sheet.rate_minor)
    for entry, share in zip(entries, calendar.shares(worth, [e.minutes for e in entries]), strict=True):
        entry.amount_minor = share
    TimeEntry.objects.bulk_update(entries, ["amount_minor"])
    sheet.closed_at, sheet.funded_minor = now, milestone.amount_minor
    sheet.save(update_fields=["closed_at", "funded_minor"])
    unspent = milestone.amount_minor - worth
    reason = "" if unspent == 0 else f"{calendar.spoken(sheet.minutes)} of {calendar.spoken(sheet.cap_minutes)} were logged."
    if worth == 0:
        close_hold(contract, milestone, rule="nothing_logged", role=role, actor_id=actor_id, reason=reason)
    else:
        if unspent:
            give_back_part(contract, milestone, unspent, part="unspent", rule="unspent_hours", actor_id=actor_id, reason=reason)
        hand_in(milestone, role, actor_id, calendar.review_ends(sheet.week_start, now), note or f"{calendar.spoken(sheet.minutes)} logged.")
    events.record(
        aggregate=sheet,
        kind="timesheet.submit",
        actor_id=actor_id,
        after={
            "minutes": sheet.minutes,
            "amount_minor": worth,
            "unspent_minor": unspent,
            "currency": milestone.currency,
            "by_clock": role == "system",
        },
        reason=reason,
    )
    terms = hours_of(contract)
    if unspent and terms is not None and terms.unspent == HourlyTerms.Unspent.ROLL:
        fund_next_week(contract)
    end_if_done(contract, actor_id=actor_id)


def hand_in(milestone: Milestone, role: str, actor_id: int | None, auto_approve_at: datetime, note: str) -> None:
    """Submit the milestone of fixed hours; silence approves at `auto_approve_at`."""
    milestone.submitted_at = clock.now()
    milestone.auto_approve_at = auto_approve_at
    version = milestone.submissions.count() + 1
    move(
        milestone,
        MILESTONE,
        "submit",
        role=role,
        actor_id=actor_id,
        also=["submitted_at", "auto_approve_at"],
        extra={"version": version, "auto_approve_at": auto_approve_at.isoformat()},
    )
    Submission.objects.create(milestone=milestone, version=version, note=note, submitted_at=milestone.submitted_at)


def give_back_part(
    contract: Contract,
    milestone: Milestone,
    minor: int,
    *,
    part: str,
    rule: str,
    actor_id: int | None,
    reason: str = "",
    passes_on: bool = False,
) -> None:
    """Part of the hold → the client's wallet, less than all of it; the milestone's amount becomes what stays held. With `passes_on` the
    caller puts it into another hold in the same transaction.
    """
    payments.refund(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payer_id=contract.client_id,
        amount=Money(minor, milestone.currency),
        actor_id=actor_id,
        rule=rule,
        reason=reason,
        part=part,
        fee_schedule=contract.fee_schedule,
        passes_on=passes_on,
    )
    milestone.amount_minor -= minor
    milestone.save(update_fields=["amount_minor"])


def close_hold(
    contract: Contract, milestone: Milestone, *, rule: str, role: str, actor_id: int | None, reason: str = "", passes_on: bool = False
) -> None:
    """All that is held → the client's wallet, and the milestone ends as refunded. `passes_on` as in `give_back_part`."""
    held = money.held_locked(milestone.pk, milestone.currency)
    milestone.refunded_at = clock.now()
    milestone.auto_approve_at = None
    move(
        milestone,
        MILESTONE,
        "refund",
        role=role,
        actor_id=actor_id,
        reason=reason,
        also=["refunded_at", "auto_approve_at"],
        extra={"amount_minor": held.minor, "currency": held.currency},
    )
    payments.refund(
        contract_id=contract.pk,
        milestone_id=milestone.pk,
        payer_id=contract.client_id,
        amount=held,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
        fee_schedule=contract.fee_schedule,
        passes_on=passes_on,
    )


@unit_of_work
def hours_stop(*, actor: User, contract_id: int, reason: str = "") -> Contract:
    """Either side ends the weeks: none is opened any more, later weeks give their money back, and no day after today can be logged.

    The present week, if it is funded, runs to its own end; the contract is over when its last money has moved.
    """
    policies.role_in(contract_for(actor, contract_id), actor)
    contract = contract_locked(contract_id)
    role, terms = policies.role_in(contract, actor), hours_of(contract)
    if role == "staff":
        policies.require_role(contract, actor, "client", "hours_stop")
    if terms is None:
        raise Conflict("hours_not_weekly", "This contract has no weekly hours: its milestones end it.")
    if contract.state != "active" or terms.stopped_at is not None:
        raise Conflict("hours_stop_impossible", "The weeks of this contract do not run: there is nothing to stop.")
    stop_weeks(contract, terms)
    events.record(aggregate=contract, kind="contract.stop_hours", actor_id=actor.pk, after={"stopped": True}, reason=reason[:500])
    end_later_weeks(contract, actor_id=actor.pk, role=role, reason=reason)
    end_if_done(contract, actor_id=actor.pk, reason=reason)
    return contract


def stop_weeks(contract: Contract, terms: HourlyTerms | None = None) -> None:
    """No further week on a locked contract; nothing on one without weekly hours, or whose weeks are stopped."""
    terms = terms or hours_of(contract)
    if terms is None or terms.stopped_at is not None:
        return
    terms.stopped_at, terms.next_week_at = clock.now(), None
    terms.save(update_fields=["stopped_at", "next_week_at"])
    for change in CapChange.objects.filter(live_key=contract.pk):
        change.answered_at, change.live_key = terms.stopped_at, None
        move(change, CAP_CHANGE, "withdraw", role="system", actor_id=None, also=["answered_at", "live_key"], reason="The weeks have ended.")


def end_later_weeks(contract: Contract, *, actor_id: int, role: str, reason: str) -> None:
    """What weeks that were stopped leave behind on a locked contract: those without money are cancelled, later ones give theirs back."""
    today = clock.now().date()
    for sheet in Timesheet.objects.filter(contract=contract, closed_at__isnull=True).select_related("milestone").order_by("week_start"):
        milestone = sheet.milestone
        milestone.contract = contract
        if milestone.state == "planned":
            move(milestone, MILESTONE, "cancel", role=role, actor_id=actor_id, reason=reason)
        elif milestone.state in ("funded", "in_progress") and sheet.week_start > today:  # started or not, it holds no hours
            close_hold(contract, milestone, rule="hours_stopped", role="system", actor_id=actor_id, reason=reason)


def put_off_clocks(contract: Contract, since: datetime, until: datetime, milestone: Milestone | None = None) -> None:
    """The weeks' own clocks stood still from `since` to `until`, on the whole contract or for one milestone: they run out that much later.

    What began later stood still for less. On a milestone that is disputed the contract's pause counts until the dispute; the rest is the dispute's.
    """
    sheets = Timesheet.objects.filter(contract=contract).select_related("milestone")
    if milestone is not None:
        sheets = sheets.filter(milestone=milestone)
    for sheet in sheets.filter(closed_at__isnull=True, week_start__lte=until.date()):
        sheet.closes_at += _stood_still(sheet, since, until, calendar.begins(sheet.week_start), whole=milestone is None)
        sheet.save(update_fields=["closes_at"])
    for sheet in sheets.filter(answer_by__isnull=False, closed_at__isnull=False, milestone__state__in=("changes_requested", "disputed")):
        assert sheet.answer_by is not None and sheet.closed_at is not None
        sheet.answer_by += _stood_still(sheet, since, until, sheet.closed_at, whole=milestone is None)
        sheet.save(update_fields=["answer_by"])


def _stood_still(sheet: Timesheet, since: datetime, until: datetime, began: datetime, *, whole: bool) -> timedelta:
    end = (sheet.milestone.disputed_at or until) if whole else until
    return max(timedelta(0), end - max(since, began))
