"""What the API document shows of money; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import PAYMENT, usd

REQUESTS: dict[str, Any] = {
    "webhook_receive": {"id": "evt_7f3a91c2", "type": "payment.succeeded", "object": "sbx_payment_41d0c8"},
}

ANSWERS: dict[str, Any] = {
    "Received": {"received": True},
    "BalancesAnswer": {
        "results": [
            {
                "currency": "USD",
                "wallet": usd(0),
                "held": usd(0),
                "pending": usd(72000),
                "available": usd(12050),
                "in_transit": usd(0),
            }
        ]
    },
    "FeeSchedules": {
        "current": "standard-1",
        "schedules": [{"version": "standard-1", "freelancer_fee_bps": 1000, "tax_bps": 0, "active_from": "2020-01-01T00:00:00Z"}],
    },
    "Payment": PAYMENT,
    "Payout": {
        "id": 3,
        "state": "held",
        "provider": "sandbox",
        "amount_minor": 12050,
        "currency": "USD",
        "failure_code": "",
        "hold_reason": "first_payout",
        "held_until": "2026-03-20T09:00:00Z",
        "created_at": "2026-03-19T09:00:00Z",
        "settled_at": None,
    },
    "Transaction": {
        "entry_id": 33,
        "kind": "hold",
        "at": "2026-03-06T09:30:00Z",
        "contract_id": 31,
        "subject_type": "milestone",
        "subject_id": 51,
        "rule": "client_funding",
        "reason": "",
        "changes": [
            {"account": "wallet", "milestone_id": None, "change": usd(-80000)},
            {"account": "hold", "milestone_id": 51, "change": usd(80000)},
        ],
    },
}
