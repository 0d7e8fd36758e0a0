"""Reading job posts and proposals: always through what the actor may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from marketplace.accounts.models import User
from marketplace.accounts.selectors import is_suspended, skill_ids_of, suspended, users_by_id
from marketplace.core import clock, files
from marketplace.core.errors import NotAllowed, NotFound
from marketplace.core.policies import Actor, Seer, one_of, require, seen_by, staff_may
from marketplace.core.ports import Term
from marketplace.core.prepared import Statement

from .credits import RETURNS, returns_of
from .fingerprint import fingerprint
from .models import (
    BidCreditMovement,
    Category,
    Invitation,
    Job,
    JobChange,
    JobFingerprint,
    JobMark,
    JobSkill,
    Proposal,
    ProposalOpening,
    SavedSearch,
    Shortlist,
    ShortlistItem,
    Skill,
)
from .policies import (
    changes_visible_to,
    invitations_visible_to,
    jobs_visible_to,
    proposals_on_visible_to,
    proposals_visible_to,
    role_in_job,
    role_in_proposal,
    takes_bids,
)
from .questions import read
from .states import INVITATION, JOB, LIVE_PROPOSAL_STATES, PROPOSAL
from .taxonomy import fold

#: how a client's list of proposals is ranked, published: more of the job's skills first, then the earlier bid
PROPOSAL_RANKING = "proposals-1: share of the job's skills claimed, then earlier bid"


def job_for(actor: Actor, job_id: int) -> Job:
    """The post with category and client loaded. Raises NotFound."""
    found = _JOB.first(**seen_by(actor), job_id=job_id)
    if found is None:
        raise NotFound("job")
    return found


_JOB: Statement[Job] = Statement(
    lambda pk, sees_all, job_id: jobs_visible_to(Seer(pk, sees_all)).select_related("category", "client").filter(pk=job_id)[:1]
)


def jobs_of(client: Actor) -> QuerySet[Job]:
    """A client's own posts."""
    return Job.objects.filter(client=client.pk).select_related("category", "client")


def open_jobs(job_ids: Sequence[int], actor: Actor) -> dict[int, Job]:
    """Those of the posts that are open, that the actor may see and has not hidden, by id, with category and client; one query."""
    rows = _wanted(actor).filter(pk__in=job_ids).select_related("category", "client")
    return {job.pk: job for job in rows}


def _wanted(actor: Actor) -> QuerySet[Job]:
    """What takes bids and the actor may see, without what they have hidden."""
    visible = jobs_visible_to(actor).filter(~suspended("client"), state="open")
    if not actor.is_authenticated:
        return visible
    return visible.filter(~Exists(JobMark.objects.filter(job=OuterRef("pk"), user=actor.pk, kind=JobMark.Kind.HIDDEN)))


def hidden_job_ids(actor: Actor) -> set[int]:
    """The posts that the actor does not want to see in searches and recommendations; one query."""
    return set(JobMark.objects.filter(user=actor.pk, kind=JobMark.Kind.HIDDEN).values_list("job_id", flat=True))


def newest_open_jobs(actor: Actor, limit: int) -> list[Job]:
    """The newest open posts that the actor may see and has not hidden, with category and client; one query."""
    rows = _wanted(actor).select_related("category", "client")
    return list(rows.order_by("-opened_at", "-id")[:limit])


def skills_of_jobs(job_ids: Iterable[int]) -> dict[int, list[Skill]]:
    """The skills each post asks for, by name, with slug and name loaded; one query."""
    found: dict[int, list[Skill]] = defaultdict(list)
    for row in _SKILLS_ASKED(job_ids=set(job_ids)):
        found[row.job_id].append(row.skill)
    return found


_SKILLS_ASKED: Statement[JobSkill] = Statement(
    lambda job_ids: (
        JobSkill.objects.filter(job__in=job_ids)
        .select_related("skill")
        .only("job_id", "skill__slug", "skill__name")
        .order_by("skill__name")
    )
)


def chunks_of_jobs_asking(skill_id: int, size: int) -> Iterator[list[int]]:
    """The ids of all posts that ask for the skill, in lists of at most `size`."""
    last = 0
    while ids := list(JobSkill.objects.filter(skill=skill_id, job__gt=last).order_by("job").values_list("job_id", flat=True)[:size]):
        yield ids
        last = ids[-1]


def proposal_for(actor: Actor, proposal_id: int) -> Proposal:
    """The proposal with its job, freelancer and opening loaded. Raises NotFound."""
    within = proposals_visible_to(actor).select_related("job__category", "job__client", "freelancer", "opening")
    return one_of(within, proposal_id, "proposal")


def proposals_on(*, pk: int, sees_all: bool, job_id: int, client: bool) -> QuerySet[Proposal]:
    """Every proposal on a post, for its client and staff; a freelancer sees the own one."""
    return proposals_on_visible_to(Seer(pk, sees_all), job_id, client=client).select_related("opening")


def proposals_of(*, freelancer_id: int) -> QuerySet[Proposal]:
    """A freelancer's own proposals."""
    return Proposal.objects.filter(freelancer=freelancer_id).select_related("opening")


def with_posts(proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """The same with what lists show of the post: read by key after the page, because as a join it led MariaDB to begin at the posts."""
    posts = {job.pk: job for job in _LINES_OF_POSTS(job_ids={p.job_id for p in proposals})}
    for p in proposals:
        p.job = posts[p.job_id]
    return proposals


def with_writers(job: Job, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """The same with their one post and what lists show of who wrote them."""
    writers = {user.pk: user for user in _WRITERS(user_ids={p.freelancer_id for p in proposals})}
    for p in proposals:
        p.job, p.freelancer = job, writers[p.freelancer_id]
    return proposals


_LINES_OF_POSTS: Statement[Job] = Statement(
    lambda job_ids: (
        Job.objects.filter(pk__in=job_ids)
        .select_related("client")
        .only("title", "state", "pricing", "client__display_name", "client__country")
    )
)
_WRITERS: Statement[User] = Statement(lambda user_ids: User.objects.filter(pk__in=user_ids).only("id", "display_name", "country"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal stands among the job's live ones under PROPOSAL_RANKING; `position` counts from 1, None once it is decided."""

    position: int | None
    among: int


def places(proposals: Sequence[Proposal]) -> dict[int, Place]:
    """The place of each of these proposals; three queries however many they are, one when all are decided."""
    rivals: dict[int, list[tuple[int, int, datetime]]] = defaultdict(list)
    for pk, job_id, freelancer_id, at in _RIVALS(job_ids={p.job_id for p in proposals}):
        rivals[job_id].append((pk, freelancer_id, at))
    ranked = _ranked({p.job_id: rivals[p.job_id] for p in proposals if p.live_key is not None})
    found = {}
    for p in proposals:
        order = ranked.get(p.job_id, [])
        found[p.pk] = Place(order.index(p.pk) + 1 if p.pk in order else None, len(rivals[p.job_id]))
    return found


_RIVALS: Statement[tuple[int, int, int, datetime]] = Statement(
    lambda job_ids: Proposal.objects.filter(job__in=job_ids, live_key__isnull=False).values_list(
        "pk", "job_id", "freelancer_id", "submitted_at"
    )
)


def _ranked(rivals: dict[int, list[tuple[int, int, datetime]]]) -> dict[int, list[int]]:
    """job → the ids of its proposals in the order of PROPOSAL_RANKING, from (id, freelancer, submitted at) of each; two queries or none."""
    if not rivals:
        return {}
    asked: dict[int, set[int]] = defaultdict(set)
    for job_id, skill_id in _SKILL_IDS_ASKED(job_ids=list(rivals)):
        asked[job_id].add(skill_id)
    wanted = {skill for skills in asked.values() for skill in skills}
    claimed = skill_ids_of((f for rows in rivals.values() for _, f, _ in rows), among=wanted)
    return {
        job_id: [pk for pk, f, at in sorted(rows, key=lambda r: (-len(asked[job_id] & claimed.get(r[1], set())), r[2], r[0]))]
        for job_id, rows in rivals.items()
    }


_SKILL_IDS_ASKED: Statement[tuple[int, int]] = Statement(
    lambda job_ids: JobSkill.objects.filter(job__in=job_ids).values_list("job_id", "skill_id")
)


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
    rows = Skill.objects.filter(merged_into=None).select_related("category")
    if not text:
        return list(rows.order_by("name")[:limit])
    hits = rows.filter(Q(name__icontains=text) | Q(aliases__alias__startswith=fold(text))).distinct()[: limit * 5]
    folded = text.lower()
    return sorted(hits, key=lambda s: (s.name.lower() != folded, not s.name.lower().startswith(folded), s.name.lower()))[:limit]


def skills_by_slug(slugs: Iterable[str]) -> dict[str, Skill]:
    """The skill that each of these slugs means, for those that exist; a merged skill's slug means the one it was merged into."""
    rows = Skill.objects.filter(slug__in={s for s in slugs if "\x00" not in s}).select_related("merged_into")
    return {s.slug: s.merged_into or s for s in rows}


def terms(*, kind: str, slugs: Sequence[str] | None = None, ids: Sequence[int] | None = None) -> tuple[Term, ...]:
    """Those of the categories or skills that exist: the answer to ports.taxonomy."""
    wanted = {"slugs": None if slugs is None else [s for s in slugs if "\x00" not in s], "ids": list(ids or [])}
    if kind == "category":
        return tuple(Term(*row) for row in _CATEGORY_NAMES(**wanted))
    found = []
    for *own, into, slug, name in _SKILL_NAMES(**wanted):
        meant = own if into is None else [into, slug, name]
        # who asks by slug finds the answer under that slug, who asks by id under that id
        found.append(Term(meant[0], own[1], meant[2]) if slugs is not None else Term(own[0], meant[1], meant[2]))
    return tuple(found)


def _those(rows: QuerySet[Any], slugs: list[str] | None, ids: list[int]) -> QuerySet[Any]:
    return rows.filter(pk__in=ids) if slugs is None else rows.filter(slug__in=slugs)


_NAMES = ("pk", "slug", "name")
_CATEGORY_NAMES: Statement[tuple[Any, ...]] = Statement(lambda slugs, ids: _those(Category.objects.all(), slugs, ids).values_list(*_NAMES))
_SKILL_NAMES: Statement[tuple[Any, ...]] = Statement(
    lambda slugs, ids: _those(Skill.objects.all(), slugs, ids).values_list(*_NAMES, *(f"merged_into__{n}" for n in _NAMES))
)
SUMMARY_LENGTH = 300
#: moves that the web app offers; the others happen by themselves or on the contract
_JOB_ACTIONS = {"client": {"publish", "close", "renew"}, "staff": {"hold", "clear", "remove", "restore"}, "freelancer": set[str]()}
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
    plain = ("description", "visibility", "preferred_start", "attributes", "source", "created_at", "ended_at")
    latest = _MY_BID.first(job_id=job.pk, user_id=actor.pk) if actor.is_authenticated else None
    role = role_in_job(actor, job)
    actions = [a for a in JOB.actions_from(job.state, role) if a in _JOB_ACTIONS[role]]
    if role == "staff" and (job.state == "draft" or not staff_may(actor, "job_moderate")):
        actions = []
    if role == "freelancer" and takes_bids(job, clock.now()) and actor.is_authenticated and not (latest and latest[1]):
        # whoever has bid before sees the post also while its client is suspended
        actions += [] if latest and is_suspended(job.client_id) else ["propose"]
    marks = _MARKS(job_id=job.pk, user_id=actor.pk) if actor.is_authenticated else ()
    asked = read(job.screening_questions)
    own = {
        "my_proposal": latest[0] if latest else None,
        "my_mark": next(iter(marks), None),
        "moderation_reason": job.moderation_reason if role in ("client", "staff") else "",
        "duplicate_of": job.duplicate_of_id if role in ("client", "staff") else None,
        "screening_questions": [q.text for q in asked],
        "questions": [q.told() for q in asked],
        "files": files.files_of(job),
        "actions": actions,
    }
    return {**job_cards([job])[0], **{name: getattr(job, name) for name in plain}, **own}


_MY_BID: Statement[tuple[int, int | None]] = Statement(
    lambda job_id, user_id: Proposal.objects.filter(job=job_id, freelancer=user_id).order_by("-pk").values_list("pk", "live_key")[:1]
)
_MARKS: Statement[str] = Statement(lambda job_id, user_id: JobMark.objects.filter(job=job_id, user=user_id).values_list("kind", flat=True))


def proposals_told(actor: Actor, proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Proposals as the actor sees them, each with its receipt; jobs, openings and other people's names are loaded. A constant number of queries."""
    place, attached = places(proposals), files.files_of_many(proposals)
    returned = returns_of([p.pk for p in proposals if p.bid_credits])
    return [
        {**_proposal_told(actor, p), "receipt": _receipt(p, place[p.pk], returned.get(p.pk)), "files": attached[p.pk]} for p in proposals
    ]


def _proposal_told(actor: Actor, p: Proposal) -> dict[str, Any]:
    plain = ("id", "state", "cover_letter", "amount_minor", "currency", "delivery_days", "milestones", "answers", "quote", "bid_credits")
    times = ("submitted_at", "shortlisted_at", "offered_at")
    actions = [a for a in PROPOSAL.actions_from(p.state, role_in_proposal(actor, p)) if a in _PROPOSAL_ACTIONS]
    if p.state == "offered":
        actions = []  # an offer is answered on its contract
    return {
        **{name: getattr(p, name) for name in (*plain, *times)},
        "job": {"id": p.job_id, "title": p.job.title, "state": p.job.state, "pricing": p.job.pricing, "client": _person(p.job.client)},
        "freelancer": _person(actor if p.freelancer_id == actor.pk else p.freelancer),
        "actions": actions,
    }


def _receipt(p: Proposal, place: Place, returned: BidCreditMovement | None) -> dict[str, Any]:
    opening: ProposalOpening | None = getattr(p, "opening", None)
    return {
        "opened": p.first_seen_at is not None,
        "opened_at": p.first_seen_at,
        "position_when_opened": opening.position if opening else None,
        "among_when_opened": opening.among if opening else None,
        "position": place.position,
        "among": place.among,
        "ranking": PROPOSAL_RANKING,
        "answer_due_at": p.answer_due_at,
        "ghosted_at": p.ghosted_at,
        "outcome": None if p.state in LIVE_PROPOSAL_STATES else p.state,
        "outcome_at": p.decided_at,
        "outcome_reason": p.outcome_reason,
        "credits_spent": p.bid_credits,
        "credits_returned": returned.change if returned else 0,
        "credits_returned_at": returned.at if returned else None,
        "credits_returned_reason": RETURNS.get(returned.rule, returned.rule) if returned else "",
    }


def _person(user: Any) -> dict[str, Any]:
    return {"id": user.pk, "display_name": user.display_name, "country": user.country}


def history_of(actor: Actor, job_id: int) -> QuerySet[JobChange]:
    """The post's changes that the actor may see, with who made them. Raises NotFound for an invisible post, NotAllowed for whoever has
    nothing to do with it."""
    job = one_of(jobs_visible_to(actor), job_id, "job")
    changes = changes_visible_to(actor, job)
    if changes is None:
        raise NotAllowed("history_not_yours", "Only the client and those who have bid on this post see how it changed.")
    return changes.select_related("actor")


def invitation_for(actor: Actor, invitation_id: int) -> Invitation:
    """The invitation with its job, client and freelancer loaded. Raises NotFound."""
    return one_of(_invitations(invitations_visible_to(actor)), invitation_id, "invitation")


def invitations_of(freelancer: Actor) -> QuerySet[Invitation]:
    """The invitations that a freelancer has received, without those of clients who are suspended."""
    return _invitations(Invitation.objects.filter(~suspended("job__client"), freelancer=freelancer.pk, sent_at__isnull=False))


def invitations_on(actor: Actor, job_id: int) -> QuerySet[Invitation]:
    """Whom a post's client has invited, for the client and staff. Raises NotFound, NotAllowed."""
    job = one_of(jobs_visible_to(actor), job_id, "job")
    require(role_in_job(actor, job) != "freelancer", "invitations_not_yours", "Only the client who posted this job sees who is invited.")
    return _invitations(invitations_visible_to(actor).filter(job=job))


def _invitations(rows: QuerySet[Invitation]) -> QuerySet[Invitation]:
    return rows.select_related("job__category", "job__client", "freelancer")


def invitations_told(actor: Actor, invitations: Sequence[Invitation]) -> list[dict[str, Any]]:
    """Invitations as the actor sees them; one query however many they are."""
    cards = job_cards([i.job for i in invitations])
    now = clock.now()
    return [_invitation_told(actor, i, card, now) for i, card in zip(invitations, cards, strict=True)]


def _invitation_told(actor: Actor, i: Invitation, card: dict[str, Any], now: datetime) -> dict[str, Any]:
    plain = ("id", "state", "message", "created_at", "sent_at", "answered_at", "decline_reason", "job_id", "freelancer_id")
    actions = INVITATION.actions_from(i.state, "freelancer") if i.freelancer_id == actor.pk else []
    if not takes_bids(i.job, now):
        actions = [a for a in actions if a != "accept"]
    elif i.freelancer_id == actor.pk and i.state == "accepted":
        actions.append("propose")
    return {**{name: getattr(i, name) for name in plain}, "job": card, "freelancer": _person(i.freelancer), "actions": actions}


def marks_of(actor: Actor, kind: str) -> QuerySet[JobMark]:
    """The posts that a user saved or hid, as far as they may still see them, with what a card needs."""
    rows = JobMark.objects.filter(user=actor.pk, kind=kind, job__in=jobs_visible_to(actor))
    return rows.select_related("job__category", "job__client")


def saved_searches_of(actor: Actor) -> QuerySet[SavedSearch]:
    """A user's own saved searches."""
    return SavedSearch.objects.filter(user=actor.pk)


def shortlists_of(client: Actor) -> QuerySet[Shortlist]:
    """A client's own shortlists, each with `size`."""
    return Shortlist.objects.filter(client=client.pk).annotate(size=Count("items"))


def shortlist_items_of(client: Actor, shortlist_id: int) -> QuerySet[ShortlistItem]:
    """Who is on an own shortlist. Raises NotFound."""
    return ShortlistItem.objects.filter(shortlist=one_of(Shortlist.objects.filter(client=client.pk), shortlist_id, "shortlist"))


def shortlist_items_told(items: Sequence[ShortlistItem]) -> list[dict[str, Any]]:
    """Items with their freelancers; one query however many they are. Who closed the account or the profile is shown by name alone."""
    people = users_by_id(i.freelancer_id for i in items)
    told = []
    for i in items:
        user = people[i.freelancer_id]
        profile = getattr(user, "freelancer_profile", None) if user.is_active else None
        card = {**_person(user), "title": profile.title if profile else ""}
        told.append({"freelancer": card, "note": i.note, "added_at": i.added_at})
    return told


@dataclass(frozen=True, slots=True)
class LikePost:
    """Another post that says nearly the same: `likeness` is the share of the text in common in per cent."""

    job_id: int
    client_id: int
    state: str
    likeness: int


def posts_like(job_id: int, limit: int = 50) -> list[LikePost]:
    """For moderation: posts of anybody that are near-identical to this one by their fingerprints, the likest first. Posts without a
    fingerprint (that came in bulk) are not found. Raises NotFound."""
    job = one_of(Job.objects.all(), job_id, "job")
    mine = fingerprint(job.title, job.description)
    ids: set[int] = set(JobFingerprint.objects.filter(exact=mine.exact).order_by("-job").values_list("job_id", flat=True)[:limit])
    for i, band in enumerate(mine.bands, start=1):
        ids.update(JobFingerprint.objects.filter(**{f"band_{i}": band}).order_by("-job").values_list("job_id", flat=True)[:200])
    rows = JobFingerprint.objects.filter(job__in=ids - {job_id}).select_related("job").only("signature", "job__client", "job__state")
    found = [LikePost(r.job_id, r.job.client_id, r.job.state, mine.likeness(bytes(r.signature))) for r in rows]
    like = [f for f in found if f.likeness >= settings.JOB_DUPLICATE_PERCENT]
    return sorted(like, key=lambda f: (-f.likeness, -f.job_id))[:limit]


def reads_file(*, actor: Actor, attached_type: str, attached_id: int) -> bool | None:
    """The answer to ports.file_readers: whoever sees the post reads what is attached to it."""
    if attached_type != "jobs.job":
        return None
    return jobs_visible_to(actor).filter(pk=attached_id).exists()
