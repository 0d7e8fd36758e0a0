"""Who sees which job posts and proposals, and in which role somebody stands to one. Default deny."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from marketplace.core.policies import Actor

from .models import Invitation, Job, Proposal


def jobs_visible_to(actor: Actor) -> QuerySet[Job]:
    """Everybody sees open public posts; a client also the own ones; a freelancer also those invited to or bid on; staff all."""
    public = Q(state="open", visibility=Job.Visibility.PUBLIC)
    if not actor.is_authenticated:
        return Job.objects.filter(public)
    if actor.is_staff:
        return Job.objects.all()
    invited = Exists(Invitation.objects.filter(job=OuterRef("pk"), freelancer=actor.pk))
    bid = Exists(Proposal.objects.filter(job=OuterRef("pk"), freelancer=actor.pk))
    return Job.objects.filter(public | Q(client=actor.pk) | Q(invited, state="open") | bid)


def proposals_visible_to(actor: Actor) -> QuerySet[Proposal]:
    """A proposal is seen by the freelancer who wrote it, the client it was written to, and staff."""
    if not actor.is_authenticated:
        return Proposal.objects.none()
    if actor.is_staff:
        return Proposal.objects.all()
    return Proposal.objects.filter(Q(freelancer=actor.pk) | Q(job__client=actor.pk))


def role_in_job(actor: Actor, job: Job) -> str:
    """client, staff or freelancer: the words of the state machine."""
    if job.client_id == actor.pk:
        return "client"
    return "staff" if actor.is_staff else "freelancer"


def role_in_proposal(actor: Actor, proposal: Proposal) -> str:
    """client, freelancer or staff: the words of the state machine."""
    if proposal.job.client_id == actor.pk:
        return "client"
    return "freelancer" if proposal.freelancer_id == actor.pk else "staff"
