"""Everything that changes a contract: offers, funding, the work itself, its end, and what disputes ask for.

Each service locks the contract first, re-reads, and decides on what it then sees. Held money moves only here, through
payments.services, in the same transaction as the milestone's state.
"""

from .cap_changes import cap_change_answer, cap_change_propose, hours_settings
from .counter_offers import counter_offer_accept, counter_offer_decline, counter_offer_make, counter_offer_withdraw
from .disputed import milestone_freeze, milestone_resolve, milestone_stage_ends, milestone_thaw
from .entries import entry_change, entry_log, entry_remove
from .funding import WALLET, milestone_fund, milestone_take_payment
from .offers import contract_cancel, contract_pause, contract_resume, offer_accept, offer_decline, offer_expire, offer_make
from .questions import questions_grant, week_answer, week_question
from .weeks import hours_stop, week_close, week_submit, weeks_open
from .work import (
    milestone_approve,
    milestone_auto_approve,
    milestone_clear,
    milestone_refund,
    milestone_request_changes,
    milestone_start,
    milestone_submit,
)

__all__ = [
    "WALLET",
    "cap_change_answer",
    "cap_change_propose",
    "contract_cancel",
    "contract_pause",
    "contract_resume",
    "counter_offer_accept",
    "counter_offer_decline",
    "counter_offer_make",
    "counter_offer_withdraw",
    "entry_change",
    "entry_log",
    "entry_remove",
    "hours_settings",
    "hours_stop",
    "milestone_approve",
    "milestone_auto_approve",
    "milestone_clear",
    "milestone_freeze",
    "milestone_fund",
    "milestone_refund",
    "milestone_request_changes",
    "milestone_resolve",
    "milestone_stage_ends",
    "milestone_start",
    "milestone_submit",
    "milestone_take_payment",
    "milestone_thaw",
    "offer_accept",
    "offer_decline",
    "offer_expire",
    "offer_make",
    "questions_grant",
    "week_answer",
    "week_close",
    "week_question",
    "week_submit",
    "weeks_open",
]
