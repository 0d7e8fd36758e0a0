"""The locks of this app, in their one order: the client's profile, job, then proposal or invitation."""

from __future__ import annotations

from marketplace.accounts.models import ClientProfile
from marketplace.core.errors import NotFound
from marketplace.core.policies import Actor, one_of, require

from ..models import Job, Proposal
from ..policies import jobs_visible_to, proposals_visible_to, role_in_job


def client_locked(user_id: int) -> None:
    """Lock what a client's posts are compared under."""
    ClientProfile.objects.select_for_update().filter(user=user_id).values_list("pk").first()


def job_locked(pk: int) -> Job:
    """The job, locked and fresh. Raises NotFound."""
    job = Job.objects.select_for_update().filter(pk=pk).first()
    if job is None:
        raise NotFound("job")
    return job


def proposal_locked(pk: int) -> Proposal:
    """The proposal, locked after its job, which hangs on it locked too. Raises NotFound."""
    job_id = Proposal.objects.filter(pk=pk).values_list("job_id", flat=True).first()
    if job_id is None:
        raise NotFound("proposal")
    job = job_locked(job_id)
    proposal = Proposal.objects.select_for_update().get(pk=pk)
    proposal.job = job
    return proposal


def job_locked_for(actor: Actor, pk: int) -> Job:
    """job_locked, when the actor may see it; NotFound otherwise."""
    one_of(jobs_visible_to(actor), pk, "job")
    return job_locked(pk)


def proposal_locked_for(actor: Actor, pk: int) -> Proposal:
    """proposal_locked, when the actor may see it; NotFound otherwise."""
    one_of(proposals_visible_to(actor), pk, "proposal")
    return proposal_locked(pk)


def own_job_locked(actor: Actor, pk: int) -> Job:
    """job_locked_for its client alone. Raises NotFound, NotAllowed("job_not_yours")."""
    job = job_locked_for(actor, pk)
    require(role_in_job(actor, job) == "client", "job_not_yours", "Only the client who posted this job can do that.")
    return job
