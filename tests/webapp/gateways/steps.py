"""What is done at a gateway in the cases of this folder: pay, be told, ask back, spend, pay out, and prove the ledger afterwards."""

from __future__ import annotations

import json
from typing import Any

from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import selectors, services
from marketplace.payments.models import Payment, PaymentRefund, WebhookEvent

from .conftest import PATH_TOKEN
from .stripe_world import StripeWorld, signed

TEN = Money(1000, "USD")


def start(user: Any, token: str = "pm_card_visa", key: str = "k", **more: Any) -> Payment:
    method = {"payment_method": token} if token != "element" else {"token": "element"}
    values = {"amount": TEN, "purpose": "wallet", "purpose_id": None, "method": method, "idempotency_key": key, "provider": "stripe"}
    return services.payment_start(actor_id=user.pk, **(values | more))


def tell(event: dict[str, Any]) -> WebhookEvent:
    body = json.dumps(event).encode()
    return services.webhook_receive(provider="stripe", path_token=PATH_TOKEN, raw_body=body, headers=signed(body))


def tell_all(world: StripeWorld, kinds: str = "") -> list[bool]:
    return [services.webhook_handle(webhook_id=tell(e).pk) for e in world.events if kinds in e["type"]]


def wallet_of(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk))


def in_transit(user: Any) -> int:
    return sum(b.in_transit.minor for b in selectors.balances_of(user.pk))


def proven() -> None:
    """Every invariant; the milestone of `spend` is not a real one."""
    report = services.ledger_check(invariants=range(1, 10))
    assert [v for v in report.violations if v.rule != "hold_has_its_milestone"] == []


def ask_back(user: Any, payment: Payment, minor: int, key: str = "r") -> PaymentRefund:
    return services.payment_refund_request(actor=user, payment_id=payment.pk, amount=Money(minor, "USD"), idempotency_key=key)


def spend(payer: Any, payee: Any, minor: int) -> None:
    """The money goes on: held for a milestone, and released."""
    amount = Money(minor, "USD")
    about = {"contract_id": 1, "milestone_id": 7, "actor_id": None, "rule": "test"}
    run_in_transaction(lambda: services.hold(payer_id=payer.pk, amount=amount, **about))
    more = {"payee_id": payee.pk, "gross": amount, "payee_currency": "USD", "fee_schedule": "standard-1"}
    run_in_transaction(lambda: services.release(**about, **more))
