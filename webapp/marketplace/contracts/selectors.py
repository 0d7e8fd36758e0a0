"""Reading contracts: the doors through which everybody reaches them, and the locks in their one order.

Lock order of the house for work and money: contract → (job, proposal) → ledger accounts. A milestone has no lock of its own: it
changes only under its contract's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet, Sum

from marketplace.core.money import Money
from marketplace.core.policies import Actor, one_of
from marketplace.payments.selectors import worth

from .models import Contract, CounterOffer, Milestone, Offer, Submission


def visible_to(actor: Actor) -> QuerySet[Contract]:
    """The contracts of which the actor is a side; staff see all."""
    everything = Contract.objects.select_related("client", "freelancer", "hours")
    if actor.is_staff:
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
    """The contract with its sides. Raises NotFound when it is absent or not the actor's."""
    return one_of(visible_to(actor), contract_id, "contract")


def milestone_for(actor: Actor, milestone_id: int) -> Milestone:
    """The milestone with its contract. Raises NotFound when it is absent or not the actor's."""
    within = Milestone.objects.select_related("contract__client", "contract__freelancer").filter(contract__in=visible_to(actor))
    return one_of(within, milestone_id, "milestone")


def milestones_of(contract: Contract) -> list[Milestone]:
    """In order, with their submissions, newest first, and their week if they hold one."""
    newest_first = Prefetch("submissions", queryset=Submission.objects.order_by("-version"))
    return list(contract.milestones.select_related("timesheet").order_by("position").prefetch_related(newest_first))


def submissions_of(milestone_id: int) -> list[Submission]:
    """Every version handed in, oldest first."""
    return list(Submission.objects.filter(milestone=milestone_id).order_by("version"))


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
    due = Milestone.objects.filter(state="submitted", auto_approve_at__lte=now, contract__paused_at__isnull=True)
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
    within = CounterOffer.objects.select_related("contract__client", "contract__freelancer").filter(contract__in=visible_to(actor))
    return one_of(within, counter_offer_id, "counter-offer")


def counter_offers_of(contract: Contract) -> QuerySet[CounterOffer]:
    """Every counter-offer made on the contract's offer."""
    return CounterOffer.objects.filter(contract=contract).select_related("contract")


def offer_of(contract: Contract) -> dict[str, Any] | None:
    """What was offered, until when, and the counter-offer that waits for an answer; None for contracts from before offers had a clock."""
    offer = Offer.objects.filter(contract=contract).first()
    if offer is None:
        return None
    waiting = counter_offers_of(contract).filter(live_key=contract.pk).first()
    shown = {"revision": offer.revision, "made_at": offer.made_at, "expires_at": offer.expires_at, "quote": offer.quote}
    return {**shown, "counter_offer": waiting}


def offers_due_ids(now: datetime, limit: int = 500) -> list[int]:
    """Contracts whose offer has had no answer in time; the service decides again under lock."""
    due = Offer.objects.filter(open_until__lte=now).order_by("open_until", "pk")
    return list(due.values_list("pk", flat=True)[:limit])
