"""What was released to a freelancer and is not theirs to be paid out yet: of what, and when it becomes available."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from marketplace.core.money import Money
from marketplace.payments.selectors import pending_by_key

from .models import Bonus, Milestone, PartRelease

#: what is furthest away is left out of an answer that would be longer
MOST = 500


@dataclass(frozen=True, slots=True)
class Clearing:
    """Money of one release, settlement or bonus after fees, as it came to the freelancer."""

    contract_id: int
    contract_title: str
    milestone_id: int | None
    milestone_title: str
    amount: Money
    clears_at: datetime


def clearing_of(user_id: int) -> list[Clearing]:
    """The freelancer's money in the clearing period, the soonest first; four queries for any number of rows."""
    found: list[tuple[datetime, str, int, str, int | None, str]] = []
    milestones = Milestone.objects.filter(contract__freelancer=user_id, cleared_at=None, clears_at__isnull=False)
    for pk, at, title, contract, of in milestones.order_by("clears_at", "id").values_list(
        "id", "clears_at", "title", "contract_id", "contract__title"
    )[:MOST]:
        assert at is not None  # by the filter
        # a milestone ends once: by the release that closes its hold, or by a settlement
        found += [(at, f"release:{pk}:1", contract, of, pk, title), (at, f"settle:{pk}", contract, of, pk, title)]
    parts = PartRelease.objects.filter(milestone__contract__freelancer=user_id, cleared_at=None)
    for at, part, pk, title, contract, of in parts.order_by("clears_at", "id").values_list(
        "clears_at", "part", "milestone_id", "milestone__title", "milestone__contract_id", "milestone__contract__title"
    )[:MOST]:
        found.append((at, f"release:{pk}:{part}", contract, of, pk, title))
    bonuses = Bonus.objects.filter(contract__freelancer=user_id, cleared_at=None)
    for pk, at, contract, of in bonuses.order_by("clears_at", "id").values_list("id", "clears_at", "contract_id", "contract__title")[:MOST]:
        found.append((at, f"bonus:{pk}", contract, of, None, ""))
    amounts = pending_by_key(user_id, [key for _, key, *_ in found])
    rows = [Clearing(contract, of, pk, title, amounts[key], at) for at, key, contract, of, pk, title in found if key in amounts]
    return sorted(rows, key=lambda row: row.clears_at)[:MOST]
