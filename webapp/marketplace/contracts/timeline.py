"""The one timeline of work and money: what happened, which money moved, and what will happen if nobody acts.

Belongs here: wording, order, the clocks. Not here: who may see a contract (selectors), what may be done (policies).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import BigIntegerField, F, Q, QuerySet, Value

from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.prepared import Statement
from marketplace.payments import selectors as money

from .hours_timeline import TITLES as WEEK_TITLES
from .hours_timeline import next_week_clock, week_clocks, weeks_of
from .models import Bonus, Contract, Milestone, ProgressReport, RefundRequest, WorkRequest
from .rest import held_until_together, next_for
from .selectors import Running
from .states import CONTRACT_ENDED, FUNDED_STATES

if TYPE_CHECKING:
    from marketplace.payments.models import Entry


@dataclass(frozen=True, slots=True)
class Clock:
    """Something that happens by itself at `at`: `then` says what, for both sides to read."""

    clock: str
    at: datetime
    then: str
    milestone_id: int | None = None
    #: tells clocks of one kind on one object apart: the number of the part or bonus
    about: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the timeline. `kind` is event, posting or clock; `future` and `if_nobody_acts` belong to clocks."""

    at: datetime
    kind: str
    title: str
    text: str
    actor: str
    future: bool = False
    milestone_id: int | None = None
    amount: Money | None = None
    entry_id: int | None = None
    if_nobody_acts: str | None = None


EVENT_TITLES = {
    "contract.offer": "Offer made",
    "contract.change_offer": "Terms of the offer changed",
    "contract.expire": "Offer ran out",
    "contract.accept": "Offer accepted",
    "contract.decline": "Offer declined",
    "contract.cancel": "Contract cancelled",
    "contract.complete": "Contract completed",
    "contract.pause": "Contract paused",
    "contract.resume": "Contract resumed",
    "milestone.fund": "Milestone funded",
    "milestone.funding_refused": "Payment came too late",
    "milestone.cancel": "Milestone cancelled",
    "milestone.start": "Work started",
    "milestone.submit": "Work submitted",
    "milestone.request_changes": "Changes requested",
    "milestone.approve": "Work approved",
    "milestone.release": "Funds released",
    "milestone.clear": "Funds cleared",
    "milestone.refund": "Funds given back",
    "milestone.dispute": "Dispute opened",
    "milestone.resolve": "Dispute settled",
    **WEEK_TITLES,
    "milestone.approve_part": "Part approved and released",
    "milestone.clear_part": "Funds of a part cleared",
    "milestone.refund_part": "Part of the funds given back",
    "milestone.close": "Milestone closed, a part was paid",
    "milestone.take_rest": "Rest of the milestone before taken over",
    "milestone.extend": "Due date moved",
    "milestone.hold_alarm": "Funds held for long",
    "milestone.hold_alarm_disputed": "Funds held for long",
    "milestone.hold_reminder": "Held funds return tomorrow",
    "milestone.remind_approval": "Reminder: silence approves",
    "refund_request.open": "Funds asked back",
    "refund_request.open_roll": "Rest asked for the next milestone",
    "refund_request.accept": "Request for funds accepted",
    "refund_request.refuse": "Request for funds refused",
    "refund_request.grant": "Request for funds not answered: granted",
    "refund_request.withdraw": "Request for funds withdrawn",
    "refund_request.supersede": "Request for funds overtaken",
    "refund_request.lapse": "Request for funds lapsed",
    "refund_request.remind": "Reminder: silence grants the request",
    "work_request.extension": "Later due date asked for",
    "work_request.progress": "Progress asked for",
    "work_request.pause": "Pause asked for",
    "work_request.accept": "Request accepted",
    "work_request.decline": "Request declined",
    "work_request.withdraw": "Request withdrawn",
    "progress_report.add": "Progress reported",
    "bonus.give": "Bonus paid",
    "bonus.clear": "Bonus cleared",
}
POSTING_TITLES = {
    "hold": "Wallet → funds held",
    "release": "Funds held → freelancer",
    "clear": "Clearing → available",
    "refund": "Funds held → client's wallet",
    "roll": "Funds held → next milestone",
    "clear_part": "Clearing → available",
    "bonus": "Wallet → freelancer",
    "clear_bonus": "Clearing → available",
    "settle": "Funds held → both sides",
    "client_fee": "Wallet → service fee",
    "client_fee_refund": "Service fee → client's wallet",
}
RULES = {
    "client_funding": "paid by the client",
    "client_funding_wallet": "paid from the client's wallet",
    "client_approval": "the client approved",
    "client_approval_part": "the client approved a part",
    "client_bonus": "a bonus of the client",
    "freelancer_agrees": "the freelancer agreed",
    "freelancer_gives_back": "the freelancer gave it back",
    "dispute_decision": "decided in the dispute",
    "dispute_claim_accepted": "the claim in the dispute was accepted",
    "dispute_silence": "the claim in the dispute was not answered",
    "dispute_agreement": "both sides' offers in the dispute met",
    "dispute_proposal": "both sides accepted the computed split",
    "dispute_appeal": "decided on appeal",
    "week_begins": "from the client's wallet as the week began",
    "unspent_rolls": "unspent money of an earlier week funds this one",
    "unspent_hours": "the week's hours cost less than was held",
    "nothing_logged": "no hours were logged for the week",
    "hours_questioned": "questioned hours are held apart",
    "hours_corrected": "the freelancer corrected questioned hours",
    "questions_unanswered": "the questions were not answered in time",
    "hours_stopped": "the weeks were stopped before it began",
    "week_review_silence": "by the clock: the review of the week was over",
}


def rule_text(rule: str) -> str:
    """Why money moved, in words: "auto_approval_14d" → "by the clock: auto approval after 14 days"."""
    if rule in RULES:
        return RULES[rule]
    name, _, days = rule.replace("_", " ").rpartition(" ")
    if name and days.endswith("d") and days[:-1].isdigit():
        return f"by the clock: {name} after {days[:-1]} days"
    return rule.replace("_", " ")


def clocks(contract: Contract, milestones: list[Milestone], beside: Running) -> list[Clock]:
    """Every clock that runs on the contract, soonest first. In a pause no silence runs; `beside` is what selectors.running gives."""
    found = [c for m in milestones for c in _milestone_clocks(contract, m, milestones, beside)]
    found += [_bonus_clock(b) for b in beside.bonuses.get(contract.pk, [])]
    offer = getattr(contract, "offer", None) if contract.state == "offered" else None
    if offer is not None:
        found.append(Clock("offer_expiry", offer.expires_at, "The offer ends without a contract; the proposal expires."))
    if contract.state in CONTRACT_ENDED and contract.started_at and contract.ended_at:
        shuts = contract.ended_at + timedelta(days=settings.REVIEW_WINDOW_DAYS)
        found.append(Clock("review_window", shuts, "The window for reviews shuts and written reviews open."))
    found += [Clock(*row) for row in next_week_clock(contract)]
    return sorted(found, key=lambda c: (c.at, c.milestone_id or 0, c.clock, c.about or 0))


def _bonus_clock(bonus: Bonus) -> Clock:
    return Clock("bonus_clearing", bonus.clears_at, "The bonus becomes available to the freelancer.", about=bonus.pk)


def _milestone_clocks(contract: Contract, m: Milestone, milestones: list[Milestone], beside: Running) -> list[Clock]:
    found = [Clock(*row, m.pk) for row in week_clocks(contract, m)]
    silence = _silence(contract, m, milestones, beside)
    if silence is not None:
        found.append(silence)
    for part in beside.parts.get(m.pk, []):
        text = f"A part of the money of “{m.title}” becomes available to the freelancer."
        found.append(Clock("part_clearing", part.clears_at, text, m.pk, part.pk))
    if m.clears_at and m.cleared_at is None:
        found.append(Clock("clearing", m.clears_at, f"The money of “{m.title}” becomes available to the freelancer.", m.pk))
    if m.state == "disputed" and m.decide_by:
        found.append(
            Clock(
                "dispute_decision",
                m.decide_by,
                "This stage of the dispute ends; the dispute says what follows if nobody acts. No clock releases its money.",
                m.pk,
            )
        )
    if m.due_at and m.state in ("funded", "in_progress", "changes_requested"):
        found.append(Clock("due", m.due_at, f"“{m.title}” counts as late. No money moves by itself.", m.pk))
    if m.state in FUNDED_STATES and m.hold_began_at is not None:
        limit = m.hold_began_at + timedelta(days=settings.HOLD_LIMIT_DAYS)
        if silence is None or limit < silence.at:  # else the hold will be empty, or smaller, before it is too old
            text = (
                f"What is held for “{m.title}” returns to the client's wallet: money is held for at most {settings.HOLD_LIMIT_DAYS} days."
            )
            found.append(Clock("hold_limit", limit, text, m.pk))
    if m.state == "planned" and m.due_at and contract.state == "active":
        opens = m.due_at - timedelta(days=settings.FUND_AHEAD_DAYS)
        if opens > beside.now:
            found.append(Clock("funding_opens", opens, f"“{m.title}” can be funded from then on. Nothing moves by itself.", m.pk))
    return found


def _silence(contract: Contract, m: Milestone, milestones: list[Milestone], beside: Running) -> Clock | None:
    """The clock on which silence moves the milestone's money; None when there is none, or it stands still in a pause."""
    if contract.paused_at is not None:
        return None
    request = beside.refund_requests.get(m.pk)
    if request is not None:
        amount = Money(request.amount_minor, request.currency)
        goes = "returns to the client's wallet." if request.to == RefundRequest.To.WALLET else _rolls(m, milestones, request.answer_by)
        return Clock("refund_answer", request.answer_by, f"{amount} of “{m.title}” {goes}", m.pk)
    if m.state == "submitted" and m.auto_approve_at:
        amount = beside.held.get(m.pk) or Money(m.amount_minor, m.currency)
        return Clock("auto_approval", m.auto_approve_at, f"“{m.title}” is approved and {amount} is released to the freelancer.", m.pk)
    return None


def _rolls(m: Milestone, milestones: list[Milestone], at: datetime) -> str:
    """What becomes of the rest of the milestone at `at`, as things stand now."""
    try:
        target = next_for(m, milestones, at)
    except Conflict as e:
        return f"stays where it is, as things stand. {e.message}"
    ends = held_until_together(m, target)
    until = "" if ends is None else f", whose money can then be held until {ends:%Y-%m-%d %H:%M} UTC"
    return f"moves to the next milestone, “{target.title}”{until}."


def timeline(contract: Contract, milestones: list[Milestone], beside: Running, now: datetime) -> list[Item]:
    """Events and postings in the order they happened, then the clocks that are still to run, soonest first."""
    names = {contract.client_id: contract.client.display_name, contract.freelancer_id: contract.freelancer.display_name}
    titles = {m.pk: m.title for m in milestones}
    past = [
        (e.at, order, e)
        for order, e in enumerate([*_events(contract, titles, names, weeks_of(milestones)), *_postings(contract, titles, names)])
    ]
    ahead = [
        Item(
            at=c.at,
            kind="clock",
            title=c.clock.replace("_", " ").capitalize(),
            text=titles.get(c.milestone_id or 0, contract.title),
            actor="the clock",
            future=c.at > now,
            milestone_id=c.milestone_id,
            if_nobody_acts=c.then,
        )
        for c in clocks(contract, milestones, beside)
    ]
    return [e for _, _, e in sorted(past, key=lambda row: row[:2])] + ahead


def _who(actor_id: int | None, names: dict[int, str]) -> str:
    return "the clock" if actor_id is None else names.get(actor_id, "Openlance staff")


def _events(contract: Contract, titles: dict[int, str], names: dict[int, str], weeks: dict[int, int]) -> list[Item]:
    """`weeks` leads from a week's id to its milestone's."""
    of = _aggregates(contract, titles, weeks)
    found = []
    for event in sorted(_EVENTS(**{label.partition(".")[2]: list(ids) for label, ids in of.items()}), key=lambda e: e.pk):
        milestone_id = of[event.aggregate_type][event.aggregate_id]
        withdrawn = event.kind.startswith("milestone.return_to_")
        title = "Dispute withdrawn" if withdrawn else EVENT_TITLES.get(event.kind)
        if title is None:
            continue
        about = titles[milestone_id] if milestone_id is not None else contract.title
        if event.kind == "milestone.submit":
            about = f"{about}, version {event.after['version']}"
        text = f"{about}: {event.reason}" if event.reason else about
        found.append(Item(event.occurred_at, "event", title, text, _who(event.actor_id, names), milestone_id=milestone_id))
    return found


def _events_of(**ids: Any) -> QuerySet[Event]:
    """Events of objects of this app, by the last word of their label."""
    wanted = Q(pk__in=())
    for name, some in ids.items():
        if some:
            wanted |= Q(aggregate_type=f"contracts.{name}", aggregate_id__in=some)
    return Event.objects.filter(wanted).only("aggregate_type", "aggregate_id", "kind", "after", "reason", "occurred_at", "actor_id")


_EVENTS: Statement[Event] = Statement(_events_of)


def _aggregates(contract: Contract, titles: dict[int, str], weeks: dict[int, int]) -> dict[str, dict[int, int | None]]:
    """Whose events make the contract's story: label → id → the milestone it is about."""
    found: dict[str, dict[int, int | None]] = {
        "contracts.contract": {contract.pk: None},
        "contracts.milestone": {pk: pk for pk in titles},
        "contracts.timesheet": dict(weeks),
        **{label: {} for label in _BESIDE_LABELS},
    }
    for label, pk, milestone_id in _BESIDE(contract_id=contract.pk, milestone_ids=list(titles)):
        found[_BESIDE_LABELS[label]][pk] = milestone_id
    return found


_BESIDE_LABELS = ("contracts.refundrequest", "contracts.workrequest", "contracts.progressreport", "contracts.bonus")


def _beside(*, contract_id: Any, milestone_ids: Any) -> QuerySet[Any, tuple[int, int, int | None]]:
    """(place in _BESIDE_LABELS, id, milestone id)"""
    of_milestones, of_contract = {"milestone__in": milestone_ids}, {"contract": contract_id}
    beside: tuple[tuple[QuerySet[Any], Any], ...] = (
        (RefundRequest.objects.filter(**of_milestones), F("milestone_id")),
        (WorkRequest.objects.filter(**of_contract), F("milestone_id")),
        (ProgressReport.objects.filter(**of_milestones), F("milestone_id")),
        (Bonus.objects.filter(**of_contract), Value(None, BigIntegerField())),
    )
    first, *others = (rows.order_by().values_list(Value(place), "pk", about) for place, (rows, about) in enumerate(beside))
    return first.union(*others, all=True)


_BESIDE: Statement[tuple[int, int, int | None]] = Statement(_beside)


def _postings(contract: Contract, titles: dict[int, str], names: dict[int, str]) -> list[Item]:
    entries = _ENTRIES(contract_id=contract.pk)
    effects = money.entry_effects([e.pk for e in entries])
    return [_posting(e, effects.get(e.pk, []), titles, names) for e in entries]


_ENTRIES: Statement[Entry] = Statement(
    lambda contract_id: money.entries_of(contract_id).only(
        "subject_type", "subject_id", "gross_minor", "quote", "rule", "kind", "occurred_at", "actor_id"
    )
)


def _posting(entry: Entry, effects: list[money.Effect], titles: dict[int, str], names: dict[int, str]) -> Item:
    """An entry by what it moved: the amount that left the account it came from; fee and tax are named in the text."""
    left = [e.change for e in effects if e.change.minor < 0]
    amount = -left[0] if left else None
    if entry.kind == "client_fee_refund":  # it comes out of two accounts, of one currency
        amount = -sum(left[1:], left[0])
    milestone_id = entry.subject_id if entry.subject_type == "milestone" else None
    parts = [titles.get(milestone_id or 0, "")]
    if entry.gross_minor and amount is not None and "fee" in entry.quote:
        currency = entry.quote["currency"]
        parts.append(
            f"fee {Money(entry.quote['fee'], currency)}, tax {Money(entry.quote['tax'], currency)}, net {Money(entry.quote['net'], currency)}"
        )
    elif entry.kind in ("client_fee", "client_fee_refund"):
        currency = entry.quote["currency"]
        parts.append(f"fee {Money(entry.quote['fee'], currency)}, tax {Money(entry.quote['tax'], currency)}")
    parts.append(rule_text(entry.rule))
    return Item(
        at=entry.occurred_at,
        kind="posting",
        title=POSTING_TITLES.get(entry.kind, entry.kind),
        text="; ".join(p for p in parts if p),
        actor=_who(entry.actor_id, names),
        milestone_id=milestone_id,
        amount=amount,
        entry_id=entry.pk,
    )
