"""What happens to posts when nobody acts, looking through saved searches, and the batches of merged skills."""

from __future__ import annotations

from celery import shared_task
from django.db.models import Exists, OuterRef

from marketplace.accounts.selectors import suspended
from marketplace.core import clock
from marketplace.core.tasks import each_due

from .models import BidCreditAccount, Job, Proposal, SavedSearch
from .search import rereading
from .services import credits_grant, job_expire, merged_skills_follow, proposal_ghost, saved_search_look
from .services.proposals import UNANSWERED

BATCH = 500
#: chunks of documents that one sweep compares: a minute or so of work
CHUNKS = 50


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def expire_due() -> int:
    """Expire open posts past their time, at most BATCH at once; returns how many. Delivered twice it expires nothing twice.

    Posts with an offer out wait for its answer, those of suspended clients for the end of the suspension; they take no place in the batch.
    """
    offered = Proposal.objects.filter(job=OuterRef("pk"), state="offered")
    due = Job.objects.filter(
        ~Exists(offered), ~suspended("client", before="expires_at"), state="open", expires_at__lte=clock.now()
    ).order_by("expires_at", "pk")
    ids = list(due.values_list("pk", flat=True)[:BATCH])
    return each_due(ids, lambda pk: job_expire(job_id=pk), "job_expire")


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def look_through_searches() -> int:
    """Look through saved searches that are due, at most BATCH at once; returns of how many posts their owners were told."""
    due = SavedSearch.objects.filter(look_at__lte=clock.now()).order_by("look_at", "pk")
    ids = list(due.values_list("pk", flat=True)[:BATCH])
    return each_due(ids, lambda pk: saved_search_look(search_id=pk), "saved_search_look")


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def move_merged_skills() -> int:
    """Move what still points at merged skills, at most BATCH batches at once; returns how many posts and profiles were moved."""
    moved = 0
    for _ in range(BATCH):
        now = merged_skills_follow()
        if not now:
            break
        moved += now
    return moved


@shared_task(acks_late=True, ignore_result=True, time_limit=1800)
def reread_search() -> int:
    """Go on with the nightly pass over the search indexes, at most CHUNKS chunks at once; returns how many documents were behind."""
    return rereading.go_on(CHUNKS)


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def ghost_due() -> int:
    """Count bids as ghosted that were not answered in time, at most BATCH at once; returns how many. Delivered twice it decides nothing twice."""
    due = Proposal.objects.filter(state__in=sorted(UNANSWERED), ghosted_at=None, answer_due_at__lte=clock.now())
    ids = list(due.order_by("answer_due_at", "pk").values_list("pk", flat=True)[:BATCH])
    return each_due(ids, lambda pk: proposal_ghost(proposal_id=pk), "proposal_ghost")


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def grant_due() -> int:
    """Fill the bid credits of accounts whose month has come, at most BATCH at once; returns how many. A month that the clock missed adds nothing."""
    due = BidCreditAccount.objects.filter(next_grant_at__lte=clock.now()).order_by("next_grant_at", "pk")
    ids = list(due.values_list("pk", flat=True)[:BATCH])
    return each_due(ids, lambda pk: credits_grant(freelancer_id=pk), "credits_grant")
