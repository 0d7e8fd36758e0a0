"""A client's verified outcomes beside reviews: what the records say of opening, answering, hiring, paying and disputes.

Each outcome counts 5 when it was done and 1 when it was not, in the formula of trust.reputation. The newest MOST of each kind are taken:
older ones have nearly no weight, and the answer stays small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from marketplace.contracts.models import Milestone
from marketplace.core.money import Money
from marketplace.disputes.models import Dispute
from marketplace.jobs.models import Job, Proposal
from marketplace.payments.selectors import worth

from .reputation import Outcome, Reputation, reputation, value_class

MOST = 200
OPEN_DAYS = 7
ANSWER_DAYS = 14
DONE, NOT_DONE = 5, 1
#: kind → what counts as done
KINDS = {
    "opens": f"A proposal was opened within {OPEN_DAYS} days.",
    "answers": f"A proposal was shortlisted, offered, declined or told of the outcome within {ANSWER_DAYS} days.",
    "hires": "A post ended with somebody hired.",
    "pays_on_time": "A milestone was approved by the client, not by the clock.",
    "disputes": "A milestone that was handed in ended without a dispute in which more than half of the money went to the freelancer.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of outcome with its own estimate."""

    code: str
    about: str
    found: Reputation


@dataclass(frozen=True, slots=True)
class Conduct:
    """The estimate over all outcomes, and over each kind."""

    whole: Reputation
    parts: tuple[Part, ...]


def conduct(client_id: int, now: datetime) -> Conduct:
    """The client's conduct as of `now`. Five queries and the exchange rates."""
    kinds = {
        **_proposals(client_id, now),
        "hires": _hires(client_id),
        "pays_on_time": _payments(client_id),
        "disputes": _disputes(client_id),
    }
    parts = tuple(Part(code, about, reputation(kinds[code], now)) for code, about in KINDS.items())
    return Conduct(reputation([o for code in KINDS for o in kinds[code]], now), parts)


def _outcome(done: bool, at: datetime, minor: int | None = None, currency: str = "USD") -> Outcome:
    usd = None if minor is None else worth(Money(minor, currency), "USD")
    return Outcome(DONE if done else NOT_DONE, value_class(None if usd is None else usd.minor), at)


def _newest(rows: Iterable[Outcome]) -> list[Outcome]:
    return sorted(rows, key=lambda o: o.opened_at)


def _proposals(client_id: int, now: datetime) -> dict[str, list[Outcome]]:
    rows = Proposal.objects.filter(job__client=client_id).order_by("-submitted_at", "-id")
    opens, answers = [], []
    for p in rows.only("state", "submitted_at", "first_seen_at", "shortlisted_at", "offered_at", "decided_at")[:MOST]:
        opened_by = p.submitted_at + timedelta(days=OPEN_DAYS)
        answered_by = p.submitted_at + timedelta(days=ANSWER_DAYS)
        decided = p.decided_at if p.state in ("accepted", "declined", "archived") else None
        answered = min((at for at in (p.shortlisted_at, p.offered_at, decided) if at is not None), default=None)
        gone = p.decided_at if p.state == "withdrawn" else None  # who took the bid back before the time was over waits no more
        opened = p.first_seen_at is not None and p.first_seen_at <= opened_by
        if opened or (opened_by <= now and not (gone is not None and gone <= opened_by)):
            opens.append(_outcome(opened, p.submitted_at))
        in_time = answered is not None and answered <= answered_by
        if in_time or (answered_by <= now and not (gone is not None and gone <= answered_by)):
            answers.append(_outcome(in_time, p.submitted_at))
    return {"opens": _newest(opens), "answers": _newest(answers)}


def _hires(client_id: int) -> list[Outcome]:
    ended = Job.objects.filter(client=client_id, state__in=("filled", "closed", "expired"), opened_at__isnull=False, ended_at__isnull=False)
    rows = ended.order_by("-ended_at", "-id").values_list("state", "ended_at")[:MOST]
    return _newest(_outcome(state == "filled", at) for state, at in rows if at is not None)


def _payments(client_id: int) -> list[Outcome]:
    approved = Milestone.objects.filter(contract__client=client_id, approved_at__isnull=False).order_by("-approved_at", "-id")
    rows: Any = approved.values_list("approved_by_clock", "approved_at", "amount_minor", "currency")[:MOST]
    return _newest(_outcome(not by_clock, at, minor, currency) for by_clock, at, minor, currency in rows)


def _disputes(client_id: int) -> list[Outcome]:
    ended = Milestone.objects.filter(contract__client=client_id, submitted_at__isnull=False).filter(
        Q(released_at__isnull=False) | Q(resolved_at__isnull=False)
    )
    rows: Any = (
        ended.annotate(ended_at=Coalesce("resolved_at", "released_at"))
        .order_by("-ended_at", "-id")
        .values_list("pk", "ended_at", "amount_minor", "currency")[:MOST]
    )
    found = list(rows)
    settled = Dispute.objects.filter(milestone__in=[pk for pk, *_ in found], state="settled")
    lost = {m for m, part, held in settled.values_list("milestone_id", "to_freelancer_minor", "held_minor") if 2 * (part or 0) > held}
    return _newest(_outcome(pk not in lost, at, minor, currency) for pk, at, minor, currency in found)
