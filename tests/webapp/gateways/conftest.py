"""Simulated providers, one of each a test, each judged by the provider's own document when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marketplace.payments.providers.stripe import Credentials, Stripe

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
def stripe(stripe_credentials: Credentials) -> Stripe:
    return Stripe(stripe_credentials)
