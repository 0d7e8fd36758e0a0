"""The times of signing in, which allauth and Django keep: open to the last second, shut afterwards, with nothing done by whoever comes late.

Codes, links and a sign-in under way still count at their very last instant; a fresh proof and a session do not. How long each lasts is written
here, so that a new version of allauth does not change it unseen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings as configured
from django.core import mail
from django.core.cache import cache
from django.db import transaction

from marketplace.accounts.models import User
from tests.webapp.clocks.table import DAY, HOUR, MINUTE, SECOND, Edge, House, edges_of, now
from tests.webapp.signing import AUTH, Caller, prove_again, set_up_totp, sign_in, totp_code, verified

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "a quite different horse"


@dataclass(frozen=True, slots=True)
class Armed:
    """What is tried, which says whether it took effect; since when its time runs, if that is not the present."""

    attempt: Callable[[], bool]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A row. `lasts` is how long it still works; with `last` also at that very instant."""

    name: str
    arrange: Callable[[House], Armed]
    lasts: timedelta
    last: bool = False
    lead: timedelta = timedelta(0)


@pytest.fixture(autouse=True)
def no_old_rate_limits(settings: Any) -> None:
    """A cache of this test's own: the one that tests share holds attempts of other times."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "sign-in-windows"}}
    cache.clear()


def _code() -> str:
    """The code in the newest letter."""
    found = re.search(r"^([A-Z0-9-]{6,9})$", mail.outbox[-1].body, re.M)
    assert found, mail.outbox[-1].body
    return found.group(1)


def _reset_key(h: House) -> str:
    assert Caller().post(f"{AUTH}/auth/password/request", {"email": verified(h.bob).email}).status_code == 200
    found = re.search(r"/password-reset/(\S+)", mail.outbox[-1].body)
    assert found, mail.outbox[-1].body
    return found.group(1)


def reset_link(h: House) -> Armed:
    key = _reset_key(h)

    def attempt() -> bool:
        Caller().post(f"{AUTH}/auth/password/reset", {"key": key, "password": NEW_PASSWORD})
        return User.objects.get(pk=h.bob.pk).check_password(NEW_PASSWORD)

    return Armed(attempt)


def reset_link_shown(h: House) -> Armed:
    key = _reset_key(h)
    return Armed(lambda: Caller().get(f"{AUTH}/auth/password/reset", HTTP_X_PASSWORD_RESET_KEY=key).status_code == 200)


def _proves(app: Caller, email: str) -> Callable[[], bool]:
    code = _code()

    def attempt() -> bool:
        app.post(f"{AUTH}/auth/email/verify", {"key": code})
        return EmailAddress.objects.filter(email=email, verified=True).exists()

    return attempt


def code_of_a_newcomer(h: House) -> Armed:
    h.bob  # noqa: B018  (the house has people)
    app = Caller()
    pending = app.post(f"{AUTH}/auth/signup", {"email": "dana@example.org", "password": NEW_PASSWORD})
    assert pending.status_code == 401
    app.headers["HTTP_X_SESSION_TOKEN"] = pending.json()["meta"]["session_token"]
    return Armed(_proves(app, "dana@example.org"))


def code_of_another_address(h: House) -> Armed:
    app = sign_in(h.bob)
    prove_again(app)
    assert app.post(f"{AUTH}/account/email", {"email": "bob@example.net"}).status_code == 200
    return Armed(_proves(app, "bob@example.net"))


def fresh_proof_at_the_door(h: House) -> Armed:
    """allauth asks for it before an address is added."""
    app = sign_in(h.bob)
    prove_again(app)
    return Armed(lambda: app.post(f"{AUTH}/account/email", {"email": "bob@example.net"}).status_code == 200)


def fresh_proof_of_ours(h: House) -> Armed:
    """We ask for it, where no password is sent, before an account is closed."""
    app = sign_in(h.bob)
    prove_again(app)
    return Armed(lambda: app.post("me/close", {"reason": "I found a job."}).status_code < 300)


def second_factor(h: House) -> Armed:
    """The password was right; the code of the second factor is still to come."""
    secret = set_up_totp(sign_in(h.bob))
    h.wait(MINUTE)  # a code is good for one use
    app = Caller()
    pending = app.post(f"{AUTH}/auth/login", {"email": h.bob.email, "password": "correct horse battery"})
    assert pending.status_code == 401
    app.headers["HTTP_X_SESSION_TOKEN"] = pending.json()["meta"]["session_token"]
    return Armed(lambda: app.post(f"{AUTH}/auth/2fa/authenticate", {"code": totp_code(secret)}).status_code == 200)


def session_of_an_app(h: House) -> Armed:
    app = sign_in(h.bob)
    return Armed(lambda: app.get("me").status_code == 200)


def session_of_a_browser(h: House) -> Armed:
    """There is no “remember me”: every session lasts as long, and its cookie says so."""
    browser = Caller()
    login = {"email": verified(h.bob).email, "password": "correct horse battery"}
    assert browser.post("/_allauth/browser/v1/auth/login", login).status_code == 200
    assert browser.client.cookies[configured.SESSION_COOKIE_NAME]["max-age"] == 14 * DAY / SECOND
    return Armed(lambda: browser.get("me").status_code == 200)


def session_listed(h: House) -> Armed:
    """On the page of another session, which was begun a day later."""
    sign_in(h.bob)
    since, first = now(), UserSession.objects.get().pk
    h.wait(DAY)
    other = sign_in(h.bob)
    return Armed(lambda: first in [row["id"] for row in other.get("me/sessions").json()["results"]], since)


LIMITS = [
    Limit("password-reset-link", reset_link, 3 * DAY, last=True),
    Limit("password-reset-link-shown", reset_link_shown, 3 * DAY, last=True),
    Limit("email-code-of-a-newcomer", code_of_a_newcomer, 15 * MINUTE, last=True),
    Limit("email-code-of-another-address", code_of_another_address, 15 * MINUTE, last=True),
    Limit("fresh-proof-at-the-door", fresh_proof_at_the_door, 5 * MINUTE),
    Limit("fresh-proof-of-ours", fresh_proof_of_ours, 5 * MINUTE),
    Limit("second-factor", second_factor, 15 * MINUTE, last=True, lead=MINUTE),
    Limit("session-of-an-app", session_of_an_app, 14 * DAY),
    Limit("session-of-a-browser", session_of_a_browser, 14 * DAY),
    Limit("session-listed", session_listed, 14 * DAY),
]
CASES = [pytest.param(row, edge, id=f"{row.name}-{edge.name}") for i, row in enumerate(LIMITS) for edge in edges_of(row.lasts, i)]


@pytest.mark.parametrize(("row", "edge"), CASES)
def test_works_to_the_last_second_and_not_afterwards(house: House, row: Limit, edge: Edge) -> None:
    house.open((edge.at - row.lasts / 2).replace(microsecond=0) - row.lead, edge)
    armed = row.arrange(house)
    shuts = (armed.since or now()) + row.lasts + (SECOND if row.last else timedelta(0))
    assert now() <= edge.at < shuts, "the edge lies within the time"

    def succeeds() -> bool:
        """Tried and, if it took effect, taken back."""
        with transaction.atomic():
            if done := armed.attempt():
                transaction.set_rollback(True)
        return done

    house.go(shuts - SECOND)
    assert succeeds()
    house.go(shuts)
    for _ in range(2):
        assert not succeeds()
    house.wait(HOUR)
    assert not succeeds()
