"""A gateway for trying and testing: the same contract as a real one, with test tokens for every outcome, and no network.

Its memory is a table of its own (SandboxObject), written in a transaction of its own as a real gateway's would be: what happened here stays
happened when our process dies before it hears the answer.

| payment token | what happens |
|---|---|
| tok_visa | succeeds at once |
| tok_declined, tok_insufficient_funds | refused |
| tok_delayed | accepted; succeeds when it is fetched next |
| tok_timeout | succeeds, but the answer is lost |
| tok_3ds | waits for the payer until `manage.py sandbox_event` confirms or fails it |

| payout token | what happens |
|---|---|
| bank_ok, bank_delayed, bank_timeout | paid at once; when fetched next; paid but the answer is lost |
| bank_closed | fails |
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import Case, F, Q, Sum, When
from django.utils.crypto import constant_time_compare, salted_hmac

from marketplace.core import clock
from marketplace.core.errors import InvalidInput, NotFound
from marketplace.core.money import Money, payable

from ..models import SandboxObject
from .base import Accepted, Capabilities, Capture, Done, Fetched, Limited, Movement, Rejected, Result, Unknown, VerifiedEvent, own_ref

#: token → (state after the call, failure code)
_PAYMENT_TOKENS = {
    "tok_visa": ("succeeded", ""),
    "tok_declined": ("failed", "declined"),
    "tok_insufficient_funds": ("failed", "insufficient_funds"),
    "tok_delayed": ("pending", ""),
    "tok_timeout": ("succeeded", ""),
    "tok_3ds": ("pending", ""),
}
_PAYOUT_TOKENS = {
    "bank_ok": ("paid", ""),
    "bank_delayed": ("sent", ""),
    "bank_timeout": ("paid", ""),
    "bank_closed": ("failed", "account_closed"),
}
_SUCCESS = {"payment": "succeeded", "payout": "paid"}
#: states in which a payment's money has come and gone again, and a payout's has gone and come back
_RETURNED = frozenset({"charged_back", "failed"})
TOLERANCE_SECONDS = 300
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class Sandbox(Limited):
    """See the module's table of tokens."""

    name = "sandbox"

    def capabilities(self) -> Capabilities:
        return Capabilities(pays_in=payable(), pays_out=payable(), lists_movements=True)

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        if capture == "manual":
            raise self._cannot("reserve amounts")
        return self._create("payment", key, amount, str(method.get("token", "")), _PAYMENT_TOKENS)

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        return self._create("payout", key, amount, str(method.get("token", "")), _PAYOUT_TOKENS)

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        return self._fetch("payment", ref)

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        return self._fetch("payout", ref)

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        known = _PAYMENT_TOKENS if purpose == "payment" else _PAYOUT_TOKENS
        token = method.get("token")
        if not isinstance(token, str) or token not in known:
            raise InvalidInput(
                "method_unknown",
                f"The sandbox takes one of these test tokens: {', '.join(sorted(known))}.",
                {"method.token": ["Unknown test token."]},
            )
        return {"token": token}

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str, remote_ip: str = "") -> VerifiedEvent:
        if not constant_time_compare(path_token, webhook_path_token()):
            raise NotFound("webhook")
        _verify(raw_body, headers.get("Sandbox-Signature", ""))
        try:
            body = json.loads(raw_body)
            event = VerifiedEvent(body["id"], body["type"], body["object"], body)
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise InvalidInput("webhook_unreadable", "The body is not an event of this gateway.") from e
        sizes = ((event.event_id, 128), (event.kind, 64), (event.object_ref, 128))
        if not all(isinstance(text, str) and 0 < len(text) <= most for text, most in sizes):
            raise InvalidInput("webhook_unreadable", "The body is not an event of this gateway.")
        return event

    def balances(self) -> dict[str, Money]:
        sign = Case(When(kind="payout", then=-1), default=1)
        moved = SandboxObject.objects.exclude(moved_at=None).values_list("currency")
        stays, fees = Sum(F("amount_minor") * sign, filter=Q(returned_at=None)), Sum("fee_minor")
        return {c: Money(int(there or 0) - int(fee or 0), c) for c, there, fee in moved.annotate(there=stays, fee=fees)}

    def movements(self, *, since: datetime) -> Iterator[Movement]:
        moved = SandboxObject.objects.filter(Q(moved_at__gte=since) | Q(returned_at__gte=since)).order_by("id")
        return (m for row in moved.iterator() for m in _movements(row) if m.at >= since)

    @staticmethod
    def _create(kind: str, key: str, amount: Money, token: str, tokens: Mapping[str, tuple[str, str]]) -> Result:
        if token not in tokens:
            return Rejected("method_unknown")
        state, failure = tokens[token]
        ref = f"sbx_{kind}_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        defaults = {
            "kind": kind,
            "ref": ref,
            "state": state,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "token": token,
            "failure_code": failure,
            "moved_at": clock.now() if state == _SUCCESS[kind] else None,
        }
        with transaction.atomic():
            made, new = SandboxObject.objects.get_or_create(idempotency_key=key, defaults=defaults)
        if (made.amount_minor, made.currency, made.token) != (amount.minor, amount.currency, token):
            return Rejected("idempotency_key_reused")
        if new and token.endswith("_timeout"):
            return Unknown("the answer was lost")
        if made.state == "failed":
            return Rejected(made.failure_code, made.ref)
        return Done(made.ref) if made.state == _SUCCESS[kind] else Accepted(made.ref)

    @staticmethod
    def _fetch(kind: str, ref: str) -> Fetched | None:
        found = SandboxObject.objects.filter(kind=kind, ref=ref).first()
        if found is None:
            return None
        if found.token.endswith("_delayed") and found.state in ("pending", "sent"):
            SandboxObject.objects.filter(pk=found.pk, state=found.state).update(state=_SUCCESS[kind], moved_at=clock.now())
            found.refresh_from_db()
        return Fetched(found.ref, found.state, Money(found.amount_minor, found.currency), found.failure_code)


def change(ref: str, state: str, failure_code: str = "") -> None:
    """What happens at the gateway without us: the payer confirms, the bank charges back. Raises NotFound for an unknown reference."""
    with transaction.atomic():
        found = SandboxObject.objects.select_for_update().filter(ref=ref).first()
        if found is None:
            raise NotFound("sandbox object")
        found.state, found.failure_code = state, failure_code
        if state == _SUCCESS.get(found.kind) and found.moved_at is None:
            found.moved_at = clock.now()
        elif state in _RETURNED and found.moved_at is not None and found.returned_at is None:
            found.returned_at = clock.now()
        found.save()


def other(ref: str, amount: Money, *, fee: int = 0) -> None:
    """A movement of the gateway's balance that nobody here asked for: a charge for the account, a correction. Once for a reference."""
    values = {"kind": "other", "ref": ref, "state": "moved", "amount_minor": amount.minor, "currency": amount.currency, "fee_minor": fee}
    SandboxObject.objects.get_or_create(idempotency_key=f"other:{ref}", defaults={**values, "moved_at": clock.now()})


def _movements(row: SandboxObject) -> Iterator[Movement]:
    """What the object did to the balance. A payment's fee is kept when it is charged back."""
    if row.moved_at is None:
        return
    kind, sign = ("payout", -1) if row.kind == "payout" else ("payment", 1) if row.kind == "payment" else ("other", 1)
    amount, nothing = Money(sign * row.amount_minor, row.currency), Money(0, row.currency)
    about = ("", "") if row.kind == "other" else (row.ref, own_ref(row.idempotency_key) if ":" in row.idempotency_key else "")
    yield Movement(f"{row.ref}:moved", kind, amount, Money(row.fee_minor, row.currency), row.moved_at, *about)  # type: ignore[arg-type]
    if row.returned_at is not None:
        back: Any = "payout_return" if kind == "payout" else "dispute"
        yield Movement(f"{row.ref}:returned", back, -amount, nothing, row.returned_at, *about)


def webhook_path_token() -> str:
    """The secret part of the address that the sandbox notifies."""
    return salted_hmac("payments.sandbox", "webhook path", algorithm="sha256").hexdigest()[:32]


def sign(raw_body: bytes, *, at: int | None = None) -> str:
    """The header `Sandbox-Signature`: t=<unix seconds>,v1=<hex HMAC-SHA256 over "<t>." and the raw body>."""
    stamp = int(time.time()) if at is None else at
    return f"t={stamp},v1={_mac(stamp, raw_body)}"


def _mac(stamp: int, raw_body: bytes) -> str:
    secret = salted_hmac("payments.sandbox", "webhook signature", algorithm="sha256").digest()
    return hmac.new(secret, f"{stamp}.".encode() + raw_body, hashlib.sha256).hexdigest()


def _verify(raw_body: bytes, header: str) -> None:
    match = _SIGNATURE.fullmatch(header)
    if match is None or not constant_time_compare(match[2], _mac(int(match[1]), raw_body)):
        raise InvalidInput("signature_invalid", "The signature does not fit the body.")
    if abs(time.time() - int(match[1])) > TOLERANCE_SECONDS:
        raise InvalidInput("signature_stale", "The signature is too old.")
