"""One sign-in: signing up with a code, the session at the API, and the OpenID provider that the dashboards ask."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client as OIDCClient
from allauth.idp.oidc.models import Token
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from marketplace.accounts.models import User
from marketplace.core.policies import STAFF_GROUPS

PASSWORD = "correct horse battery"
CALLBACK = "http://testserver/dashboards/oauth2callback"
APP = "/_allauth/app/v1/auth"
BROWSER = "/_allauth/browser/v1/auth"


@pytest.fixture(autouse=True)
def no_old_rate_limits(settings: Any) -> None:
    """A cache of this test's own: the one that tests share is cleared by others meanwhile."""
    from django.core.cache import cache

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "sign-in"}}
    cache.clear()


@pytest.fixture
def dashboards(settings: Any, db: None) -> OIDCClient:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    settings.IDP_OIDC_PRIVATE_KEY = pem.decode()
    settings.OIDC_DASHBOARDS_SECRET = "dash-secret"
    call_command("ensure_oidc_client", "--id", "dashboards", "--redirect-uri", CALLBACK, "--post-logout-uri", "http://testserver/")
    return OIDCClient.objects.get(pk="dashboards")


def verified(user: User) -> User:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def test_a_newcomer_signs_up_with_a_code_and_is_signed_in(db: None) -> None:
    client = Client()
    answer = client.post(f"{APP}/signup", {"email": "Dana@Example.org", "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 401, "not before the address is proven"
    token = answer.json()["meta"]["session_token"]
    code = re.search(r"^([A-Z0-9-]{6,9})$", mail.outbox[0].body, re.M)
    assert code, mail.outbox[0].body
    headers = {"HTTP_X_SESSION_TOKEN": token}
    wrong = client.post(f"{APP}/email/verify", {"key": "AAAAAA"}, content_type="application/json", **headers)
    assert wrong.status_code == 400
    right = client.post(f"{APP}/email/verify", {"key": code.group(1)}, content_type="application/json", **headers)
    assert right.status_code == 200, right.content
    me = client.get("/api/v1/me", HTTP_X_SESSION_TOKEN=right.json()["meta"].get("session_token", token)).json()
    assert (me["email"], me["display_name"].lower(), me["roles"]["client"]) == ("dana@example.org", "dana", False)


def test_a_wrong_password_and_an_unknown_address_look_the_same(alice: User) -> None:
    verified(alice)
    answers = []
    for email in (alice.email, "nobody@example.org"):
        answer = Client().post(f"{APP}/login", {"email": email, "password": "not this one"}, content_type="application/json")
        answers.append((answer.status_code, answer.json()["errors"][0]["code"]))
    assert answers == [(400, "email_password_mismatch")] * 2


def test_guessing_passwords_is_slowed_down(alice: User, settings: Any) -> None:
    verified(alice)
    codes = [
        Client().post(f"{APP}/login", {"email": alice.email, "password": f"guess {i}"}, content_type="application/json").status_code
        for i in range(12)
    ]
    assert codes[0] == 400
    good = Client().post(f"{APP}/login", {"email": alice.email, "password": PASSWORD}, content_type="application/json")
    assert good.status_code != 200, "after many wrong ones the right one has to wait too"


def test_an_over_long_address_is_bad_input(db: None) -> None:
    answer = Client().post(f"{APP}/signup", {"email": "a" * 190 + "@example.org", "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 400
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        ("/accounts/account-login?next=/dashboards/", "/sign-in?next=%2Fdashboards%2F"),
        ("/accounts/account-reauthenticate?next=/settings", "/sign-in?reauthenticate=1&next=%2Fsettings"),
        ("/accounts/account-login?next=https://evil.example/", "/sign-in"),
        ("/accounts/account-login?next=//evil.example/", "/sign-in"),
        ("/accounts/account-login", "/sign-in"),
    ],
)
def test_sign_in_pages_are_the_web_apps_and_lead_nowhere_else(name: str, leads_to: str) -> None:
    answer = Client().get(name)
    assert (answer.status_code, answer["Location"]) == (302, leads_to)


def test_the_admin_has_no_door_of_its_own(db: None) -> None:
    answer = Client().get("/admin/login/?next=/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=%2Fadmin%2F")


def test_the_admin_takes_no_password_not_even_from_staff(staff: Any) -> None:
    one, boss = staff("support"), staff("admin")
    boss.set_password(PASSWORD)
    boss.save()
    Authenticator.objects.create(user=boss, type=Authenticator.Type.TOTP, data={"secret": "x"})
    browser = Client()
    browser.force_login(one, backend="django.contrib.auth.backends.ModelBackend")
    assert browser.post("/admin/login/", {"username": boss.email, "password": PASSWORD}).status_code == 405
    assert browser.session["_auth_user_id"] == str(one.pk)
    for method in (browser.get, browser.post):
        answer = method("/admin/password_change/")
        assert (answer.status_code, answer["Location"]) == (302, "/settings")


def authorise(browser: Client, scope: str = "openid profile email roles") -> Any:
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": "dashboards",
        "redirect_uri": CALLBACK,
        "scope": scope,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = browser.get("/identity/o/authorize", query)
    assert answer.status_code == 302, answer.content
    return answer["Location"], verifier


def tokens(browser: Client, **more: str) -> dict[str, Any]:
    location, verifier = authorise(browser, **more)
    code = parse_qs(urlsplit(location).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": "dashboards",
        "client_secret": "dash-secret",
        "code_verifier": verifier,
    }
    answer = browser.post("/identity/o/api/token", form)
    assert answer.status_code == 200, answer.content
    return answer.json()


def userinfo(access: str) -> Any:
    return Client().get("/identity/o/api/userinfo", HTTP_AUTHORIZATION=f"Bearer {access}")


def signed_in(user: User) -> Client:
    browser = Client()
    answer = browser.post(f"{BROWSER}/login", {"email": user.email, "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return browser


def test_the_dashboards_learn_who_somebody_is_and_their_roles(dashboards: OIDCClient, alice: User, sam: User) -> None:
    sam.groups.add(Group.objects.get_or_create(name="finance")[0])
    for user, roles in ((verified(alice), ["client"]), (verified(sam), ["staff", "finance", "moderator", "support"])):
        claims = userinfo(tokens(signed_in(user))["access_token"]).json()
        assert (claims["sub"], claims["name"], claims["email"], claims["roles"]) == (
            str(user.public_id),
            user.display_name,
            user.email,
            roles,
        )


def test_the_dashboards_see_no_staff_without_a_second_factor(dashboards: OIDCClient, sam: User, settings: Any) -> None:
    access = tokens(signed_in(verified(sam)))["access_token"]
    settings.STAFF_SECOND_FACTOR = True
    assert userinfo(access).json()["roles"] == []


def test_without_the_scope_no_roles_are_told(dashboards: OIDCClient, alice: User) -> None:
    claims = userinfo(tokens(signed_in(verified(alice)), scope="openid")["access_token"]).json()
    assert "roles" not in claims
    assert "email" not in claims


def test_nobody_is_led_to_the_web_apps_sign_in_and_back(dashboards: OIDCClient) -> None:
    location, _ = authorise(Client())
    assert location.startswith("/sign-in?next=/identity/o/authorize")


def test_a_deactivated_person_is_denied_at_the_next_question(dashboards: OIDCClient, alice: User) -> None:
    access = tokens(signed_in(verified(alice)))["access_token"]
    assert userinfo(access).status_code == 200
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert userinfo(access).status_code in (401, 403)


@pytest.mark.parametrize("end", ["logout", "password", "session"])
def test_tokens_end_with_what_they_were_given_under(dashboards: OIDCClient, alice: User, end: str) -> None:
    browser = signed_in(verified(alice))
    access = tokens(browser)["access_token"]
    assert userinfo(access).status_code == 200
    if end == "logout":
        assert browser.delete(f"{BROWSER}/session").status_code == 401
    elif end == "password":
        body = {"current_password": PASSWORD, "new_password": "another horse battery"}
        assert browser.post("/_allauth/browser/v1/account/password/change", body, content_type="application/json").status_code == 200
    else:
        UserSession.objects.create(user=alice, session_key="gone", ip="127.0.0.1", user_agent="x").delete()
    assert userinfo(access).status_code == 401
    assert Token.objects.filter(user=alice).count() == 0


def test_registering_the_client_twice_changes_only_what_is_new(dashboards: OIDCClient, settings: Any) -> None:
    secret = dashboards.secret
    call_command("ensure_oidc_client", "--id", "dashboards", "--redirect-uri", "http://testserver/other")
    dashboards.refresh_from_db()
    assert OIDCClient.objects.count() == 1
    assert dashboards.get_redirect_uris() == ["http://testserver/other"]
    assert (dashboards.secret, dashboards.check_secret("dash-secret"), dashboards.skip_consent) == (secret, True, True)
    settings.OIDC_DASHBOARDS_SECRET = ""
    with pytest.raises(CommandError, match="OPENLANCE_OIDC_DASHBOARDS_SECRET"):
        call_command("ensure_oidc_client", "--id", "other", "--redirect-uri", CALLBACK)


def test_what_allauth_promises_to_be_unique_is_unique_on_every_database(alice: User, bob: User) -> None:
    verified(alice)
    pairs = [
        lambda: EmailAddress.objects.create(user=bob, email=alice.email, verified=True, primary=False),
        lambda: EmailAddress.objects.create(user=alice, email="second@example.org", verified=False, primary=True),
        lambda: [Authenticator.objects.create(user=alice, type="totp", data={}) for _ in range(2)],
    ]
    for duplicate in pairs:
        with pytest.raises(IntegrityError), transaction.atomic():
            duplicate()
    EmailAddress.objects.create(user=bob, email=alice.email, verified=False, primary=False)
    for _ in range(2):
        Authenticator.objects.create(user=alice, type="webauthn", data={})


def test_the_staff_groups_are_there(db: None) -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= set(STAFF_GROUPS)
