"""The life of a payment and of a payout, and of what reconciliation finds. Payment states only move forward: see gateways.apply."""

from __future__ import annotations

from marketplace.core.states import Machine

PAYMENT = Machine(
    "payment",
    "created",
    {
        ("created", "wait"): ("pending", {"system"}),
        # also after a failure or a cancellation: the money has come all the same
        **{(s, "succeed"): ("succeeded", {"system"}) for s in ("created", "pending", "failed", "cancelled")},
        **{(s, "fail"): ("failed", {"system"}) for s in ("created", "pending")},
        **{(s, "cancel"): ("cancelled", {"system", "client"}) for s in ("created", "pending")},
        # what the gateway got, another amount than was asked for, went into the payer's wallet by staff's hand
        **{(s, "credit"): ("failed", {"staff"}) for s in ("created", "pending", "failed", "cancelled")},
        ("succeeded", "refund_part"): ("partially_refunded", {"system", "staff"}),
        ("succeeded", "refund"): ("refunded", {"system", "staff"}),
        ("partially_refunded", "refund_part"): ("partially_refunded", {"system", "staff"}),
        ("partially_refunded", "refund"): ("refunded", {"system", "staff"}),
        # a refund that had succeeded came back from the payer's bank
        ("refunded", "refund_return"): ("partially_refunded", {"system"}),
        ("partially_refunded", "refund_return"): ("partially_refunded", {"system"}),
        **{(s, "refund_return_all"): ("succeeded", {"system"}) for s in ("refunded", "partially_refunded")},
        **{(s, "charge_back"): ("charged_back", {"system"}) for s in ("succeeded", "partially_refunded", "refunded")},
        ("charged_back", "reinstate"): ("succeeded", {"system"}),
        ("charged_back", "reinstate_part"): ("partially_refunded", {"system"}),
    },
)

#: what is sent back to the payer's card or account
REFUND = Machine(
    "payment_refund",
    "created",
    {
        ("created", "wait"): ("pending", {"system"}),
        **{(s, "succeed"): ("succeeded", {"system"}) for s in ("created", "pending")},
        **{(s, "fail"): ("failed", {"system"}) for s in ("created", "pending")},
        # the payer's bank sent it back later
        ("succeeded", "return"): ("failed", {"system"}),
    },
)

#: a payer's dispute with their bank; inquiry takes no money
CHARGEBACK = Machine(
    "chargeback",
    "inquiry",
    {
        ("inquiry", "open"): ("open", {"system"}),
        **{(s, "win"): ("won", {"system"}) for s in ("inquiry", "open")},
        ("open", "lose"): ("lost", {"system"}),
    },
)

PAYOUT = Machine(
    "payout",
    "requested",
    {
        ("requested", "hold"): ("held", {"system", "staff"}),
        ("held", "clear"): ("requested", {"system", "staff"}),
        ("requested", "send"): ("sent", {"system"}),
        ("sent", "settle"): ("paid", {"system"}),
        # until it is sent its payee stops it by removing the place that it was to go to
        **{(s, "fail"): ("failed", {"system", "staff", "owner"}) for s in ("requested", "held")},
        ("sent", "fail"): ("failed", {"system", "staff"}),
        # the payee's bank sent it back after it had been paid
        ("paid", "return"): ("failed", {"system"}),
        # it failed here, and two people read at the gateway that it was paid after all
        ("failed", "settle_late"): ("paid", {"staff"}),
    },
)

#: the comparison of a day with a gateway's books
RECONCILIATION = Machine(
    "reconciliation",
    "due",
    {
        **{(s, "finish"): ("finished", {"system"}) for s in ("due", "unread")},
        # the gateway did not answer: it is asked again
        ("due", "fail"): ("unread", {"system"}),
        # a file arrived that tells more of the day
        **{(s, "reopen"): ("due", {"system"}) for s in ("finished", "unread")},
    },
)

#: what a gateway and we tell differently; `waiting` is a booking that needs a second person
DIFFERENCE = Machine(
    "difference",
    "open",
    {
        ("open", "explain"): ("explained", {"staff"}),
        **{(s, "reopen"): ("open", {"staff", "system"}) for s in ("explained", "waiting")},
        **{(s, "ask"): ("waiting", {"staff"}) for s in ("open", "explained")},
        ("waiting", "refuse"): ("open", {"staff"}),
        **{(s, "book"): ("booked", {"staff"}) for s in ("open", "explained", "waiting")},
        **{(s, "write_off"): ("written_off", {"staff"}) for s in ("open", "explained", "waiting")},
        # what lies in suspense is the payer's after all; that always needs a second person
        ("booked", "ask_credit"): ("crediting", {"staff"}),
        ("crediting", "keep"): ("booked", {"staff"}),
        ("crediting", "credit"): ("credited", {"staff"}),
        # the other side told it after all
        **{(s, "match"): ("matched", {"system"}) for s in ("open", "explained", "waiting")},
    },
)

#: a payer's card or account that a gateway keeps for them
SAVED_METHOD = Machine(
    "saved_method",
    "pending",
    {
        ("pending", "complete"): ("ready", {"system"}),
        ("pending", "fail"): ("failed", {"system"}),
        **{(s, "remove"): ("removed", {"owner"}) for s in ("pending", "ready")},
        # the gateway or the bank took it away
        ("ready", "lapse"): ("removed", {"system"}),
    },
)

#: a place to be paid to; where a gateway has questions of its own, it is completed there before it is ready
PAYOUT_METHOD = Machine(
    "payout_method",
    "onboarding",
    {
        # the first one, and one beside others, which waits before anything is sent there; a removed one is added again
        **{(s, act): ("ready", {"owner", "system"}) for s in ("onboarding", "removed") for act in ("add", "add_another")},
        ("removed", "begin"): ("onboarding", {"owner"}),
        # the gateway asks for more before it pays out again
        ("ready", "restrict"): ("restricted", {"system"}),
        ("restricted", "enable"): ("ready", {"system"}),
        **{(s, "disconnect"): ("removed", {"system"}) for s in ("onboarding", "restricted", "ready")},
        **{(s, "remove"): ("removed", {"owner"}) for s in ("onboarding", "restricted", "ready")},
    },
)

#: an exchange rate that staff set by hand; one that differs much from the last known needs a second person
HAND_RATE = Machine(
    "hand_rate",
    "asked",
    {
        ("asked", "set"): ("set", {"staff"}),
        ("asked", "refuse"): ("refused", {"staff"}),
    },
)

#: a version of the fee schedule: one member of staff proposes it, another one publishes it
FEE_PROPOSAL = Machine(
    "fee_proposal",
    "proposed",
    {
        ("proposed", "publish"): ("published", {"staff"}),
        ("proposed", "refuse"): ("refused", {"staff"}),
    },
)

#: what somebody owes us and nobody counts on any more; one asks, another decides
DEBT_WRITE_OFF = Machine(
    "debt_write_off",
    "asked",
    {
        ("asked", "write_off"): ("written_off", {"staff"}),
        ("asked", "refuse"): ("refused", {"staff"}),
    },
)

#: what a velocity rule holds until somebody decides, or its time is over
RISK_HOLD = Machine(
    "risk_hold",
    "open",
    {
        ("open", "release"): ("released", {"staff", "system"}),
        ("open", "refuse"): ("refused", {"staff"}),
        ("open", "lapse"): ("lapsed", {"system"}),
        # an appeal was right
        ("refused", "release"): ("released", {"staff"}),
    },
)
