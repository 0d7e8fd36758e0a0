"""A real Chromium in front of a real server: Django's live server on the test database, the web app as built for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.environment import npm

REPO = Path(__file__).resolve().parents[2]
FRONTEND = REPO / "webapp" / "frontend"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def web_build() -> Path:
    """The built web app, built again when a source is newer."""
    dist = FRONTEND / "dist"
    index = dist / "index.html"
    sources = [FRONTEND / "index.html", FRONTEND / "vite.config.ts", FRONTEND / "package-lock.json"]
    sources += [f for folder in ("src", "public") for f in (FRONTEND / folder).rglob("*") if f.is_file()]
    if not index.is_file() or index.stat().st_mtime < max(f.stat().st_mtime for f in sources):
        npm("run", "build")
    return dist


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser process for all tests; each test has contexts of its own."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread; the ORM calls of the tests are ordinary blocking calls all the same.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def site(chromium: Any, web_build: Path, committed_db: None, request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """The address of the running server, with a search index and static files of its own."""
    from django.contrib.staticfiles import finders
    from django.core.cache import cache

    settings.SEARCH_DIR = tmp_path / "search"
    settings.FRONTEND_DIST = web_build
    settings.STATICFILES_DIRS = [("app", web_build)]
    finders.get_finder.cache_clear()
    cache.clear()  # allauth counts sign-ins there to slow down guessing
    return str(request.getfixturevalue("live_server").url)


class Visitor:
    """One person's browser. `problems` holds every script error, every console error that is not an expected refusal, and every
    request to anywhere but the site."""

    def __init__(self, browser: Any, site: str, *, width: int = 1280) -> None:
        self.context = browser.new_context(base_url=site, viewport={"width": width, "height": 800}, reduced_motion="reduce")
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.waiting: set[Any] = set()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", lambda request: self._asked(site, request))
        self.page.on("requestfinished", lambda request: self.waiting.discard(request))
        self.page.on("requestfailed", lambda request: self.waiting.discard(request))

    def _asked(self, site: str, request: Any) -> None:
        self.waiting.add(request)
        if not request.url.startswith((f"{site}/", "data:", "blob:")):
            self.problems.append(f"a request left the site: {request.url}")

    def _heard(self, message: Any) -> None:
        # Chromium writes each refused request to the console; the page shows refusals to people, so they are no mistakes.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def enter(self, user: Any) -> Visitor:
        """Signed in, without the form."""
        from django.conf import settings
        from django.test import Client

        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "domain": "localhost", "path": "/", "httpOnly": True}]
        )
        return self

    def go(self, path: str) -> Any:
        """Open the page and wait until its heading is there and nothing loads any more."""
        self.page.goto(path)
        self.page.locator("h1").first.wait_for()
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until no answer is outstanding, and 100 ms more for what the last one may ask for; 20 s at most."""
        deadline, quiet = time.monotonic() + 20, 0
        while quiet < 4:
            assert time.monotonic() < deadline, f"still waiting for {[request.url for request in self.waiting]}"
            self.page.wait_for_timeout(25)
            quiet = 0 if self.waiting else quiet + 1


@pytest.fixture
def visitor(chromium: Any, site: str) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; at the end none of them may have met a problem."""
    made: list[Visitor] = []

    def make(user: Any = None, **options: Any) -> Visitor:
        found = Visitor(chromium, site, **options)
        made.append(found)
        return found if user is None else found.enter(user)

    yield make
    problems = [p for v in made for p in v.problems]
    for each in made:
        each.context.close()
    assert problems == []


@pytest.fixture
def alice_and_bob(site: str, alice: Any, bob: Any) -> tuple[Any, Any]:
    """Client and freelancer who can sign in by the form; bob knows Python."""
    from allauth.account.models import EmailAddress

    from marketplace.accounts.models import FreelancerSkill
    from marketplace.jobs.models import Category, Skill

    for user in (alice, bob):
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    data = Category.objects.create(slug="data", name="Data engineering")
    python, _sql = (Skill.objects.create(slug=slug, name=name, category=data) for slug, name in (("python", "Python"), ("sql", "SQL")))
    FreelancerSkill.objects.create(freelancer=bob.freelancer_profile, skill_id=python.pk, level=4, years=5)
    return alice, bob


@pytest.fixture
def open_job(alice_and_bob: tuple[Any, Any]) -> Any:
    """An open fixed-price post of alice's that the search knows."""
    from marketplace.core.tasks import drain
    from marketplace.jobs import services

    alice, _ = alice_and_bob
    job = services.job_create(
        actor=alice,
        title="Load orders into a warehouse",
        description="Three sources, one warehouse, every hour, with tests.",
        category="data",
        skills=["python", "sql"],
        pricing="fixed",
        currency="USD",
        budget_min_minor=100_000,
        budget_max_minor=200_000,
        screening_questions=["Which loader would you use?"],
    )
    services.job_publish(actor=alice, job_id=job.pk)
    drain()
    return job


@pytest.fixture
def funded_contract(alice_and_bob: tuple[Any, Any], open_job: Any) -> Any:
    """Alice's contract with bob over two milestones, both paid for."""
    from marketplace.contracts import services as contracts
    from marketplace.core.tasks import drain
    from marketplace.jobs import services as jobs

    alice, bob = alice_and_bob
    terms = [
        {"title": title, "amount_minor": 75_000, "due_in_days": 5, "acceptance": ["It runs."]} for title in ("One source", "The others")
    ]
    proposal = jobs.proposal_submit(
        actor=bob, job_id=open_job.pk, cover_letter="I have done this twice.", amount_minor=150_000, currency="USD",
        delivery_days=10, milestones=terms, answers=["A small one."],
    )  # fmt: skip
    contract = contracts.offer_make(actor=alice, proposal_id=proposal.pk)
    contracts.offer_accept(actor=bob, contract_id=contract.pk)
    for milestone in contract.milestones.order_by("position"):
        contracts.milestone_fund(
            actor=alice, milestone_id=milestone.pk, provider="sandbox", method={"token": "tok_visa"}, idempotency_key=f"fund:{milestone.pk}"
        )
    drain()
    return contract
