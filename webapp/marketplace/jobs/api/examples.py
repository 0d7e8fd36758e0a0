"""What the API document shows of posts, bids and what people keep, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "job_update": {"budget_max_minor": 300000, "description": "Load orders from four sources into one warehouse, every hour."},
    "job_close": {"reason": "We found somebody in our own house."},
    "job_publish": {"confirm_duplicate": False},
    "job_renew": {"confirm_duplicate": False},
    "saved_search_update": {"name": "Python, well paid", "pace": "daily"},
    "shortlist_rename": {"name": "Warehouses, spring"},
    "proposal_update": {"amount_minor": 190000, "delivery_days": 18},
    "proposal_decline": {"reason": "We chose somebody who knows the shop's system."},
    "proposal_withdraw": {"reason": "I have taken on other work until May."},
}
