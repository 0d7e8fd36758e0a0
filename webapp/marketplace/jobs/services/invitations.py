"""Invitations to propose: written by the client, sent once the post is open, answered by the freelancer or by the post's end."""

from __future__ import annotations

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.accounts.selectors import freelancer_for
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.policies import one_of, require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from ..models import Invitation, Job, Proposal
from ..policies import invitations_visible_to, takes_bids
from ..states import INVITATION
from .locks import job_locked, own_job_locked


@unit_of_work
def job_invite(*, actor: User, job_id: int, freelancer_id: int, message: str = "") -> Invitation:
    """Ask a freelancer to propose. Before the post is open the invitation waits and is sent when it opens. A second invitation of the same
    person returns the first, which is sent anew only if it had ended with the post.

    Raises InvalidInput for nobody who works here, Conflict("job_ended"), Conflict("already_bid"), Conflict("invitations_spent") beyond
    JOB_MAX_INVITATIONS.
    """
    job = own_job_locked(actor, job_id)
    if job.state not in ("draft", "open", "in_review"):
        raise Conflict("job_ended", "This post has ended: nobody can be invited to it any more.")
    checks = Checks()
    words = checks.text("message", message, longest=1000)
    checks.raise_if_any()
    _require_freelancer(actor, freelancer_id)
    there = Invitation.objects.select_for_update().filter(job=job, freelancer=freelancer_id).first()
    if there is None or there.state == "expired":
        if Proposal.objects.filter(job=job, freelancer=freelancer_id, live_key__isnull=False).exists():
            raise Conflict("already_bid", "This freelancer has already bid on the post.")
        if Invitation.objects.filter(job=job, state__in=("sent", "accepted", "declined")).count() >= settings.JOB_MAX_INVITATIONS:
            raise Conflict("invitations_spent", f"{settings.JOB_MAX_INVITATIONS} freelancers are invited to this post: that is the most.")
    if there is None:
        there = Invitation.objects.create(job=job, freelancer_id=freelancer_id, message=words, created_at=clock.now())
        _send(job, there, actor.pk)
    elif there.state == "expired":
        there.message, there.answered_at = words, None
        there.sent_at = clock.now() if job.state == "open" else None
        move(there, INVITATION, "renew", role="client", actor_id=actor.pk, also=["message", "answered_at", "sent_at"])
    return there


def send_waiting(job: Job) -> None:
    """Send the invitations that waited for the locked post to open."""
    for invitation in Invitation.objects.select_for_update().filter(job=job, state="sent", sent_at=None).order_by("pk"):
        _send(job, invitation, job.client_id)


@unit_of_work
def invitation_accept(*, actor: User, invitation_id: int) -> Invitation:
    """The freelancer wants to propose; the bid itself is sent on the post. Raises NotFound, NotAllowed, Conflict("job_not_open")."""
    invitation = _locked_for_freelancer(actor, invitation_id)
    if not takes_bids(invitation.job, clock.now()):
        raise Conflict("job_not_open", "This post takes no proposals any more.")
    return _answer(invitation, "accept", actor.pk)


@unit_of_work
def invitation_decline(*, actor: User, invitation_id: int, reason: str) -> Invitation:
    """The freelancer says no; the reason is required, and the client reads it. Raises NotFound, NotAllowed, InvalidInput."""
    invitation = _locked_for_freelancer(actor, invitation_id)
    checks = Checks()
    invitation.decline_reason = checks.text("reason", reason, longest=500, shortest=1)
    checks.raise_if_any()
    return _answer(invitation, "decline", actor.pk, reason=invitation.decline_reason)


@unit_of_work
def invitation_follow_bid(*, job_id: int, freelancer_id: int) -> bool:
    """Whoever bids has accepted the invitation, also without saying so. Running it twice changes nothing more."""
    job_locked(job_id)
    waiting = Invitation.objects.select_for_update().filter(job=job_id, freelancer=freelancer_id, state="sent").first()
    if waiting is None:
        return False
    _answer(waiting, "accept", freelancer_id)
    return True


@unit_of_work
def invitations_expire(*, job_id: int) -> int:
    """End the invitations that wait for an answer on a post that has ended; returns how many. Running it twice changes nothing more."""
    job = job_locked(job_id)
    if job.state in ("draft", "in_review", "open"):
        return 0  # renewed or restored meanwhile
    waiting = list(Invitation.objects.select_for_update().filter(job=job, state="sent").order_by("pk"))
    for invitation in waiting:
        _answer(invitation, "expire", None)
    return len(waiting)


def _send(job: Job, invitation: Invitation, actor_id: int) -> None:
    if job.state == "open":
        invitation.sent_at = clock.now()
        invitation.save(update_fields=["sent_at"])
        events.record(
            aggregate=invitation,
            kind="invitation.send",
            actor_id=actor_id,
            after={"job_id": job.pk, "freelancer_id": invitation.freelancer_id},
        )


def _answer(invitation: Invitation, action: str, actor_id: int | None, *, reason: str = "") -> Invitation:
    invitation.answered_at = clock.now()
    role = "system" if actor_id is None else "freelancer"
    extra = {"job_id": invitation.job_id}
    move(invitation, INVITATION, action, role=role, actor_id=actor_id, reason=reason, also=["answered_at", "decline_reason"], extra=extra)
    return invitation


def _locked_for_freelancer(actor: User, invitation_id: int) -> Invitation:
    """The invitation, locked after its job, which hangs on it locked too; for the invited alone."""
    seen = one_of(invitations_visible_to(actor), invitation_id, "invitation")
    require(seen.freelancer_id == actor.pk, "invitation_not_yours", "Only the invited freelancer can answer.")
    job = job_locked(seen.job_id)
    invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
    invitation.job = job
    return invitation


def _require_freelancer(actor: User, freelancer_id: int) -> None:
    try:
        if freelancer_id == actor.pk:
            raise NotFound("freelancer")
        freelancer_for(actor, freelancer_id)
    except NotFound as e:
        raise InvalidInput("freelancer_unknown", "There is no such freelancer.", {"freelancer": ["There is no such freelancer."]}) from e
