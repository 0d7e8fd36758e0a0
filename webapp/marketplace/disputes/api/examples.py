"""What the API document shows of disputes, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "milestone_dispute": {
        "claim": "The report that was handed in counts returned orders as sold, and my changes were not made.",
        "claimed_minor": 30000,
    },
    "dispute_respond": {"text": "Returns were not in the acceptance list. I offered to add them for a bonus.", "accept": False},
    "dispute_evidence": {"text": "Our message of 3 March, in which returns are named as part of the report."},
    "dispute_decide": {
        "to_freelancer_minor": 30000,
        "to_client_minor": 20000,
        "reason": "The import meets its items; the report meets one of its two.",
    },
    "dispute_appeal": {"reason": "The decision does not say a word about the message of 3 March."},
}
