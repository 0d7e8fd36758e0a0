"""What the API document shows of disputes; requests by operation, answers by operation or else by the shape they have."""

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
        "to_client_minor": 10000,
        "reason": "The import meets its items; the report meets one of its two.",
    },
    "dispute_appeal": {"reason": "The decision does not say a word about the message of 3 March."},
}

_CLAIM = {"id": 1, "author_id": 7, "text": REQUESTS["milestone_dispute"]["claim"], "added_at": "2026-03-27T09:00:00Z", "files": []}
_SHOWN = {"id": 2, "author_id": 7, "text": REQUESTS["dispute_evidence"]["text"], "added_at": "2026-04-17T09:00:00Z", "files": []}
_OPENED = {
    "id": 5,
    "milestone_id": 55,
    "contract_id": 32,
    "state": "opened",
    "filer_id": 7,
    **REQUESTS["milestone_dispute"],
    "held_minor": 40000,
    "currency": "USD",
    "response": "",
    "responded_at": None,
    "proposal": None,
    "client_accepted_at": None,
    "freelancer_accepted_at": None,
    "to_freelancer_minor": None,
    "to_client_minor": None,
    "opened_at": "2026-03-27T09:00:00Z",
    "decide_by": "2026-04-03T09:00:00Z",
    "late_at": None,
    "decided_at": None,
    "decision_reason": "",
    "appeal_reason": None,
    "settled_at": None,
    "settled_by": None,
    "actions": [],
    "if_nobody_acts": "The other side has not answered by then: the money is split as the filer claims.",
    "offers": [],
    "evidence": [_CLAIM],
}
_ANSWERED = {
    **_OPENED,
    "state": "negotiation",
    "response": REQUESTS["dispute_respond"]["text"],
    "responded_at": "2026-03-30T09:00:00Z",
    "decide_by": "2026-04-13T09:00:00Z",
    "if_nobody_acts": "A split is computed from what is on record and shown to both; nobody is bound by it.",
}
_COMPUTED = {
    **_ANSWERED,
    "state": "proposal",
    "decide_by": "2026-04-16T09:00:00Z",
    "if_nobody_acts": "Unless both accept the computed split, both can hand in evidence; small claims go to a decision at once.",
    "proposal": {
        "version": "split-2",
        "parts": [
            {"code": "start", "bps": 5000, "text": "Held money starts in the middle.", "counted": True, "rows": []},
            {
                "code": "delivery",
                "bps": 2000,
                "text": "Work was handed in (1 version).",
                "counted": True,
                "rows": [{"kind": "submission", "ids": [61]}],
            },
        ],
        "share_bps": 7000,
        "to_freelancer_minor": 28000,
        "to_client_minor": 12000,
    },
}
_DECIDED = {
    **_COMPUTED,
    "state": "appeal",
    "decide_by": "2026-04-27T09:00:00Z",
    "to_freelancer_minor": REQUESTS["dispute_decide"]["to_freelancer_minor"],
    "to_client_minor": REQUESTS["dispute_decide"]["to_client_minor"],
    "decided_at": "2026-04-20T09:00:00Z",
    "decision_reason": REQUESTS["dispute_decide"]["reason"],
    "evidence": [_CLAIM, _SHOWN],
    "if_nobody_acts": "The decision becomes final and the money moves as decided.",
}

ANSWERS: dict[str, Any] = {
    "Dispute": {name: _ANSWERED[name] for name in _ANSWERED if name not in ("offers", "evidence")},
    "milestone_dispute": {**_OPENED, "actions": ["withdraw"]},
    "dispute_respond": {**_ANSWERED, "actions": ["offer", "evidence"]},
    "dispute_offer": {
        **_ANSWERED,
        "offers": [{"side": "freelancer", "to_freelancer_minor": 25000, "made_at": "2026-03-31T10:00:00Z"}],
        "actions": ["offer", "evidence"],
    },
    "dispute_read": {**_COMPUTED, "actions": ["offer", "accept", "evidence", "withdraw"]},
    "dispute_accept": {**_COMPUTED, "client_accepted_at": "2026-04-13T11:00:00Z", "actions": ["offer", "evidence", "withdraw"]},
    "dispute_evidence": {
        **_COMPUTED,
        "state": "evidence",
        "decide_by": "2026-04-23T09:00:00Z",
        "if_nobody_acts": "Staff decide on what was handed in.",
        "evidence": [_CLAIM, _SHOWN],
        "actions": ["offer", "evidence"],
    },
    "dispute_decide": _DECIDED,
    "dispute_appeal": {
        **_DECIDED,
        "state": "appealed",
        "appeal_reason": REQUESTS["dispute_appeal"]["reason"],
        "decide_by": "2026-05-02T09:00:00Z",
        "if_nobody_acts": "A decision by another member of staff is due. It is final; no money moves before it.",
    },
    "dispute_settle": {
        **_ANSWERED,
        "state": "settled",
        "to_freelancer_minor": 30000,
        "to_client_minor": 10000,
        "decided_at": "2026-04-02T09:00:00Z",
        "decision_reason": "Three of four sources load.",
        "settled_at": "2026-04-02T09:00:00Z",
        "settled_by": "decision",
        "if_nobody_acts": "",
    },
    "dispute_withdraw": {
        **_OPENED,
        "state": "withdrawn",
        "if_nobody_acts": "",
    },
}
