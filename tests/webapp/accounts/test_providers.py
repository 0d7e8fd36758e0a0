"""Signing in through others: off without credentials, and never a way into an account that is here already."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from config.settings import base
from marketplace.accounts.models import User
from tests.webapp.signing import AUTH, PASSWORD, Caller, verified


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    from django.core.cache import cache

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "providers"}}
    cache.clear()


def arrive(email: str, *, uid: int = 1, proven: bool = True, **more: str) -> Any:
    """Come back from the provider as somebody with this address."""
    said = json.dumps({"id": uid, "email": email, "email_verified": proven, **more})
    body = {"provider": "dummy", "process": "login", "token": {"id_token": said}}
    return Caller().post(f"{AUTH}/auth/provider/token", body)


def test_providers_are_on_as_soon_as_the_environment_has_both_credentials() -> None:
    assert base.social_providers({}) == {}
    assert base.social_providers({"OPENLANCE_GOOGLE_CLIENT_ID": "x"}) == {}
    found = base.social_providers(
        {f"OPENLANCE_{name}_CLIENT_{part}": part.lower() for name in ("GOOGLE", "LINKEDIN") for part in ("ID", "SECRET")}
    )
    assert sorted(found) == ["google", "linkedin_oauth2"]
    assert found["google"] == {"APPS": [{"client_id": "id", "secret": "secret", "key": ""}]}


def test_without_credentials_no_provider_is_offered(db: None) -> None:
    offered = Caller().get("/_allauth/app/v1/config").json()["data"]["socialaccount"]["providers"]
    assert [p["id"] for p in offered] == ["dummy"], "the tests' own, and nothing else"


def test_a_newcomer_comes_with_their_name(db: None) -> None:
    answer = arrive("dana@example.org", first_name="Dana", last_name="Østergård")
    assert answer.status_code == 200, answer.content
    user = User.objects.get()
    assert (user.email, user.display_name, user.has_usable_password()) == ("dana@example.org", "Dana Østergård", False)
    assert arrive("dana@example.org").status_code == 200
    assert User.objects.count() == 1


def test_an_address_that_the_provider_did_not_prove_is_proven_here_first(db: None) -> None:
    assert arrive("dana@example.org", proven=False).status_code == 401
    assert not EmailAddress.objects.filter(verified=True).exists()


@pytest.mark.parametrize("proven", [True, False], ids=["proven", "unproven"])
def test_a_providers_word_opens_no_account_that_is_here(alice: Any, proven: bool) -> None:
    answer = arrive(verified(alice).email, proven=proven)
    assert answer.status_code == 401
    assert not answer.json()["meta"]["is_authenticated"]
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1


def test_an_account_that_waits_under_somebody_elses_address_gets_nothing(db: None) -> None:
    """Somebody signs up with the victim's address, never proves it, and waits for the victim to come through a provider."""
    Caller().post(f"{AUTH}/auth/signup", {"email": "victim@example.org", "password": PASSWORD})
    squatter = User.objects.get()
    arrive("victim@example.org")
    assert not SocialAccount.objects.filter(user=squatter).exists()
    assert not EmailAddress.objects.filter(user=squatter, verified=True).exists()


def test_the_document_of_signing_in_is_served(db: None) -> None:
    assert "/_allauth/openapi.json" in Caller().get("/api/docs/sign-in").content.decode()
    document = Caller().get("/_allauth/openapi.json").json()
    assert "/_allauth/{client}/v1/auth/login" in document["paths"]
    assert "/api/docs/sign-in" in Caller().get("/api/v1/schema").content.decode()
