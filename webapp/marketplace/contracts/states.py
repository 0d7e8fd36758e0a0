"""The life of a contract and of a milestone."""

from __future__ import annotations

from marketplace.core.states import Machine

CONTRACT = Machine(
    "contract",
    "offered",
    {
        ("offered", "accept"): ("active", {"freelancer"}),
        ("offered", "decline"): ("cancelled", {"freelancer"}),
        ("offered", "cancel"): ("cancelled", {"client", "system"}),
        ("offered", "expire"): ("cancelled", {"system"}),
        ("active", "complete"): ("completed", {"system"}),
        ("active", "cancel"): ("cancelled", {"system"}),
    },
)
CONTRACT_ENDED = frozenset({"completed", "cancelled"})

#: the freelancer's other terms for an offer; one at a time
COUNTER_OFFER = Machine(
    "counter_offer",
    "open",
    {
        ("open", "accept"): ("accepted", {"client"}),
        ("open", "decline"): ("declined", {"client"}),
        ("open", "withdraw"): ("withdrawn", {"freelancer"}),
        ("open", "lapse"): ("lapsed", {"system"}),
    },
)

#: a milestone whose money is held and not disputed
FUNDED_STATES = ("funded", "in_progress", "submitted", "changes_requested")
#: nothing will happen to the work or the hold of such a milestone any more
MILESTONE_ENDED = frozenset({"released", "refunded", "resolved", "cancelled"})

MILESTONE = Machine(
    "milestone",
    "planned",
    {
        ("planned", "fund"): ("funded", {"client", "system"}),
        ("planned", "cancel"): ("cancelled", {"client", "freelancer", "system"}),
        ("funded", "start"): ("in_progress", {"freelancer"}),
        # the clock submits what was logged of a week
        **{(s, "submit"): ("submitted", {"freelancer", "system"}) for s in ("funded", "in_progress")},
        ("changes_requested", "submit"): ("submitted", {"freelancer"}),
        # questioned hours leave their week for a hold of their own and wait for the freelancer's answer
        ("planned", "hold_questioned"): ("changes_requested", {"client"}),
        ("submitted", "request_changes"): ("changes_requested", {"client"}),
        ("submitted", "approve"): ("approved", {"client", "system"}),
        ("approved", "release"): ("released", {"client", "system"}),
        ("submitted", "approve_part"): ("submitted", {"client"}),
        # the rest of a hold of which a part was paid leaves it, to the wallet or to the next milestone: what was paid stays paid
        **{(s, "close"): ("released", {"freelancer", "system"}) for s in FUNDED_STATES},
        **{(s, "refund"): ("refunded", {"freelancer", "staff", "system"}) for s in FUNDED_STATES},
        **{(s, "dispute"): ("disputed", {"client", "freelancer"}) for s in FUNDED_STATES},
        # A withdrawn dispute puts the milestone back exactly where it was: one action for each state it can come from.
        **{("disputed", f"return_to_{s}"): (s, {"client", "freelancer"}) for s in FUNDED_STATES},
        ("disputed", "resolve"): ("resolved", {"staff", "system"}),
    },
)

#: a wish to work more or fewer hours a week; who asked is not who answers (services decide that)
CAP_CHANGE = Machine(
    "cap_change",
    "proposed",
    {
        ("proposed", "accept"): ("accepted", {"client", "freelancer"}),
        ("proposed", "decline"): ("declined", {"client", "freelancer"}),
        ("proposed", "withdraw"): ("withdrawn", {"client", "freelancer", "system"}),
    },
)

#: the client asks the freelancer for held money: back to the wallet, or on to the next milestone
REFUND_REQUEST = Machine(
    "refund_request",
    "open",
    {
        ("open", "accept"): ("accepted", {"freelancer"}),
        ("open", "refuse"): ("refused", {"freelancer"}),
        ("open", "grant"): ("granted", {"system"}),
        ("open", "withdraw"): ("withdrawn", {"client"}),
        # a dispute, an approval, money given back or the limit of the hold decided about the money otherwise
        ("open", "supersede"): ("superseded", {"client", "freelancer", "system"}),
        # the next milestone could not take the money any more when silence would have moved it
        ("open", "lapse"): ("lapsed", {"system"}),
    },
)

#: what one side asks of the other without moving money
WORK_REQUEST = Machine(
    "work_request",
    "open",
    {
        ("open", "accept"): ("accepted", {"client", "freelancer"}),
        ("open", "decline"): ("declined", {"client", "freelancer"}),
        ("open", "withdraw"): ("withdrawn", {"client", "freelancer"}),
        ("open", "supersede"): ("superseded", {"client", "freelancer", "staff", "system"}),
    },
)
