"""The life of a dispute: docs/adr/0009-dispute-stages.md says why it runs so."""

from __future__ import annotations

from marketplace.core.states import Machine

SIDES = {"client", "freelancer"}
#: stages in which the two sides may still agree by offers
TALKING = ("negotiation", "proposal", "evidence", "decision")
#: stages before anything was decided: the filer may withdraw, staff may end it early, the hold's limit cuts it short
UNDECIDED = ("opened", *TALKING)
DECIDED = ("appeal", "appealed")
LIVE = (*UNDECIDED, *DECIDED)

DISPUTE = Machine(
    "dispute",
    "opened",
    {
        ("opened", "respond"): ("negotiation", SIDES),
        ("opened", "accept_claim"): ("settled", SIDES),
        ("opened", "grant_claim"): ("settled", {"system"}),
        **{(s, "agree"): ("settled", SIDES) for s in TALKING},
        ("negotiation", "propose"): ("proposal", {"system"}),
        ("proposal", "accept_proposal"): ("settled", SIDES),
        ("proposal", "call_for_evidence"): ("evidence", {"system"}),
        ("proposal", "skip_evidence"): ("decision", {"system"}),
        ("evidence", "close_evidence"): ("decision", {"system"}),
        **{(s, "reach_hold_limit"): ("decision", {"system"}) for s in ("negotiation", "proposal", "evidence")},
        ("decision", "decide"): ("appeal", {"staff"}),
        ("appeal", "accept_decision"): ("settled", SIDES),
        ("appeal", "become_final"): ("settled", {"system"}),
        ("appeal", "appeal"): ("appealed", SIDES),
        ("appealed", "decide_appeal"): ("settled", {"staff"}),
        **{(s, "settle"): ("settled", {"staff", "system"}) for s in UNDECIDED},
        **{(s, "withdraw"): ("withdrawn", SIDES) for s in UNDECIDED},
    },
)
