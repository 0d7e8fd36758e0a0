"""The life of a contract and of a milestone."""

from __future__ import annotations

from marketplace.core.states import Machine

CONTRACT = Machine(
    "contract",
    "offered",
    {
        ("offered", "accept"): ("active", {"freelancer"}),
        ("offered", "cancel"): ("cancelled", {"client", "freelancer", "system"}),
        ("active", "complete"): ("completed", {"client", "system"}),
        ("active", "cancel"): ("cancelled", {"client", "freelancer", "staff", "system"}),
    },
)

#: a milestone whose money is held
FUNDED_STATES = ("funded", "in_progress", "submitted", "changes_requested")

MILESTONE = Machine(
    "milestone",
    "planned",
    {
        ("planned", "fund"): ("funded", {"client", "system"}),
        ("planned", "cancel"): ("cancelled", {"client", "system"}),
        ("funded", "start"): ("in_progress", {"freelancer"}),
        **{(s, "submit"): ("submitted", {"freelancer"}) for s in ("funded", "in_progress", "changes_requested")},
        ("submitted", "request_changes"): ("changes_requested", {"client"}),
        ("submitted", "approve"): ("approved", {"client", "system"}),
        ("approved", "release"): ("released", {"client", "system"}),
        **{(s, "refund"): ("refunded", {"freelancer", "staff", "system"}) for s in FUNDED_STATES},
        **{(s, "dispute"): ("disputed", {"client", "freelancer"}) for s in FUNDED_STATES},
        ("disputed", "resolve"): ("resolved", {"staff", "system"}),
    },
)
