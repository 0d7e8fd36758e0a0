"""What journeys around posts share: a small catalogue, a post over HTTP, uploads, and what the inbox says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.core.tasks import drain
from marketplace.jobs.models import Category, Skill
from marketplace.notifications.models import InboxItem
from tests.webapp.people import Person

POST = {
    "title": "Load orders into a warehouse",
    "description": "Three shops send their orders as files. Load them into one warehouse every hour, with tests, and say when a file is missing.",
    "category": "data",
    "skills": ["python"],
    "pricing": "fixed",
    "currency": "USD",
    "budget_min_minor": 100_000,
    "budget_max_minor": 200_000,
}
BID = {"cover_letter": "I have done this twice.", "amount_minor": 150_000, "currency": "USD", "delivery_days": 10}
QUESTIONS = [
    {"text": "Which loader would you use?"},
    {"text": "Have you worked with this shop?", "kind": "yes_no"},
    {"text": "How many tables have you loaded?", "kind": "number", "required": False},
    {"text": "Whose warehouse?", "kind": "choice", "choices": ["Yours", "Ours"]},
]
SEARCH = {"name": "Python", "parameters": {"query": "warehouse", "skills": "python", "pricing": "fixed"}, "pace": "instant"}


@pytest.fixture(autouse=True)
def catalogue(db: None, settings: Any, tmp_path: Path) -> None:
    settings.SEARCH_DIR = tmp_path / "search"
    data = Category.objects.create(slug="data", name="Data")
    for slug, name in {"python": "Python", "python-3": "Python 3", "sql": "SQL"}.items():
        Skill.objects.create(slug=slug, name=name, category=data)


@pytest.fixture
def post(alice: Any) -> Callable[..., int]:
    """post(**terms) publishes a post of alice's over HTTP; its number."""

    def make(publish: bool = True, **terms: Any) -> int:
        made = Person(alice).post("jobs", {**POST, **terms})
        assert made.status_code == 201, made.content
        if publish:
            assert Person(alice).post(f"jobs/{made.json()['id']}/publish").json()["state"] == "open"
        return int(made.json()["id"])

    return make


def told(user: Any) -> list[str]:
    """What the inbox holds, oldest first, once all events are delivered."""
    drain()
    return list(InboxItem.objects.filter(user=user).order_by("pk").values_list("kind", flat=True))


def upload(user: Any, name: str = "schema.txt") -> int:
    sent = {"file": SimpleUploadedFile(name, b"orders")}
    made = Person(user).client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY=f"{user.pk}-{name}")
    return int(made.json()["id"])
