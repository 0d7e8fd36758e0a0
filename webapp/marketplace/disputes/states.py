"""The life of a dispute."""

from __future__ import annotations

from marketplace.core.states import Machine

DISPUTE = Machine(
    "dispute",
    "opened",
    {
        ("opened", "settle"): ("settled", {"staff", "system"}),
        ("opened", "withdraw"): ("withdrawn", {"client", "freelancer"}),
    },
)
