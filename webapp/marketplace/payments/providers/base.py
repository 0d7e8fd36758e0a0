"""What every gateway can do, in our words. An adapter translates; it decides nothing and writes nothing of ours.

Every call that moves money carries our own persisted idempotency key: calling again with the same key has no second effect. No adapter is
ever called inside a database transaction. A time-out is `Unknown`: nobody may conclude success or failure from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from marketplace.core.money import Money

PaymentStatus = Literal["pending", "succeeded", "failed", "cancelled", "charged_back"]
PayoutStatus = Literal["sent", "paid", "failed"]


@dataclass(frozen=True, slots=True)
class Done:
    """It happened; `ref` is the gateway's name of the object."""

    ref: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway has it and will say later how it went."""

    ref: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """It did not and will not happen. `code` is ours: declined, insufficient_funds, account_closed, …"""

    code: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer in time. Ask again with the same key."""

    why: str


Result = Done | Accepted | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Fetched:
    """The state of a payment or payout at the gateway, with the amount as the gateway has it."""

    ref: str
    status: str
    amount: Money
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """A notification whose sender was verified. It only names what to fetch again."""

    event_id: str
    kind: str
    object_ref: str
    body: dict[str, Any]


class Gateway(Protocol):
    """A payment gateway."""

    name: str

    def create_payment(self, *, key: str, amount: Money, method: Mapping[str, Any]) -> Result:
        """Charge the payer. Same key, same object."""

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        """The payment as it stands at the gateway, None when the gateway knows none; raises Unavailable when it does not answer."""

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any]) -> Result:
        """Send money to a payee. Same key, same object."""

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        """As fetch_payment."""

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        """The method reduced to what may be stored (token and display data). Raises InvalidInput for one that cannot be used."""

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str) -> VerifiedEvent:
        """Verify and read a notification. Raises NotFound for a wrong path token, InvalidInput for a bad signature or body."""
