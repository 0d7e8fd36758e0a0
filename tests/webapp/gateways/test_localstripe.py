"""Notifications of a Stripe that nobody here wrote: localstripe in a process of its own signs and delivers them over HTTP to our real route.

Only delivery is asserted. What localstripe says of money is wrong (refunds beyond the payment succeed, keys are ignored), and it knows neither
today's parameters nor Connect: the rest is proven with stripe_world.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.local.environment import aside
from marketplace.core.money import Money
from marketplace.payments import services, tasks
from marketplace.payments.gateways import payment_key
from marketplace.payments.models import Payment, WebhookEvent, WebhookRefusal
from marketplace.payments.providers.base import own_ref

from .conftest import PATH_TOKEN

pytestmark = [pytest.mark.django_db]
SECRET_KEY, WEBHOOK_SECRET = "sk_test_localstripe", "whsec_localstripe"
PATIENCE_SECONDS = 60
# as its own start(), but on loopback alone and without its file in /tmp
LAUNCH = """
import logging, socket, sys
from aiohttp import web
from localstripe import resources, server
resources.store.dump_to_disk = lambda: None
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
log = logging.getLogger("aiohttp.access")
log.setLevel(logging.DEBUG)
log.addHandler(logging.StreamHandler(sys.stdout))
web.run_app(server.app, sock=listening, access_log=log, print=None)
"""


class LocalStripe:
    """The process, and what its API is asked for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = f"http://127.0.0.1:{int(self._line())}"
        self._http = httpx.Client(base_url=self.address, auth=(SECRET_KEY, ""), timeout=30)

    def _line(self) -> str:
        assert self._process.stdout is not None
        # whoever waits for a word that never comes sees the process end
        patience = threading.Timer(PATIENCE_SECONDS, self._process.kill)
        patience.start()
        try:
            line = self._process.stdout.readline()
        finally:
            patience.cancel()
        assert line, "localstripe ended, or said nothing for a minute"
        return line

    def tells(self, url: str, secret: str = WEBHOOK_SECRET, name: str = "openlance") -> None:
        """Register an address for notifications."""
        self._http.post(f"/_config/webhooks/{name}", json={"url": url, "secret": secret}).raise_for_status()

    def pays(self, amount: Money, ours: str) -> str:
        """A payment that succeeds at once, under our name of it; its id."""
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2031, "cvc": "123"}
        method = self._http.post("/v1/payment_methods", json={"type": "card", "card": card}).raise_for_status().json()["id"]
        asked = {"amount": amount.minor, "currency": amount.currency.lower(), "payment_method": method, "confirm": True}
        intent = self._http.post("/v1/payment_intents", json={**asked, "metadata": {"openlance": ours}}).raise_for_status().json()
        assert intent["status"] == "succeeded"
        return str(intent["id"])

    def delivery(self, kind: str) -> str:
        """How the next delivery of that kind ended, in localstripe's own words."""
        begin = f'webhook "{kind}" '
        while True:
            line = self._line()
            if line.startswith(begin):
                return line.removeprefix(begin).strip()


@pytest.fixture
def localstripe() -> Iterator[LocalStripe]:
    folder = aside("localstripe")
    if not (folder / "localstripe").is_dir():
        pytest.skip("localstripe is not here: `make test` lays it under var/")
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCH], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield LocalStripe(process)
        finally:
            process.kill()


@pytest.fixture
def webhook(committed_db: None, live_server: Any) -> str:
    """The address that Stripe is told."""
    return f"{live_server.url}/api/v1/webhooks/stripe/{PATH_TOKEN}"


def reach(settings: Any, api: str) -> None:
    settings.PAYMENT_CREDENTIALS = {
        "stripe": {"secret_key": SECRET_KEY, "webhook_secrets": WEBHOOK_SECRET, "path_token": PATH_TOKEN, "api": api}
    }


def unanswered(user: Any, settings: Any) -> Payment:
    """A payment whose call got no answer: only a notification can tell of it."""
    reach(settings, "http://127.0.0.1:9")
    method = {"payment_method": "pm_card_visa"}
    values = {"amount": Money(1000, "USD"), "purpose": "wallet", "purpose_id": None, "method": method, "idempotency_key": "k"}
    payment = services.payment_start(actor_id=user.pk, provider="stripe", **values)
    assert (payment.state, payment.provider_ref) == ("created", None)
    return payment


def test_a_signed_notification_arrives_is_stored_once_and_finds_its_payment(
    localstripe: LocalStripe, webhook: str, alice: Any, settings: Any
) -> None:
    payment = unanswered(alice, settings)
    reach(settings, localstripe.address)
    for name in ("one", "again"):
        localstripe.tells(webhook, name=name)

    intent = localstripe.pays(Money(1000, "USD"), own_ref(payment_key(payment)))

    assert [localstripe.delivery("payment_intent.succeeded") for _ in range(2)] == ["successfully delivered"] * 2
    stored = WebhookEvent.objects.get()
    assert (stored.provider, stored.kind, stored.subject, stored.object_ref) == ("stripe", "payment_intent.succeeded", "payment", intent)
    assert stored.own_ref == own_ref(payment_key(payment)) and stored.handled_at is None
    tasks.handle_webhook(stored.pk)
    stored.refresh_from_db()
    payment.refresh_from_db()
    assert (stored.handled_at is not None, stored.last_error, payment.provider_ref) == (True, "", intent)
    assert not WebhookRefusal.objects.exists()


def test_another_secret_and_an_address_that_was_never_told_are_turned_away(
    localstripe: LocalStripe, webhook: str, alice: Any, settings: Any
) -> None:
    payment = unanswered(alice, settings)
    reach(settings, localstripe.address)
    localstripe.tells(webhook, secret="whsec_of_somebody_else")
    localstripe.tells(f"{webhook}-guessed", name="guessed")

    localstripe.pays(Money(1000, "USD"), own_ref(payment_key(payment)))

    answers = [localstripe.delivery("payment_intent.succeeded") for _ in range(2)]
    assert answers == ["failed with response code 400", "failed with response code 404"]
    assert not WebhookEvent.objects.exists()
    assert WebhookRefusal.objects.get().code == "signature_invalid"
