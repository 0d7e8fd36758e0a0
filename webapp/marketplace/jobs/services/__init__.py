"""What people do with job posts and proposals. Every verb locks the job first, then the proposal."""

from .posts import job_clear, job_close, job_create, job_expire, job_invite, job_publish, job_remove, job_renew, job_update
from .proposals import (
    proposal_accept,
    proposal_decline,
    proposal_offer,
    proposal_offer_decline,
    proposal_see,
    proposal_shortlist,
    proposal_submit,
    proposal_update,
    proposal_withdraw,
    quote_for,
)

__all__ = [
    "job_clear",
    "job_close",
    "job_create",
    "job_expire",
    "job_invite",
    "job_publish",
    "job_remove",
    "job_renew",
    "job_update",
    "proposal_accept",
    "proposal_decline",
    "proposal_offer",
    "proposal_offer_decline",
    "proposal_see",
    "proposal_shortlist",
    "proposal_submit",
    "proposal_update",
    "proposal_withdraw",
    "quote_for",
]
