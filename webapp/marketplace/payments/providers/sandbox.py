"""A gateway for trying and testing: the same contract as a real one, with test tokens for every outcome, and no network of its own.

Its memory are tables of its own (SandboxObject, SandboxNews), written in a transaction of its own as a real gateway's would be: what happened
here stays happened when our process dies before it hears the answer. What happens is notified: see sandbox_news.

| payment token | what happens |
|---|---|
| tok_visa, tok_mastercard | succeeds at once; with manual capture it is reserved |
| tok_declined, tok_insufficient_funds | refused |
| tok_delayed | accepted; succeeds when it is fetched next |
| tok_timeout | succeeds, but the answer is lost |
| tok_3ds | waits for the payer, who says yes or no on the page of `next_action` |
| tok_dispute | succeeds, and the payer's bank takes it back at once |
| tok_refund_fails | succeeds; sending it back is accepted and fails when fetched next |

| payout token | what happens |
|---|---|
| bank_ok, bank_delayed, bank_timeout | paid at once; when fetched next; paid but the answer is lost |
| bank_closed | fails |

Instead of a token, a payout may name an IBAN, as a bank transfer would: its check digits must be right, and it is paid at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Sum, When
from django.db.models.functions import Coalesce
from django.utils.crypto import constant_time_compare, salted_hmac

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import Money, exponent, payable

from ..iban import iban_of
from ..models import SandboxNews, SandboxObject
from .base import (
    Accepted,
    Capabilities,
    Capture,
    Card,
    Done,
    Fetched,
    FetchedDispute,
    FetchedRefund,
    Limited,
    Movement,
    MovementKind,
    Rejected,
    Result,
    Setup,
    Subject,
    Unknown,
    VerifiedEvent,
    own_ref,
)


@dataclass(frozen=True, slots=True)
class _TestCard:
    """What a payment with the token comes to, and what is printed on the card."""

    state: str
    failure: str = ""
    brand: str = "visa"
    last4: str = "4242"


_CARDS = {
    "tok_visa": _TestCard("succeeded"),
    "tok_mastercard": _TestCard("succeeded", brand="mastercard", last4="4444"),
    "tok_declined": _TestCard("failed", "declined", last4="0002"),
    "tok_insufficient_funds": _TestCard("failed", "insufficient_funds", last4="9995"),
    "tok_delayed": _TestCard("pending", last4="0077"),
    "tok_timeout": _TestCard("succeeded", last4="0341"),
    "tok_3ds": _TestCard("pending", last4="3155"),
    "tok_dispute": _TestCard("succeeded", last4="0259"),
    "tok_refund_fails": _TestCard("succeeded", last4="7726"),
}
#: test cards with a fate of their own
_CHALLENGED, _DISPUTED, _REFUND_FAILS = "tok_3ds", "tok_dispute", "tok_refund_fails"
_PAYMENT_TOKENS = {token: (card.state, card.failure) for token, card in _CARDS.items()}
_PAYOUT_TOKENS = {
    "bank_ok": ("paid", ""),
    "bank_delayed": ("sent", ""),
    "bank_timeout": ("paid", ""),
    "bank_closed": ("failed", "account_closed"),
}
_SUCCESS = {"payment": "succeeded", "payout": "paid", "refund": "succeeded"}
#: states in which an object has moved the balance, and in which that was taken back
_MOVED = {"payment": {"succeeded"}, "payout": {"paid"}, "refund": {"succeeded"}, "dispute": {"open", "lost"}}
_RETURNED = frozenset({"charged_back", "failed", "won"})
#: what an object is in the list of movements, and as what it comes back
_MOVEMENTS: dict[str, tuple[int, MovementKind, MovementKind]] = {
    "payment": (1, "payment", "dispute"),
    "payout": (-1, "payout", "payout_return"),
    "refund": (-1, "refund", "refund_return"),
    "dispute": (-1, "dispute", "dispute"),
    "other": (1, "other", "other"),
}
#: what a dispute costs, in whole units of its currency
DISPUTE_FEE = 15
TOLERANCE_SECONDS = 300
#: how long after a delayed payment its success is notified
DELAY = timedelta(seconds=30)
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
_REF = re.compile(r"sbx_(payment|payout|refund|dispute|setup|card)_[0-9a-f]{24}")
_SUBJECTS: dict[str, Subject] = {"dispute": "dispute", "setup": "setup", "card": "card"}


class Sandbox(Limited):
    """See the module's table of tokens."""

    name = "sandbox"

    def capabilities(self) -> Capabilities:
        return Capabilities(
            pays_in=payable(),
            pays_out=payable(),
            manual_capture=True,
            refunds=True,
            disputes=True,
            lists_events=True,
            lists_movements=True,
            saves_methods=True,
        )

    # payments

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        token = str(method.get("token", ""))
        if token.startswith("sbx_card_"):
            card = SandboxObject.objects.filter(kind="card", ref=token, state="ready").first()
            token = card.token if card else ""
        return self._create("payment", key, amount, token, _PAYMENT_TOKENS, manual=capture == "manual")

    def capture(self, *, key: str, ref: str, amount: Money) -> Result:
        with transaction.atomic():
            found = SandboxObject.objects.select_for_update().filter(kind="payment", ref=ref).first()
            if found is None:
                return Rejected("not_found")
            if found.state == "succeeded" and found.received_minor == amount.minor:
                return Done(ref)
            if found.state != "authorized" or not 0 < amount.minor <= found.amount_minor or amount.currency != found.currency:
                return Rejected("capture_impossible")
            found.received_minor = amount.minor
            _reach(found, "succeeded")
            _tell("payment.succeeded", ref)
            _after_success(found)
        return Done(ref)

    def cancel(self, *, key: str, ref: str) -> Result:
        with transaction.atomic():
            open_ones = SandboxObject.objects.filter(kind="payment", ref=ref, state__in=("pending", "authorized"))
            if open_ones.update(state="cancelled") == 1:
                _tell("payment.cancelled", ref)
                return Done(ref)
        return Done(ref) if SandboxObject.objects.filter(ref=ref, state="cancelled").exists() else Rejected("too_late")

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        return self._fetch("payment", ref)

    # refunds and disputes

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        with transaction.atomic():
            payment = SandboxObject.objects.select_for_update().filter(kind="payment", ref=payment_ref).first()
            if payment is None or payment.state != "succeeded":
                return Rejected("refund_impossible")
            gone = SandboxObject.objects.filter(kind="refund", of=payment_ref).exclude(state="failed").exclude(idempotency_key=key)
            before = gone.aggregate(total=Sum("amount_minor"))["total"] or 0
            if amount.currency != payment.currency or before + amount.minor > _received(payment):
                return Rejected("over_refund")
            fails = payment.token == _REFUND_FAILS
            tokens = {payment.token: ("pending" if fails else "succeeded", "")}
            return self._create("refund", key, amount, payment.token, tokens, of=payment_ref)

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        found = SandboxObject.objects.filter(kind="refund", ref=ref).first()
        if found is None:
            return None
        if found.token == _REFUND_FAILS and found.state == "pending":
            change(ref, "failed", "card_closed")
            found.refresh_from_db()
        status: Any = found.state
        return FetchedRefund(found.ref, status, Money(found.amount_minor, found.currency), found.of, found.failure_code)

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        found = SandboxObject.objects.filter(kind="dispute", ref=ref).first()
        if found is None:
            return None
        fee = Money(found.fee_minor, found.currency)
        status: Any = found.state
        return FetchedDispute(found.ref, status, Money(found.amount_minor, found.currency), found.of, "fraudulent", fee)

    # payouts

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        return self._create("payout", key, amount, str(method.get("token", "")), _PAYOUT_TOKENS)

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        return self._fetch("payout", ref)

    # saved cards

    def create_customer(self, *, key: str) -> str:
        return f"sbx_customer_{_hash(key)}"

    def save_method(self, *, key: str, customer: str, details: Mapping[str, Any]) -> Setup:
        token = self.check_method(details, purpose="payment")["token"]
        card = _CARDS[token]
        state = "pending" if token == _CHALLENGED else "failed" if card.failure else "succeeded"
        values = {"kind": "setup", "state": state, "token": token, "failure_code": card.failure, "amount_minor": 0, "currency": ""}
        with transaction.atomic():
            made, new = SandboxObject.objects.get_or_create(
                idempotency_key=key, defaults={**values, "ref": f"sbx_setup_{_hash(key)}", "of": f"sbx_card_{_hash(key)}"}
            )
            if new:
                _keep_card(made)
        return _setup(made)

    def fetch_setup(self, *, ref: str) -> Setup | None:
        found = SandboxObject.objects.filter(kind="setup", ref=ref).first()
        return None if found is None else _setup(found)

    def fetch_card(self, *, token: str) -> Card | None:
        found = SandboxObject.objects.filter(kind="card", ref=token, state="ready").first()
        return None if found is None else _card(found)

    def forget_method(self, *, token: str) -> None:
        SandboxObject.objects.filter(kind="card", ref=token).update(state="removed")

    def saved_method(self, *, token: str, customer: str) -> dict[str, Any]:
        return {"token": token}

    # what comes from outside

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        known = _PAYMENT_TOKENS if purpose == "payment" else _PAYOUT_TOKENS
        if purpose == "payout" and "iban" in method:
            iban = iban_of(method["iban"])
            if iban is None:
                raise InvalidInput(
                    "iban_invalid",
                    "This is no IBAN: look for a mistyped character.",
                    {"method.iban": ["Not an IBAN: its length or check digits are wrong."]},
                )
            return {"token": "bank_ok", "iban": iban}
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
            event_id, kind, ref = body["id"], body["type"], body["object"]
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise InvalidInput("webhook_unreadable", "The body is not an event of this gateway.") from e
        sizes = ((event_id, 128), (kind, 64), (ref, 128))
        if not all(isinstance(text, str) and 0 < len(text) <= most for text, most in sizes):
            raise InvalidInput("webhook_unreadable", "The body is not an event of this gateway.")
        return VerifiedEvent(event_id, kind, ref, body, _subject(ref))

    def missed_events(self, *, since: datetime) -> Iterator[VerifiedEvent]:
        for news in SandboxNews.objects.filter(due_at__gte=since, due_at__lte=clock.now()).order_by("due_at", "id").iterator():
            yield VerifiedEvent(news.event_id, news.kind, news.ref, body_of(news), _subject(news.ref))

    def balances(self) -> dict[str, Money]:
        sign = Case(When(kind__in=("payout", "refund", "dispute"), then=-1), default=1)
        moved = SandboxObject.objects.exclude(moved_at=None).values_list("currency")
        amount = Coalesce(F("received_minor"), F("amount_minor"))
        stays, fees = Sum(amount * sign, filter=Q(returned_at=None)), Sum("fee_minor")
        return {c: Money(int(there or 0) - int(fee or 0), c) for c, there, fee in moved.annotate(there=stays, fee=fees)}

    def movements(self, *, since: datetime) -> Iterator[Movement]:
        moved = SandboxObject.objects.filter(Q(moved_at__gte=since) | Q(returned_at__gte=since)).order_by("id")
        return (m for row in moved.iterator() for m in _movements(row) if m.at >= since)

    @staticmethod
    def _create(
        kind: str, key: str, amount: Money, token: str, tokens: Mapping[str, tuple[str, str]], *, manual: bool = False, of: str = ""
    ) -> Result:
        if token not in tokens:
            return Rejected("method_unknown")
        state, failure = tokens[token]
        ref = f"sbx_{kind}_{_hash(key)}"
        defaults: dict[str, Any] = {
            "kind": kind,
            "ref": ref,
            "state": "authorized" if manual and state == "succeeded" else state,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "token": token,
            "failure_code": failure,
            "manual": manual,
            "of": of,
        }
        defaults["moved_at"] = clock.now() if defaults["state"] in _MOVED[kind] else None
        with transaction.atomic():
            made, new = SandboxObject.objects.get_or_create(idempotency_key=key, defaults=defaults)
            if new:
                told = _SUCCESS[kind] if token.endswith("_delayed") else made.state
                _tell(f"{kind}.{told}", ref, after=DELAY if token.endswith("_delayed") else timedelta(0))
                _after_success(made)
        if (made.amount_minor, made.currency, made.token) != (amount.minor, amount.currency, token):
            return Rejected("idempotency_key_reused")
        if new and token.endswith("_timeout") and kind != "refund":
            return Unknown("the answer was lost")
        if made.state == "failed":
            return Rejected(made.failure_code, made.ref)
        return Done(made.ref) if made.state == _SUCCESS[kind] else Accepted(made.ref, _action(made))

    @staticmethod
    def _fetch(kind: str, ref: str) -> Fetched | None:
        found = SandboxObject.objects.filter(kind=kind, ref=ref).first()
        if found is None:
            return None
        if found.token.endswith("_delayed") and found.state in ("pending", "sent"):
            with transaction.atomic():
                found = SandboxObject.objects.select_for_update().get(pk=found.pk)
                if found.state in ("pending", "sent"):
                    _reach(found, "authorized" if found.manual else _SUCCESS[kind])
        received = Money(_received(found), found.currency) if kind == "payment" and found.state == "succeeded" else None
        amount = Money(found.amount_minor, found.currency)
        return Fetched(found.ref, found.state, amount, found.failure_code, received, action=_action(found))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _subject(ref: str) -> Subject:
    match = _REF.fullmatch(ref)
    return _SUBJECTS.get(match[1], "") if match else ""


def _received(payment: SandboxObject) -> int:
    return payment.amount_minor if payment.received_minor is None else payment.received_minor


def _action(made: SandboxObject) -> dict[str, str]:
    """The page on which the payer says yes or no, while the sandbox waits for that."""
    if made.state != "pending" or made.token != _CHALLENGED or made.kind not in ("payment", "setup"):
        return {}
    return {"kind": "redirect", "url": f"{settings.BASE_URL}/sandbox/challenges/{made.ref}"}


def _after_success(made: SandboxObject) -> None:
    """What the test card has in store for a payment that succeeded."""
    if made.kind == "payment" and made.state == "succeeded" and made.token == _DISPUTED:
        dispute(made.ref, _received(made))


def _keep_card(setup: SandboxObject) -> None:
    """A card that was proven is there from now on."""
    _tell(f"setup.{setup.state}", setup.ref)
    if setup.state == "succeeded":
        values = {"kind": "card", "state": "ready", "token": setup.token, "amount_minor": 0, "currency": ""}
        SandboxObject.objects.get_or_create(idempotency_key=f"{setup.ref}:card", defaults={**values, "ref": setup.of})


def _setup(made: SandboxObject) -> Setup:
    if made.state == "pending":
        return Setup(made.ref, "pending", action=_action(made))
    card = SandboxObject.objects.filter(kind="card", ref=made.of, state="ready").first() if made.state == "succeeded" else None
    return Setup(made.ref, "succeeded" if card else "failed", _card(card) if card else None, "" if card else made.failure_code or "removed")


def _card(card: SandboxObject) -> Card:
    printed = _CARDS[card.token]
    return Card(card.ref, printed.brand, printed.last4, 12, 2034)


# what happens at the gateway without us


def change(ref: str, state: str, failure_code: str = "") -> None:
    """The payer confirms, the bank charges back. Nobody is notified. Raises NotFound for an unknown reference."""
    with transaction.atomic():
        found = SandboxObject.objects.select_for_update().filter(ref=ref).first()
        if found is None:
            raise NotFound("sandbox object")
        _reach(found, state, failure_code)


def _reach(row: SandboxObject, state: str, failure_code: str = "") -> None:
    """The locked object's new state, with what that does to the balance."""
    row.state, row.failure_code = state, failure_code
    if state in _MOVED.get(row.kind, ()) and row.moved_at is None:
        row.moved_at = clock.now()
    elif state in _RETURNED and row.moved_at is not None and row.returned_at is None:
        row.returned_at = clock.now()
    row.save()


def other(ref: str, amount: Money, *, fee: int = 0) -> None:
    """A movement of the gateway's balance that nobody here asked for: a charge for the account, a correction. Once for a reference."""
    values = {"kind": "other", "ref": ref, "state": "moved", "amount_minor": amount.minor, "currency": amount.currency, "fee_minor": fee}
    SandboxObject.objects.get_or_create(idempotency_key=f"other:{ref}", defaults={**values, "moved_at": clock.now()})


def _movements(row: SandboxObject) -> Iterator[Movement]:
    """What the object did to the balance. A payment's fee, and that of a dispute, is kept when it is taken back."""
    if row.moved_at is None or row.kind not in _MOVEMENTS:
        return
    sign, kind, back = _MOVEMENTS[row.kind]
    amount, nothing = Money(sign * _received(row), row.currency), Money(0, row.currency)
    ours = row.kind in ("payment", "payout", "refund") and ":" in row.idempotency_key
    about = ("" if row.kind == "other" else row.ref, own_ref(row.idempotency_key) if ours else "")
    yield Movement(f"{row.ref}:moved", kind, amount, Money(row.fee_minor, row.currency), row.moved_at, *about)
    if row.returned_at is not None:
        yield Movement(f"{row.ref}:returned", back, -amount, nothing, row.returned_at, *about)


def dispute(payment_ref: str, minor: int | None = None, state: str = "open") -> str:
    """The payer's bank takes (part of) a payment back, or with "inquiry" only asks; returns the dispute's reference. Raises NotFound."""
    payment = SandboxObject.objects.filter(kind="payment", ref=payment_ref).first()
    if payment is None:
        raise NotFound("sandbox object")
    key = f"dispute:{payment_ref}"
    values: dict[str, Any] = {"kind": "dispute", "state": state, "amount_minor": minor or _received(payment), "currency": payment.currency}
    values["fee_minor"] = DISPUTE_FEE * 10 ** exponent(payment.currency)
    values["moved_at"] = clock.now() if state in _MOVED["dispute"] else None
    with transaction.atomic():
        made, new = SandboxObject.objects.get_or_create(
            idempotency_key=key, defaults={**values, "ref": f"sbx_dispute_{_hash(key)}", "of": payment_ref, "token": payment.token}
        )
        if new:
            _tell("dispute.created", made.ref)
    return made.ref


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question to the payer, as their bank's page shows it. `amount` is None when a card is only saved."""

    ref: str
    state: str
    amount: Money | None
    last4: str


def challenge(ref: str) -> Challenge:
    """The question behind a reference. Raises NotFound for one that never asked anything."""
    found = SandboxObject.objects.filter(ref=ref, kind__in=("payment", "setup"), token=_CHALLENGED).first()
    if found is None:
        raise NotFound("challenge")
    return Challenge(ref, found.state, Money(found.amount_minor, found.currency) if found.currency else None, _CARDS[_CHALLENGED].last4)


def challenge_answer(ref: str, *, agrees: bool) -> Challenge:
    """The payer says yes or no; the sandbox notifies us. The same answer again changes nothing, another one is a Conflict. Raises NotFound."""
    challenge(ref)
    with transaction.atomic():
        found = SandboxObject.objects.select_for_update().get(ref=ref)
        wanted = "failed" if not agrees else "authorized" if found.manual else "succeeded"
        if found.state == "pending":
            _reach(found, wanted, "" if agrees else "authentication_failed")
            if found.kind == "setup":
                _keep_card(found)
            else:
                _tell(f"payment.{found.state}", ref)
        elif found.state != wanted:
            raise Conflict("challenge_answered", "This was answered already. Go back to the shop and begin again.")
    return challenge(ref)


# notifications


def _tell(kind: str, ref: str, after: timedelta = timedelta(0)) -> None:
    """Put a notification into the sandbox's queue."""
    due = clock.now() + after
    number = SandboxNews.objects.filter(ref=ref).count()
    SandboxNews.objects.create(event_id=f"evt_{_hash(f'{ref}:{kind}:{number}')}", kind=kind, ref=ref, due_at=due, next_try_at=due)


def body_of(news: SandboxNews) -> dict[str, Any]:
    """What is sent."""
    return {"id": news.event_id, "type": news.kind, "object": news.ref}


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
