"""Reading job posts and proposals: always through what the actor may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from marketplace.accounts.selectors import skill_ids_of
from marketplace.core.policies import Actor, one_of
from marketplace.core.ports import Term

from .models import Category, Job, JobSkill, Proposal, Skill
from .policies import jobs_visible_to, proposals_visible_to

#: how a client's list of proposals is ranked, published: more of the job's skills first, then the earlier bid
PROPOSAL_RANKING = "proposals-1: share of the job's skills claimed, then earlier bid"


def job_for(actor: Actor, job_id: int) -> Job:
    """The post with category and client loaded. Raises NotFound."""
    return one_of(jobs_visible_to(actor).select_related("category", "client"), job_id, "job")


def jobs_of(client: Actor) -> QuerySet[Job]:
    """A client's own posts."""
    return Job.objects.filter(client=client.pk).select_related("category", "client")


def open_jobs(job_ids: Sequence[int], actor: Actor) -> dict[int, Job]:
    """Those of the posts that are open and that the actor may see, by id, with category and client; one query."""
    rows = jobs_visible_to(actor).filter(pk__in=job_ids, state="open").select_related("category", "client")
    return {job.pk: job for job in rows}


def newest_open_jobs(actor: Actor, limit: int) -> list[Job]:
    """The newest open posts that the actor may see, with category and client; one query."""
    rows = jobs_visible_to(actor).filter(state="open").select_related("category", "client")
    return list(rows.order_by("-opened_at", "-id")[:limit])


def skills_of_jobs(job_ids: Iterable[int]) -> dict[int, list[Skill]]:
    """The skills each post asks for, by name; one query."""
    found: dict[int, list[Skill]] = defaultdict(list)
    for row in JobSkill.objects.filter(job__in=set(job_ids)).select_related("skill").order_by("skill__name"):
        found[row.job_id].append(row.skill)
    return found


def proposal_for(actor: Actor, proposal_id: int) -> Proposal:
    """The proposal with its job and freelancer loaded. Raises NotFound."""
    return one_of(proposals_visible_to(actor).select_related("job__category", "job__client", "freelancer"), proposal_id, "proposal")


def proposals_on(actor: Actor, job_id: int) -> QuerySet[Proposal]:
    """Every proposal on a post, for its client and staff; a freelancer sees the own one. Raises NotFound for an invisible post."""
    job = one_of(jobs_visible_to(actor), job_id, "job")
    return proposals_visible_to(actor).filter(job=job).select_related("job__category", "job__client", "freelancer")


def proposals_of(freelancer: Actor) -> QuerySet[Proposal]:
    """A freelancer's own proposals."""
    return Proposal.objects.filter(freelancer=freelancer.pk).select_related("job__category", "job__client", "freelancer")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal stands among the job's live ones under PROPOSAL_RANKING; `position` counts from 1, None once it is decided."""

    position: int | None
    among: int


def places(proposals: Sequence[Proposal]) -> dict[int, Place]:
    """The place of each of these proposals; three queries however many they are."""
    job_ids = {p.job_id for p in proposals}
    asked: dict[int, set[int]] = defaultdict(set)
    for job_id, skill_id in JobSkill.objects.filter(job__in=job_ids).values_list("job_id", "skill_id"):
        asked[job_id].add(skill_id)
    rivals: dict[int, list[tuple[int, int, datetime]]] = defaultdict(list)
    live = Proposal.objects.filter(job__in=job_ids, live_key__isnull=False)
    for pk, job_id, freelancer_id, at in live.values_list("pk", "job_id", "freelancer_id", "submitted_at"):
        rivals[job_id].append((pk, freelancer_id, at))
    claimed = skill_ids_of(f for rows in rivals.values() for _, f, _ in rows)
    ranked = {
        job_id: [pk for pk, f, at in sorted(rows, key=lambda r: (-len(asked[job_id] & claimed.get(r[1], set())), r[2], r[0]))]
        for job_id, rows in rivals.items()
    }
    found = {}
    for p in proposals:
        order = ranked.get(p.job_id, [])
        found[p.pk] = Place(order.index(p.pk) + 1 if p.pk in order else None, len(order))
    return found


def job_counts(client: Actor) -> dict[str, int]:
    """How many posts a client has in each state."""
    rows = Job.objects.filter(client=client.pk).values("state").annotate(n=Count("pk"))
    return {row["state"]: row["n"] for row in rows}


def skills_matching(text: str, limit: int = 20) -> list[Skill]:
    """Skills whose name or alias begins with or contains the text; names that begin with it first."""
    text = text.strip()[:80].replace("\x00", "")
    rows = Skill.objects.select_related("category")
    if not text:
        return list(rows.order_by("name")[:limit])
    hits = rows.filter(Q(name__icontains=text) | Q(aliases__alias__startswith=text.lower())).distinct()[: limit * 5]
    folded = text.lower()
    return sorted(hits, key=lambda s: (s.name.lower() != folded, not s.name.lower().startswith(folded), s.name.lower()))[:limit]


def terms(*, kind: str, slugs: Sequence[str] | None = None, ids: Sequence[int] | None = None) -> tuple[Term, ...]:
    """Those of the categories or skills that exist: the answer to ports.taxonomy."""
    model: type[Category] | type[Skill] = Category if kind == "category" else Skill
    wanted = Q(slug__in=[s for s in slugs if "\x00" not in s]) if slugs is not None else Q(pk__in=ids or [])
    return tuple(Term(*row) for row in model.objects.filter(wanted).values_list("pk", "slug", "name"))
