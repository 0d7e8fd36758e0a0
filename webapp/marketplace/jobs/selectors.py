"""Reading job posts and proposals: always through what the actor may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from marketplace.accounts.selectors import skill_ids_of
from marketplace.core.policies import Actor, one_of
from marketplace.core.ports import Term

from .models import Category, Job, JobSkill, Proposal, Skill
from .policies import jobs_visible_to, proposals_visible_to, role_in_job, role_in_proposal
from .states import JOB, LIVE_PROPOSAL_STATES, PROPOSAL
from .taxonomy import fold

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


def client_history(*, user_id: int) -> dict[str, Any]:
    """The answer to ports.client_history: posts that were ever open, and those open now. One query."""
    rows = Job.objects.filter(client=user_id, opened_at__isnull=False)
    return rows.aggregate(jobs_posted=Count("pk"), jobs_open=Count("pk", filter=Q(state="open", visibility=Job.Visibility.PUBLIC)))


def skills_matching(text: str, limit: int = 20) -> list[Skill]:
    """Skills whose name or alias begins with or contains the text; names that begin with it first."""
    text = text.strip()[:80].replace("\x00", "")
    rows = Skill.objects.select_related("category")
    if not text:
        return list(rows.order_by("name")[:limit])
    hits = rows.filter(Q(name__icontains=text) | Q(aliases__alias__startswith=fold(text))).distinct()[: limit * 5]
    folded = text.lower()
    return sorted(hits, key=lambda s: (s.name.lower() != folded, not s.name.lower().startswith(folded), s.name.lower()))[:limit]


def terms(*, kind: str, slugs: Sequence[str] | None = None, ids: Sequence[int] | None = None) -> tuple[Term, ...]:
    """Those of the categories or skills that exist: the answer to ports.taxonomy."""
    model: type[Category] | type[Skill] = Category if kind == "category" else Skill
    wanted = Q(slug__in=[s for s in slugs if "\x00" not in s]) if slugs is not None else Q(pk__in=ids or [])
    return tuple(Term(*row) for row in model.objects.filter(wanted).values_list("pk", "slug", "name"))


SUMMARY_LENGTH = 300
#: moves that the web app offers; the others happen by themselves or on the contract
_JOB_ACTIONS = frozenset({"publish", "close", "renew", "clear", "remove"})
_PROPOSAL_ACTIONS = frozenset({"shortlist", "decline", "withdraw", "offer"})


def summary_of(text: str) -> str:
    """The beginning of a text, as lists show it."""
    return text if len(text) <= SUMMARY_LENGTH else text[: SUMMARY_LENGTH - 1].rstrip() + "…"


def job_card(job: Job, skills: Sequence[Skill]) -> dict[str, Any]:
    """A post as lists show it; `job` has category and client loaded."""
    summary = summary_of(job.description)
    plain = ("id", "state", "title", "pricing", "currency", "budget_min_minor", "budget_max_minor", "duration_days", "experience_level")
    return {
        **{name: getattr(job, name) for name in plain},
        "location_country": job.location_country,
        "proposal_count": job.proposal_count,
        "opened_at": job.opened_at,
        "expires_at": job.expires_at,
        "summary": summary,
        "category": {"slug": job.category.slug, "name": job.category.name},
        "skills": [{"slug": s.slug, "name": s.name} for s in skills],
        "client": _person(job.client),
    }


def job_cards(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Cards of posts that have category and client loaded, in the same order; one query."""
    skills = skills_of_jobs(job.pk for job in jobs)
    return [job_card(job, skills.get(job.pk, [])) for job in jobs]


def job_detail(actor: Actor, job: Job) -> dict[str, Any]:
    """The whole post as the actor sees it, with what they may do."""
    plain = ("description", "visibility", "preferred_start", "screening_questions", "attributes", "source", "created_at", "ended_at")
    mine = Proposal.objects.filter(job=job, freelancer=actor.pk).order_by("-pk") if actor.is_authenticated else Proposal.objects.none()
    latest = mine.values_list("pk", "live_key").first()
    role = role_in_job(actor, job)
    actions = [a for a in JOB.actions_from(job.state, role) if a in _JOB_ACTIONS]
    if role == "freelancer" and job.state == "open" and actor.is_authenticated and not (latest and latest[1]):
        actions.append("propose")
    own = {"my_proposal": latest[0] if latest else None, "actions": actions}
    return {**job_cards([job])[0], **{name: getattr(job, name) for name in plain}, **own}


def proposals_told(actor: Actor, proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Proposals as the actor sees them, each with its receipt; jobs and freelancers are loaded. A constant number of queries."""
    place = places(proposals)
    return [_proposal_told(actor, p, place[p.pk]) for p in proposals]


def _proposal_told(actor: Actor, p: Proposal, place: Place) -> dict[str, Any]:
    plain = ("id", "state", "cover_letter", "amount_minor", "currency", "delivery_days", "milestones", "answers", "quote")
    times = ("submitted_at", "shortlisted_at", "offered_at")
    actions = [a for a in PROPOSAL.actions_from(p.state, role_in_proposal(actor, p)) if a in _PROPOSAL_ACTIONS]
    if p.state == "offered":
        actions = []  # an offer is answered on its contract
    return {
        **{name: getattr(p, name) for name in (*plain, *times)},
        "job": {"id": p.job_id, "title": p.job.title, "state": p.job.state, "pricing": p.job.pricing, "client": _person(p.job.client)},
        "freelancer": _person(p.freelancer),
        "receipt": {
            "opened": p.first_seen_at is not None,
            "opened_at": p.first_seen_at,
            "position": place.position,
            "among": place.among,
            "ranking": PROPOSAL_RANKING,
            "outcome": None if p.state in LIVE_PROPOSAL_STATES else p.state,
            "outcome_at": p.decided_at,
            "outcome_reason": p.outcome_reason,
        },
        "actions": actions,
    }


def _person(user: Any) -> dict[str, Any]:
    return {"id": user.pk, "display_name": user.display_name, "country": user.country}
