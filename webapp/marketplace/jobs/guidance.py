"""What data says to whoever posts a job: who fits it, what like jobs were agreed at, and how many bids they drew.

Like jobs are of the same field of work and way of pricing and ask for one of the same skills; where too few people stand behind them, of the
field alone, then of the way of pricing alone. Quartiles are of what was agreed when the offer was accepted, in the asked currency by today's rates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.db.models import F, QuerySet

from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, staff_may
from marketplace.payments.selectors import worth

from .models import Job, Proposal
from .search import people
from .selectors import job_for, skills_of_jobs

#: a group is told of only when at least so many clients and so many freelancers stand behind its prices, or so many clients behind its bids
FEWEST = 5
#: the newest posts of a group that are looked at, and how old the oldest of them may be
MOST_POSTS = 1000
OLDEST_DAYS = 730
#: bids are counted over a post's first days
BID_DAYS = 7
LIKE = ("skills", "category", "pricing")


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Of `count` numbers, each an element of them (nearest rank)."""

    low: int
    median: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Guide:
    """`alike_in` says what like jobs have in common, empty when no group was large enough; then there are no numbers."""

    alike_in: tuple[str, ...]
    currency: str
    price: Quartiles | None
    bids: Quartiles | None
    note: str


def suggested_freelancers(*, actor: Actor, job_id: int, limit: int) -> people.Found:
    """Who fits the post, best first, by the search's published ranking: those who have one of its skills, for hourly posts at a rate within its
    budget; each with the reasons. Without skills on the post: who works in its field. Neither the client nor who bid on it comes.

    For the post's client and staff. Raises NotFound, NotAllowed.
    """
    job = job_for(actor, job_id)
    mine = job.client_id == actor.pk
    require(mine or staff_may(actor, "records_see"), "suggestions_not_yours", "Only the client of this post sees who fits it.")
    skills = skills_of_jobs([job.pk]).get(job.pk, [])
    top = job.budget_max_minor or job.budget_min_minor
    filters = people.Filters(
        category="" if skills else job.category.slug,
        skills=tuple(s.slug for s in skills),
        rate_max=top if job.pricing == Job.Pricing.HOURLY else None,
        currency=job.currency,
    )
    known = {job.client_id, *Proposal.objects.filter(job=job).values_list("freelancer", flat=True)}
    return people.find(actor, " ".join(s.name for s in skills), filters, limit=limit, without=known)


def price_guide(*, category_id: int, skill_ids: Sequence[int], pricing: str, currency: str) -> Guide:
    """What like jobs were agreed at and drew. Three queries for each group that is tried."""
    for like in _groups(skill_ids):
        posts = _posts(like, category_id, skill_ids, pricing)
        price, bids = _price(posts, currency), _bids(posts)
        if price is not None or bids is not None:
            return Guide(like, currency, price, bids, _note(like, skill_ids))
    return Guide((), currency, None, None, "There are too few like jobs yet to say anything without saying whose they were.")


def _groups(skill_ids: Sequence[int]) -> list[tuple[str, ...]]:
    first = 0 if skill_ids else 1
    return [LIKE[i:] for i in range(first, len(LIKE))]


def _posts(like: tuple[str, ...], category_id: int, skill_ids: Sequence[int], pricing: str) -> dict[int, int]:
    """post id → its client, of the newest posts of the group."""
    since = clock.now() - timedelta(days=OLDEST_DAYS)
    rows: QuerySet[Job] = Job.objects.filter(pricing=pricing, opened_at__gte=since).exclude(state="removed")
    if "category" in like:
        rows = rows.filter(category=category_id)
    if "skills" in like:
        rows = rows.filter(job_skills__skill__in=skill_ids).distinct()
    return dict(rows.order_by("-id").values_list("pk", "client_id")[:MOST_POSTS])


def _price(posts: dict[int, int], currency: str) -> Quartiles | None:
    agreed = Proposal.objects.filter(job__in=posts, state="accepted").values_list("job_id", "freelancer_id", "amount_minor", "currency")
    amounts, clients, freelancers = [], set(), set()
    for job_id, freelancer_id, minor, code in agreed:
        there = worth(Money(minor, code), currency)
        if there is not None:
            amounts.append(there.minor)
            clients.add(posts[job_id])
            freelancers.add(freelancer_id)
    return quartiles(amounts) if min(len(clients), len(freelancers)) >= FEWEST else None


def _bids(posts: dict[int, int]) -> Quartiles | None:
    """Of posts that have been open for BID_DAYS."""
    old_enough = clock.now() - timedelta(days=BID_DAYS)
    whole = set(Job.objects.filter(pk__in=posts, opened_at__lte=old_enough).values_list("pk", flat=True))
    early = Proposal.objects.filter(job__in=whole, submitted_at__lt=F("job__opened_at") + timedelta(days=BID_DAYS))
    counts = Counter(early.values_list("job_id", flat=True))
    if len({posts[pk] for pk in whole}) < FEWEST:
        return None
    return quartiles([counts[pk] for pk in whole])


def quartiles(numbers: Sequence[int]) -> Quartiles:
    """Lower quartile, median and upper quartile by nearest rank: the smallest number that a quarter, half, three quarters do not exceed."""
    rows = sorted(numbers)
    low, median, high = (rows[ceil(len(rows) * quarter / 4) - 1] for quarter in (1, 2, 3))
    return Quartiles(low, median, high, len(rows))


def _note(like: tuple[str, ...], skill_ids: Sequence[int]) -> str:
    if like == LIKE or (not skill_ids and like == LIKE[1:]):
        return ""
    return f"Too few like jobs: these are alike in {' and '.join(like)} only."
