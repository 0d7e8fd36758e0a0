"""M-Pesa by Safaricom's Daraja: STK push into the wallet, B2C v3 out of it, in whole Kenyan shillings only.

Daraja keeps no idempotency keys, so no call is ever made twice: a lost STK push or B2C is only asked about. Its notifications bear no
signature. What makes them believable: each operation is given an address of its own, whose last part only Safaricom was told (a MAC of the
operation's name), they come from Safaricom's addresses, their amount must be ours, and the success of an STK push is asked for again.

A B2C payment cannot be asked about at once: the answer to a status query comes as a notification too. So `fetch_payout` reads what was
notified (the stored, verified notifications are this adapter's memory) and sends a query when there is nothing yet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import httpx
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.core.cache import cache
from django.utils.crypto import constant_time_compare

from marketplace.core.errors import InvalidInput, NotFound, Unavailable
from marketplace.core.money import Money

from ..models import WebhookEvent
from . import units
from .base import (
    QUERY_FAILED,
    Accepted,
    Capabilities,
    Capture,
    Fetched,
    Limited,
    Rejected,
    Result,
    Unknown,
    VerifiedEvent,
    WrongSender,
    codes,
    own_ref,
    row_of,
)

log = structlog.get_logger(__name__)
TIMEOUT = httpx.Timeout(25, connect=5)
#: a prompt on the phone lives for a minute or two; one that we know no name of is given up after this long, and taken if it succeeds later
STK_LIVES = timedelta(hours=1)
ASK_EVERY_SECONDS = 600
#: Daraja's limits: a shilling to 250,000 a transaction
LEAST, MOST = 1, 250_000
LEAST_OUT = 10
_NAIROBI = timezone(timedelta(hours=3))
_PHONE = re.compile(r"(?:\+?254|0)?([17]\d{8})")
_TOKEN = re.compile(r"(stk|b2c|status|late)-((?:payment|payout)-\d{1,18}-[0-9a-f]{16})-([0-9a-f]{32})")
#: as Safaricom publishes them
ADDRESSES = codes(
    "196.201.214.200 196.201.214.206 196.201.213.114 196.201.214.207 196.201.214.208 196.201.213.44 196.201.212.127 196.201.212.138"
    " 196.201.212.129 196.201.212.136 196.201.212.74 196.201.212.69"
)
_FAILURES = {
    1: "insufficient_funds",
    1001: "payer_busy",
    1019: "prompt_expired",
    1025: "gateway_refused",
    1032: "cancelled_by_payer",
    1037: "payer_unreachable",
    2001: "pin_wrong",
    # of B2C
    2: "amount_too_small",
    8: "balance_limit",
    2040: "payee_not_registered",
}
#: STK query: the push is still at work
_AT_WORK = frozenset({"500.001.1001"})
_WORKING_CODES = frozenset({4999})


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the environment gives. `callback` is the address under which our webhooks are reached from outside, up to the path's token."""

    consumer_key: str
    consumer_secret: str
    short_code: str
    passkey: str
    callback_secret: str
    callback: str
    initiator: str = ""
    initiator_password: str = ""
    #: the PEM certificate with which the password is enciphered
    certificate: str = ""
    api: str = "https://api.safaricom.co.ke"
    addresses: str = ""

    @property
    def pays_out(self) -> bool:
        return bool(self.initiator and self.initiator_password and self.certificate)


def made_of(given: Mapping[str, str]) -> Mpesa | None:
    """The gateway, or None unless everything that it cannot do without is there."""
    needed = ("consumer_key", "consumer_secret", "short_code", "passkey", "callback_secret", "callback")
    if not all(given.get(name) for name in needed):
        return None
    more = {n: given[n] for n in ("initiator", "initiator_password", "certificate", "api", "addresses") if given.get(n)}
    return Mpesa(Credentials(*(given[name] for name in needed), **more))


class _Unanswered(Exception):
    """No answer, or one from which nothing follows."""


class _Unsent(_Unanswered):
    """The request never left us."""


class Mpesa(Limited):
    """See the module."""

    name = "mpesa"

    def __init__(self, credentials: Credentials) -> None:
        self._own = credentials
        self._lock = threading.Lock()
        self._token, self._token_until = "", 0.0
        self._senders = [ipaddress.ip_network(a) for a in (credentials.addresses.split(",") if credentials.addresses else ADDRESSES)]

    def capabilities(self) -> Capabilities:
        kes, kenya = codes("KES"), codes("KE")
        return Capabilities(
            pays_in=kes,
            pays_out=kes if self._own.pays_out else codes(""),
            payer_countries=kenya,
            payee_countries=kenya,
            payer_flow="phone",
            payee_flow="phone",
        )

    # payments

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        if capture == "manual":
            raise self._cannot("reserve amounts")
        if age is not None:
            # a second push could be paid a second time; if the first one was, its own address will tell
            return Rejected("no_answer") if age > STK_LIVES else Unknown("never sent twice")
        stamp = datetime.now(_NAIROBI).strftime("%Y%m%d%H%M%S")
        body = {
            "BusinessShortCode": self._own.short_code,
            "Password": base64.b64encode(f"{self._own.short_code}{self._own.passkey}{stamp}".encode()).decode(),
            "Timestamp": stamp,
            "TransactionType": "CustomerPayBillOnline",
            "Amount": units.MPESA.out(amount),
            "PartyA": method["phone"],
            "PartyB": self._own.short_code,
            "PhoneNumber": method["phone"],
            "CallBackURL": self._address("stk", own_ref(key)),
            "AccountReference": f"OL{row_of(own_ref(key))[1]}"[:12],  # type: ignore[index]
            "TransactionDesc": "Openlance",
        }
        try:
            status, answer = self._ask("/mpesa/stkpush/v1/processrequest", body)
        except _Unanswered as e:
            return Unknown(str(e)[:64])
        ref = answer.get("CheckoutRequestID")
        if str(answer.get("ResponseCode")) == "0" and isinstance(ref, str) and 0 < len(ref) <= 128:
            return Accepted(ref, {"kind": "phone"})
        return self._refused(status, answer)

    def cancel(self, *, key: str, ref: str) -> Result:
        return Rejected("too_late")  # the prompt is on the phone; it runs out by itself

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        stamp = datetime.now(_NAIROBI).strftime("%Y%m%d%H%M%S")
        body = {
            "BusinessShortCode": self._own.short_code,
            "Password": base64.b64encode(f"{self._own.short_code}{self._own.passkey}{stamp}".encode()).decode(),
            "Timestamp": stamp,
            "CheckoutRequestID": ref,
        }
        try:
            status, answer = self._ask("/mpesa/stkpushquery/v1/query", body)
        except _Unanswered as e:
            raise _unavailable(e) from e
        told = WebhookEvent.objects.filter(provider=self.name, kind="stk", object_ref=ref).exclude(claimed_minor=None).first()
        # only the callback says how much was paid
        amount = None if told is None or told.claimed_minor is None else Money(told.claimed_minor, "KES")
        if str(answer.get("errorCode")) in _AT_WORK:
            return Fetched(ref, "pending", None, action={"kind": "phone"})
        code = _number(answer.get("ResultCode"))
        if status != 200 or code is None:
            raise _unavailable(_Unanswered(f"status {status}"))
        if code in _WORKING_CODES:
            return Fetched(ref, "pending", None, action={"kind": "phone"})
        return Fetched(ref, "succeeded", amount) if code == 0 else Fetched(ref, "failed", None, _FAILURES.get(code, "declined"))

    # payouts

    def prepare_payout(self) -> None:
        try:
            self._bearer()
            self._credential()
        except _Unanswered as e:
            raise _unavailable(e) from e

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        ref = own_ref(key)
        if age is not None:
            # sent or not, nobody knows, and a second one would pay twice: from now on it is only asked about, under the name that we gave it
            self._query(ref)
            return Accepted(ref)
        try:
            # everything that can fail beforehand does so here: then it is certain that nothing was sent
            bearer, credential = self._bearer(), self._credential()
        except _Unanswered:
            return Rejected("gateway_unavailable")
        body = {
            "OriginatorConversationID": ref,
            "InitiatorName": self._own.initiator,
            "SecurityCredential": credential,
            "CommandID": "BusinessPayment",
            "Amount": units.MPESA.out(amount),
            "PartyA": self._own.short_code,
            "PartyB": method["phone"],
            "Remarks": "Openlance payout",
            "QueueTimeOutURL": self._address("late", ref),
            "ResultURL": self._address("b2c", ref),
            "Occassion": ref,
        }
        try:
            status, answer = self._post("/mpesa/b2c/v3/paymentrequest", bearer, body)
        except _Unsent:
            return Rejected("gateway_unavailable")
        except _Unanswered as e:
            return Unknown(str(e)[:64])
        return Accepted(ref) if str(answer.get("ResponseCode")) == "0" else self._refused(status, answer)

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        told = WebhookEvent.objects.filter(provider=self.name, object_ref=ref, kind__in=("b2c", "status")).order_by("id")
        unclear = ""
        for event in told:
            result = event.body.get("Result", {})
            code, values = _number(result.get("ResultCode")), _parameters(result)
            if event.kind == "b2c" and code is not None:
                amount = None if event.claimed_minor is None else Money(event.claimed_minor, "KES")
                return Fetched(ref, "paid", amount) if code == 0 else Fetched(ref, "failed", None, _FAILURES.get(code, "payout_refused"))
            if event.kind == "status" and code == 0 and values.get("TransactionStatus") in ("Completed", "Failed", "Cancelled", "Expired"):
                amount = None if event.claimed_minor is None else Money(event.claimed_minor, "KES")
                paid = values["TransactionStatus"] == "Completed"
                return Fetched(ref, "paid" if paid else "failed", amount if paid else None, "" if paid else "payout_refused")
            if event.kind == "status" and code != 0:
                # it cannot say how the payment stands, perhaps because it knows none: that proves nothing, but a person has to look
                unclear = f"{QUERY_FAILED}{code}"
        self._query(ref)
        return Fetched(ref, "sent", None, unclear)

    def _query(self, ref: str) -> bool:
        """Ask how a B2C payment stands, every few minutes at most; the answer is notified. Whether the question was taken."""
        if not cache.add(f"mpesa:asked:{ref}", 1, ASK_EVERY_SECONDS):
            return False
        try:
            credential = self._credential()
        except _Unanswered:
            return False
        body = {
            "Initiator": self._own.initiator,
            "SecurityCredential": credential,
            "CommandID": "TransactionStatusQuery",
            "OriginatorConversationID": ref,
            "PartyA": self._own.short_code,
            "IdentifierType": "4",
            "ResultURL": self._address("status", ref),
            "QueueTimeOutURL": self._address("late", ref),
            "Remarks": "Openlance payout",
            "Occasion": ref,
        }
        try:
            _, answer = self._ask("/mpesa/transactionstatus/v1/query", body)
        except _Unanswered:
            return False
        return str(answer.get("ResponseCode")) == "0"

    # what comes from outside

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        phone = method.get("phone")
        match = _PHONE.fullmatch(re.sub(r"[\s-]", "", phone)) if isinstance(phone, str) and len(phone) <= 32 else None
        if match is None:
            raise InvalidInput(
                "method_unknown", "Give a Kenyan mobile number such as 0712 345678.", {"method.phone": ["Not a Kenyan mobile number."]}
            )
        if purpose == "payout" and not self._own.pays_out:
            raise InvalidInput("gateway_cannot", "M-Pesa payouts are not set up here. Choose another way to be paid.")
        return {"phone": f"254{match[1]}"}

    def check_amount(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> None:
        if amount.currency != "KES":
            raise InvalidInput("currency_not_supported", "M-Pesa moves Kenyan shillings only. Choose another way to pay.")
        shillings, least = units.MPESA.out(amount), LEAST if purpose == "payment" else LEAST_OUT
        if not least <= shillings <= MOST:
            raise InvalidInput(
                "amount_out_of_range", f"M-Pesa moves {least} to {MOST:,} KES at a time.", {"amount_minor": ["Out of M-Pesa's range."]}
            )

    def payable(self, amount: Money) -> Money:
        return units.MPESA.up(amount)

    def movable(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> Money:
        least, most = (LEAST if purpose == "payment" else LEAST_OUT), units.MPESA.back(MOST, amount.currency)
        down = units.MPESA.down(min(amount, most, key=lambda m: m.minor))
        return down if units.MPESA.out(down) >= least else Money(0, amount.currency)

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str, remote_ip: str = "") -> VerifiedEvent:
        match = _TOKEN.fullmatch(path_token)
        if match is None or not constant_time_compare(match[3], self._mac(match[1], match[2])):
            raise NotFound("webhook")
        if not self._sent_by_safaricom(remote_ip):
            raise WrongSender
        kind, own = match[1], match[2]
        try:
            body = json.loads(raw_body)
            return _stk_event(body, own) if kind == "stk" else _b2c_event(body, kind, own)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise InvalidInput("webhook_unreadable", "The body is not a notification of M-Pesa.") from e

    def _sent_by_safaricom(self, address: str) -> bool:
        try:
            sender = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(sender in network for network in self._senders)

    def _address(self, kind: str, own: str) -> str:
        return f"{self._own.callback.rstrip('/')}/{kind}-{own}-{self._mac(kind, own)}"

    def _mac(self, kind: str, own: str) -> str:
        return hmac.new(self._own.callback_secret.encode(), f"{kind}|{own}".encode(), hashlib.sha256).hexdigest()[:32]

    # the wire

    def _credential(self) -> str:
        """The initiator's password, enciphered with Safaricom's certificate as its own library does it. Raises _Unsent."""
        try:
            key = x509.load_pem_x509_certificate(Path(self._own.certificate).read_bytes()).public_key()
        except (OSError, ValueError) as e:
            log.error("mpesa_certificate_unreadable", path=self._own.certificate, why=type(e).__name__)
            raise _Unsent("certificate unreadable") from e
        if not isinstance(key, RSAPublicKey):
            log.error("mpesa_certificate_not_rsa", path=self._own.certificate)
            raise _Unsent("certificate not for RSA")
        return base64.b64encode(key.encrypt(self._own.initiator_password.encode(), PKCS1v15())).decode()

    def _refused(self, status: int, answer: Mapping[str, Any]) -> Result:
        """A refusal when the answer says that nothing was begun, else nobody knows."""
        code = str(answer.get("errorCode") or answer.get("ResponseCode") or "")
        log.warning("mpesa_refused", status=status, code=code)
        if status == 401 or code.endswith(".03"):
            self._token_until = 0.0  # a stale token: the next call fetches another
        if (400 <= status < 500 and code) or (status == 200 and code):
            return Rejected("gateway_refused")
        return Unknown(f"status {status} {code}"[:64])

    def _ask(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """One request, never repeated: also a stale token is the caller's Unknown, except that it is fetched anew beforehand."""
        return self._post(path, self._bearer(), body)

    def _post(self, path: str, bearer: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return _send("POST", f"{self._own.api}{path}", {"Authorization": f"Bearer {bearer}"}, body)

    def _bearer(self) -> str:
        with self._lock:
            if time.monotonic() >= self._token_until:
                basic = base64.b64encode(f"{self._own.consumer_key}:{self._own.consumer_secret}".encode()).decode()
                url = f"{self._own.api}/oauth/v1/generate?grant_type=client_credentials"
                status, answer = _send("GET", url, {"Authorization": f"Basic {basic}"})
                if status != 200 or not isinstance(answer.get("access_token"), str):
                    raise _Unanswered("no access token")
                self._token = answer["access_token"]
                self._token_until = time.monotonic() + max(0, (_number(answer.get("expires_in")) or 0) - 60)
            return self._token


def _send(method: str, url: str, headers: dict[str, str], body: Any = None) -> tuple[int, dict[str, Any]]:
    try:
        answer = httpx.request(method, url, headers=headers, json=body, timeout=TIMEOUT)
        found = answer.json() if answer.content else {}
    except (httpx.ConnectError, httpx.ConnectTimeout) as e:
        log.warning("mpesa_unreached", kind=type(e).__name__)
        raise _Unsent(type(e).__name__) from e
    except (httpx.HTTPError, ValueError) as e:
        log.warning("mpesa_unanswered", kind=type(e).__name__)
        raise _Unanswered(type(e).__name__) from e
    return answer.status_code, found if isinstance(found, dict) else {}


def _unavailable(e: Exception) -> Unavailable:
    return Unavailable("gateway_unavailable", "M-Pesa does not answer at the moment. Try again in a few minutes.")


def _number(told: Any) -> int | None:
    """A whole number, which Daraja writes as a number here and as text there."""
    return int(told) if isinstance(told, int | str) and re.fullmatch(r"-?\d{1,9}", str(told)) else None


def _shillings(told: Any) -> Money:
    """An amount of a notification; fractions stay, so that they are seen to differ. Raises ValueError for what is none."""
    if isinstance(told, bool) or not isinstance(told, int | float | str) or len(str(told)) > 20:
        raise ValueError("no amount")
    try:
        return Money.parse(str(told), "KES")
    except InvalidInput as e:
        raise ValueError("no amount") from e


def _stk_event(body: Any, own: str) -> VerifiedEvent:
    told = body["Body"]["stkCallback"]
    ref, code = told["CheckoutRequestID"], _number(told["ResultCode"])
    if not isinstance(ref, str) or not 0 < len(ref) <= 128 or code is None or not own.startswith("payment-"):
        raise ValueError("no STK callback")
    values = {item["Name"]: item.get("Value") for item in (told.get("CallbackMetadata") or {}).get("Item", ())}
    claimed = _shillings(values["Amount"]) if code == 0 else None
    return VerifiedEvent(f"stk:{ref}"[:128], "stk", ref, body, "payment", own, claimed)


def _b2c_event(body: Any, kind: str, own: str) -> VerifiedEvent:
    """Our name of the payment is also its OriginatorConversationID, and stands in the address."""
    if not own.startswith("payout-") or not isinstance(body, dict):
        raise ValueError("no result")
    if kind == "late":
        # it waited too long in a queue: that says nothing about whether it was paid
        return VerifiedEvent(f"late:{own}", kind, own, body, "payout", own)
    told = body["Result"]
    code, values, conversation = _number(told["ResultCode"]), _parameters(told), str(told.get("ConversationID", ""))
    if code is None or (kind == "b2c" and told["OriginatorConversationID"] != own):
        raise ValueError("no result")
    amount = values.get("TransactionAmount", values.get("Amount"))
    claimed = _shillings(amount) if code == 0 and amount is not None else None
    # each answer to a question of ours is news of its own; a repetition of one is not
    event_id = f"b2c:{own}" if kind == "b2c" else f"status:{own}:{conversation}"
    return VerifiedEvent(event_id[:128], kind, own, body, "payout", own, claimed)


def _parameters(result: Mapping[str, Any]) -> dict[str, Any]:
    given = (result.get("ResultParameters") or {}).get("ResultParameter") or []
    return {p["Key"]: p.get("Value") for p in (given if isinstance(given, list) else [given])}
