"""PayPal over httpx: Orders v2, refunds, Payouts in batches of one, disputes, webhooks signed with a certificate.

The payer approves an order at PayPal; only then, and only when we still want it, is it captured. An order that nobody approved takes no
money, so giving it up needs no call. A lost call is repeated under the same PayPal-Request-Id or sender_batch_id.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import certifi
import httpx
import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from django.utils.crypto import constant_time_compare

from marketplace.core.errors import InvalidInput, NotFound, Unavailable
from marketplace.core.money import Money

from . import units
from .base import (
    NAMELESS,
    Accepted,
    Capabilities,
    Capture,
    Done,
    Fetched,
    FetchedDispute,
    FetchedRefund,
    Limited,
    Rejected,
    Result,
    Subject,
    Unknown,
    VerifiedEvent,
    codes,
    own_ref,
    readable,
)

log = structlog.get_logger(__name__)
TIMEOUT = httpx.Timeout(25, connect=5)
#: PayPal tries to deliver for three days; what is signed longer ago is a replay
OLDEST = timedelta(days=3, hours=1)
#: a sender_batch_id is remembered for thirty days; an older payout is never sent again
BATCH_LIVES = timedelta(days=29)
_CERT_HOSTS = frozenset({"api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"})
_CERT_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]{1,200}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s]{2,24}")
_CURRENCIES = codes("AUD BRL CAD CHF CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD")
_CAPTURE = {"COMPLETED": "succeeded", "REFUNDED": "succeeded", "PARTIALLY_REFUNDED": "succeeded", "DECLINED": "failed", "FAILED": "failed"}
_PAYOUT_FAILED = frozenset({"FAILED", "RETURNED", "BLOCKED", "REFUNDED", "REVERSED", "DENIED", "CANCELED"})
_ISSUES = {
    "INSTRUMENT_DECLINED": "declined",
    "PAYER_ACCOUNT_RESTRICTED": "declined",
    "TRANSACTION_REFUSED": "declined",
    "REFUND_AMOUNT_EXCEEDED": "over_refund",
    "CAPTURE_FULLY_REFUNDED": "over_refund",
    "INSUFFICIENT_FUNDS": "insufficient_funds",
    "CURRENCY_NOT_SUPPORTED": "currency_not_supported",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the environment gives. `api` decides between the sandbox and live."""

    client_id: str
    client_secret: str
    webhook_id: str
    path_token: str
    api: str = "https://api-m.paypal.com"
    return_url: str = ""
    cancel_url: str = ""
    #: a PEM file of the roots that PayPal's certificate must lead to; without it those of certifi
    roots: str = ""

    @property
    def signer(self) -> str:
        """Whose certificate signs the notifications."""
        return "messageverificationcerts.sandbox.paypal.com" if "sandbox" in self.api else "messageverificationcerts.paypal.com"


def made_of(given: Mapping[str, str]) -> PayPal | None:
    """The gateway, or None unless everything that it cannot do without is there."""
    needed = ("client_id", "client_secret", "webhook_id", "path_token")
    if not all(given.get(name) for name in needed):
        return None
    more = {name: given[name] for name in ("api", "return_url", "cancel_url", "roots") if given.get(name)}
    return PayPal(Credentials(*(given[name] for name in needed), **more))


class _Refused(Exception):
    """PayPal's answer 4xx that says that nothing was done."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body
        details = body.get("details") or [{}]
        self.issue = str(details[0].get("issue") or body.get("name") or "gateway_refused")

    @property
    def code(self) -> str:
        return _ISSUES.get(self.issue, self.issue.lower()[:64])


class _Unanswered(Exception):
    """No answer, or one from which nothing follows."""


class PayPal(Limited):
    """See the module. `certificates` fetches a certificate by its address, which was checked before."""

    name = "paypal"

    def __init__(self, credentials: Credentials, certificates: Callable[[str], bytes] | None = None) -> None:
        self._own = credentials
        self._certificates = certificates or _download
        self._lock = threading.Lock()
        self._token, self._token_until = "", 0.0
        self._pem: dict[str, bytes] = {}

    def capabilities(self) -> Capabilities:
        return Capabilities(
            pays_in=_CURRENCIES,
            pays_out=_CURRENCIES,
            refunds=True,
            disputes=True,
            lists_events=True,
            tells_fees=True,
            payer_flow="redirect",
            payee_flow="email",
        )

    # payments

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        if capture == "manual":
            raise self._cannot("reserve amounts")
        context = {
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            **({"return_url": self._own.return_url} if self._own.return_url else {}),
            **({"cancel_url": self._own.cancel_url} if self._own.cancel_url else {}),
        }
        order = {
            "intent": "CAPTURE",
            "purchase_units": [{"amount": _amount(amount), "custom_id": own_ref(key)}],
            "payment_source": {"paypal": {"experience_context": context}},
        }
        # an order that nobody approved takes nothing: made again after its key was forgotten, it is only another offer
        return self._result(lambda: _order_result(self._ask("POST", "/v2/checkout/orders", order, key=key)))

    def capture(self, *, key: str, ref: str, amount: Money) -> Result:
        def take() -> Result:
            return _order_result(self._ask("POST", f"/v2/checkout/orders/{ref}/capture", {}, key=key))

        result = self._result(take)
        # the answer to an earlier call was lost: what it did is to be fetched
        return Done(ref) if result == Rejected("order_already_captured") else result

    def cancel(self, *, key: str, ref: str) -> Result:
        fetched = self.fetch_payment(ref=ref)
        return Rejected("too_late") if fetched is None or fetched.status not in ("pending", "approved", "cancelled") else Done(ref)

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        order = self._fetch(f"/v2/checkout/orders/{ref}")
        return None if order is None else _fetched_order(order)

    # refunds and disputes

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        def send() -> Result:
            order = self._ask("GET", f"/v2/checkout/orders/{payment_ref}")
            captured = _capture_of(order)
            if captured is None:
                return Rejected("nothing_captured")
            body = {"amount": _amount(amount), "custom_id": own_ref(key)}
            made = self._ask("POST", f"/v2/payments/captures/{captured['id']}/refund", body, key=key)
            if made.get("status") in ("FAILED", "CANCELLED"):
                return Rejected("refund_failed", made["id"])
            return Done(made["id"]) if made.get("status") == "COMPLETED" else Accepted(made["id"])

        return self._result(send)

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        found = self._fetch(f"/v2/payments/refunds/{ref}")
        if found is None:
            return None
        status: Any = {"COMPLETED": "succeeded", "FAILED": "failed", "CANCELLED": "failed"}.get(found["status"], "pending")
        failure = "refund_failed" if status == "failed" else ""
        return FetchedRefund(found["id"], status, _money(found["amount"]), "", failure, str(found.get("custom_id") or ""))

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        found = self._fetch(f"/v1/customer/disputes/{ref}")
        if found is None:
            return None
        captured = str((found.get("disputed_transactions") or [{}])[0].get("seller_transaction_id") or "")
        capture = self._fetch(f"/v2/payments/captures/{captured}") if captured else None
        order = ((capture or {}).get("supplementary_data") or {}).get("related_ids", {}).get("order_id", "")
        outcome = (found.get("dispute_outcome") or {}).get("outcome_code")
        status: Any = "open" if found.get("dispute_life_cycle_stage") not in (None, "INQUIRY") else "inquiry"
        if found["status"] == "RESOLVED":
            status = "lost" if outcome in ("RESOLVED_BUYER_FAVOUR", "RESOLVED_WITH_PAYOUT", "ACCEPTED") else "won"
        fees = [
            _money(move["amount"])
            for move in found.get("money_movements") or ()
            if move.get("affected_party") == "SELLER" and str(move.get("reason", "")).endswith("_FEE")
        ]
        fee = sum(fees[1:], fees[0]) if fees else None
        amount = _money(found["dispute_amount"])
        if status == "lost" and (kept := (found.get("dispute_outcome") or {}).get("amount_refunded")):
            # what was decided; nothing at all is not lost
            status, amount = ("lost", _money(kept)) if _money(kept).minor > 0 else ("won", amount)
        return FetchedDispute(found["dispute_id"], status, amount, str(order), str(found.get("reason") or "").lower(), fee)

    # payouts

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        if age is not None and age > BATCH_LIVES:
            return Unknown("too old to be sent again")
        batch = f"openlance-{sha256(key.encode()).hexdigest()[:40]}"
        body = {
            "sender_batch_header": {"sender_batch_id": batch, "recipient_type": "EMAIL"},
            "items": [
                {
                    "recipient_type": "EMAIL",
                    "amount": {"currency": amount.currency, "value": units.PAYPAL.text(amount)},
                    "receiver": method["email"],
                    "sender_item_id": own_ref(key),
                }
            ],
        }

        def send() -> Result:
            try:
                made = self._ask("POST", "/v1/payments/payouts", body, key=batch)
            except _Refused as e:
                # the batch of an earlier call whose answer was lost: PayPal names it
                links = [urlsplit(str(link.get("href", ""))).path for link in e.body.get("links") or ()]
                earlier = next((m[1] for path in links if (m := re.fullmatch(r"/v1/payments/payouts/([A-Za-z0-9-]{1,64})", path))), None)
                if earlier is not None:
                    return Accepted(earlier)
                if age is not None:
                    # it refuses this call; what the earlier one did it does not say
                    log.warning("paypal_refused_again", batch=batch, issue=e.issue, status=e.status)
                    return Unknown("refused when sent again")
                raise
            return Accepted(made["batch_header"]["payout_batch_id"])

        return self._result(send)

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        batch = self._fetch(f"/v1/payments/payouts/{ref}")
        if batch is None:
            return None
        items = batch.get("items") or []
        if not items:
            refused = batch["batch_header"]["batch_status"] in ("DENIED", "CANCELED")
            return Fetched(ref, "failed" if refused else "sent", None, "payout_denied" if refused else "")
        (item,) = items
        sent = item["payout_item"]
        amount = units.PAYPAL.read(sent["amount"]["value"], sent["amount"]["currency"])
        status, own = item.get("transaction_status", "PENDING"), str(sent.get("sender_item_id") or "")
        if status in _PAYOUT_FAILED:
            failed = str((item.get("errors") or {}).get("name") or status).lower()
            return Fetched(ref, "failed", amount, failed[:64], own_ref=own)
        if status == "SUCCESS":
            return Fetched(ref, "paid", amount, own_ref=own)
        return Fetched(ref, "sent", amount, "unclaimed" if status == "UNCLAIMED" else "", own_ref=own)

    # what comes from outside

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        if purpose == "payment":
            return {}
        email = method.get("email")
        if isinstance(email, str) and len(email) <= 127 and _EMAIL.fullmatch(email):
            return {"email": email}
        raise InvalidInput(
            "method_unknown", "Give the e-mail address of your PayPal account.", {"method.email": ["Not an e-mail address."]}
        )

    def check_amount(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> None:
        if amount.currency not in _CURRENCIES:
            raise InvalidInput("currency_not_supported", f"PayPal does not move {amount.currency}. Choose another way to pay.")
        units.PAYPAL.out(amount)

    def payable(self, amount: Money) -> Money:
        return units.PAYPAL.up(amount)

    def movable(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> Money:
        return units.PAYPAL.down(amount)

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str, remote_ip: str = "") -> VerifiedEvent:
        if not constant_time_compare(path_token, self._own.path_token):
            raise NotFound("webhook")
        self._verify(raw_body, headers)
        try:
            return _event(json.loads(raw_body))
        except (ValueError, RecursionError) as e:
            raise InvalidInput("webhook_unreadable", "The body is not JSON.") from e

    def _verify(self, raw_body: bytes, headers: Mapping[str, str]) -> None:
        """Raise InvalidInput unless PayPal's certificate, valid now and leading to a root we trust, signed these very bytes for our webhook."""
        names = ("Id", "Time", "Sig", "Cert-Url", "Auth-Algo")
        told = {name: headers.get(f"Paypal-{'Transmission-' if name in ('Id', 'Time', 'Sig') else ''}{name}", "") for name in names}
        try:
            sent = datetime.fromisoformat(told["Time"])
            signature = base64.b64decode(told["Sig"], validate=True)
            age = datetime.now(UTC) - sent
        except (ValueError, TypeError) as e:
            raise InvalidInput("signature_invalid", "The signature does not fit the body.") from e
        if told["Auth-Algo"] != "SHA256withRSA":
            raise InvalidInput("signature_invalid", "Only SHA256withRSA is known here.")
        if not timedelta(minutes=-5) <= age <= OLDEST:
            raise InvalidInput("signature_stale", "The signature is too old.")
        signed = f"{told['Id']}|{told['Time']}|{self._own.webhook_id}|{zlib.crc32(raw_body)}"
        try:
            self._signer(told["Cert-Url"]).verify(signature, signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature as e:
            raise InvalidInput("signature_invalid", "The signature does not fit the body.") from e

    def _signer(self, url: str) -> RSAPublicKey:
        parts = urlsplit(url)
        # netloc, not hostname: neither a user's name nor a port belongs there
        if (
            parts.scheme != "https"
            or parts.netloc not in _CERT_HOSTS
            or not _CERT_PATH.fullmatch(parts.path)
            or parts.query
            or parts.fragment
        ):
            raise InvalidInput("certificate_elsewhere", "The certificate is not at PayPal.")
        if url not in self._pem:
            self._pem = {url: self._certificates(url)}  # the newest alone: PayPal uses one for months
        try:
            leaf, *between = x509.load_pem_x509_certificates(self._pem[url])
            verifier = PolicyBuilder().store(_roots(self._own.roots)).build_server_verifier(x509.DNSName(self._own.signer))
            verifier.verify(leaf, between)
            key = leaf.public_key()
        except (ValueError, VerificationError) as e:
            self._pem = {}
            raise InvalidInput(
                "certificate_invalid", "The certificate is not valid, not PayPal's, or leads to no root that we trust."
            ) from e
        if not isinstance(key, RSAPublicKey):
            raise InvalidInput("certificate_invalid", "The certificate is not for RSA.")
        return key

    def missed_events(self, *, since: datetime) -> Iterator[VerifiedEvent]:
        params = {"page_size": "100", "start_time": _stamp(since), "end_time": _stamp(datetime.now(UTC))}
        path = f"/v1/notifications/webhooks-events?{httpx.QueryParams(params)}"
        try:
            while path:
                page = self._ask("GET", path)
                yield from readable(self.name, page.get("events") or (), _event)
                onward = next((urlsplit(link["href"]) for link in page.get("links") or () if link.get("rel") == "next"), None)
                path = "" if onward is None else f"{onward.path}?{onward.query}"
        except (_Refused, _Unanswered) as e:
            raise _unavailable(e) from e

    # the wire

    def _result(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except _Refused as e:
            log.warning("paypal_refused", issue=e.issue, status=e.status, debug_id=e.body.get("debug_id"))
            return Rejected(e.code)
        except _Unanswered as e:
            return Unknown(str(e)[:64])

    def _fetch(self, path: str) -> dict[str, Any] | None:
        try:
            return self._ask("GET", path)
        except _Refused as e:
            if e.status == 404:
                return None
            raise _unavailable(e) from e
        except _Unanswered as e:
            raise _unavailable(e) from e

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> dict[str, Any]:
        """The answer's JSON. Raises _Refused for an answer that says that nothing was done, _Unanswered for everything else."""
        for fresh in (False, True):
            headers = {"Authorization": f"Bearer {self._bearer(fresh)}"}
            if key is not None:
                # the key itself may be longer than PayPal takes
                headers |= {"PayPal-Request-Id": sha256(key.encode()).hexdigest()[:36], "Prefer": "return=representation"}
            status, answer = _send(method, f"{self._own.api}{path}", headers, json_body=body)
            if status == 401 and not fresh:
                continue
            break
        if 200 <= status < 300:
            return answer
        # a rate limit, a call with this key still at work, a wrong key of ours: nobody was refused
        if status in (401, 403, 408, 409, 425, 429) or status >= 500:
            raise _Unanswered(f"status {status}")
        raise _Refused(status, answer)

    def _bearer(self, fresh: bool) -> str:
        with self._lock:
            if fresh or time.monotonic() >= self._token_until:
                basic = base64.b64encode(f"{self._own.client_id}:{self._own.client_secret}".encode()).decode()
                form = {"grant_type": "client_credentials"}
                status, answer = _send("POST", f"{self._own.api}/v1/oauth2/token", {"Authorization": f"Basic {basic}"}, form=form)
                if status != 200 or not isinstance(answer.get("access_token"), str):
                    raise _Unanswered("no access token")
                self._token = answer["access_token"]
                self._token_until = time.monotonic() + max(0, int(answer.get("expires_in", 0)) - 60)
            return self._token


def _send(method: str, url: str, headers: dict[str, str], *, json_body: Any = None, form: Any = None) -> tuple[int, dict[str, Any]]:
    try:
        answer = httpx.request(method, url, headers=headers, json=json_body, data=form, timeout=TIMEOUT)
        body = answer.json() if answer.content else {}
    except (httpx.HTTPError, ValueError) as e:
        log.warning("paypal_unanswered", kind=type(e).__name__)
        raise _Unanswered(type(e).__name__) from e
    return answer.status_code, body if isinstance(body, dict) else {}


def _download(url: str) -> bytes:
    try:
        answer = httpx.get(url, timeout=TIMEOUT, follow_redirects=False)
        answer.raise_for_status()
    except httpx.HTTPError as e:
        raise Unavailable("certificate_unavailable", "The certificate could not be fetched. Send the notification again.") from e
    return answer.content[:65536]


@lru_cache(maxsize=4)
def _roots(path: str) -> Store:
    return Store(x509.load_pem_x509_certificates(Path(path or certifi.where()).read_bytes()))


def _unavailable(e: Exception) -> Unavailable:
    log.warning("paypal_unavailable", why=str(e)[:100])
    return Unavailable("gateway_unavailable", "PayPal does not answer at the moment. Try again in a few minutes.")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _amount(amount: Money) -> dict[str, str]:
    return {"currency_code": amount.currency, "value": units.PAYPAL.text(amount)}


def _money(*told: Any) -> Money:
    """The first amount that is there."""
    found = next(t for t in told if t)
    return units.PAYPAL.read(found["value"], found["currency_code"])


def _capture_of(order: Mapping[str, Any]) -> dict[str, Any] | None:
    unit = (order.get("purchase_units") or [{}])[0]
    found = (unit.get("payments") or {}).get("captures") or []
    return found[-1] if found else None


def _fetched_order(order: dict[str, Any]) -> Fetched:
    unit, captured = order["purchase_units"][0], _capture_of(order)
    amount, own = _money(unit["amount"]), str(unit.get("custom_id") or "")
    if captured is not None:
        status = _CAPTURE.get(captured["status"], "pending")
        fee = (captured.get("seller_receivable_breakdown") or {}).get("paypal_fee")
        received = _money(captured["amount"]) if status == "succeeded" else None
        failure = "declined" if status == "failed" else ""
        return Fetched(order["id"], status, amount, failure, received, _money(fee) if fee else None, own)
    status = {"APPROVED": "approved", "VOIDED": "cancelled"}.get(order["status"], "pending")
    return Fetched(order["id"], status, amount, own_ref=own, action=_action(order) if status == "pending" else {})


def _action(order: Mapping[str, Any]) -> dict[str, str]:
    url = next((link["href"] for link in order.get("links") or () if link.get("rel") in ("payer-action", "approve")), "")
    return {"kind": "redirect", "url": url} if url.startswith("https://") else {}


def _order_result(order: dict[str, Any]) -> Result:
    fetched = _fetched_order(order)
    if fetched.status == "succeeded":
        return Done(fetched.ref)
    return Rejected("declined", fetched.ref) if fetched.status == "failed" else Accepted(fetched.ref, fetched.action)


def _event(body: Any) -> VerifiedEvent:
    """What a verified event is about."""
    try:
        event_id, kind, resource = body["id"], body["event_type"], body["resource"]
        if not isinstance(event_id, str) or not isinstance(kind, str) or not isinstance(resource, dict):
            raise TypeError
        subject, ref, own = _about(kind, resource)
    except (KeyError, TypeError, AttributeError, IndexError) as e:
        raise InvalidInput("webhook_unreadable", "The body is not an event of PayPal.") from e
    if not 0 < len(event_id) <= 128 or len(kind) > 64 or not isinstance(ref, str) or len(ref) > 128:
        raise InvalidInput("webhook_unreadable", "The body is not an event of PayPal.")
    return VerifiedEvent(event_id, kind, ref or NAMELESS, body, subject, own[:64] if isinstance(own, str) else "")


def _about(kind: str, resource: dict[str, Any]) -> tuple[Subject, Any, Any]:
    if kind.startswith("CHECKOUT.ORDER."):
        return "payment", resource["id"], resource["purchase_units"][0].get("custom_id", "")
    if kind in ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED") or kind.startswith("PAYMENT.REFUND."):
        return "refund", resource["id"], resource.get("custom_id", "")
    if kind.startswith("PAYMENT.CAPTURE."):
        order = (resource.get("supplementary_data") or {}).get("related_ids", {}).get("order_id", "")
        return "payment", order, resource.get("custom_id", "")
    if kind.startswith("PAYMENT.PAYOUTS-ITEM."):
        return "payout", resource["payout_batch_id"], (resource.get("payout_item") or {}).get("sender_item_id", "")
    if kind.startswith("PAYMENT.PAYOUTSBATCH."):
        return "payout", resource["batch_header"]["payout_batch_id"], ""
    if kind.startswith("CUSTOMER.DISPUTE."):
        return "dispute", resource["dispute_id"], ""
    return "other", resource.get("id", ""), ""
