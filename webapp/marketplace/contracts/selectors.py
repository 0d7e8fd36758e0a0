"""Reading contracts: the doors through which everybody reaches them, and the locks in their one order.

Lock order of the house for work and money: contract → (job, proposal) → ledger accounts. A milestone has no lock of its own: it
changes only under its contract's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from marketplace.core import clock
from marketplace.core.errors import NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor, Seer, one_of, require_staff, seen_by, staff_may
from marketplace.core.prepared import Statement, fill
from marketplace.payments.selectors import held_by_milestone, worth

from .models import (
    Bonus,
    Contract,
    CounterOffer,
    Milestone,
    Offer,
    PartRelease,
    ProgressReport,
    RefundRequest,
    Submission,
    WorkRequest,
    WorkTask,
)
from .policies import offer_stands
from .states import FUNDED_STATES, MILESTONE_ENDED

#: what nobody reads of the sides of one contract
_UNSEEN = tuple(
    f"{side}__{name}"
    for side in ("client", "freelancer")
    for name in ("password", "last_login", "is_superuser", "updated_at", "public_id", "email", "country", "time_zone", "language",
                 "display_currency", "is_active", "is_staff", "date_joined")
)  # fmt: skip


def visible_to(actor: Actor) -> QuerySet[Contract]:
    """The contracts of which the actor is a side; staff who may see records see all."""
    everything = Contract.objects.select_related("client", "freelancer", "hours")
    if staff_may(actor, "records_see"):
        return everything
    if actor.pk is None:
        return everything.none()
    return everything.filter(Q(client_id=actor.pk) | Q(freelancer_id=actor.pk))


def of_user(actor: Actor, *, proposal_id: int | None = None) -> QuerySet[Contract]:
    """The actor's own contracts, on either side, also for staff; with `proposal_id` only those that came of that proposal."""
    if actor.pk is None:
        return Contract.objects.none()
    mine = Q(client_id=actor.pk) | Q(freelancer_id=actor.pk)
    found = Contract.objects.filter(mine).select_related("client", "freelancer").prefetch_related("milestones")
    return found if proposal_id is None else found.filter(proposal_id=proposal_id)


def contract_for(actor: Actor, contract_id: int) -> Contract:
    """The contract with its sides and its offer. Raises NotFound when it is absent or not the actor's."""
    found = _CONTRACT.first(**seen_by(actor), contract_id=contract_id)
    if found is None:
        raise NotFound("contract")
    return found


_CONTRACT: Statement[Contract] = Statement(
    lambda pk, sees_all, contract_id: visible_to(Seer(pk, sees_all)).select_related("offer").defer(*_UNSEEN).filter(pk=contract_id)[:1]
)


def milestone_for(actor: Actor, milestone_id: int) -> Milestone:
    """The milestone with its contract. Raises NotFound when it is absent or not the actor's."""
    within = Milestone.objects.select_related("contract__client", "contract__freelancer").filter(contract__in=visible_to(actor))
    return one_of(within, milestone_id, "milestone")


def milestones_of(contract: Contract) -> list[Milestone]:
    """In order, with their submissions, newest first, and their week if they hold one."""
    milestones = _MILESTONES(contract_ids=[contract.pk])
    by_milestone: dict[int, list[Submission]] = {}
    for submission in _SUBMISSIONS(milestone_ids=[m.pk for m in milestones]):
        by_milestone.setdefault(submission.milestone_id, []).append(submission)
    for milestone in milestones:
        milestone.contract = contract
        fill(milestone, "submissions", by_milestone.get(milestone.pk, []))
    return milestones


_MILESTONES: Statement[Milestone] = Statement(
    lambda contract_ids: Milestone.objects.select_related("timesheet").filter(contract__in=contract_ids).order_by("contract_id", "position")
)
_SUBMISSIONS: Statement[Submission] = Statement(
    lambda milestone_ids: Submission.objects.filter(milestone__in=milestone_ids).order_by("-version")
)


def milestones_of_many(contract_ids: Iterable[int]) -> dict[int, list[Milestone]]:
    """contract id → its milestones in order; one query."""
    found: dict[int, list[Milestone]] = {}
    for milestone in _MILESTONES(contract_ids=list(contract_ids)):
        found.setdefault(milestone.contract_id, []).append(milestone)
    return found


def submissions_of(milestone_id: int) -> list[Submission]:
    """Every version handed in, oldest first."""
    return list(Submission.objects.filter(milestone=milestone_id).order_by("version"))


def submission_for(actor: Actor, submission_id: int) -> Submission:
    """One version of handed-in work, with its milestone and contract loaded, for the parties and staff. Raises NotFound."""
    rows = Submission.objects.filter(milestone__contract__in=visible_to(actor).order_by()).select_related("milestone__contract")
    return one_of(rows, submission_id, "submission")


def contract_locked(contract_id: int) -> Contract:
    """The contract, re-read under its row lock. Every change of a contract or its milestones begins here."""
    return Contract.objects.select_for_update().get(pk=contract_id)


def milestone_locked(milestone_id: int) -> tuple[Contract, Milestone]:
    """A milestone re-read after its contract was locked, so that its state cannot change until the transaction ends."""
    contract_id = Milestone.objects.values_list("contract_id", flat=True).get(pk=milestone_id)
    contract = contract_locked(contract_id)
    milestone = Milestone.objects.get(pk=milestone_id)
    milestone.contract = contract
    return contract, milestone


def auto_approval_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Milestones whose silence has lasted long enough; the service decides again under lock."""
    due = Milestone.objects.filter(
        state="submitted", auto_approve_at__lte=now, contract__paused_at__isnull=True, refund_asked_at__isnull=True
    )
    return list(due.order_by("auto_approve_at", "id").values_list("id", flat=True)[:limit])


def clearing_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Milestones whose released money has waited long enough."""
    due = Milestone.objects.filter(cleared_at__isnull=True, clears_at__lte=now)
    return list(due.order_by("clears_at", "id").values_list("id", flat=True)[:limit])


#: upper ends of the published classes of what a client spent, in USD minor units
SPENT_STEPS = ((1_000_00, "under_1k"), (10_000_00, "under_10k"), (100_000_00, "under_100k"))


def client_history(*, user_id: int) -> dict[str, Any]:
    """The answer to ports.client_history: contracts that began, and the class of what was released on them. Two queries.

    Amounts in a currency without a rate to USD are left out of the class.
    """
    mine = Contract.objects.filter(client=user_id, started_at__isnull=False)
    counts = mine.aggregate(
        hires=Count("pk"),
        contracts_active=Count("pk", filter=Q(state="active")),
        contracts_completed=Count("pk", filter=Q(state="completed")),
    )
    released = Milestone.objects.filter(contract__client=user_id, released_at__isnull=False)
    spent = 0
    for currency, total in released.values_list("currency").annotate(total=Sum("amount_minor")).order_by():
        usd = worth(Money(int(total), currency), "USD")
        spent += 0 if usd is None else usd.minor
    band = next((name for step, name in SPENT_STEPS if spent < step), "over_100k")
    return {**counts, "spent_band": band if spent else "none"}


def counter_offer_for(actor: Actor, counter_offer_id: int) -> CounterOffer:
    """The counter-offer with its contract. Raises NotFound when it is absent or on a contract that is not the actor's."""
    within = CounterOffer.objects.select_related("contract__client", "contract__freelancer", "contract__offer").filter(
        contract__in=visible_to(actor)
    )
    return one_of(within, counter_offer_id, "counter-offer")


def counter_offers_of(contract: Contract) -> QuerySet[CounterOffer]:
    """Every counter-offer made on the contract's offer."""
    return CounterOffer.objects.filter(contract=contract).select_related("contract__offer")


def offer_of(contract: Contract) -> dict[str, Any] | None:
    """What was offered, until when, and the counter-offer that waits for an answer; None for contracts from before offers had a clock."""
    offer: Offer | None = getattr(contract, "offer", None)
    if offer is None:
        return None
    waiting = _COUNTER_OFFER.first(contract_id=contract.pk)
    shown = {"revision": offer.revision, "made_at": offer.made_at, "expires_at": offer.expires_at, "quote": offer.quote}
    return {**shown, "counter_offer": waiting}


def counter_offer_possible(contract: Contract) -> bool:
    """Whether the freelancer can name other terms for this offer now: it stands, is not by the week, no other terms wait, and not too many were
    named. At most one query."""
    offer: Offer | None = getattr(contract, "offer", None)
    by_the_week = getattr(contract, "hours", None) is not None
    if offer is None or by_the_week or not offer_stands(contract, clock.now()):
        return False
    made = _COUNTER_OFFERS_MADE(contract_id=contract.pk)
    return len(made) < settings.COUNTER_OFFERS_MOST and all(live is None for live in made)


_COUNTER_OFFERS_MADE: Statement[int | None] = Statement(
    lambda contract_id: CounterOffer.objects.filter(contract=contract_id).values_list("live_key", flat=True)
)
_COUNTER_OFFER: Statement[CounterOffer] = Statement(
    lambda contract_id: CounterOffer.objects.filter(contract=contract_id, live_key=contract_id).select_related("contract__offer")[:1]
)


def offers_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Contracts whose offer has had no answer in time; the service decides again under lock."""
    due = Offer.objects.filter(open_until__lte=now).order_by("open_until", "pk")
    return list(due.values_list("pk", flat=True)[:limit])


def part_clearing_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Parts of milestones whose released money has waited long enough."""
    due = PartRelease.objects.filter(cleared_at__isnull=True, clears_at__lte=now)
    return list(due.order_by("clears_at", "id").values_list("id", flat=True)[:limit])


def bonus_clearing_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Bonuses that have waited long enough."""
    due = Bonus.objects.filter(cleared_at__isnull=True, clears_at__lte=now)
    return list(due.order_by("clears_at", "id").values_list("id", flat=True)[:limit])


def refund_requests_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Open refund requests that were not answered in time."""
    due = RefundRequest.objects.filter(state="open", answer_by__lte=now, milestone__contract__paused_at__isnull=True)
    return list(due.order_by("answer_by", "id").values_list("id", flat=True)[:limit])


def approval_reminder_ids(now: datetime, limit: int = 500) -> list[int]:
    """Submitted milestones that silence approves within REMIND_HOURS and whose client was not reminded of that instant."""
    soon = Milestone.objects.filter(
        state="submitted",
        auto_approve_at__lte=now + timedelta(hours=settings.REMIND_HOURS),
        auto_approve_at__gt=now,
        contract__paused_at__isnull=True,
        refund_asked_at__isnull=True,
    ).exclude(reminded_for=F("auto_approve_at"))
    return list(soon.order_by("auto_approve_at", "id").values_list("id", flat=True)[:limit])


def refund_reminder_ids(now: datetime, limit: int = 500) -> list[int]:
    """Open refund requests that silence grants within REMIND_HOURS and whose freelancer was not reminded of that instant."""
    soon = RefundRequest.objects.filter(
        state="open",
        answer_by__lte=now + timedelta(hours=settings.REMIND_HOURS),
        answer_by__gt=now,
        milestone__contract__paused_at__isnull=True,
    ).exclude(reminded_for=F("answer_by"))
    return list(soon.order_by("answer_by", "id").values_list("id", flat=True)[:limit])


def old_hold_ids(now: datetime, limit: int = 500) -> list[int]:
    """Milestones whose held money has an age that somebody must be told of, or that ends the hold. Disputed ones are only told of."""

    def older(days: int) -> Q:
        return Q(funded_at__lte=now - timedelta(days=days)) | Q(held_since__lte=now - timedelta(days=days))

    warned = (Q(hold_warnings=0) & older(settings.HOLD_ALARM_DAYS)) | (
        Q(hold_warnings=1) & older(settings.HOLD_LIMIT_DAYS - 1) & Q(state__in=FUNDED_STATES)
    )
    ends = Q(state__in=FUNDED_STATES) & older(settings.HOLD_LIMIT_DAYS)
    held = Milestone.objects.filter(state__in=(*FUNDED_STATES, "disputed")).filter(warned | ends)
    return list(held.order_by(Coalesce("held_since", "funded_at"), "id").values_list("id", flat=True)[:limit])


def staff_holds(actor: Actor, *, older_than_days: int = 0, now: datetime, state: str = "", currency: str = "") -> QuerySet[Milestone]:
    """Milestones whose money is held now, with their contract and its two sides; `older_than_days` counts from their oldest money.

    Raises NotAllowed("staff_only") for whoever may not see payments.
    """
    require_staff(actor, "payments_see")
    held = Milestone.objects.filter(state__in=(*FUNDED_STATES, "disputed"), funded_at__isnull=False)
    if older_than_days:
        limit = now - timedelta(days=older_than_days)
        held = held.filter(Q(funded_at__lte=limit) | Q(held_since__lte=limit))
    asked = {"state": state, "currency": currency}
    return held.filter(**{c: v for c, v in asked.items() if v}).select_related("contract__client", "contract__freelancer")


def refund_requests_of(contract: Contract) -> QuerySet[RefundRequest]:
    """Every refund request on the contract's milestones."""
    return RefundRequest.objects.filter(milestone__contract=contract)


def refund_request_for(actor: Actor, request_id: int) -> RefundRequest:
    """Raises NotFound when it is absent or its contract not the actor's."""
    within = RefundRequest.objects.select_related("milestone__contract").filter(milestone__contract__in=visible_to(actor))
    return one_of(within, request_id, "refund request")


def work_requests_of(contract: Contract) -> QuerySet[WorkRequest]:
    """Every request of one side to the other on the contract."""
    return WorkRequest.objects.filter(contract=contract).select_related("asker")


def work_request_for(actor: Actor, request_id: int) -> WorkRequest:
    """Raises NotFound when it is absent or its contract not the actor's."""
    return one_of(WorkRequest.objects.select_related("contract").filter(contract__in=visible_to(actor)), request_id, "request")


def progress_of(milestone: Milestone) -> QuerySet[ProgressReport]:
    """The milestone's progress reports."""
    return ProgressReport.objects.filter(milestone=milestone)


def bonuses_of(contract: Contract) -> QuerySet[Bonus]:
    """The contract's bonuses."""
    return Bonus.objects.filter(contract=contract)


def board_of(milestone: Milestone) -> list[WorkTask]:
    """The milestone's tasks in the order of columns and of their places there; bounded by MAX_MILESTONE_TASKS."""
    columns = WorkTask.Column.values
    rows = WorkTask.objects.filter(milestone=milestone).order_by("id")[: settings.MAX_MILESTONE_TASKS]
    return sorted(rows, key=lambda t: (columns.index(t.column), t.position, t.pk))


def work_task_for(actor: Actor, task_id: int) -> WorkTask:
    """Raises NotFound when it is absent or its contract not the actor's."""
    within = WorkTask.objects.select_related("milestone__contract").filter(milestone__contract__in=visible_to(actor))
    return one_of(within, task_id, "task")


def reads_file(*, actor: Actor, attached_type: str, attached_id: int) -> bool | None:
    """The answer to ports.file_readers: what hangs on submissions and reports is read by whoever sees the contract."""
    if attached_type == "contracts.submission":
        return visible_to(actor).filter(milestones__submissions=attached_id).exists()
    if attached_type == "contracts.progressreport":
        return visible_to(actor).filter(milestones__progress_reports=attached_id).exists()
    return None


@dataclass(frozen=True, slots=True)
class Running:
    """What runs beside milestones at `now`, of which a contract's clocks tell: by milestone id, bonuses by contract id."""

    now: datetime
    refund_requests: dict[int, RefundRequest] = field(default_factory=dict)
    parts: dict[int, list[PartRelease]] = field(default_factory=dict)
    bonuses: dict[int, list[Bonus]] = field(default_factory=dict)
    held: dict[int, Money] = field(default_factory=dict)


def running(contract_ids: Iterable[int], milestones: Collection[Milestone]) -> Running:
    """What is held now, open refund requests, and parts and bonuses that have not cleared, for these contracts with all their milestones;
    at most four queries for any number of them: none about what no milestone has."""
    funded = [m for m in milestones if m.hold_began_at is not None]
    asked = [m.pk for m in milestones if m.refund_asked_at is not None]
    found = Running(clock.now(), held=held_by_milestone(m.pk for m in funded if m.state not in MILESTONE_ENDED))
    for request in _OPEN_REQUESTS(milestone_ids=asked):
        found.refund_requests[request.milestone_id] = request
    for part in _PARTS_ON_THE_WAY(milestone_ids=[m.pk for m in funded]):
        found.parts.setdefault(part.milestone_id, []).append(part)
    for bonus in _BONUSES_ON_THE_WAY(contract_ids=list(contract_ids)):
        found.bonuses.setdefault(bonus.contract_id, []).append(bonus)
    return found


_OPEN_REQUESTS: Statement[RefundRequest] = Statement(
    lambda milestone_ids: RefundRequest.objects.filter(state="open", milestone__in=milestone_ids)
)
_PARTS_ON_THE_WAY: Statement[PartRelease] = Statement(
    lambda milestone_ids: PartRelease.objects.filter(cleared_at=None, milestone__in=milestone_ids).order_by("id")
)
_BONUSES_ON_THE_WAY: Statement[Bonus] = Statement(
    lambda contract_ids: Bonus.objects.filter(cleared_at=None, contract__in=contract_ids).order_by("id")
)


def subject_titles(*, subject_type: str, ids: Sequence[int]) -> dict[int, str] | None:
    """The answer to ports.subject_titles: the contract's title and the milestone's; a bonus has that of its contract."""
    if subject_type == "milestone":
        rows = Milestone.objects.filter(pk__in=ids).values_list("pk", "contract__title", "title")
        return {pk: title if title == of else f"{of}: {title}" for pk, of, title in rows}
    if subject_type == "bonus":
        return dict(Bonus.objects.filter(pk__in=ids).values_list("pk", "contract__title"))
    return None
