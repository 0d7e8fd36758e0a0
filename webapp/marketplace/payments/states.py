"""The life of a payment and of a payout. Payment states only move forward: see gateways.apply."""

from __future__ import annotations

from marketplace.core.states import Machine

PAYMENT = Machine(
    "payment",
    "created",
    {
        ("created", "wait"): ("pending", {"system"}),
        **{(s, "succeed"): ("succeeded", {"system"}) for s in ("created", "pending")},
        **{(s, "fail"): ("failed", {"system"}) for s in ("created", "pending")},
        **{(s, "cancel"): ("cancelled", {"system", "client"}) for s in ("created", "pending")},
        ("succeeded", "refund_part"): ("partially_refunded", {"system", "staff"}),
        ("succeeded", "refund"): ("refunded", {"system", "staff"}),
        ("partially_refunded", "refund_part"): ("partially_refunded", {"system", "staff"}),
        ("partially_refunded", "refund"): ("refunded", {"system", "staff"}),
        **{(s, "charge_back"): ("charged_back", {"system"}) for s in ("succeeded", "partially_refunded")},
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
        **{(s, "fail"): ("failed", {"system", "staff"}) for s in ("requested", "held", "sent")},
    },
)
