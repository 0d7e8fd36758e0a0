"""What people do with job posts and proposals. Every verb locks the job first, then the proposal or invitation."""

from .credits import credit_rule_publish, credits_grant
from .invitations import invitation_accept, invitation_decline, invitation_follow_bid, invitations_expire, job_invite
from .keeping import job_mark, job_unmark, shortlist_create, shortlist_delete, shortlist_put, shortlist_rename, shortlist_take_off
from .moderation import job_clear, job_hold, job_remove, job_restore
from .posts import job_close, job_create, job_expire, job_publish, job_renew, job_update
from .proposals import (
    proposal_accept,
    proposal_decline,
    proposal_ghost,
    proposal_offer,
    proposal_offer_decline,
    proposal_see,
    proposal_shortlist,
    proposal_submit,
    proposal_update,
    proposal_withdraw,
    quote_for,
)
from .searches import saved_search_create, saved_search_delete, saved_search_look, saved_search_update
from .skills import merged_skills_follow, skill_merge, skill_rename

__all__ = [
    "credit_rule_publish",
    "credits_grant",
    "invitation_accept",
    "invitation_decline",
    "invitation_follow_bid",
    "invitations_expire",
    "job_clear",
    "job_close",
    "job_create",
    "job_expire",
    "job_hold",
    "job_invite",
    "job_mark",
    "job_publish",
    "job_remove",
    "job_renew",
    "job_restore",
    "job_unmark",
    "job_update",
    "merged_skills_follow",
    "proposal_accept",
    "proposal_decline",
    "proposal_ghost",
    "proposal_offer",
    "proposal_offer_decline",
    "proposal_see",
    "proposal_shortlist",
    "proposal_submit",
    "proposal_update",
    "proposal_withdraw",
    "quote_for",
    "saved_search_create",
    "saved_search_delete",
    "saved_search_look",
    "saved_search_update",
    "shortlist_create",
    "shortlist_delete",
    "shortlist_put",
    "shortlist_rename",
    "shortlist_take_off",
    "skill_merge",
    "skill_rename",
]
