"""What jobs know of a person: posts, proposals, what they marked, searched for and noted; and what leaves with them."""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.core.personal import Part, rows_of

from . import services
from .models import (
    BidCreditAccount,
    BidCreditMovement,
    Invitation,
    Job,
    JobChange,
    JobMark,
    JobSkill,
    Proposal,
    ProposalVersion,
    SavedSearch,
    SavedSearchMatch,
    Shortlist,
    ShortlistItem,
)
from .states import JOB, LIVE_PROPOSAL_STATES

#: a post in one of these can still be closed by its client
UNENDED_JOB_STATES = tuple(sorted(state for state, action in JOB.transitions if action == "close"))


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data. Others appear by their public name only; what another client noted about the person is that client's."""
    return {
        "job_posts": rows_of(
            Job.objects.filter(client=user_id),
            *("id", "state", "title", "description", "pricing", "currency", "budget_min_minor", "budget_max_minor", "duration_days"),
            *("experience_level", "location_country", "visibility", "preferred_start", "screening_questions", "attributes"),
            *("proposal_count", "created_at", "opened_at", "expires_at", "ended_at", "moderation_reason"),
            category="category__slug",
        ),
        "job_skills": rows_of(JobSkill.objects.filter(job__client=user_id), "job_id", skill="skill__slug"),
        "job_changes": rows_of(JobChange.objects.filter(actor=user_id), "job_id", "at", "state", "after_bids", "before", "after"),
        "proposals": rows_of(
            Proposal.objects.filter(freelancer=user_id),
            *("id", "job_id", "state", "cover_letter", "amount_minor", "currency", "delivery_days", "milestones", "answers", "quote"),
            *("bid_credits", "submitted_at", "first_seen_at", "shortlisted_at", "offered_at", "decided_at", "outcome_reason"),
            job_title="job__title",
            client="job__client__display_name",
        ),
        "proposal_versions": rows_of(
            ProposalVersion.objects.filter(proposal__freelancer=user_id),
            *(
                "proposal_id",
                "number",
                "amount_minor",
                "currency",
                "delivery_days",
                "milestones",
                "answers",
                "quote",
                "sent_at",
                "replaced_at",
            ),
        ),
        "bid_credits": rows_of(BidCreditAccount.objects.filter(freelancer=user_id), "balance", "movements", "next_grant_at", "opened_at"),
        "bid_credit_movements": rows_of(
            BidCreditMovement.objects.filter(account=user_id),
            *("number", "kind", "change", "balance", "proposal_id", "period", "rule", "at"),
        ),
        "invitations_received": rows_of(
            Invitation.objects.filter(freelancer=user_id, sent_at__isnull=False),
            *("id", "job_id", "state", "message", "sent_at", "answered_at", "decline_reason"),
            job_title="job__title",
            client="job__client__display_name",
        ),
        "invitations_sent": rows_of(
            Invitation.objects.filter(job__client=user_id),
            *("id", "job_id", "state", "message", "created_at", "sent_at", "answered_at"),
            freelancer="freelancer__display_name",
        ),
        "job_marks": rows_of(JobMark.objects.filter(user=user_id), "job_id", "kind", "created_at", job_title="job__title"),
        "saved_searches": rows_of(SavedSearch.objects.filter(user=user_id), "id", "name", "parameters", "pace", "created_at", "looked_at"),
        "saved_search_matches": rows_of(
            SavedSearchMatch.objects.filter(saved_search__user=user_id), "saved_search_id", "job_id", "found_at"
        ),
        "shortlists": rows_of(Shortlist.objects.filter(client=user_id), "id", "name", "created_at"),
        "shortlist_notes": rows_of(
            ShortlistItem.objects.filter(shortlist__client=user_id),
            *("shortlist_id", "note", "added_at"),
            freelancer="freelancer__display_name",
        ),
    }


@handler("closing.shut", name="jobs.closing_shut")
def withdraw(event: Event) -> None:
    """Whoever closed their account bids and hires no more: live proposals are withdrawn, posts that have not ended are closed. Safe to run twice.

    An offer that reached them meanwhile is declined by contracts; until then this is tried again.
    """
    user = User.objects.get(pk=event.after["user_id"])
    live = Proposal.objects.filter(freelancer=user, state__in=LIVE_PROPOSAL_STATES).order_by("pk")
    for pk in live.values_list("pk", flat=True):
        services.proposal_withdraw(actor=user, proposal_id=pk, reason="The freelancer has closed their account.")
    posts = Job.objects.filter(client=user, state__in=UNENDED_JOB_STATES).order_by("pk")
    for pk in posts.values_list("pk", flat=True):
        services.job_close(actor=user, job_id=pk, reason="The client has closed their account.")


@handler("closing.erase", name="jobs.closing_erase")
def erase(event: Event) -> None:
    """Delete what the person kept for themselves, and what others noted about them. Safe to run twice."""
    user_id = event.after["user_id"]
    SavedSearch.objects.filter(user=user_id).delete()
    JobMark.objects.filter(user=user_id).delete()
    Shortlist.objects.filter(client=user_id).delete()
    ShortlistItem.objects.filter(freelancer=user_id).delete()
