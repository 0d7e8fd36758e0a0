"""What every gateway can do, in our words. An adapter translates; it decides nothing and writes nothing of ours.

Every call that moves money carries our own persisted idempotency key: calling again with the same key has no second effect. No adapter is
ever called inside a database transaction. A time-out is `Unknown`: nobody may conclude success or failure from it.

Keys are `<kind>:<row id>:…`; `own_ref` of a key goes with the call as metadata, so that news of an object whose reference we never heard
still finds its row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import structlog

from marketplace.core.errors import InvalidInput, NotFound
from marketplace.core.money import Money

log = structlog.get_logger(__name__)
PaymentStatus = Literal["pending", "approved", "authorized", "succeeded", "failed", "cancelled", "charged_back"]
PayoutStatus = Literal["sent", "paid", "failed"]
RefundStatus = Literal["pending", "succeeded", "failed"]
#: inquiry: the bank only asks, nothing was taken; open: the money is away until it is decided
DisputeStatus = Literal["inquiry", "open", "won", "lost"]
_OWN = re.compile(r"(payment|payout|refund)-(\d{1,18})-[0-9a-f]{16}")
#: in place of a reference that a notification does not tell
NAMELESS = "-"
#: how the failure code of a sent payout begins whose gateway answers, but not how it stands
QUERY_FAILED = "query_"
Capture = Literal["automatic", "manual"]
Subject = Literal["", "payment", "payout", "refund", "dispute", "payee", "setup", "card", "other"]
#: how somebody pays: with the gateway's form in the page, on the gateway's own page, at a prompt on the phone, or with a test token
PayerFlow = Literal["element", "redirect", "phone", "token"]
#: what a payee gives: details on the gateway's own page, an e-mail address, a phone number, or a test token
PayeeFlow = Literal["onboarding", "email", "phone", "token"]
SetupStatus = Literal["pending", "succeeded", "failed"]


class WrongSender(NotFound):
    """A notification at an address that the gateway alone was told, from a sender that is not the gateway's. Outside it looks like a wrong address."""

    def __init__(self) -> None:
        super().__init__("webhook")


@dataclass(frozen=True, slots=True)
class Done:
    """It happened; `ref` is the gateway's name of the object."""

    ref: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway has it and will say later how it went. `action` is what the payer has to do meanwhile, for the browser."""

    ref: str
    action: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """It did not and will not happen. `code` is ours: declined, insufficient_funds, account_closed, …"""

    code: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer in time. Ask again with the same key; an adapter whose gateway keeps no keys only asks how it stands."""

    why: str


Result = Done | Accepted | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Fetched:
    """The state of a payment or payout at the gateway, with the amount as the gateway has it (None: it never says).

    `received` is what was captured, where that can differ; `fee` what the gateway kept of it, None while it does not say.
    """

    ref: str
    status: str
    amount: Money | None
    failure_code: str = ""
    received: Money | None = None
    fee: Money | None = None
    own_ref: str = ""
    action: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchedRefund:
    """A refund of a payment as the gateway has it."""

    ref: str
    status: RefundStatus
    amount: Money
    payment_ref: str
    failure_code: str = ""
    own_ref: str = ""


@dataclass(frozen=True, slots=True)
class FetchedDispute:
    """A payer's dispute with their bank. `fee` is what the gateway charges for it by now."""

    ref: str
    status: DisputeStatus
    amount: Money
    payment_ref: str
    reason: str = ""
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class FetchedPayee:
    """How far a payee is with the gateway's own onboarding; `due` names what it still asks for."""

    ref: str
    ready: bool
    due: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Onboarding:
    """Where a payee gives the gateway what it must know; the address is good for a short time and for one person."""

    ref: str
    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What may be known and kept of a saved card: the gateway's token and what is printed on receipts."""

    token: str
    brand: str = ""
    last4: str = ""
    exp_month: int | None = None
    exp_year: int | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """The saving of a means of payment, as begun or as it stands. `action` is what its owner has to do meanwhile, for the browser."""

    ref: str
    status: SetupStatus = "pending"
    card: Card | None = None
    failure_code: str = ""
    action: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """A notification whose sender was verified. It only names what to fetch again.

    `own_ref` is our own name of the object when the gateway tells it. `claimed` is an amount that nothing can be asked about later: it is
    compared, never posted.
    """

    event_id: str
    kind: str
    object_ref: str
    body: dict[str, Any]
    subject: Subject = ""
    own_ref: str = ""
    claimed: Money | None = None


MovementKind = Literal["payment", "refund", "refund_return", "payout", "payout_return", "dispute", "fee", "bank", "other"]


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of what the gateway holds for us, by amount − fee. `ref` names the movement itself, `object_ref` what it is about.

    bank: to or from our own account at a bank. A fee that stands by itself has an amount of nothing.
    """

    ref: str
    kind: MovementKind
    amount: Money
    fee: Money
    at: datetime
    object_ref: str = ""
    own_ref: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a gateway does, and for whom. Empty `payer_countries` or `payee_countries` stand for every country."""

    pays_in: frozenset[str]
    pays_out: frozenset[str]
    payer_countries: frozenset[str] = frozenset()
    payee_countries: frozenset[str] = frozenset()
    manual_capture: bool = False
    refunds: bool = False
    disputes: bool = False
    onboards: bool = False
    #: it keeps a list of past events, so that an outage of our endpoint loses none
    lists_events: bool = False
    #: it tells what it holds for us, and every movement of that
    lists_movements: bool = False
    saves_methods: bool = False
    #: it says what it kept of a payment, perhaps some time after the payment succeeded
    tells_fees: bool = False
    payer_flow: PayerFlow = "token"
    payee_flow: PayeeFlow = "token"
    #: the part of the credentials that the browser needs
    publishable_key: str = ""
    #: what its own form in the page loads, as sources of a content security policy, by directive
    form_sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Gateway(Protocol):
    """A payment gateway. What its capabilities exclude raises InvalidInput("gateway_cannot")."""

    name: str

    def capabilities(self) -> Capabilities:
        """What it can do; the same at every call."""

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        """Charge the payer, or with manual capture only reserve the amount. Same key, same object.

        `age` says how long ago the call may have been made before; None is the first call.
        """

    def capture(self, *, key: str, ref: str, amount: Money) -> Result:
        """Take (part of) a reserved amount; what is left of it is set free."""

    def cancel(self, *, key: str, ref: str) -> Result:
        """Give up a payment that has not succeeded. Rejected when it is too late: fetch it then."""

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        """Send (part of) a payment back to where it came from. `age` as in create_payment."""

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        """The payment as it stands at the gateway, None when the gateway knows none; raises Unavailable when it does not answer."""

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        """As fetch_payment."""

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        """As fetch_payment."""

    def prepare_payout(self) -> None:
        """Get ready whatever `pay_out` needs beforehand. Raises Unavailable: nothing was sent then, and the payout can wait here."""

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        """Send money to a payee. Same key, same object. `age` as in create_payment."""

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        """As fetch_payment."""

    def onboard_payee(self, *, key: str, country: str, email: str, return_url: str, refresh_url: str, ref: str | None = None) -> Onboarding:
        """An account for the payee (or that of `ref`) and an address where they complete it. Raises Unavailable, InvalidInput."""

    def fetch_payee(self, *, ref: str) -> FetchedPayee | None:
        """As fetch_payment."""

    def create_customer(self, *, key: str) -> str:
        """The gateway's name of somebody who saves means of payment; nothing about the person is told. Same key, same name. Raises Unavailable."""

    def save_method(self, *, key: str, customer: str, details: Mapping[str, Any]) -> Setup:
        """Begin to save a means of payment of the customer. `details` is what the browser already has of it, never card data.
        Same key, same object. Raises Unavailable, InvalidInput."""

    def fetch_setup(self, *, ref: str) -> Setup | None:
        """As fetch_payment."""

    def fetch_card(self, *, token: str) -> Card | None:
        """A saved card as it is now (banks renew them); None when the gateway does not keep it any more. Raises Unavailable."""

    def saved_method(self, *, token: str, customer: str) -> dict[str, Any]:
        """The method by which a saved card of the customer pays, as `check_method` would return it."""

    def forget_method(self, *, token: str) -> None:
        """Let the gateway forget a saved means of payment; one that it does not know is forgotten. Raises Unavailable."""

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        """The method reduced to what may be stored (token and display data). Raises InvalidInput for one that cannot be used."""

    def check_amount(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> None:
        """Raise InvalidInput for a currency or an amount that the gateway cannot move exactly."""

    def payable(self, amount: Money) -> Money:
        """The least amount from there on that can be paid in exactly."""

    def movable(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> Money:
        """The greatest amount up to there that can be moved exactly and at once, of nothing where there is none. A refund goes by the steps of
        payments. The currency is not looked at: `check_amount` does."""

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str, remote_ip: str = "") -> VerifiedEvent:
        """Verify and read a notification. Raises NotFound for a wrong path token, WrongSender for a right one from elsewhere, InvalidInput for
        a bad signature or body."""

    def missed_events(self, *, since: datetime) -> Iterator[VerifiedEvent]:
        """Everything the gateway has told or tried to tell since then; what cannot be read is left out. Raises Unavailable."""

    def balances(self) -> dict[str, Money]:
        """What it holds for us now, by currency, money that is not yet available included. Raises Unavailable."""

    def movements(self, *, since: datetime) -> Iterator[Movement]:
        """Every movement of the balance since then. Raises Unavailable."""


class Limited:
    """What a gateway does not do: it says so. Adapters inherit it and write what they can."""

    name = ""

    def _cannot(self, what: str) -> InvalidInput:
        return InvalidInput("gateway_cannot", f"{self.name} cannot {what}. Choose another way.")

    def capture(self, *, key: str, ref: str, amount: Money) -> Result:
        raise self._cannot("reserve amounts")

    def cancel(self, *, key: str, ref: str) -> Result:
        raise self._cannot("cancel a payment")

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        raise self._cannot("send a payment back")

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        return None

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        return None

    def prepare_payout(self) -> None:
        """Nothing is needed."""

    def onboard_payee(self, *, key: str, country: str, email: str, return_url: str, refresh_url: str, ref: str | None = None) -> Onboarding:
        raise self._cannot("take payees' details: none are needed")

    def fetch_payee(self, *, ref: str) -> FetchedPayee | None:
        return None

    def create_customer(self, *, key: str) -> str:
        raise self._cannot("save a means of payment")

    def save_method(self, *, key: str, customer: str, details: Mapping[str, Any]) -> Setup:
        raise self._cannot("save a means of payment")

    def fetch_setup(self, *, ref: str) -> Setup | None:
        return None

    def fetch_card(self, *, token: str) -> Card | None:
        return None

    def saved_method(self, *, token: str, customer: str) -> dict[str, Any]:
        raise self._cannot("save a means of payment")

    def forget_method(self, *, token: str) -> None:
        """Nothing is kept."""

    def check_amount(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> None:
        """Every amount of ours."""

    def payable(self, amount: Money) -> Money:
        return amount

    def movable(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> Money:
        return amount

    def missed_events(self, *, since: datetime) -> Iterator[VerifiedEvent]:
        return iter(())

    def balances(self) -> dict[str, Money]:
        raise self._cannot("tell its balance: import its files")

    def movements(self, *, since: datetime) -> Iterator[Movement]:
        raise self._cannot("list its movements: import its files")


def own_ref(key: str) -> str:
    """Our name of the row that a key belongs to: `payment-12-<hash of the key>`. The hash tells rows of another installation apart."""
    kind, row, *_ = key.split(":")
    return f"{kind}-{row}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def readable(provider: str, listed: Iterable[Any], read: Callable[[Any], VerifiedEvent]) -> Iterator[VerifiedEvent]:
    """The events of a gateway's own list, each as `read` reads it; one that it refuses is logged and left out, and hides none that follow."""
    for body in listed:
        try:
            yield read(body)
        except InvalidInput as e:
            told = body.get("id") if isinstance(body, dict) else None
            log.warning("gateway_event_unreadable", provider=provider, code=e.code, event_id=str(told)[:128])


def row_of(own: str) -> tuple[str, int] | None:
    """Kind and row id in an `own_ref`; None for anything else. The caller compares the whole with the row's own."""
    match = _OWN.fullmatch(own)
    return (match[1], int(match[2])) if match else None


def codes(text: str) -> frozenset[str]:
    """Currency or country codes written in one line."""
    return frozenset(text.split())
