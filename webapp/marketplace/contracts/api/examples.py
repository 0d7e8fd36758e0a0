"""What the API document shows of contracts, milestones and hours, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "contract_accept": {"revision": 1},
    "contract_cancel": {"reason": "The shop is sold; the new owner has a team of its own.", "ask_refund": True},
    "contract_decline": {"reason": "I have taken on other work until May."},
    "contract_hours_stop": {"reason": "The launch is done; we need no hours after this week."},
    "contract_pause": {"reason": "Both sides are being asked about a report; nothing moves until that is settled."},
    "contract_pause_request": {"reason": "Our office is closed from 24 December to 2 January."},
    "contract_resume": {"reason": "The office is open again."},
    "counter_offer_decline": {"reason": "The date cannot move: the sale begins on the first."},
    "counter_offer_withdraw": {"reason": "I can keep your date after all."},
    "milestone_refund": {"reason": "I cannot finish this part; you have not lost anything."},
    "milestone_request_changes": {
        "text": "The import is fine. The report still lacks the returns.",
        "items": [{"item": 1, "text": "Orders that were sent back are counted as sold."}],
    },
    "milestone_submit": {"note": "All three sources load every hour; the report is in the folder `report`. How to run it is in README.md."},
    "refund_request_refuse": {"answer": "Two of the three sources load already; please look at version 2."},
    "time_entry_change": {"minutes": 180, "what": "The cart's tests, without the call."},
    "week_submit": {"note": "The tests of the cart, and the call on Thursday."},
    "work_request_accept": {"answer": "Of course. Get well soon."},
    "work_request_decline": {"answer": "The sale begins on the first, so the date has to stay."},
}
