"""One whole journey over HTTP through a running house, and every address; run by `make smoke` in the project's environment.

python -m infra.local.smoke PLACES.json      PLACES: {"addresses", "web", "dashboards", "mail", "sign_ins"}
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import jwt

from .console import step
from .processes import daemons_beat

WAIT_SECONDS = 60
PASSWORD = "only-for-this-" + uuid.uuid4().hex[:12]
CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Wrong(AssertionError):
    """What was expected and what came instead."""


def expect(condition: bool, message: str) -> None:
    if not condition:
        raise Wrong(message)


def eventually(what: str, ask: Callable[[], Any]) -> Any:
    """Ask until the answer is true: the worker delivers events beside the requests."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        expect(time.monotonic() < deadline, f"{what} did not happen within {WAIT_SECONDS} s")
        time.sleep(0.2)


class Person:
    """A signed-in API client (allauth's app client, X-Session-Token)."""

    def __init__(self, web: str) -> None:
        self.http = httpx.Client(base_url=web, timeout=30)

    def auth(self, path: str, body: dict[str, Any], allowed: tuple[int, ...] = (200,)) -> dict[str, Any]:
        answer = self.http.post(f"/_allauth/app/v1/auth/{path}", json=body)
        expect(answer.status_code in allowed, f"{path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        token = found.get("meta", {}).get("session_token")
        if token:
            self.http.headers["X-Session-Token"] = token
        return found

    def sign_in(self, email: str, password: str) -> Person:
        self.auth("login", {"email": email, "password": password})
        return self

    def sign_up(self, email: str, mail: Path) -> Person:
        """With the code out of the mail that was sent."""
        self.auth("signup", {"email": email, "password": PASSWORD}, allowed=(401,))
        code = eventually(f"the verification mail to {email}", lambda: _code(mail, email))
        self.auth("email/verify", {"key": code})
        return self

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """JSON of a successful answer under /api/v1."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex} if method == "POST" else {}
        answer = self.http.request(method, f"/api/v1/{path}", json=body, headers=headers)
        expect(answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self.call("POST", path, body or {}, key=key)


def _code(mail: Path, email: str) -> str | None:
    """The newest verification code sent to an address."""
    for file in sorted(mail.glob("*.log"), key=lambda p: p.stat().st_mtime, reverse=True):
        text = file.read_text(errors="replace")
        if f"To: {email}" in text:
            found = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", text.split(f"To: {email}", 1)[1], re.MULTILINE)
            if found:
                return found.group(1)
    return None


def check_addresses(addresses: dict[str, str]) -> None:
    """Each answers 200, and the web app's page brings its script and style."""
    for name, address in addresses.items():
        answer = httpx.get(address, follow_redirects=True, timeout=30)
        expect(answer.status_code == 200, f"{name} at {address} answers {answer.status_code}")
    page = httpx.get(addresses["Web app"], timeout=30).text
    assets = re.findall(r'(?:src|href)="(/static/app/[^"]+)"', page)
    expect(len(assets) >= 2, "the web app's page names no built files")
    for asset in assets:
        answer = httpx.get(urljoin(addresses["Web app"], asset), timeout=30)
        expect(answer.status_code == 200, f"{asset} answers {answer.status_code}")
    schema = httpx.get(urljoin(addresses["Web app"], "/api/v1/schema"), timeout=60)
    expect(schema.status_code == 200 and "openapi" in schema.text[:200], "the OpenAPI document is not there")


def agree(client: Person, freelancer: Person) -> tuple[int, int]:
    """From profiles to an accepted contract with two milestones: (job, contract)."""
    client.call("PUT", "me/client-profile", {"company_name": "Smoke & Sons", "about": "We check that everything works."})
    freelancer.call(
        "PUT",
        "me/freelancer-profile",
        {"title": "Python developer", "overview": "Ten years of Django.", "hourly_rate_minor": 5000, "currency": "USD",
         "experience_level": "expert", "years_experience": 10, "availability": "available", "hours_per_week": 40,
         "languages": [{"code": "en", "level": "fluent"}], "category": None, "skills": [{"skill": "python", "level": 5, "years": 10}]},
    )  # fmt: skip
    category = client.get("categories")[0]["slug"]
    word = f"smoketest{uuid.uuid4().hex[:8]}"
    job = client.post("jobs", {"title": f"Build a {word} service", "description": "A small web service in Python with tests and documentation.",
                               "category": category, "skills": ["python"], "pricing": "fixed", "currency": "USD",
                               "budget_min_minor": 50_000, "budget_max_minor": 120_000})  # fmt: skip
    client.post(f"jobs/{job['id']}/publish")
    eventually("the new job in the search", lambda: [h for h in freelancer.get(f"jobs?query={word}")["results"] if h["id"] == job["id"]])
    quote = freelancer.post(f"jobs/{job['id']}/quote", {"amount_minor": 100_000, "currency": "USD"})
    parts = sum(quote[k]["minor"] for k in ("fee", "tax", "net"))
    expect(quote["gross"]["minor"] == parts == 100_000, f"the quote does not add up: {quote}")
    milestones = [{"title": "Design", "amount_minor": 30_000, "due_in_days": 7, "acceptance": ["A page of text"]},
                  {"title": "Service", "amount_minor": 70_000, "due_in_days": 21, "acceptance": ["Tests pass"]}]  # fmt: skip
    bid = {"cover_letter": "I have built this three times.", "amount_minor": 100_000, "currency": "USD", "delivery_days": 21,
           "milestones": milestones, "answers": []}  # fmt: skip
    key = uuid.uuid4().hex
    proposal = freelancer.post(f"jobs/{job['id']}/proposals", bid, key=key)
    again = freelancer.post(f"jobs/{job['id']}/proposals", bid, key=key)
    expect(again["id"] == proposal["id"], "the same request twice made two proposals")
    contract = client.post(f"proposals/{proposal['id']}/offer", {})
    freelancer.post(f"contracts/{contract['id']}/accept")
    return job["id"], contract["id"]


def work_and_pay(client: Person, freelancer: Person, admin: Person, contract: int) -> None:
    """Fund, submit, approve, release, clear, review; the freelancer's balance is exact to the cent."""
    milestones = [m["id"] for m in client.get(f"contracts/{contract}")["milestones"]]

    def state(milestone: int) -> str:
        found = {m["id"]: m["state"] for m in client.get(f"contracts/{contract}")["milestones"]}
        return str(found[milestone])

    def is_funded(milestone: int) -> bool:
        return state(milestone) == "funded"

    for milestone in milestones:
        client.post(f"milestones/{milestone}/fund", {"provider": "sandbox", "method": {"token": "tok_visa"}})
        eventually("funding", functools.partial(is_funded, milestone))
        freelancer.post(f"milestones/{milestone}/submit", {"note": "Done; see the attached text."})
        client.post(f"milestones/{milestone}/approve")
        expect(state(milestone) == "released", f"after approval the milestone is {state(milestone)}")
    admin.post("clock/advance", {"seconds": 5 * 86400 + 60})
    eventually("clearing of 900.00 USD", lambda: _available(freelancer) == {"USD": 90_000})
    client.post(f"contracts/{contract}/review", {"rating": 5, "text": "Exact and quick."})
    expect(not freelancer.get(f"contracts/{contract}/reviews")["results"], "a review can be read before both are in")
    freelancer.post(f"contracts/{contract}/review", {"rating": 5, "text": "Paid at once."})
    expect(len(freelancer.get(f"contracts/{contract}/reviews")["results"]) == 2, "both reviews are in, yet they are not open")
    timeline = client.get(f"contracts/{contract}/timeline")["items"]
    expect({"event", "posting"} <= {item["kind"] for item in timeline}, "the timeline lacks work or money")


def _available(person: Person) -> dict[str, int]:
    """What may be paid out, minor units by currency."""
    return {b["currency"]: b["available"]["minor"] for b in person.get("me/balances")["results"]}


def check_recommendations(freelancer: Person) -> str:
    """A model's list, not the fallback; the parts sum to the score. Returns the model version."""
    found = freelancer.get("me/recommended-jobs?limit=20")
    expect(not found["fallback"], f"the rule-based fallback answered: {found.get('note')}")
    expect(len(found["results"]) > 0, "no recommendations")
    for hit in found["results"]:
        total = sum(p["value"] for p in hit["parts"])
        expect(abs(total - hit["score"]) < 1e-6, f"job {hit['job']['id']}: the parts sum to {total}, the score is {hit['score']}")
    return str(found["model_version"])


def check_one_sign_in(web: str, dashboards: str, email: str, password: str) -> None:
    """The browser's way: signed in at the web app, the dashboards let the person in without another password."""
    with httpx.Client(timeout=60, follow_redirects=False) as http:
        http.get(f"{web}/sign-in")
        token = http.cookies["csrftoken"]
        answer = http.post(
            f"{web}/_allauth/browser/v1/auth/login", json={"email": email, "password": password}, headers={"X-CSRFToken": token}
        )
        expect(answer.status_code == 200, f"browser sign-in: {answer.status_code} {answer.text[:200]}")
        # what the page's sign-in button asks for: Streamlit signs the provider's name with its cookie secret
        claims = {"provider": "default", "exp": int(time.time()) + 120}
        provider = jwt.encode(claims, os.environ["OPENLANCE_STREAMLIT_COOKIE_SECRET"], algorithm="HS256")
        address = f"{dashboards}/auth/login?provider={provider}"
        for _ in range(8):
            answer = http.get(address)
            if answer.status_code not in (301, 302, 303, 307):
                break
            address = urljoin(address, answer.headers["location"])
            if address.rstrip("/") == dashboards:
                break
        names = [c.name for c in http.cookies.jar]
        expect(
            any(n.startswith("_streamlit_user") for n in names),
            f"the dashboards did not sign the person in: stopped at {address} ({answer.status_code})",
        )


def check_browser(pages: dict[str, str]) -> str:
    """Where Chromium exists: each page renders its heading; says what was done."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return "no Chromium here: the pages were not rendered"
    for address, heading in pages.items():
        with tempfile.TemporaryDirectory() as profile:
            command = [chromium, *CHROMIUM, f"--user-data-dir={profile}", "--virtual-time-budget=8000", "--dump-dom", address]
            dom = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False).stdout
        expect(re.search(heading, dom) is not None, f"{address} does not render {heading!r}")
    return f"{len(pages)} pages rendered in Chromium"


def main(arguments: list[str]) -> int:
    places = json.loads(Path(arguments[0]).read_text())
    web, mail, signs = places["web"], Path(places["mail"]), places["sign_ins"]
    run = uuid.uuid4().hex[:8]
    try:
        with step("Every address answers"):
            check_addresses(places["addresses"])
        with step("Dagster's daemon is at work"):
            eventually("a heartbeat of each daemon", lambda: daemons_beat(places["addresses"]["Dagster"], since=time.time() - 120))
        with step("Sign up with a mailed code, profiles, job, proposal, contract") as remark:
            client = Person(web).sign_up(f"client-{run}@example.org", mail)
            freelancer = Person(web).sign_up(f"freelancer-{run}@example.org", mail)
            _, contract = agree(client, freelancer)
            remark(f"contract {contract}")
        with step("Fund, submit, approve, release, clear, review"):
            work_and_pay(client, freelancer, Person(web).sign_in(*signs["admin"]), contract)
        with step("Recommendations with additive reasons") as remark:
            remark(check_recommendations(Person(web).sign_in(*signs["freelancer"])))
        with step("One sign-in for web app and dashboards"):
            check_one_sign_in(web, places["dashboards"], *signs["admin"])
        with step("In a browser") as remark:
            remark(check_browser({f"{web}/sign-in": r"<h1[^>]*>", f"{web}/jobs": r"<h1[^>]*>"}))
        with step("Ledger check"):
            subprocess.run([sys.executable, "webapp/manage.py", "ledger_check"], check=True, stdout=subprocess.DEVNULL)
    except (Wrong, httpx.HTTPError, subprocess.SubprocessError) as e:
        print(f"smoke: {e}", file=sys.stderr)
        return 1
    print("smoke: everything answered, the journey went through, the money adds up")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
