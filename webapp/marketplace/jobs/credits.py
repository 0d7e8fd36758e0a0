"""The published rule of bid credits: what a bid costs, how much a month brings, and when credits come back.

A rule is never changed: a new version holds from its own instant on, and each bid keeps what it cost. Before the first version bids were free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connections

from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.payments.selectors import worth

from .models import BidCreditAccount, BidCreditMovement, BidCreditRule, Job

STANDARD = "standard-1"
#: why credits come back → what the freelancer reads; each bid's credits come back once
RETURNS = {
    "unopened": "The job ended before the client opened your proposal.",
    "not_hired": "The client closed the post without hiring anybody.",
    "removed": "The post was taken down.",
    "ghosted": "The client did not answer in time.",
}


def active_rule(at: datetime | None = None) -> BidCreditRule | None:
    """The newest rule that holds at the instant (now); None before the first one."""
    return BidCreditRule.objects.filter(active_from__lte=at or clock.now()).order_by("-active_from", "-id").first()


def cost_of_bid(job: Job, rule: BidCreditRule | None) -> int:
    """Credits that a bid on this post costs under the rule: by the upper end of the budget, else its lower one, in US dollars of today."""
    if rule is None:
        return 0
    if job.pricing == Job.Pricing.HOURLY:
        return rule.hourly
    budget = job.budget_max_minor or job.budget_min_minor
    dollars = None if budget is None else worth(Money(budget, job.currency), "USD")
    if dollars is None:
        return rule.unknown
    fitting = (b["credits"] for b in rule.bands if b["up_to_usd_minor"] is None or dollars.minor <= b["up_to_usd_minor"])
    return int(next(fitting, rule.unknown))


def month_after(at: datetime) -> datetime:
    """The first instant of the next calendar month, UTC."""
    at = at.astimezone(UTC)
    return datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a freelancer can spend now; a fill that is due counts already, whether or not its clock has come by."""

    balance: int
    monthly: int
    next_grant_at: datetime


def standing_of(freelancer_id: int) -> Standing:
    """For whoever has not bid yet: what the first bid will find. Changes nothing."""
    now, rule = clock.now(), active_rule()
    monthly = rule.monthly if rule else 0
    account = BidCreditAccount.objects.filter(pk=freelancer_id).first()
    if account is None:
        return Standing(monthly, monthly, month_after(now))
    if account.next_grant_at <= now:
        return Standing(max(account.balance, monthly), monthly, month_after(now))
    return Standing(account.balance, monthly, account.next_grant_at)


def returns_of(proposal_ids: list[int]) -> dict[int, BidCreditMovement]:
    """The return of each of these proposals' credits, where there was one; one query."""
    rows = BidCreditMovement.objects.filter(proposal__in=proposal_ids, kind=BidCreditMovement.Kind.RETURN)
    return {m.proposal_id: m for m in rows if m.proposal_id is not None}


def lay_standard() -> None:
    """The first rule, from settings, in force from now on unless it is there: bids of an earlier history were free."""
    BidCreditRule.objects.get_or_create(
        version=STANDARD,
        defaults={
            "active_from": clock.now(),
            "monthly": settings.BID_CREDITS_MONTHLY,
            "bands": [{"up_to_usd_minor": end, "credits": n} for end, n in settings.BID_CREDITS_BY_BUDGET],
            "hourly": settings.BID_CREDITS_HOURLY,
            "unknown": settings.BID_CREDITS_UNKNOWN_BUDGET,
        },
    )


def after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Handler of post_migrate, connected by the app's AppConfig."""
    if using == "default" and BidCreditRule._meta.db_table in connections[using].introspection.table_names():
        lay_standard()
