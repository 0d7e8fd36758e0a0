"""An account from its sign-up to its suspension, over HTTP: passwords, second factors, sessions, programs, and staff's desk."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.core.cache import cache

from config.settings import base
from marketplace.accounts import pace, tasks
from marketplace.accounts.models import ApiToken, Impersonation, Suspension, User
from marketplace.contracts import tasks as contract_tasks
from marketplace.contracts.models import Milestone
from marketplace.core import clock
from marketplace.core.models import Event, IdempotencyRecord
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from tests.webapp.signing import AUTH, PASSWORD, Caller, program, prove_again, set_up_totp, sign_in, totp_code, verified

OTHER = "another horse battery"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


@pytest.fixture(autouse=True)
def nothing_from_before(settings: Any) -> None:
    """A cache of this test's own, whose used-up rate limits nobody else clears, no marks of this minute, and an authenticator app whose
    clock may be half a minute off."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "identity"}}
    cache.clear()
    pace.forget()
    settings.MFA_TOTP_TOLERANCE = 1
    settings.STAFF_SECOND_FACTOR = True


def mailed(pattern: str) -> str:
    found = re.search(pattern, mail.outbox[-1].body, re.M)
    assert found, mail.outbox[-1].body
    return found.group(1)


def first_error(answer: Any) -> str:
    return str(answer.json()["errors"][0]["code"])


def admitted(person: Caller) -> int:
    return int(person.get("me").status_code)


# ---- passwords and second factors -------------------------------------------------------------------------------------------------


def test_sign_up_with_a_mailed_code_keeps_the_password_under_argon2(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    app = Caller()
    pending = app.post(f"{AUTH}/auth/signup", {"email": "dana@example.org", "password": PASSWORD})
    assert pending.status_code == 401
    app.headers["HTTP_X_SESSION_TOKEN"] = pending.json()["meta"]["session_token"]
    assert admitted(app) == 401, "the address is not proven yet"
    assert app.post(f"{AUTH}/auth/email/verify", {"key": "WRONG1"}).status_code == 400
    assert admitted(app) == 401
    done = app.post(f"{AUTH}/auth/email/verify", {"key": mailed(r"^([A-Z0-9-]{6,9})$")})
    assert done.status_code == 200
    app.headers["HTTP_X_SESSION_TOKEN"] = done.json()["meta"].get("session_token", app.headers["HTTP_X_SESSION_TOKEN"])
    assert app.get("me").json()["email"] == "dana@example.org"
    assert User.objects.get().password.startswith("argon2$argon2id$")


@pytest.mark.parametrize("bad", ["short", "password123", "1234567890123"])
def test_a_weak_password_is_refused(db: None, bad: str) -> None:
    assert Caller().post(f"{AUTH}/auth/signup", {"email": "dana@example.org", "password": bad}).status_code == 400
    assert not User.objects.exists()


def test_a_changed_password_ends_every_other_session_and_is_told_by_mail(alice: Any) -> None:
    here, phone = sign_in(alice), sign_in(alice, agent=PHONE)
    refused = here.post(f"{AUTH}/account/password/change", {"current_password": "not mine", "new_password": OTHER})
    assert (refused.status_code, admitted(phone)) == (400, 200)
    changed = here.post(f"{AUTH}/account/password/change", {"current_password": PASSWORD, "new_password": OTHER})
    assert changed.status_code == 200
    here.headers["HTTP_X_SESSION_TOKEN"] = changed.json()["meta"].get("session_token", here.headers["HTTP_X_SESSION_TOKEN"])
    assert (admitted(here), admitted(phone)) == (200, 401)
    assert UserSession.objects.filter(user=alice).count() == 1
    assert "password" in mail.outbox[-1].body.lower()
    assert sign_in(alice, OTHER).get("me").status_code == 200


def test_a_reset_password_ends_every_session(alice: Any) -> None:
    here = sign_in(alice)
    assert Caller().post(f"{AUTH}/auth/password/request", {"email": alice.email}).status_code == 200
    key = mailed(r"/password-reset/(\S+)")
    assert Caller().post(f"{AUTH}/auth/password/reset", {"key": "made-up", "password": OTHER}).status_code == 400
    assert admitted(here) == 200
    Caller().post(f"{AUTH}/auth/password/reset", {"key": key, "password": OTHER})
    assert admitted(here) == 401
    assert not UserSession.objects.filter(user=alice).exists()
    assert Caller().post(f"{AUTH}/auth/password/reset", {"key": key, "password": PASSWORD}).status_code == 400, "a key is good once"
    assert Caller().post(f"{AUTH}/auth/login", {"email": alice.email, "password": PASSWORD}).status_code == 400
    assert admitted(sign_in(alice, OTHER)) == 200


def test_asking_for_a_reset_does_not_tell_who_is_here(alice: Any) -> None:
    verified(alice)
    answers = [Caller().post(f"{AUTH}/auth/password/request", {"email": e}) for e in (alice.email, "nobody@example.org")]
    assert answers[0].status_code == answers[1].status_code == 200
    assert answers[0].json() == answers[1].json()


def test_sign_in_asks_for_the_second_factor_and_takes_each_recovery_code_once(alice: Any) -> None:
    app, elsewhere = sign_in(alice), sign_in(alice)
    secret = set_up_totp(app)
    assert (admitted(app), admitted(elsewhere)) == (200, 401), "a session that never proved the factor ends"
    codes = app.get(f"{AUTH}/account/authenticators/recovery-codes").json()["data"]["unused_codes"]
    assert len(codes) == 10

    def with_code(code: str) -> Any:
        fresh = Caller()
        pending = fresh.post(f"{AUTH}/auth/login", {"email": alice.email, "password": PASSWORD})
        assert pending.status_code == 401
        fresh.headers["HTTP_X_SESSION_TOKEN"] = pending.json()["meta"]["session_token"]
        assert admitted(fresh) == 401, "the password alone opens nothing"
        return fresh.post(f"{AUTH}/auth/2fa/authenticate", {"code": code})

    code = totp_code(secret)
    assert with_code("000000" if code != "000000" else "111111").status_code == 400
    assert with_code(code).status_code == 200
    assert with_code(code).status_code == 400, "a code is good once"
    assert with_code(codes[0]).status_code == 200
    assert with_code(codes[0]).status_code == 400


def test_a_passkey_can_be_registered_and_asked_for(alice: Any) -> None:
    app = sign_in(alice)
    prove_again(app)
    options = app.get(f"{AUTH}/account/authenticators/webauthn").json()["data"]["creation_options"]["publicKey"]
    assert options["user"]["name"] and len(options["challenge"]) > 20
    assert app.post(f"{AUTH}/account/authenticators/webauthn", {"name": "Key", "credential": {}}).status_code == 400
    assert not Authenticator.objects.exists()
    asked = Caller().get(f"{AUTH}/auth/webauthn/login").json()["data"]["request_options"]["publicKey"]
    assert asked["challenge"] != options["challenge"]


def test_an_address_is_added_chosen_and_removed_only_after_a_fresh_proof(alice: Any) -> None:
    app = sign_in(alice)
    session = SessionStore(app.headers["HTTP_X_SESSION_TOKEN"])
    for method in session["account_authentication_methods"]:
        method["at"] -= 301
    session.save()
    EmailAddress.objects.create(user=alice, email="second@example.org", verified=True)
    before = sorted(EmailAddress.objects.values_list("email", "primary", "verified"))
    route, kept = f"{AUTH}/account/email", {"email": "second@example.org"}
    stale = [
        app.post(route, {"email": "thief@example.org"}),
        app.call("patch", route, {**kept, "primary": True}),
        app.call("delete", route, kept),
    ]
    for answer in stale:
        assert answer.status_code == 401, answer.content
        assert {"reauthenticate"} <= {flow["id"] for flow in answer.json()["data"]["flows"]}
    assert sorted(EmailAddress.objects.values_list("email", "primary", "verified")) == before
    assert not mail.outbox
    prove_again(app)
    assert app.post(route, {"email": "third@example.org"}).status_code == 200
    assert app.call("delete", route, {"email": "third@example.org"}).status_code == 200
    assert app.call("patch", route, {**kept, "primary": True}).status_code == 200
    assert EmailAddress.objects.get(primary=True).email == "second@example.org"


def test_guessing_locks_out_for_a_while_even_with_the_right_password(alice: Any) -> None:
    verified(alice)
    codes = [first_error(Caller().post(f"{AUTH}/auth/login", {"email": alice.email, "password": f"guess {i}"})) for i in range(7)]
    assert codes[0] == "email_password_mismatch"
    assert codes[-1] == "too_many_login_attempts"
    right = Caller().post(f"{AUTH}/auth/login", {"email": alice.email, "password": PASSWORD})
    assert (right.status_code, first_error(right)) == (400, "too_many_login_attempts")


def test_signing_up_in_bulk_is_slowed_down(db: None) -> None:
    found = {Caller().post(f"{AUTH}/auth/signup", {"email": f"d{i}@example.org", "password": "short"}).status_code for i in range(22)}
    assert found == {400, 429}


# ---- sessions ---------------------------------------------------------------------------------------------------------------------


def test_a_person_sees_where_they_are_signed_in_and_ends_it(alice: Any, bob: Any) -> None:
    here, phone, third, stranger = sign_in(alice), sign_in(alice, agent=PHONE), sign_in(alice), sign_in(bob)
    listed = here.get("me/sessions").json()["results"]
    assert [(s["device"], s["current"]) for s in listed] == [
        ("Firefox on Linux", False),
        ("Safari on iPhone", False),
        ("Firefox on Linux", True),
    ]
    phones = next(s["id"] for s in listed if "iPhone" in s["device"])
    assert stranger.delete(f"me/sessions/{phones}").status_code == 404
    assert admitted(phone) == 200
    assert here.delete(f"me/sessions/{phones}").status_code == 204
    assert (admitted(phone), admitted(here)) == (401, 200)
    assert here.delete(f"me/sessions/{phones}").status_code == 404
    assert here.post("me/sessions/end").json() == {"ended": 1}
    assert [admitted(x) for x in (third, here, stranger)] == [401, 200, 200]
    assert here.post("me/sessions/end", {"keep_current": False}).json() == {"ended": 1}
    assert admitted(here) == 401


def test_last_seen_moves_once_a_minute(alice: Any) -> None:
    app = sign_in(alice)
    pace.forget()
    UserSession.objects.update(last_seen_at="2020-01-01T00:00:00Z")
    first = app.get("me/sessions").json()["results"][0]["last_seen_at"]
    assert first > "2026"
    UserSession.objects.update(last_seen_at="2020-01-01T00:00:00Z")
    assert app.get("me/sessions").json()["results"][0]["last_seen_at"] < "2021", "within the minute nothing is written"
    pace.forget()
    assert app.get("me/sessions").json()["results"][0]["last_seen_at"] > "2026"


def test_the_browsers_cookie_is_a_session_like_any_other(alice: Any) -> None:
    browser = Caller()
    answer = browser.post("/_allauth/browser/v1/auth/login", {"email": verified(alice).email, "password": PASSWORD})
    assert answer.status_code == 200
    (listed,) = browser.get("me/sessions").json()["results"]
    assert listed["current"] is True
    assert sign_in(alice).post("me/sessions/end").json() == {"ended": 1}
    assert admitted(browser) == 401


def test_the_list_of_sessions_costs_the_same_however_many_there_are(alice: Any, django_assert_max_num_queries: Any) -> None:
    app = sign_in(alice)
    for _ in range(6):
        sign_in(alice)
        cache.clear()
    app.get("me/sessions")
    with django_assert_max_num_queries(4):
        assert len(app.get("me/sessions").json()["results"]) == 7


# ---- programs ---------------------------------------------------------------------------------------------------------------------


def make_token(app: Caller, *scopes: str, **more: Any) -> Any:
    answer = app.post("me/tokens", {"name": "Time tracker", "scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_program_does_what_its_scopes_say_and_touches_no_security_settings(alice: Any, submitted: Milestone, settings: Any) -> None:
    app = sign_in(alice)
    reader, writer, payer = (make_token(app, *s) for s in (["read"], ["read", "write"], ["read", "write", "money"]))
    for made in (reader, writer, payer):
        assert program(made["token"]).get("me").json()["id"] == alice.pk
    change = {"display_name": "Alice B."}
    refused = program(reader["token"]).patch("me", change)
    assert (refused.status_code, refused.json()["code"]) == (403, "token_scope")
    assert program(writer["token"]).patch("me", change).json()["display_name"] == "Alice B."
    approve = f"milestones/{submitted.pk}/approve"
    refused = program(writer["token"]).post(approve)
    assert (refused.status_code, refused.json()["code"]) == (403, "token_scope")
    submitted.refresh_from_db()
    assert submitted.state == "submitted"
    for method, path in (
        ("post", "me/tokens"),
        ("get", "me/tokens"),
        ("get", "me/sessions"),
        ("post", "me/sessions/end"),
        ("get", "audit"),
    ):
        closed = program(payer["token"]).call(method, path, {"name": "Another", "scopes": ["money"]})
        assert (closed.status_code, closed.json()["code"]) == (403, "token_closed"), path
    assert ApiToken.objects.count() == 3
    assert program(payer["token"]).post(approve).status_code == 200
    assert Milestone.objects.get(pk=submitted.pk).state == "released"


def test_a_secret_is_told_once_and_kept_as_a_digest(alice: Any) -> None:
    app = sign_in(alice)
    body = {"name": "Time tracker", "scopes": ["read"]}
    first = app.post("me/tokens", body, HTTP_IDEMPOTENCY_KEY="once").json()
    again = app.post("me/tokens", body, HTTP_IDEMPOTENCY_KEY="once")
    assert (again.json()["id"], again.json()["token"], again["Idempotent-Replayed"]) == (first["id"], None, "true")
    (listed,) = app.get("me/tokens").json()["results"]
    assert "token" not in listed and listed["prefix"] == first["token"][:12]
    row = ApiToken.objects.get()
    kept = [
        *row.__dict__.values(),
        *IdempotencyRecord.objects.values_list("response_body", flat=True),
        *Event.objects.values_list("after", flat=True),
    ]
    assert first["token"][12:] not in repr(kept)


def test_a_token_ends_at_its_hour_when_revoked_and_with_everything(alice: Any, bob: Any, days: Callable[[float], Any]) -> None:
    app = sign_in(alice)
    short, revoked, kept = make_token(app, "read", days=1), make_token(app, "read"), make_token(app, "read")
    assert sign_in(bob).delete(f"me/tokens/{revoked['id']}").status_code == 404
    assert app.delete(f"me/tokens/{revoked['id']}").status_code == 204
    assert app.delete(f"me/tokens/{revoked['id']}").status_code == 404
    gone = program(revoked["token"]).get("me")
    assert (gone.status_code, gone.json()["code"]) == (401, "token_invalid")
    assert admitted(program("olp_" + "x" * 43)) == 401
    expires = ApiToken.objects.get(pk=short["id"]).expires_at
    days((expires - clock.now()) / timedelta(days=1) - 10 / 86_400)
    assert admitted(program(short["token"])) == 200
    days(13 / 86_400)
    assert admitted(program(short["token"])) == 401
    assert [t["id"] for t in app.get("me/tokens").json()["results"]] == [kept["id"]]
    app.post("me/sessions/end", {"keep_current": True, "with_tokens": True})
    assert (admitted(program(kept["token"])), admitted(app)) == (401, 200)


def test_when_a_token_was_used_is_kept(alice: Any) -> None:
    app = sign_in(alice)
    made = make_token(app, "read")
    assert app.get("me/tokens").json()["results"][0]["last_used_at"] is None
    program(made["token"]).get("me")
    assert app.get("me/tokens").json()["results"][0]["last_used_at"] is not None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
        ({"days": 10**40}, "days"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 81}, "name"),
    ],
    ids=["none", "unknown", "no-time", "too-long", "huge", "nameless", "nul", "long-name"],
)
def test_a_wrong_wish_for_a_token_names_the_field(alice: Any, wrong: dict[str, Any], field: str) -> None:
    answer = sign_in(alice).post("me/tokens", {"name": "Time tracker", "scopes": ["read"], **wrong})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not ApiToken.objects.exists()


def test_there_is_a_most_of_tokens(alice: Any, settings: Any) -> None:
    settings.API_TOKENS_MOST = 2
    app = sign_in(alice)
    first = make_token(app, "read")
    make_token(app, "read")
    answer = app.post("me/tokens", {"name": "One more", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "token_limit")
    app.delete(f"me/tokens/{first['id']}")
    make_token(app, "read")


# ---- staff ------------------------------------------------------------------------------------------------------------------------


def staff_session(user: Any) -> Caller:
    """A session of staff who have set up their second factor in it."""
    app = sign_in(user)
    set_up_totp(app)
    return app


def test_staff_without_a_second_factor_open_only_the_way_to_set_one_up(staff: Callable[[str], Any], settings: Any) -> None:
    sam = staff("admin")
    app, browser = sign_in(sam), Caller()
    browser.post("/_allauth/browser/v1/auth/login", {"email": sam.email, "password": PASSWORD})
    for method, path in (("get", "audit"), ("get", "me/sessions"), ("patch", "me"), ("get", "jobs"), ("post", "clock/advance")):
        refused = app.call(method, path, {"display_name": "x"})
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required"), path
    assert admitted(app) == 200, "the web app learns who it is, and what is missing"
    led = browser.get("/admin/")
    assert (led.status_code, led["Location"]) == (302, "/settings?second_factor_required=1")
    assert browser.get("/identity/o/authorize?client_id=x")["Location"] == led["Location"]
    set_up_totp(app)
    assert app.get("audit").status_code == 200
    assert admitted(browser) == 401, "a session opened without the factor ends with its set-up"
    Authenticator.objects.all().delete()
    assert app.get("audit").status_code == 403
    settings.STAFF_SECOND_FACTOR = False
    assert app.get("audit").status_code == 200


def test_a_program_never_acts_as_staff(alice: Any, staff: Callable[[str], Any]) -> None:
    secret = make_token(sign_in(alice), "read", "write", "money")["token"]
    boss = staff_session(staff("admin"))
    assert boss.post("me/tokens", {"name": "x", "scopes": ["read"]}).json()["code"] == "token_staff"
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    refused = program(secret).get("me")
    assert (refused.status_code, refused.json()["code"]) == (403, "token_staff")


def test_an_admin_arranges_groups_and_everything_is_audited(alice: Any, staff: Callable[[str], Any]) -> None:
    boss, sam = staff_session(staff("admin")), staff("support")
    desk = staff_session(sam)
    groups = {g["name"]: g for g in boss.get("staff/groups").json()["results"]}
    support = groups["support"]
    assert "account_manage" in support["actions"] and "groups_change" not in support["actions"]
    assert desk.put(f"staff/people/{sam.pk}", {"groups": ["admin"], "reason": "Me!"}).status_code == 403

    assert desk.post(f"staff/users/{alice.pk}/suspend", {"reason": "x"}).status_code == 200
    assert desk.post(f"staff/users/{alice.pk}/restore", {"reason": "x"}).status_code == 200
    fewer = [a for a in support["actions"] if a != "account_manage"]
    changed = boss.put(f"staff/groups/{support['id']}", {"actions": fewer, "reason": "Moderation does it."})
    assert (changed.status_code, changed.json()["actions"]) == (200, sorted(fewer))
    assert desk.post(f"staff/users/{alice.pk}/suspend", {"reason": "x"}).status_code == 403
    acts = boss.get("audit").json()["results"]
    assert [(a["field"], a["before"], a["after"], a["reason"]) for a in acts[:1]] == [
        ("account_manage", True, False, "Moderation does it.")
    ]

    session, secret = sign_in(alice), make_token(sign_in(alice), "read")["token"]
    made = boss.put(f"staff/people/{alice.pk}", {"groups": ["moderator"], "reason": "Starts today."})
    assert made.json()["groups"] == ["moderator"]
    assert (admitted(session), admitted(program(secret))) == (401, 401), "who becomes staff signs in again"
    assert alice.pk in [p["id"] for p in boss.get("staff/people").json()["results"]]
    fields = {(a["field"], repr(a["after"])) for a in boss.get("audit").json()["results"][:2]}
    assert fields == {("is_staff", "True"), ("groups", "['moderator']")}
    gone = boss.put(f"staff/people/{alice.pk}", {"groups": [], "reason": "Left."}).json()
    assert gone["groups"] == [] and not User.objects.get(pk=alice.pk).is_staff


def test_a_superuser_answers_to_superusers_only(committed_db: None, staff: Callable[[str], Any]) -> None:
    chief, root = staff("admin"), User.objects.create_superuser("root@staff.example.org", PASSWORD, display_name="Root")
    boss = staff_session(chief)
    refused = boss.post(f"staff/users/{root.pk}/suspend", {"reason": "A quarrel."})
    assert (refused.status_code, refused.json()["code"]) == (403, "superuser")
    root.refresh_from_db()
    assert root.is_active and not Suspension.objects.exists()
    User.objects.filter(pk=chief.pk).update(is_superuser=True)
    assert boss.post(f"staff/users/{root.pk}/suspend", {"reason": "The key was lost."}).status_code == 200
    User.objects.filter(pk=chief.pk).update(is_superuser=False)
    assert boss.post(f"staff/users/{root.pk}/restore", {"reason": "A friend."}).json()["code"] == "superuser"


def test_the_last_admin_is_not_locked_out(committed_db: None, staff: Callable[[str], Any]) -> None:
    chief = staff("admin")
    boss = staff_session(chief)
    admin = next(g for g in boss.get("staff/groups").json()["results"] if g["name"] == "admin")
    for answer in (
        boss.put(f"staff/people/{chief.pk}", {"groups": ["support"], "reason": "x"}),
        boss.put(f"staff/people/{chief.pk}", {"groups": [], "reason": "x"}),
        boss.put(f"staff/groups/{admin['id']}", {"actions": ["audit_see"], "reason": "x"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert boss.post(f"staff/users/{chief.pk}/suspend", {"reason": "x"}).json()["code"] == "suspend_self"
    assert boss.get("audit").json()["results"] == [], "nothing of it has happened"
    assert User.objects.get(pk=chief.pk).groups.get().name == "admin"
    other = User.objects.create_user("second@staff.example.org", PASSWORD, display_name="Second")
    assert boss.put(f"staff/people/{other.pk}", {"groups": ["admin"], "reason": "Two of us."}).status_code == 200
    assert boss.put(f"staff/people/{chief.pk}", {"groups": ["support"], "reason": "Enough."}).status_code == 200


@pytest.mark.parametrize("banned", ["client", "freelancer"])
def test_a_ban_while_money_is_held_keeps_it_held_and_the_clocks_running(
    banned: str, alice: Any, bob: Any, staff: Callable[[str], Any], submitted: Milestone, days: Callable[[float], Any]
) -> None:
    """The client banned: silence approves. The freelancer banned: the client approves as ever. The books balance (see conftest)."""
    person = alice if banned == "client" else bob
    app, token = sign_in(person), make_token(sign_in(person), "read")["token"]
    desk = staff_session(staff("support"))
    answer = desk.post(f"staff/users/{person.pk}/suspend", {"reason": "Asked to be paid outside. ✓ العربية"})
    assert answer.status_code == 200
    assert (admitted(app), admitted(program(token))) == (401, 401)
    refused = Caller().post(f"{AUTH}/auth/login", {"email": person.email, "password": PASSWORD})
    assert (refused.status_code, first_error(refused)) == (403, "account_suspended")
    assert "Asked to be paid outside. ✓ العربية" in refused.json()["errors"][0]["message"]
    wrong = Caller().post(f"{AUTH}/auth/login", {"email": person.email, "password": "guess"})
    assert first_error(wrong) == "email_password_mismatch", "only who knows the password learns of it"
    submitted.refresh_from_db()
    assert submitted.state == "submitted", "nothing has moved"
    if banned == "client":
        days(14.001)
        assert contract_tasks.auto_approve_due() == 1
    else:
        assert sign_in(alice).post(f"milestones/{submitted.pk}/approve").status_code == 200
    assert Milestone.objects.get(pk=submitted.pk).state == "released"
    again = desk.post(f"staff/users/{person.pk}/suspend", {"reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "already_suspended")
    assert desk.post(f"staff/users/{person.pk}/restore", {"reason": "It was another account."}).status_code == 200
    assert admitted(sign_in(person)) == 200
    assert admitted(program(token)) == 401, "tokens do not come back"
    drain()
    told = InboxItem.objects.filter(user=person, kind__startswith="account.").order_by("id").values_list("kind", flat=True)
    assert list(told) == ["account.suspend", "account.restore"]


def test_support_suspends_no_staff(staff: Callable[[str], Any]) -> None:
    desk, finance = staff_session(staff("support")), staff("finance")
    assert desk.post(f"staff/users/{finance.pk}/suspend", {"reason": "x"}).status_code == 403
    assert staff_session(staff("admin")).post(f"staff/users/{finance.pk}/suspend", {"reason": "x"}).status_code == 200


def test_staff_act_as_somebody_with_a_reason_a_trace_and_no_money(
    alice: Any, bob: Any, staff: Callable[[str], Any], submitted: Milestone, days: Callable[[float], Any]
) -> None:
    desk, other = staff_session(staff("support")), staff_session(staff("admin"))
    assert desk.post("staff/impersonations", {"user_id": alice.pk, "reason": " "}).status_code == 400
    started = desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "Ticket 481."}).json()
    acting = desk.acting(started["id"])
    seen = acting.get("me")
    assert (seen.json()["id"], seen["X-Impersonating"]) == (alice.pk, str(alice.pk))
    assert desk.get("me").json()["id"] != alice.pk, "without the header staff are themselves"
    assert acting.patch("me", {"display_name": "Alice A."}).status_code == 200
    for method, path in (
        ("post", f"milestones/{submitted.pk}/approve"),
        ("post", "me/payouts"),
        ("post", "me/tokens"),
        ("get", "me/sessions"),
        ("post", "me/sessions/end"),
        ("get", "staff/groups"),
        ("post", "staff/impersonations"),
    ):
        refused = acting.call(method, path, {"name": "x", "scopes": ["money"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "impersonation_forbidden"), path
    for thief in (other.acting(started["id"]), sign_in(bob).acting(started["id"]), desk.acting(started["id"] + 1)):
        assert thief.get("me").json()["code"] == "impersonation_over"
    requests = other.get(f"staff/impersonations/{started['id']}/requests").json()["results"]
    assert [(r["method"], r["path"], r["status"]) for r in reversed(requests)][:3] == [
        ("GET", "/api/v1/me", 200),
        ("PATCH", "/api/v1/me", 200),
        ("POST", f"/api/v1/milestones/{submitted.pk}/approve", 403),
    ]
    assert len(requests) == 9
    ended = desk.post(f"staff/impersonations/{started['id']}/end")
    assert ended.json()["ended_at"]
    assert acting.get("me").json()["code"] == "impersonation_over"
    drain()
    (told,) = InboxItem.objects.filter(user=alice, kind="account.impersonate_end")
    assert "Ticket 481." in told.text
    assert any(a["action"] == "account_impersonate" and a["object_id"] == alice.pk for a in other.get("audit").json()["results"])


def test_the_trace_holds_methods_that_nobody_knows(alice: Any, staff: Callable[[str], Any]) -> None:
    desk = staff_session(staff("support"))
    started = desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "Ticket 481."}).json()
    acting = desk.acting(started["id"])
    assert acting.client.generic("UNHEARDOF", "/api/v1/me", **acting.headers).status_code == 405
    assert desk.get(f"staff/impersonations/{started['id']}/requests").json()["results"][0]["method"] == "UNHEARDO"


def test_an_impersonation_ends_by_itself_once(alice: Any, staff: Callable[[str], Any], days: Callable[[float], Any]) -> None:
    desk = staff_session(staff("support"))
    started = desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "Ticket 481."}).json()
    expires = Impersonation.objects.get(pk=started["id"]).expires_at
    days((expires - clock.now()) / timedelta(days=1) - 10 / 86_400)
    assert desk.acting(started["id"]).get("me").status_code == 200
    assert tasks.end_due_impersonations() == 0
    days(13 / 86_400)
    assert desk.acting(started["id"]).get("me").status_code == 403
    assert (tasks.end_due_impersonations(), tasks.end_due_impersonations()) == (1, 0)
    assert Event.objects.filter(kind="account.impersonate_end").count() == 1


def test_nobody_acts_as_staff_or_as_somebody_who_is_shut_out(alice: Any, staff: Callable[[str], Any]) -> None:
    desk = staff_session(staff("support"))
    started = desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "Ticket 481."}).json()
    assert desk.post(f"staff/users/{alice.pk}/suspend", {"reason": "x"}).status_code == 200
    assert desk.acting(started["id"]).get("me").json()["code"] == "impersonation_over"
    assert desk.post("staff/impersonations", {"user_id": alice.pk, "reason": "x"}).json()["code"] == "account_inactive"
    boss = staff("admin")
    assert desk.post("staff/impersonations", {"user_id": boss.pk, "reason": "x"}).json()["code"] == "impersonate_staff"
