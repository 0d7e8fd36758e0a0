"""The life of a moderation case: docs/adr/0011-moderation.md says why it runs so."""

from __future__ import annotations

from marketplace.core.states import Machine

#: what a decision does; `hold` and `allow` have moves of their own
ACTS = ("allow", "warn", "hold", "remove", "suspend")
ACT_CHOICES = [(act, act) for act in ACTS]
UNDECIDED = ("flagged", "held")

CASE = Machine(
    "moderation",
    "flagged",
    {
        ("flagged", "allow"): ("allowed", {"staff"}),
        ("held", "clear"): ("allowed", {"staff"}),
        ("flagged", "hold"): ("held", {"staff"}),
        **{(s, "propose"): ("held", {"staff"}) for s in UNDECIDED},
        ("held", "send_back"): ("flagged", {"staff"}),
        ("held", "run_out"): ("flagged", {"system"}),
        **{(s, act): ("actioned", {"staff"}) for s in UNDECIDED for act in ("warn", "remove", "suspend")},
        ("actioned", "appeal"): ("appealed", {"subject"}),
        ("appealed", "uphold"): ("upheld", {"staff"}),
        ("appealed", "overturn"): ("overturned", {"staff"}),
    },
)
