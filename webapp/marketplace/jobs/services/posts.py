"""Job posts: writing, publishing, inviting, and the ways a post ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.accounts.selectors import client_profile_of, freelancer_profile_of
from marketplace.core import clock, events, ports
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.models import DeletedRow
from marketplace.core.policies import require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from ..models import Invitation, Job, JobSkill, Proposal, Skill
from ..policies import role_in_job
from ..states import JOB
from .locks import job_locked, job_locked_for
from .proposals import end_live_proposals
from .terms import check_budget, checked_post

#: what may still change once somebody may have bid on it: not the price's kind, currency or the questions
_CHANGEABLE_WITH_BIDS = frozenset({"description", "duration_days", "experience_level", "location_country", "preferred_start", "skills"})


@unit_of_work
def job_create(
    *,
    actor: User,
    title: str,
    description: str,
    category: str,
    pricing: str,
    skills: list[str] | None = None,
    currency: str = "USD",
    **terms: Any,
) -> Job:
    """A new draft of a client. `category` and `skills` are slugs; budget in minor units, absent when the price is unknown.

    Further terms: budget_min_minor, budget_max_minor, duration_days, experience_level, location_country, visibility, preferred_start,
    screening_questions. Raises NotAllowed without a client profile, InvalidInput with every wrong field.
    """
    require(client_profile_of(actor.pk) is not None, "client_profile_missing", "Fill in your client profile first: only clients post jobs.")
    given = {"title": title, "description": description, "category": category, "pricing": pricing, "currency": currency, **terms}
    values, found = checked_post({**given, "skills": skills or []})
    job = Job(client=actor, created_at=clock.now(), **values)
    check_budget(job)
    job.save()
    _set_skills(job, found or [])
    events.record(aggregate=job, kind="job.create", actor_id=actor.pk, after={"state": job.state, "title": job.title})
    return job


@unit_of_work
def job_update(*, actor: User, job_id: int, **terms: Any) -> Job:
    """Change the given terms of an own post: all of them while it is a draft or has no proposals, else those that no bid rests on.

    Raises Conflict when the post has ended or a bid rests on the term.
    """
    job = job_locked_for(actor, job_id)
    _require_own(actor, job)
    if job.state not in ("draft", "in_review", "open"):
        raise Conflict("job_ended", "This post has ended and cannot be changed. Post a new one.")
    fixed = sorted(set(terms) - _CHANGEABLE_WITH_BIDS)
    if job.proposal_count and fixed:
        raise Conflict("job_has_proposals", f"Freelancers have already bid on this post: {', '.join(fixed)} can no longer change.")
    values, skills = checked_post(terms)
    before = {name: _plain(getattr(job, name)) for name in values}
    for name, value in values.items():
        setattr(job, name, value)
    check_budget(job)
    job.save(update_fields=list(values))
    if skills is not None:
        _set_skills(job, skills)
    after = {name: _plain(value) for name, value in values.items()}
    if skills is not None:
        after["skills"] = [s.slug for s in skills]
    events.record(aggregate=job, kind="job.update", actor_id=actor.pk, before=before, after=after)
    return job


@unit_of_work
def job_publish(*, actor: User, job_id: int) -> Job:
    """Draft → open, or in_review when the fraud decision holds it. Raises NotAllowed("job_blocked") when it is refused outright."""
    job = job_locked_for(actor, job_id)
    _require_own(actor, job)
    if job.state != "draft":
        raise Conflict("job_publish_impossible", f"This job is {job.state.replace('_', ' ')}: only a draft can be published.")
    decision = ports.fraud_decision.first(act="job_post", actor_id=actor.pk, subject_type="job", subject_id=job.pk)
    if decision.verdict == "block":
        raise NotAllowed(
            "job_blocked", f"This post breaks our rules ({', '.join(decision.reasons)}). Change it, or ask support to look at it."
        )
    if decision.verdict == "hold":
        extra = {"reasons": list(decision.reasons), "source": decision.source}
        move(job, JOB, "hold", role="client", actor_id=actor.pk, reason="held for review", extra=extra)
    else:
        _open(job, "publish", "client", actor.pk)
    return job


@unit_of_work
def job_clear(*, actor: User, job_id: int) -> Job:
    """Staff lets a held post go: in_review → open. Nobody judges the own post."""
    job = job_locked_for(actor, job_id)
    require(actor.is_staff, "staff_only", "Only staff can do that.")
    require(job.client_id != actor.pk, "job_own", "This is your own post: another member of staff decides.")
    _open(job, "clear", "staff", actor.pk)
    return job


@unit_of_work
def job_renew(*, actor: User, job_id: int) -> Job:
    """The client opens an expired post again for another JOB_OPEN_DAYS days."""
    job = job_locked_for(actor, job_id)
    _require_own(actor, job)
    job.ended_at = None
    _open(job, "renew", "client", actor.pk, also=["ended_at"])
    return job


@unit_of_work
def job_close(*, actor: User, job_id: int, reason: str = "") -> Job:
    """The client ends the post without hiring; live proposals are archived with the reason, which their writers see.

    Raises Conflict("offer_is_out") while an offer waits for its answer.
    """
    job = job_locked_for(actor, job_id)
    _require_own(actor, job)
    if Proposal.objects.filter(job=job, state="offered").exists():
        raise Conflict("offer_is_out", "An offer waits for its answer. Withdraw the offer first, then close the post.")
    _end(job, "close", role="client", actor_id=actor.pk, reason=reason)
    end_live_proposals(job, "archive", reason or "The client closed the post.", actor_id=actor.pk)
    return job


@unit_of_work
def job_remove(*, actor: User, job_id: int, reason: str) -> Job:
    """Staff takes a post down; its live proposals expire. The reason is required and shown."""
    job = job_locked_for(actor, job_id)
    require(actor.is_staff, "staff_only", "Only staff can do that.")
    if not reason.strip():
        raise InvalidInput("reason_missing", "Say why the post is removed.", {"reason": ["This is required."]})
    _end(job, "remove", role="staff", actor_id=actor.pk, reason=reason)
    end_live_proposals(job, "expire", "The post was removed.", actor_id=actor.pk)
    return job


@unit_of_work
def job_expire(*, job_id: int) -> bool:
    """The clock's act: an open post past its expiry ends, unless an offer waits for its answer. Running it twice changes nothing more."""
    job = job_locked(job_id)
    now = clock.now()
    if job.state != "open" or job.expires_at is None or job.expires_at > now:
        return False
    if Proposal.objects.filter(job=job, state="offered").exists():
        return False
    _end(job, "expire", role="system", actor_id=None, reason=f"open for {settings.JOB_OPEN_DAYS} days")
    end_live_proposals(job, "expire", "The post expired.", actor_id=None)
    return True


@unit_of_work
def job_invite(*, actor: User, job_id: int, freelancer_id: int) -> Invitation:
    """Ask a freelancer to propose; a second invitation of the same person returns the first."""
    job = job_locked_for(actor, job_id)
    _require_own(actor, job)
    if job.state not in ("draft", "open", "in_review"):
        raise Conflict("job_ended", "This post has ended: nobody can be invited to it any more.")
    if freelancer_id == actor.pk or freelancer_profile_of(freelancer_id) is None:
        raise InvalidInput("freelancer_unknown", "There is no such freelancer.", {"freelancer": ["There is no such freelancer."]})
    invitation, new = Invitation.objects.get_or_create(job=job, freelancer_id=freelancer_id, defaults={"created_at": clock.now()})
    if new:
        events.record(aggregate=job, kind="job.invite", actor_id=actor.pk, after={"freelancer_id": freelancer_id})
    return invitation


def _require_own(actor: User, job: Job) -> None:
    require(role_in_job(actor, job) == "client", "job_not_yours", "Only the client who posted this job can do that.")


def _open(job: Job, action: str, role: str, actor_id: int, also: list[str] | None = None) -> None:
    job.opened_at = clock.now()
    job.expires_at = job.opened_at + timedelta(days=settings.JOB_OPEN_DAYS)
    move(job, JOB, action, role=role, actor_id=actor_id, also=["opened_at", "expires_at", *(also or [])])


def _end(job: Job, action: str, *, role: str, actor_id: int | None, reason: str) -> None:
    job.ended_at = clock.now()
    move(job, JOB, action, role=role, actor_id=actor_id, reason=reason[:500], also=["ended_at"])


def _set_skills(job: Job, skills: list[Skill]) -> None:
    wanted = {s.pk for s in skills}
    there = dict(JobSkill.objects.filter(job=job).values_list("skill_id", "pk"))
    gone = [pk for skill_id, pk in there.items() if skill_id not in wanted]
    if gone:
        DeletedRow.objects.bulk_create(
            [DeletedRow(table_name=JobSkill._meta.db_table, row_id=pk, reason="skill taken off the post") for pk in gone]
        )
        JobSkill.objects.filter(pk__in=gone).delete()
    JobSkill.objects.bulk_create([JobSkill(job=job, skill=s) for s in skills if s.pk not in there])


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | list):
        return value
    return str(getattr(value, "slug", value))
