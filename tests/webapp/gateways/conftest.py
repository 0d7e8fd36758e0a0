"""Simulated providers, one of each a test, each judged by the provider's own document when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marketplace.payments.providers import paypal as paypal_adapter
from marketplace.payments.providers.mpesa import Mpesa, made_of
from marketplace.payments.providers.stripe import Credentials, Stripe

from .daraja_world import DarajaWorld
from .paypal_world import WEBHOOK_ID, Authority, PayPalWorld
from .simulator import Server
from .stripe_world import SECRET_KEY, WEBHOOK_SECRET, StripeWorld

PATH_TOKEN = "stripe-path-token"


def closed(world: Any, server: Server) -> None:
    """End of a simulated provider: nothing that passed may have broken its document."""
    server.close()
    assert world.breaches == []


@pytest.fixture
def stripe_world() -> StripeWorld:
    return StripeWorld()


@pytest.fixture
def stripe_credentials(stripe_world: StripeWorld) -> Iterator[Credentials]:
    server = Server(stripe_world)
    yield Credentials(SECRET_KEY, (WEBHOOK_SECRET,), PATH_TOKEN, api=server.address, return_url="https://openlance.example/paid")
    closed(stripe_world, server)


@pytest.fixture
def stripe_chosen(settings: Any, stripe_credentials: Credentials) -> None:
    """Our own services pay through the simulated Stripe."""
    given = {"secret_key": SECRET_KEY, "webhook_secrets": WEBHOOK_SECRET, "path_token": PATH_TOKEN, "api": stripe_credentials.api}
    settings.PAYMENT_CREDENTIALS = {"stripe": given}


@pytest.fixture
def stripe(stripe_credentials: Credentials) -> Stripe:
    return Stripe(stripe_credentials)


@pytest.fixture
def paypal_world() -> PayPalWorld:
    return PayPalWorld()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def signing(authority: Authority) -> tuple[Any, bytes]:
    return authority.leaf()


@pytest.fixture
def paypal_credentials(paypal_world: PayPalWorld, authority: Authority, tmp_path: Path) -> Iterator[paypal_adapter.Credentials]:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.pem())
    server = Server(paypal_world)
    urls = {"return_url": "https://openlance.example/paid", "cancel_url": "https://openlance.example/not-paid"}
    yield paypal_adapter.Credentials("id", "secret", WEBHOOK_ID, "paypal-path-token", api=server.address, roots=str(roots), **urls)
    closed(paypal_world, server)


@pytest.fixture
def paypal(paypal_credentials: paypal_adapter.Credentials, signing: tuple[Any, bytes]) -> paypal_adapter.PayPal:
    return paypal_adapter.PayPal(paypal_credentials, certificates=lambda url: signing[1])


@pytest.fixture
def daraja_world() -> DarajaWorld:
    return DarajaWorld()


@pytest.fixture
def mpesa_settings(daraja_world: DarajaWorld, signing: tuple[Any, bytes], tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the environment would give for M-Pesa."""
    certificate = tmp_path / "safaricom.pem"
    certificate.write_bytes(signing[1])
    server = Server(daraja_world)
    yield {
        "consumer_key": "ck",
        "consumer_secret": "cs",
        "short_code": "174379",
        "passkey": "pk",
        "callback_secret": "callback-secret",
        "callback": "https://openlance.example/api/v1/webhooks/mpesa",
        "initiator": "openlance",
        "initiator_password": "pw",
        "certificate": str(certificate),
        "api": server.address,
    }
    closed(daraja_world, server)


@pytest.fixture
def mpesa(mpesa_settings: dict[str, str]) -> Mpesa:
    made = made_of(mpesa_settings)
    assert made is not None
    return made
