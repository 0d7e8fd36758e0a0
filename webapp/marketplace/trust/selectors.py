"""Reading reviews and reputation. An unopened review is visible to its author alone, a hidden one too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet

from marketplace.accounts.selectors import client_profile_of, users_by_id
from marketplace.contracts.models import Contract
from marketplace.contracts.selectors import contract_for
from marketplace.core import clock
from marketplace.core.errors import NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor, one_of
from marketplace.core.prepared import Statement
from marketplace.payments.selectors import worth

from .conduct import Conduct, conduct
from .models import Review, ReviewVersion
from .reputation import Outcome, Reputation, reputation, value_class


def window_shuts_at(contract: Contract) -> datetime | None:
    """When the review window of an ended contract shuts; None while it lasts, or when the work never began."""
    if contract.ended_at is None or contract.started_at is None:
        return None
    return contract.ended_at + timedelta(days=settings.REVIEW_WINDOW_DAYS)


def reviews_of(actor: Actor, contract_id: int) -> tuple[Contract, QuerySet[Review]]:
    """The contract and those of its reviews that the actor may read: opened ones, and the own. Raises NotFound."""
    contract = contract_for(actor, contract_id)
    return contract, visible_to(actor).filter(contract=contract).order_by("id")


def visible_to(actor: Actor) -> QuerySet[Review]:
    """The reviews that the actor may read: open ones that are not hidden, and the own."""
    if not actor.is_authenticated:
        return Review.objects.none()
    return Review.objects.filter(Q(opened_at__isnull=False, hidden_at__isnull=True) | Q(author=actor.pk))


def review_for(actor: Actor, review_id: int) -> Review:
    """Raises NotFound when it is absent, not open or hidden, unless it is the actor's own."""
    return one_of(visible_to(actor), review_id, "review")


def with_versions(review: Review) -> Review:
    """The review with what it said before, oldest first."""
    return Review.objects.prefetch_related(Prefetch("versions", ReviewVersion.objects.order_by("id"))).get(pk=review.pk)


def reviews_about(user_id: int) -> QuerySet[Review]:
    """What anybody signed in may read of what others said about a person. Raises NotFound for an unknown or suspended person."""
    found = users_by_id([user_id]).get(user_id)
    if found is None or not found.is_active:
        raise NotFound("user")
    return Review.objects.filter(subject=user_id, opened_at__isnull=False, hidden_at__isnull=True)


def may_write(actor: Actor, contract: Contract) -> bool:
    """True when the actor is a side that has not reviewed yet and the window is open."""
    shuts = window_shuts_at(contract)
    if shuts is None or clock.now() >= shuts or actor.pk not in (contract.client_id, contract.freelancer_id):
        return False
    return not Review.objects.filter(contract=contract, author=actor.pk).exists()


def due_contract_ids(now: datetime, limit: int = 500) -> list[int]:
    """Contracts whose window has shut and that hold an unopened review."""
    shut = now - timedelta(days=settings.REVIEW_WINDOW_DAYS)
    due = Review.objects.filter(opened_at__isnull=True, contract__ended_at__lte=shut)
    return list(due.order_by("contract_id").values_list("contract_id", flat=True).distinct()[:limit])


def outcomes_of(user_id: int) -> list[Outcome]:
    """What the formula takes in for a user: opened reviews that are not hidden, oldest first."""
    return outcomes_of_users([user_id]).get(user_id, [])


def outcomes_of_users(user_ids: Iterable[int]) -> dict[int, list[Outcome]]:
    """outcomes_of for many users; one query."""
    found: dict[int, list[Outcome]] = defaultdict(list)
    for subject_id, rating, opened_at, total_minor, currency in _COUNTED(user_ids=set(user_ids)):
        usd = worth(Money(total_minor, currency), "USD")
        found[subject_id].append(Outcome(rating, value_class(None if usd is None else usd.minor), opened_at))
    return found


_COUNTED: Statement[tuple[int, int, datetime, int, str]] = Statement(
    lambda user_ids: (
        Review.objects.filter(subject__in=user_ids, opened_at__isnull=False, hidden_at__isnull=True)
        .order_by("opened_at", "id")
        .values_list("subject_id", "rating", "opened_at", "contract__total_minor", "contract__currency")
    )
)


def reputation_of(user_id: int, now: datetime | None = None) -> Reputation:
    """Reputation of a user as client and freelancer alike, as of `now`. Raises NotFound for an unknown user."""
    if user_id not in users_by_id([user_id]):
        raise NotFound("user")
    return reputation(outcomes_of(user_id), now or clock.now())


def conduct_of(user_id: int, now: datetime) -> Conduct | None:
    """What the records say of a person as a client; None for whoever has no client profile."""
    return conduct(user_id, now) if client_profile_of(user_id) is not None else None


def rating(*, user_id: int) -> dict[str, Any] | None:
    """The answer to ports.rating_of: rounded numbers for a profile; None before the first opened review."""
    return ratings(user_ids=[user_id]).get(user_id)


def ratings(*, user_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The answer to ports.ratings_of: rounded numbers for each of the users who has an opened review."""
    now, found = clock.now(), {}
    for user_id, outcomes in outcomes_of_users(user_ids).items():
        told = reputation(outcomes, now)
        found[user_id] = {"mean": round(told.mean, 2), "low": round(told.low, 2), "high": round(told.high, 2), "count": told.count}
    return found
