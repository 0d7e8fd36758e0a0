"""What Stripe tells, in the house's words: its objects, its movements, its signed notifications. Nothing is asked here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money

from . import units
from .base import (
    Accepted,
    DisputeStatus,
    Done,
    Fetched,
    FetchedDispute,
    FetchedRefund,
    Movement,
    MovementKind,
    RefundStatus,
    Rejected,
    Result,
    Subject,
    VerifiedEvent,
)

TOLERANCE_SECONDS = 300

_DECLINES = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "card_expired",
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_failed",
    "fraudulent": "declined",
    "incorrect_cvc": "card_details_wrong",
    "incorrect_number": "card_details_wrong",
    "invalid_expiry_year": "card_details_wrong",
    "currency_not_supported": "currency_not_supported",
}
_REFUND: dict[str, RefundStatus] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
    "pending": "pending",
    "requires_action": "pending",
}
_DISPUTE: dict[str, DisputeStatus] = {"won": "won", "lost": "lost", "needs_response": "open", "under_review": "open", "prevented": "won"}
_KINDS: dict[str, Subject] = {
    "payment_intent.": "payment",
    "charge.dispute.": "dispute",
    "charge.refund.": "refund",
    "refund.": "refund",
    "charge.": "payment",
    "payout.": "payout",
    "account.": "payee",
    "setup_intent.": "setup",
    "payment_method.": "card",
}
#: types of balance transactions; those that are not here are "other"
_MOVED: dict[str, MovementKind] = {
    **dict.fromkeys(("charge", "payment"), "payment"),
    **dict.fromkeys(("refund", "payment_refund"), "refund"),
    **dict.fromkeys(("refund_failure", "payment_failure_refund"), "refund_return"),
    "transfer": "payout",
    **dict.fromkeys(("transfer_refund", "transfer_cancel", "transfer_failure"), "payout_return"),
    **dict.fromkeys(("payout", "payout_cancel", "payout_failure", "topup", "topup_reversal"), "bank"),
    **dict.fromkeys(("stripe_fee", "stripe_fx_fee", "tax_fee"), "fee"),
}


def money(minor: int, currency: str) -> Money:
    return units.STRIPE.back(minor, currency.upper())


def movement(data: Mapping[str, Any]) -> Movement:
    """A balance transaction. A charge is about its payment, a reversal about its transfer, an adjustment of a dispute about the dispute."""
    source = data.get("source")
    about: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    ref = str(about.get("id") or source or "")
    kind = _MOVED.get(data["type"], "other")
    if about.get("object") == "dispute":
        kind = "dispute"
    elif kind == "payment":
        ref = str(about.get("payment_intent") or ref)
    elif about.get("object") == "transfer_reversal":
        ref = str(about.get("transfer") or ref)
    amount, fee = money(data["amount"], data["currency"]), money(data["fee"], data["currency"])
    if kind == "fee":
        amount, fee = Money(0, amount.currency), fee - amount
    at = datetime.fromtimestamp(data["created"], UTC)
    return Movement(data["id"], kind, amount, fee, at, ref[:128], own(about))


def own(data: Mapping[str, Any]) -> str:
    """Our name of the row that an object was made for; "" where it has none."""
    metadata = data.get("metadata")
    found = metadata.get("openlance") if isinstance(metadata, Mapping) else None
    return found[:64] if isinstance(found, str) else ""


def declined(code: str | None) -> str:
    """Why a card was refused, by our code of it."""
    return _DECLINES.get(code or "", "declined")


def payment_result(intent: Any) -> Result:
    """What creating or capturing answered."""
    fetched = payment(intent.to_dict())
    if fetched.status == "succeeded":
        return Done(fetched.ref)
    if fetched.status in ("failed", "cancelled"):
        return Rejected(fetched.failure_code or "declined", fetched.ref)
    return Accepted(fetched.ref, fetched.action)


def refund_result(made: Any) -> Result:
    status = _REFUND.get(made.status or "pending", "pending")
    if status == "failed":
        return Rejected(str(getattr(made, "failure_reason", None) or "refund_failed"), made.id)
    return Done(made.id) if status == "succeeded" else Accepted(made.id)


def payment(data: dict[str, Any]) -> Fetched:
    """A PaymentIntent; its fee is there when its charge and the charge's balance transaction are expanded."""
    status, failure, action = data["status"], "", {}
    error = data.get("last_payment_error") or {}
    charge = data.get("latest_charge")
    moved = charge.get("balance_transaction") if isinstance(charge, dict) else None
    # the fee is in the currency in which our account is settled
    fee = money(moved["fee"], moved["currency"]) if isinstance(moved, dict) else None
    flow = (data.get("metadata") or {}).get("flow")
    ours = {"succeeded": "succeeded", "requires_capture": "authorized", "canceled": "cancelled"}.get(status, "pending")
    if status == "canceled":
        failure = {"automatic": "authorization_expired", "expired": "authorization_expired"}.get(data.get("cancellation_reason") or "", "")
    elif status == "requires_payment_method" and error and flow == "token":
        # confirmed by us with one token: nobody is there to try another card on the same intent
        ours, failure = "failed", declined(error.get("decline_code") or error.get("code"))
    elif ours == "pending" and data.get("client_secret"):
        action = {"kind": "stripe", "client_secret": data["client_secret"]}
    received = money(data.get("amount_received") or 0, data["currency"]) if ours == "succeeded" else None
    amount = money(data["amount"], data["currency"])
    return Fetched(data["id"], ours, amount, failure, received, fee, own(data), action)


def refund(data: Mapping[str, Any]) -> FetchedRefund:
    return FetchedRefund(
        data["id"],
        _REFUND.get(data.get("status") or "pending", "pending"),
        money(data["amount"], data["currency"]),
        str(data.get("payment_intent") or ""),
        str(data.get("failure_reason") or ""),
        own(data),
    )


def dispute(data: Mapping[str, Any]) -> FetchedDispute:
    """Its fee is the sum of what each of its movements cost; None before money moved."""
    moves = data.get("balance_transactions") or []
    fees = [money(m["fee"], m["currency"]) for m in moves]
    return FetchedDispute(
        data["id"],
        _DISPUTE.get(data["status"], "inquiry"),
        money(data["amount"], data["currency"]),
        str(data.get("payment_intent") or ""),
        str(data.get("reason") or ""),
        sum(fees[1:], fees[0]) if fees else None,
    )


def verify(raw_body: bytes, header: str, secrets: tuple[str, ...]) -> None:
    """Raise InvalidInput unless one of the secrets signed these bytes within the tolerance."""
    try:
        text = raw_body.decode()
        stamp = int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
    except (UnicodeDecodeError, ValueError, StopIteration) as e:
        raise InvalidInput("signature_invalid", "The signature does not fit the body.") from e
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, header, secret)
        except stripe.SignatureVerificationError:
            continue
        if abs(time.time() - stamp) > TOLERANCE_SECONDS:
            raise InvalidInput("signature_stale", "The signature is too old.")
        return
    raise InvalidInput("signature_invalid", "The signature does not fit the body.")


def event(body: Any, *, live: bool, account: str) -> VerifiedEvent:
    """An event of this mode and of our account, or of one connected to it. Raises InvalidInput for any other, and for what is none."""
    try:
        kind, about, of = body["type"], body["data"]["object"], body.get("account")
        mode, event_id = body["livemode"], body["id"]
        if not isinstance(mode, bool) or not all(isinstance(x, str) for x in (kind, event_id)) or not isinstance(about, dict):
            raise TypeError
    except (KeyError, TypeError, AttributeError) as e:
        raise InvalidInput("webhook_unreadable", "The body is not an event of Stripe.") from e
    if mode is not live:
        raise InvalidInput("webhook_wrong_mode", "An event of the other mode (live or test) is not for this installation.")
    subject: Subject = next((s for prefix, s in _KINDS.items() if kind.startswith(prefix)), "other")
    connected = of is not None and of != account
    if connected and subject not in ("payout", "payee", "other"):
        # what a payee does on their own account is not our money
        raise InvalidInput("webhook_wrong_account", "This event is of another account.")
    if subject == "payout" and not connected:
        subject = "other"  # our own account's payouts to our own bank
    ref = str(about.get("id") or "")
    if subject == "payee" and connected:
        ref = str(of)  # what it tells may be about a bank account or an application, of that account
    if subject == "payout":
        ref = f"{of}/{ref}/{(about.get('metadata') or {}).get('transfer', '')}"
    elif kind.startswith("charge.") and subject == "payment":
        ref = str(about.get("payment_intent") or "")
    if not 0 < len(event_id) <= 128 or len(kind) > 64 or len(ref) > 128:
        raise InvalidInput("webhook_unreadable", "The body is not an event of Stripe.")
    return VerifiedEvent(event_id, kind, ref or "-", body, subject if ref else "other", own(about))
