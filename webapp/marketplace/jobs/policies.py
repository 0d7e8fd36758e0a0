"""Who sees which job posts and proposals, and in which role somebody stands to one. Default deny."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from marketplace.accounts.selectors import suspended
from marketplace.core.policies import Actor, staff_may

from .models import Invitation, Job, JobChange, JobMark, Proposal

#: of posts: while a client is suspended, nobody finds the client's posts
_SHOWN = Q(~suspended("client"), state="open")
_PUBLIC = _SHOWN & Q(visibility=Job.Visibility.PUBLIC)


def jobs_taking_bids() -> QuerySet[Job]:
    """Open posts whose clients are not suspended."""
    return Job.objects.filter(_SHOWN)


def jobs_searched_by(actor: Actor) -> QuerySet[Job]:
    """Open public posts, which everybody sees, without those that the actor has hidden."""
    found = Job.objects.filter(_PUBLIC)
    if not actor.is_authenticated:
        return found
    return found.exclude(Exists(JobMark.objects.filter(job=OuterRef("pk"), user=actor.pk, kind=JobMark.Kind.HIDDEN)))


def jobs_visible_to(actor: Actor) -> QuerySet[Job]:
    """Everybody sees open public posts of clients who are not suspended; a client also the own ones; a freelancer also those invited to, and
    in any state those bid on; staff who may see other people's records all."""
    if not actor.is_authenticated:
        return Job.objects.filter(_PUBLIC)
    if staff_may(actor, "records_see"):
        return Job.objects.all()
    invited = Exists(Invitation.objects.filter(job=OuterRef("pk"), freelancer=actor.pk, sent_at__isnull=False))
    bid = Exists(Proposal.objects.filter(job=OuterRef("pk"), freelancer=actor.pk))
    return Job.objects.filter(_PUBLIC | Q(client=actor.pk) | (_SHOWN & Q(invited)) | bid)


def proposals_visible_to(actor: Actor) -> QuerySet[Proposal]:
    """A proposal is seen by the freelancer who wrote it, the client it was written to, and staff who may see other people's records."""
    if not actor.is_authenticated:
        return Proposal.objects.none()
    if staff_may(actor, "records_see"):
        return Proposal.objects.all()
    return Proposal.objects.filter(Q(freelancer=actor.pk) | Q(job__client=actor.pk))


def proposals_on_visible_to(actor: Actor, job_id: int, *, client: bool) -> QuerySet[Proposal]:
    """Those of proposals_visible_to that are on this post, decided without a join; `client`: whether the post is the actor's."""
    there = Proposal.objects.filter(job=job_id)
    return there if client or staff_may(actor, "records_see") else there.filter(freelancer=actor.pk)


def invitations_visible_to(actor: Actor) -> QuerySet[Invitation]:
    """The client sees the own invitations, a freelancer those that were sent; staff who may see other people's records all. An invitation by
    a client who is suspended is not seen meanwhile."""
    if not actor.is_authenticated:
        return Invitation.objects.none()
    if staff_may(actor, "records_see"):
        return Invitation.objects.all()
    return Invitation.objects.filter(Q(job__client=actor.pk) | Q(~suspended("job__client"), freelancer=actor.pk, sent_at__isnull=False))


def changes_visible_to(actor: Actor, job: Job) -> QuerySet[JobChange] | None:
    """A post's history: all of it for its client and for staff who may see it, for a bidder the changes since there were bids; else None."""
    changes = JobChange.objects.filter(job=job)
    if job.client_id == actor.pk or staff_may(actor, "records_see"):
        return changes
    if actor.is_authenticated and Proposal.objects.filter(job=job, freelancer=actor.pk).exists():
        return changes.filter(after_bids=True)
    return None


def takes_bids(job: Job, now: datetime) -> bool:
    """Whether the post is open and its time is not up, whether or not the clock has come by. Its client's suspension is another matter."""
    return job.state == "open" and (job.expires_at is None or now < job.expires_at)


def role_in_job(actor: Actor, job: Job) -> str:
    """client, staff or freelancer: the words of the state machine."""
    if job.client_id == actor.pk:
        return "client"
    return "staff" if staff_may(actor, "records_see") or staff_may(actor, "job_moderate") else "freelancer"


def role_in_proposal(actor: Actor, proposal: Proposal) -> str:
    """client, freelancer or staff: the words of the state machine."""
    if proposal.job.client_id == actor.pk:
        return "client"
    return "freelancer" if proposal.freelancer_id == actor.pk else "staff"
