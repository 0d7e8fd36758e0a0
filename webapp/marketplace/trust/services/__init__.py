"""What people and moderators do: reviews, what is read in their texts, reports, cases and appeals."""

from .appeals import appeal_decide, case_appeal, case_appeal_by_token
from .cases import case_advance, case_approve, case_claim, case_decide, case_release, case_send_back
from .ratings import case_rate
from .reports import case_open_risk, report_file
from .reviews import review_edit, review_hide, review_reply, review_restore, review_write, reviews_open
from .texts import text_check, text_flag

__all__ = [
    "appeal_decide",
    "case_advance",
    "case_appeal",
    "case_appeal_by_token",
    "case_approve",
    "case_claim",
    "case_decide",
    "case_open_risk",
    "case_rate",
    "case_release",
    "case_send_back",
    "report_file",
    "review_edit",
    "review_hide",
    "review_reply",
    "review_restore",
    "review_write",
    "reviews_open",
    "text_check",
    "text_flag",
]
