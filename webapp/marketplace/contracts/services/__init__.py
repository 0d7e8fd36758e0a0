"""Everything that changes a contract: offers, funding, the work itself, its end, and what disputes ask for.

Each service locks the contract first, re-reads, and decides on what it then sees. Held money moves only here, through
payments.services, in the same transaction as the milestone's state.
"""

from .board import work_task_add, work_task_change, work_task_remove
from .bonuses import bonus_clear, bonus_give
from .calendars import calendar_feed_make, calendar_feed_revoke
from .cap_changes import cap_change_answer, cap_change_propose, hours_settings
from .counter_offers import counter_offer_accept, counter_offer_decline, counter_offer_make, counter_offer_withdraw
from .disputed import milestone_freeze, milestone_resolve, milestone_stage_ends, milestone_thaw
from .entries import entry_change, entry_log, entry_remove
from .funding import WALLET, milestone_fund, milestone_take_payment
from .holds import hold_limit
from .offers import contract_cancel, offer_accept, offer_decline, offer_expire, offer_make
from .pauses import contract_pause, contract_resume
from .questions import questions_grant, week_answer, week_question
from .refunds import (
    milestone_approve_part,
    part_clear,
    refund_request_accept,
    refund_request_expire,
    refund_request_open,
    refund_request_refuse,
    refund_request_remind,
    refund_request_withdraw,
)
from .requests import (
    extension_ask,
    pause_ask,
    progress_ask,
    progress_report,
    work_request_accept,
    work_request_decline,
    work_request_withdraw,
)
from .weeks import hours_stop, week_close, week_submit, weeks_open
from .work import (
    milestone_approve,
    milestone_auto_approve,
    milestone_clear,
    milestone_refund,
    milestone_remind,
    milestone_request_changes,
    milestone_start,
    milestone_submit,
)

__all__ = [
    "WALLET",
    "bonus_clear",
    "bonus_give",
    "calendar_feed_make",
    "calendar_feed_revoke",
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
    "extension_ask",
    "hold_limit",
    "hours_settings",
    "hours_stop",
    "milestone_approve",
    "milestone_approve_part",
    "milestone_auto_approve",
    "milestone_clear",
    "milestone_freeze",
    "milestone_fund",
    "milestone_refund",
    "milestone_remind",
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
    "part_clear",
    "pause_ask",
    "progress_ask",
    "progress_report",
    "questions_grant",
    "refund_request_accept",
    "refund_request_expire",
    "refund_request_open",
    "refund_request_refuse",
    "refund_request_remind",
    "refund_request_withdraw",
    "week_answer",
    "week_close",
    "week_question",
    "week_submit",
    "weeks_open",
    "work_request_accept",
    "work_request_decline",
    "work_request_withdraw",
    "work_task_add",
    "work_task_change",
    "work_task_remove",
]
