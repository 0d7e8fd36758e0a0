"""The whole way through the API, with the real rules: from signing up to money that cleared and reviews that opened."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from marketplace.contracts import tasks as contract_tasks
from marketplace.core import clock
from marketplace.core.tasks import drain
from marketplace.jobs.models import Category, Skill
from marketplace.payments.models import Entry
from marketplace.payments.services import ledger_check

pytestmark = pytest.mark.parity
PASSWORD = "a long and quiet river 7"


class Person:
    """Somebody with an app: JSON in and out, a session token, a fresh Idempotency-Key for each new request.

    The address is a new one each time: how often one address may ask for a code is limited, across tests too.
    """

    def __init__(self, name: str) -> None:
        self.email, self.http, self.token = f"{name}-{uuid.uuid4().hex[:12]}@example.org", Client(), ""

    def call(self, method: str, path: str, body: Any = None, *, expect: int, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        if self.token:
            headers["X-Session-Token"] = self.token
        extra = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(self.http, method)(path if path.startswith("/") else f"/api/v1/{path}", headers=headers, **extra)
        assert answer.status_code == expect, (method, path, answer.status_code, answer.content[:2000])
        return answer.json() if answer.content else None

    def get(self, path: str, *, expect: int = 200) -> Any:
        return self.call("get", path, expect=expect)

    def post(self, path: str, body: Any = None, *, expect: int = 200, key: str | None = None) -> Any:
        return self.call("post", path, {} if body is None else body, expect=expect, key=key)

    def sign_up(self) -> None:
        """Sign up and confirm the address with the code from the e-mail, then sign out and in again."""
        pending = self.post("/_allauth/app/v1/auth/signup", {"email": self.email, "password": PASSWORD}, expect=401)
        self.token = pending["meta"]["session_token"]
        sent = next(m for m in reversed(mail.outbox) if self.email in m.to)
        code = next(c for c in re.findall(r"^\s*([A-Z0-9-]{6,9})\s*$", str(sent.body), flags=re.MULTILINE))
        confirmed = self.post("/_allauth/app/v1/auth/email/verify", {"key": code})
        self.token = confirmed["meta"].get("session_token", self.token)
        self.call("delete", "/_allauth/app/v1/auth/session", expect=401)
        self.token = ""
        again = self.post("/_allauth/app/v1/auth/login", {"email": self.email, "password": PASSWORD})
        self.token = again["meta"]["session_token"]


def _people() -> tuple[Person, Person]:
    client, freelancer = Person("clara"), Person("femi")
    for person in (client, freelancer):
        person.sign_up()
    client.call("put", "me/client-profile", {"company_name": "Clara & Co", "about": "We sell tea."}, expect=200)
    freelancer.call(
        "put",
        "me/freelancer-profile",
        {
            "title": "Python developer",
            "overview": "Web shops.",
            "hourly_rate_minor": 4500,
            "currency": "USD",
            "category": "web-development",
            "skills": [{"skill": "python", "level": 5, "years": 8}],
        },
        expect=200,
    )
    return client, freelancer


@pytest.fixture
def taxonomy(db: None) -> None:
    category, _ = Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    Skill.objects.get_or_create(slug="python", defaults={"name": "Python", "category": category})


@pytest.fixture
def agreed(db: None, taxonomy: None) -> tuple[Person, Person, int]:
    """Client, freelancer and the id of their active contract of two milestones, all through the API."""
    client, freelancer = _people()
    job = client.post(
        "jobs",
        {
            "title": "A web shop for tea",
            "description": "A shop with a cart, a checkout and a blog.",
            "category": "web-development",
            "skills": ["python"],
            "pricing": "fixed",
            "currency": "USD",
            "budget_min_minor": 80_000,
            "budget_max_minor": 120_000,
        },
        expect=201,
    )
    client.post(f"jobs/{job['id']}/publish")
    quote = freelancer.post(f"jobs/{job['id']}/quote", {"amount_minor": 100_000, "currency": "USD"})
    assert quote["gross"]["minor"] == quote["fee"]["minor"] + quote["tax"]["minor"] + quote["net"]["minor"]
    proposal = freelancer.post(
        f"jobs/{job['id']}/proposals",
        {
            "cover_letter": "I have built ten of these.",
            "amount_minor": 100_000,
            "currency": "USD",
            "delivery_days": 30,
            "milestones": [
                {"title": "Design", "amount_minor": 40_000, "due_in_days": 10, "acceptance": ["Figures", "Works at 360 px"]},
                {"title": "Build", "amount_minor": 60_000, "due_in_days": 30, "acceptance": []},
            ],
        },
        expect=201,
    )
    assert client.get(f"jobs/{job['id']}/proposals")["results"][0]["id"] == proposal["id"]
    assert client.get(f"proposals/{proposal['id']}")["state"] == "seen"
    contract = client.post(f"proposals/{proposal['id']}/offer", {}, expect=201)
    assert (contract["state"], contract["total_minor"], contract["actions"]) == ("offered", 100_000, ["cancel"])
    accepted = freelancer.post(f"contracts/{contract['id']}/accept")
    assert accepted["state"] == "active"
    assert client.get(f"jobs/{job['id']}")["state"] == "filled"
    return client, freelancer, contract["id"]


def _milestones(person: Person, contract_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.get(f"contracts/{contract_id}")["milestones"]
    return found


def _deliver(client: Person, freelancer: Person, milestone_id: int) -> None:
    """Fund, submit, ask for changes, submit again, approve: one milestone from planned to released."""
    paid = client.post(
        f"milestones/{milestone_id}/fund", {"provider": "sandbox", "method": {"token": "tok_visa"}}, key=f"pay-{milestone_id}"
    )
    assert (paid["payment"]["state"], paid["milestone"]["state"]) == ("succeeded", "funded")
    assert paid["milestone"]["held"] == {"minor": paid["milestone"]["amount_minor"], "currency": "USD"}
    freelancer.post(f"milestones/{milestone_id}/start")
    first = freelancer.post(f"milestones/{milestone_id}/submit", {"note": "First version."})
    assert [c["clock"] for c in first["clocks"]] == ["auto_approval"]
    changed = client.post(f"milestones/{milestone_id}/request-changes", {"text": "Not on my phone."})
    assert (changed["state"], changed["auto_approve_at"]) == ("changes_requested", None)
    second = freelancer.post(f"milestones/{milestone_id}/submit", {"note": "Second version."})
    assert [s["version"] for s in second["submissions"]] == [2, 1]
    done = client.post(f"milestones/{milestone_id}/approve", key=f"approve-{milestone_id}")
    assert (done["state"], done["held"]["minor"], done["actions"]) == ("released", 0, [])


def test_from_signing_up_to_cleared_money_and_open_reviews(agreed: tuple[Person, Person, int], sam: Any) -> None:
    client, freelancer, contract_id = agreed
    for milestone in _milestones(client, contract_id):
        _deliver(client, freelancer, milestone["id"])
    assert client.get(f"contracts/{contract_id}")["state"] == "completed"

    balance = freelancer.get("me/balances")["results"][0]
    assert (balance["pending"]["minor"], balance["available"]["minor"]) == (90_000, 0)
    ahead = [i for i in client.get(f"contracts/{contract_id}/timeline")["items"] if i["future"]]
    assert [i["title"] for i in ahead] == ["Clearing", "Clearing", "Review window"]
    assert all(i["if_nobody_acts"] for i in ahead)
    clock.advance(5 * 86_400 + 1)
    assert contract_tasks.clear_due() == 2
    balance = freelancer.get("me/balances")["results"][0]
    assert (balance["pending"]["minor"], balance["available"]["minor"]) == (0, 90_000)

    client.post(f"contracts/{contract_id}/review", {"rating": 5, "text": "Careful and on time."}, expect=201)
    assert freelancer.get(f"contracts/{contract_id}/reviews")["results"] == []
    freelancer.post(f"contracts/{contract_id}/review", {"rating": 4, "text": "Clear wishes."}, expect=201)
    seen = client.get(f"contracts/{contract_id}/reviews")
    assert sorted((r["author_side"], r["rating"]) for r in seen["results"]) == [("client", 5), ("freelancer", 4)]
    assert seen["may_write"] is False
    me = freelancer.get("me")
    assert freelancer.get(f"users/{me['id']}/reputation")["count"] == 1

    drain()
    told = [i["kind"] for i in freelancer.get("me/inbox")["results"]]
    assert {"contract.offer", "milestone.fund", "milestone.approve", "milestone.release", "milestone.clear", "review.open"} <= set(told)
    timeline = client.get(f"contracts/{contract_id}/timeline")["items"]
    assert [i["title"] for i in timeline if i["kind"] == "posting"] == [
        *["Wallet → funds held", "Funds held → freelancer"] * 2,
        *["Clearing → available"] * 2,
    ]
    report = ledger_check()
    assert report.ok, report.violations


def test_every_step_twice_with_one_key_is_one_step(agreed: tuple[Person, Person, int]) -> None:
    client, freelancer, contract_id = agreed
    milestone_id = _milestones(client, contract_id)[0]["id"]
    body = {"provider": "sandbox", "method": {"token": "tok_visa"}}
    steps: list[tuple[Person, str, Any]] = [
        (client, f"milestones/{milestone_id}/fund", body),
        (freelancer, f"milestones/{milestone_id}/start", {}),
        (freelancer, f"milestones/{milestone_id}/submit", {"note": "Done."}),
        (client, f"milestones/{milestone_id}/approve", {}),
    ]
    for n, (person, path, sent) in enumerate(steps):
        assert person.post(path, sent, key=f"step-{n}") == person.post(path, sent, key=f"step-{n}")
        refused = person.post(path, {**sent, "other": 1}, expect=409, key=f"step-{n}")
        assert refused["code"] == "idempotency_key_reused"
    assert sorted(Entry.objects.values_list("kind", flat=True)) == ["deposit", "hold", "release"]
    report = ledger_check()
    assert report.ok, report.violations


def test_a_stranger_finds_nothing_and_changes_nothing(agreed: tuple[Person, Person, int]) -> None:
    client, _, c = agreed
    before = client.get(f"contracts/{c}")
    m = before["milestones"][0]["id"]
    stranger = Person("mallory")
    stranger.sign_up()
    for path in (f"contracts/{c}", f"contracts/{c}/timeline", f"contracts/{c}/reviews"):
        stranger.get(path, expect=404)
    for path, body in (
        (f"contracts/{c}/accept", {}),
        (f"contracts/{c}/decline", {}),
        (f"contracts/{c}/cancel", {}),
        (f"contracts/{c}/review", {"rating": 5}),
        (f"milestones/{m}/fund", {"method": {"token": "tok_visa"}}),
        (f"milestones/{m}/start", {}),
        (f"milestones/{m}/submit", {"note": "x"}),
        (f"milestones/{m}/request-changes", {"text": "x"}),
        (f"milestones/{m}/approve", {}),
        (f"milestones/{m}/refund", {}),
        (f"milestones/{m}/dispute", {"claim": "x"}),
    ):
        stranger.post(path, body, expect=404)
    assert stranger.get("me/contracts")["results"] == []
    assert client.get(f"contracts/{c}") == before
    assert Entry.objects.count() == 0
