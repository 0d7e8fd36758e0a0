"""What is no passkey is told so, wherever one is sent: to add one, to sign in with one, as a second factor, and to prove oneself again."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache

from tests.webapp.signing import AUTH, PASSWORD, Caller, prove_again, set_up_totp, sign_in

BROWSER = "/_allauth/browser/v1"


def coded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def credential(response: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "AA", "rawId": "AA", "type": "public-key", "response": {} if response is None else response, **more}


def answer_of(handle: Any) -> dict[str, Any]:
    """What reads like a proof of somebody with this handle."""
    said = coded(json.dumps({"type": "webauthn.get", "challenge": "AA", "origin": "https://x.example"}).encode())
    return credential({"clientDataJSON": said, "authenticatorData": coded(b"\x00" * 37), "signature": "AA", "userHandle": handle})


BROKEN: dict[str, Any] = {
    "nothing": None,
    "empty": {},
    "text": "text",
    "number": 7,
    "list": [1],
    "no-response": credential(),
    "text-for-a-response": credential("text"),
    "list-for-a-response": credential([1]),
    "wrong-types": {"id": 7, "rawId": [], "type": None, "response": {}},
    "numbers": credential({"clientDataJSON": 7, "attestationObject": 7, "authenticatorData": 7, "signature": 7}),
    "nulls": credential({"clientDataJSON": None, "attestationObject": None, "authenticatorData": None, "signature": None}),
    "no-base64": credential({"clientDataJSON": "%%%", "attestationObject": "%%%", "authenticatorData": "%%%", "signature": "%%%"}),
    "beyond-ascii": credential({"clientDataJSON": "\u00e9\U0001f600", "attestationObject": "é", "authenticatorData": "é", "signature": "é"}),
    "lone-surrogate": credential({"clientDataJSON": "\ud800", "attestationObject": "\ud800", "authenticatorData": "\ud800", "signature": "\ud800"}),
    "nul": credential({"clientDataJSON": "\x00", "attestationObject": "\x00", "authenticatorData": "\x00", "signature": "\x00"}),
    "cut-short": credential({"clientDataJSON": "AA", "attestationObject": "AA", "authenticatorData": "AA", "signature": "AA"}),
    "empty-map": credential({"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": coded(b"\x00" * 37), "signature": "AA"}),
    "list-of-client": credential({"clientDataJSON": "W10", "attestationObject": "gA", "authenticatorData": coded(b"\xff" * 37), "signature": "AA"}),
    "no-format": credential({"clientDataJSON": coded(b'{"type":1,"challenge":2,"origin":3}'), "attestationObject": coded(b"\xa3cfmtdnonegattStmt\xa0hauthDataX\x01\x00"), "authenticatorData": "", "signature": ""}),
    "another-type": credential({"clientDataJSON": "e30", "attestationObject": "oA"}, type="password"),
    "odd-extensions": credential({"clientDataJSON": "e30", "attestationObject": "oA"}, clientExtensionResults=[1], authenticatorAttachment=9),
    "handle-of-nobody": answer_of(coded(b"zzzz")),
    "handle-too-long": answer_of(coded(b"9" * 5000)),
    "handle-of-bytes": answer_of(coded(b"\xff\xfe")),
    "handle-number": answer_of(7),
    "handle-list": answer_of(["AA"]),
    "handle-nothing": answer_of(None),
    "handle-huge": answer_of(coded(b"1y2p0ij32e8e8")),
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache_of_its_own(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "passkeys"}}
    cache.clear()


#: bodies that are no JSON object
UNREADABLE = {
    "null": b"null",
    "list": b"[]",
    "number": b"7",
    "no-utf8": b"\xff\xfe",
    "half": b"{",
    "deep": b'{"credential":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "digits": b'{"credential": {"id":' + b"9" * 5_000 + b"}}",
}


def test_what_is_no_passkey_is_told_so_wherever_one_is_sent(alice: Any, bob: Any) -> None:
    """Every route that reads a credential: signing up with one is not offered."""
    for name, caller, path, more in routes(alice, bob):
        for kind, sent in BROKEN.items():
            cache.clear()
            assert caller.get(path).status_code == 200, "new options"
            cache.clear()
            answer = caller.post(path, {**more, "credential": sent})
            assert (answer.status_code, answer.json()["status"]) == (400, 400), (name, kind, answer.content)
            assert answer.json()["errors"][0]["message"], (name, kind)
        for kind, raw in UNREADABLE.items():
            cache.clear()
            answer = caller.client.post(path, raw, content_type="application/json", **caller.headers)
            assert answer.status_code == 400 and answer.json()["errors"][0]["message"], (name, kind, answer.content)
    assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()
    assert Caller().post(f"{AUTH}/auth/webauthn/signup", {"credential": credential()}).status_code == 404


def routes(alice: Any, bob: Any) -> list[tuple[str, Caller, str, dict[str, Any]]]:
    """A caller who is let in at each: a session, nobody's app, nobody's browser, and who has given the password and owes the second factor."""
    app, stranger, half = sign_in(alice), Caller(), Caller()
    prove_again(app)
    set_up_totp(sign_in(bob))
    for caller, asked in (
        (stranger, stranger.get(f"{AUTH}/auth/webauthn/login")),
        (half, half.post(f"{AUTH}/auth/login", {"email": bob.email, "password": PASSWORD})),
    ):
        caller.headers["HTTP_X_SESSION_TOKEN"] = asked.json()["meta"]["session_token"]
    return [
        ("add", app, f"{AUTH}/account/authenticators/webauthn", {"name": "Key"}),
        ("prove again", app, f"{AUTH}/auth/webauthn/reauthenticate", {}),
        ("login", stranger, f"{AUTH}/auth/webauthn/login", {}),
        ("login in a browser", Caller(), f"{BROWSER}/auth/webauthn/login", {}),
        ("second factor", half, f"{AUTH}/auth/webauthn/authenticate", {}),
    ]


@pytest.mark.parametrize("which", [10**40, -1, "text", [[1]], {}, None, "\x00", True], ids=repr)
def test_a_passkey_that_is_not_there_is_neither_renamed_nor_removed(alice: Any, which: Any) -> None:
    app = sign_in(alice)
    prove_again(app)
    path = f"{AUTH}/account/authenticators/webauthn"
    told = [app.put(path, {"id": which, "name": "New"}), app.call("delete", path, {"authenticators": [which]})]
    told += [app.call("delete", path, {"authenticators": which})]
    for answer in told:
        assert answer.status_code == 400 and answer.json()["errors"][0]["message"], answer.content


@pytest.mark.parametrize("path", ["auth/login", "auth/signup", "auth/password/request", "auth/reauthenticate", "account/email"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_no_other_way_in_stumbles_at_a_body_that_is_no_object(alice: Any, path: str, kind: str) -> None:
    app = sign_in(alice)
    answer = app.client.post(f"{AUTH}/{path}", UNREADABLE[kind], content_type="application/json", **app.headers)
    assert answer.status_code == 400 and answer.json()["errors"][0]["message"], answer.content
