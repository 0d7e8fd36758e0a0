"""Notifications for staff's eyes: what is known to name nobody stays, everything else is taken out."""

from __future__ import annotations

import json
import re
from typing import Any

from .providers.base import codes

HIDDEN = "•••"
#: bytes of a body that are read at all
LONGEST = 64 * 1024
MOST_ITEMS = 200
#: keys whose plain values say what happened, not to whom: of Stripe, PayPal, M-Pesa and the sandbox
_SHOWN = codes(
    """
    id type object event_type event_version resource_type resource_version status state intent created create_time update_time livemode
    api_version pending_webhooks amount amount_received amount_refunded amount_capturable currency currency_code value reason reason_code
    code failure_code decline_code outcome result resultcode resultdesc resulttype merchantrequestid checkoutrequestid conversationid
    originatorconversationid transactionid payment_intent charge transfer destination_payment balance_transaction payout refund dispute
    invoice_id custom_id sender_batch_id sender_item_id payout_item_id payout_batch_id batch_status transaction_status time_created
    time_completed final_capture idempotency_key
    """
)
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
#: what no value may look like, whatever its key
_AMOUNT = re.compile(r"-?\d{1,9}(\.\d{1,3})?")
_PERSONAL = re.compile(r"@|\d{12,}|\+\d{7,}")


def redacted(value: Any, *, key: str = "", depth: int = 0, personal: bool = False) -> Any:
    """The same shape with only what may be seen; too deep or too long is cut. Of what is `personal`, whatever lies under an address, nothing is."""
    if depth > 12:
        return HIDDEN
    if isinstance(value, dict):
        items = list(value.items())[:MOST_ITEMS]
        return {
            k if _NAME.fullmatch(str(k)) else HIDDEN: redacted(
                v, key=str(k), depth=depth + 1, personal=personal or "address" in str(k).lower()
            )
            for k, v in items
        }
    if isinstance(value, list):
        return [redacted(v, key=key, depth=depth + 1, personal=personal) for v in value[:MOST_ITEMS]]
    if value is None or isinstance(value, bool):
        return value
    name, text = key.lower(), str(value)
    if personal or name not in _SHOWN or len(text) > 200 or _PERSONAL.search(text):
        return HIDDEN
    # a sentence may be about somebody, but for the gateway's own; a value is shown where it is an amount
    spoken = " " in text and name != "resultdesc"
    return HIDDEN if spoken or (name == "value" and not _AMOUNT.fullmatch(text)) else value


def redacted_bytes(raw: bytes) -> Any:
    """A body that nobody vouches for; None when it is no JSON or longer than LONGEST."""
    if len(raw) > LONGEST:
        return None
    try:
        return redacted(json.loads(raw))
    except (ValueError, RecursionError):
        return None
