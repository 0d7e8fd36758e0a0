"""What staff, and the clockwork in their name, do with posts: hold, clear, remove and restore. Each has a reason, an audit and a notice.

A `case_id` says that the act carries out a decision of moderation, which tells the client itself.

While a post is held or removed its time stands still, as it does while its client is suspended: cleared or restored it has as many days left
as it had.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from marketplace.accounts.models import User
from marketplace.core import audit, clock
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import require, staff_may
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from ..models import Job
from ..states import JOB
from .invitations import send_waiting
from .locks import job_locked, job_locked_for
from .posts import end_job, open_job
from .proposals import end_live_proposals
from .standstill import post_time, settle

#: either permission lets staff judge a post: on its page, or by a case of the moderation queue
_JUDGES = ("job_moderate", "moderation_decide")


@unit_of_work
def job_hold(*, actor: User | None, job_id: int, reason: str, case_id: int | None = None) -> Job:
    """Open → in_review, by staff, or without an actor by a rule or model that flagged it. Bids stay and wait.

    Raises NotFound, NotAllowed, InvalidInput without a reason, Conflict when the post is not open.
    """
    job, role = _judged(actor, job_id)
    if job.state == "draft":
        raise Conflict("job_hold_impossible", "This post is a draft: nobody but its client sees it.")
    job.moderation_reason, job.held_at = _reason(reason), clock.now()
    settle(job)
    _move(job, "hold", role, actor, also=["moderation_reason", "held_at", "expires_at"], case_id=case_id)
    return job


@unit_of_work
def job_clear(*, actor: User | None, job_id: int, reason: str = "Nothing was found against it.", case_id: int | None = None) -> Job:
    """Let a held post go: in_review → open, with the days it had left; one that was never open gets all of them. Nobody judges the own post."""
    job, role = _judged(actor, job_id)
    said = _reason(reason)
    held_at, job.moderation_reason, job.held_at = job.held_at, "", None
    _open_again(job, "clear", role, actor, stopped_at=held_at, said=said, also=["moderation_reason", "held_at"], case_id=case_id)
    return job


@unit_of_work
def job_remove(*, actor: User, job_id: int, reason: str, case_id: int | None = None) -> Job:
    """Staff takes a post down, open or in review; its live proposals expire. The reason is required and shown."""
    job, role = _judged(actor, job_id)
    job.moderation_reason = _reason(reason)
    before = job.state
    settle(job)
    also = ["moderation_reason", "expires_at"]
    end_job(job, "remove", role=role, actor_id=actor.pk, reason=job.moderation_reason, also=also, extra=_case(case_id))
    _audit(job, actor, before, job.moderation_reason)
    end_live_proposals(job, "expire", "The post was removed.", actor_id=actor.pk)
    return job


@unit_of_work
def job_restore(*, actor: User, job_id: int, reason: str, case_id: int | None = None) -> Job:
    """Removed → open, because the removal was wrong; the post has the days it had left. Bids that the removal ended stay ended: their
    writers are told and may bid again. Credits that came back stay back (credits.give_back says why). Raises as job_hold does."""
    job, role = _judged(actor, job_id)
    said = _reason(reason)
    stopped_at = job.held_at or job.ended_at
    job.ended_at, job.held_at, job.moderation_reason = None, None, ""
    _open_again(
        job, "restore", role, actor, stopped_at=stopped_at, said=said, also=["moderation_reason", "ended_at", "held_at"], case_id=case_id
    )
    return job


def _judged(actor: User | None, job_id: int) -> tuple[Job, str]:
    """The locked post and the role in which it is judged. Raises NotFound, NotAllowed."""
    if actor is None:
        return job_locked(job_id), "system"
    job = job_locked_for(actor, job_id)
    require(any(staff_may(actor, action) for action in _JUDGES), "staff_only", "Only staff who may moderate posts can do that.")
    require(job.client_id != actor.pk, "job_own", "This is your own post: another member of staff decides.")
    return job, "staff"


def _open_again(
    job: Job,
    action: str,
    role: str,
    actor: User | None,
    *,
    stopped_at: datetime | None,
    said: str,
    also: list[str],
    case_id: int | None,
) -> None:
    before = job.state
    if job.opened_at is None or job.expires_at is None or stopped_at is None:
        open_job(job, action, role, None if actor is None else actor.pk, also=also, reason=said, extra=_case(case_id))
        _audit(job, actor, before, said)
        return
    job.expires_at = post_time(job) + max(job.expires_at - stopped_at, timedelta(0))
    _move(job, action, role, actor, also=["expires_at", *also], said=said, case_id=case_id)
    send_waiting(job)


def _case(case_id: int | None) -> dict[str, int]:
    return {} if case_id is None else {"case_id": case_id}


def _move(
    job: Job, action: str, role: str, actor: User | None, *, also: list[str], said: str | None = None, case_id: int | None = None
) -> None:
    before = job.state
    reason = job.moderation_reason if said is None else said
    move(job, JOB, action, role=role, actor_id=None if actor is None else actor.pk, reason=reason, also=also, extra=_case(case_id))
    _audit(job, actor, before, reason)


def _audit(job: Job, actor: User | None, before: str, reason: str) -> None:
    if actor is not None:
        action = next(a for a in _JUDGES if staff_may(actor, a))
        audit.record(actor=actor, action=action, obj=job, reason=reason, before={"state": before}, after={"state": job.state})


def _reason(text: str) -> str:
    checks = Checks()
    said = checks.text("reason", text, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return said
