"""Job posts: writing, changing, publishing, and the ways a post ends by its client or by the clock. Staff's moves are in `moderation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from marketplace.accounts.models import User
from marketplace.accounts.selectors import client_profile_of
from marketplace.core import clock, events, features, files, ports
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.policies import require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from ..models import Job, JobChange, JobSkill, Proposal, Skill
from ..questions import read
from ..selectors import skills_of_jobs
from ..states import JOB
from .duplicates import fingerprint_store, refuse_twin
from .invitations import send_waiting
from .locks import client_locked, job_locked, own_job_locked
from .proposals import end_live_proposals
from .standstill import post_time
from .terms import check_budget, checked_post

#: what may still change once somebody may have bid on it: not the price's kind, currency or the questions
_CHANGEABLE_WITH_BIDS = frozenset({"description", "duration_days", "experience_level", "location_country", "preferred_start", "skills"})
_ON_SHOW = ("in_review", "open")


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
    file_ids: Sequence[int] = (),
    confirm_duplicate: bool = False,
    **terms: Any,
) -> Job:
    """A new draft of a client. `category` and `skills` are slugs; budget in minor units, absent when the price is unknown; `file_ids` are
    own uploads.

    Further terms: budget_min_minor, budget_max_minor, duration_days, experience_level, location_country, visibility, preferred_start, and
    screening_questions (see jobs.questions). Raises NotAllowed without a client profile, InvalidInput with every wrong field,
    Conflict("job_duplicate") when the client has nearly the same post as a draft, in review or open, unless `confirm_duplicate`.
    """
    require(client_profile_of(actor.pk) is not None, "client_profile_missing", "Fill in your client profile first: only clients post jobs.")
    given = {"title": title, "description": description, "category": category, "pricing": pricing, "currency": currency, **terms}
    values, found = checked_post({**given, "skills": skills or []})
    client_locked(actor.pk)
    job = Job(client=actor, created_at=clock.now(), **values)
    check_budget(job)
    refuse_twin(job, ("draft", *_ON_SHOW), confirmed=confirm_duplicate)
    job.save()
    _set_skills(job, found or [])
    fingerprint_store(job)
    files.attach(actor=actor, file_ids=file_ids, to=job)
    events.record(aggregate=job, kind="job.create", actor_id=actor.pk, after={"state": job.state, "title": job.title})
    return job


@unit_of_work
def job_update(*, actor: User, job_id: int, file_ids: Sequence[int] = (), **terms: Any) -> Job:
    """Change the given terms of an own post: all of them while it is a draft or has no proposals, else those that no bid rests on. Files are
    added, never taken away. What differs goes into the post's history; nothing that differs changes nothing.

    Raises Conflict when the post has ended or a bid rests on a term that would change.
    """
    job = own_job_locked(actor, job_id)
    if job.state not in ("draft", "in_review", "open"):
        raise Conflict("job_ended", "This post has ended and cannot be changed. Post a new one.")
    values, skills = checked_post(terms, known_questions=read(job.screening_questions))
    before, after = _differences(job, values, skills)
    fixed = sorted(set(after) - _CHANGEABLE_WITH_BIDS)
    if job.proposal_count and fixed:
        raise Conflict("job_has_proposals", f"Freelancers have already bid on this post: {', '.join(fixed)} can no longer change.")
    there = {f.pk for f in files.files_of(job)} if file_ids else set()
    added = [f.name for f in files.attach(actor=actor, file_ids=file_ids, to=job) if f.pk not in there]
    if added:
        before["files"], after["files"] = [], added
    if not after:
        return job
    for name, value in values.items():
        setattr(job, name, value)
    check_budget(job)
    job.save(update_fields=list(values))
    if skills is not None:
        _set_skills(job, skills)
    if {"title", "description"} & after.keys():
        fingerprint_store(job)
    _keep(job, actor, before, after)
    events.record(aggregate=job, kind="job.update", actor_id=actor.pk, after={"fields": sorted(after)})
    return job


@unit_of_work
def job_publish(*, actor: User, job_id: int, confirm_duplicate: bool = False) -> Job:
    """Draft → open, or in_review when the fraud decision holds it. Invitations that waited for it are sent once it is open.

    Raises NotAllowed("job_blocked") when it is refused outright, Conflict("job_duplicate") as job_create does.
    """
    client_locked(actor.pk)
    job = own_job_locked(actor, job_id)
    if job.state != "draft":
        raise Conflict("job_publish_impossible", f"This job is {job.state.replace('_', ' ')}: only a draft can be published.")
    features.require_on("POSTING_OPEN", "Posts cannot be published at the moment. Your draft is kept: please try again later.")
    refuse_twin(job, _ON_SHOW, confirmed=confirm_duplicate)
    decision = ports.fraud_decision.first(act="job_post", actor_id=actor.pk, subject_type="job", subject_id=job.pk)
    if decision.verdict == "block":
        raise NotAllowed(
            "job_blocked", f"This post breaks our rules ({', '.join(decision.reasons)}). Change it, or ask support to look at it."
        )
    if decision.verdict == "hold":
        extra = {"reasons": list(decision.reasons), "source": decision.source}
        job.held_at, job.moderation_reason = clock.now(), "held for review"
        also = ["held_at", "moderation_reason", "duplicate_of"]
        move(job, JOB, "hold", role="client", actor_id=actor.pk, reason=job.moderation_reason, extra=extra, also=also)
    else:
        open_job(job, "publish", "client", actor.pk, also=["duplicate_of"])
    return job


@unit_of_work
def job_renew(*, actor: User, job_id: int, confirm_duplicate: bool = False) -> Job:
    """The client opens an expired post again for another JOB_OPEN_DAYS days. Raises Conflict("job_duplicate") as job_create does."""
    client_locked(actor.pk)
    job = own_job_locked(actor, job_id)
    if job.state == "expired":
        refuse_twin(job, _ON_SHOW, confirmed=confirm_duplicate)
    job.ended_at = None
    open_job(job, "renew", "client", actor.pk, also=["ended_at", "duplicate_of"])
    return job


@unit_of_work
def job_close(*, actor: User, job_id: int, reason: str = "") -> Job:
    """The client ends the post without hiring; live proposals are archived with the reason, which their writers see.

    Raises Conflict("offer_is_out") while an offer waits for its answer.
    """
    job = own_job_locked(actor, job_id)
    if Proposal.objects.filter(job=job, state="offered").exists():
        raise Conflict("offer_is_out", "An offer waits for its answer. Withdraw the offer first, then close the post.")
    end_job(job, "close", role="client", actor_id=actor.pk, reason=reason)
    end_live_proposals(job, "archive", reason or "The client closed the post.", actor_id=actor.pk)
    return job


@unit_of_work
def job_expire(*, job_id: int) -> bool:
    """The clock's act: an open post past its expiry ends, unless an offer waits for its answer. Running it twice changes nothing more.

    While its client is suspended a post ends only if its time was over before."""
    job = job_locked(job_id)
    if job.state != "open" or job.expires_at is None or job.expires_at > post_time(job):
        return False
    if Proposal.objects.filter(job=job, state="offered").exists():
        return False
    end_job(job, "expire", role="system", actor_id=None, reason=f"open for {_days_open(job)} days")
    end_live_proposals(job, "expire", "The post expired.", actor_id=None)
    return True


def _days_open(job: Job) -> int:
    return (job.expires_at - job.opened_at).days if job.expires_at and job.opened_at else features.number("JOB_OPEN_DAYS")


def open_job(
    job: Job,
    action: str,
    role: str,
    actor_id: int | None,
    *,
    also: Sequence[str] = (),
    reason: str = "",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Open the locked post from now on for JOB_OPEN_DAYS days, and send the invitations that waited for it."""
    job.opened_at = clock.now()
    job.expires_at = job.opened_at + timedelta(days=features.number("JOB_OPEN_DAYS"))
    move(job, JOB, action, role=role, actor_id=actor_id, reason=reason, also=["opened_at", "expires_at", *also], extra=extra)
    send_waiting(job)


def end_job(
    job: Job, action: str, *, role: str, actor_id: int | None, reason: str, also: Sequence[str] = (), extra: Mapping[str, Any] | None = None
) -> None:
    """End the locked post; its proposals are the caller's to end."""
    job.ended_at = clock.now()
    move(job, JOB, action, role=role, actor_id=actor_id, reason=reason[:500], also=["ended_at", *also], extra=extra)


def _differences(job: Job, values: dict[str, Any], skills: list[Skill] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after of those terms that differ, as JSON; skills by their slugs."""
    before = {name: _plain(getattr(job, name)) for name in values}
    after = {name: _plain(value) for name, value in values.items()}
    if skills is not None:
        before["skills"] = sorted(s.slug for s in skills_of_jobs([job.pk]).get(job.pk, []))
        after["skills"] = sorted(s.slug for s in skills)
    changed = [name for name in after if before[name] != after[name]]
    return {name: before[name] for name in changed}, {name: after[name] for name in changed}


def _keep(job: Job, actor: User, before: dict[str, Any], after: dict[str, Any]) -> None:
    JobChange.objects.create(
        job=job, actor=actor, at=clock.now(), state=job.state, after_bids=job.proposal_count > 0, before=before, after=after
    )


def _set_skills(job: Job, skills: list[Skill]) -> None:
    wanted = {s.pk for s in skills}
    there = dict(JobSkill.objects.filter(job=job).values_list("skill_id", "pk"))
    if gone := [pk for skill_id, pk in there.items() if skill_id not in wanted]:
        JobSkill.objects.filter(pk__in=gone).delete()
    JobSkill.objects.bulk_create([JobSkill(job=job, skill=s) for s in skills if s.pk not in there])
    # the foreign key made each insert wait for a merge of that skill: what was merged meanwhile is seen now, and means the other one
    for merged in JobSkill.objects.filter(job=job, skill__merged_into__isnull=False).select_related("skill"):
        move_job_skill(merged, merged.skill.merged_into_id)  # type: ignore[arg-type]  # filtered


def move_job_skill(row: JobSkill, skill_id: int) -> None:
    """Let the locked post ask for `skill_id` instead; for one that it asks for already the row goes."""
    if JobSkill.objects.filter(job=row.job_id, skill=skill_id).exists():
        row.delete()
    else:
        JobSkill.objects.filter(pk=row.pk).update(skill=skill_id)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | list):
        return value
    return str(getattr(value, "slug", value))
