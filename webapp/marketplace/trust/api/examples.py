"""What the API document shows of moderation, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "staff_case_rate": {"act": "warn", "reason_code": "contact_details"},
    "staff_case_send_back": {"reason": "The number is an order number. Please look once more."},
}
