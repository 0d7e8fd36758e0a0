"""The life of a job post, of an invitation to it and of a proposal."""

from __future__ import annotations

from marketplace.core.states import Machine

JOB = Machine(
    "job",
    "draft",
    {
        ("draft", "publish"): ("open", {"client"}),
        ("draft", "hold"): ("in_review", {"client", "staff", "system"}),
        ("draft", "close"): ("closed", {"client"}),
        ("in_review", "clear"): ("open", {"staff", "system"}),
        ("in_review", "remove"): ("removed", {"staff"}),
        ("in_review", "close"): ("closed", {"client"}),
        ("open", "hold"): ("in_review", {"staff", "system"}),
        ("open", "fill"): ("filled", {"client", "system"}),
        ("open", "close"): ("closed", {"client"}),
        ("open", "expire"): ("expired", {"system"}),
        ("open", "remove"): ("removed", {"staff"}),
        ("expired", "renew"): ("open", {"client"}),
        ("removed", "restore"): ("open", {"staff"}),
    },
)

INVITATION = Machine(
    "invitation",
    "sent",
    {
        ("sent", "accept"): ("accepted", {"freelancer"}),
        ("sent", "decline"): ("declined", {"freelancer"}),
        ("sent", "expire"): ("expired", {"system"}),
        ("expired", "renew"): ("sent", {"client"}),
    },
)

PROPOSAL = Machine(
    "proposal",
    "submitted",
    {
        ("submitted", "see"): ("seen", {"client"}),
        ("submitted", "shortlist"): ("shortlisted", {"client"}),
        ("seen", "shortlist"): ("shortlisted", {"client"}),
        **{(s, "offer"): ("offered", {"client"}) for s in ("submitted", "seen", "shortlisted")},
        ("offered", "accept"): ("accepted", {"freelancer"}),
        **{(s, "decline"): ("declined", {"client"}) for s in ("submitted", "seen", "shortlisted")},
        ("offered", "decline"): ("declined", {"freelancer", "client"}),
        **{(s, "withdraw"): ("withdrawn", {"freelancer"}) for s in ("submitted", "seen", "shortlisted", "offered")},
        **{(s, "archive"): ("archived", {"client", "system"}) for s in ("submitted", "seen", "shortlisted")},
        **{(s, "expire"): ("expired", {"system"}) for s in ("submitted", "seen", "shortlisted", "offered")},
    },
)

LIVE_PROPOSAL_STATES = frozenset({"submitted", "seen", "shortlisted", "offered"})
