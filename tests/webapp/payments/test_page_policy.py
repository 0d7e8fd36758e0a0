"""What the web app's page may load: nothing that this server did not send, but for Stripe's form where this installation has it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db
STRIPE = {"secret_key": "sk_test_1", "webhook_secrets": "whsec_1", "path_token": "path"}


@pytest.fixture
def policy(client: Any, settings: Any, tmp_path: Any) -> Any:
    """directive → sources of the page as it is answered with these credentials."""
    settings.FRONTEND_DIST = tmp_path
    (tmp_path / "index.html").write_text("<!doctype html><title>Openlance</title>")

    def read(credentials: dict[str, dict[str, str]], providers: tuple[str, ...] = ("sandbox", "stripe", "paypal")) -> dict[str, list[str]]:
        settings.PAYMENT_CREDENTIALS = credentials
        settings.PAYMENT_PROVIDERS = list(providers)
        header = client.get("/wallet")["Content-Security-Policy"]
        return {name: sources for name, *sources in (line.split() for line in header.split("; "))}

    return read


OWN = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}


def test_without_a_form_of_stripes_only_this_server_is_allowed(policy: Any) -> None:
    assert policy({}) == OWN
    assert policy({"stripe": STRIPE}) == OWN  # no publishable key: no form
    assert policy({"stripe": {"publishable_key": "pk_test_1"}}) == OWN  # no credentials: no gateway
    assert policy({"stripe": {**STRIPE, "publishable_key": "pk_test_1"}}, ("sandbox",)) == OWN  # switched off


def test_with_a_publishable_key_exactly_stripes_addresses_are_allowed_too(policy: Any) -> None:
    assert policy({"stripe": {**STRIPE, "publishable_key": "pk_test_1"}}) == {
        **OWN,
        "script-src": ["'self'", "https://js.stripe.com", "https://*.js.stripe.com"],
        "connect-src": ["'self'", "https://api.stripe.com"],
        "frame-src": ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"],
    }
