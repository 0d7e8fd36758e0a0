"""What the API document shows of money, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "webhook_receive": {"id": "evt_7f3a91c2", "type": "payment.succeeded", "object": "sbx_payment_41d0c8"},
}
