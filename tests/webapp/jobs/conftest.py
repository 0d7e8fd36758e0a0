"""A small catalogue and one open post of alice's."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

CATALOGUE = {
    "data": ("Data", {"python": "Python", "c-sharp": "C#", "go": "Go", "r": "R", "dotnet": ".NET", "cpp": "C++", "sql": "SQL"}),
    "design": ("Design", {"figma": "Figma", "logo-design": "Logo design"}),
}


@pytest.fixture
def catalogue(db: None) -> None:
    from marketplace.jobs.models import Category, Skill

    for slug, (name, skills) in CATALOGUE.items():
        category = Category.objects.create(slug=slug, name=name)
        Skill.objects.bulk_create([Skill(slug=s, name=n, category=category) for s, n in skills.items()])


@pytest.fixture
def post(catalogue: None, alice: Any) -> Any:
    """Makes posts of alice's: open unless `state="draft"`."""
    from marketplace.jobs import services

    numbers = itertools.count(1)

    def make(*, state: str = "open", client: Any = None, **terms: Any) -> Any:
        given = {
            "title": f"Load orders into a warehouse {next(numbers)}",
            "description": "Three sources, one warehouse, every hour, with tests.",
            "category": "data",
            "skills": ["python", "sql"],
            "pricing": "fixed",
            "currency": "USD",
            "budget_min_minor": 100_000,
            "budget_max_minor": 200_000,
            **terms,
        }
        job = services.job_create(actor=client or alice, confirm_duplicate=True, **given)
        return job if state == "draft" else services.job_publish(actor=client or alice, job_id=job.pk, confirm_duplicate=True)

    return make


@pytest.fixture
def bid(bob: Any) -> Any:
    """Sends a proposal of bob's, or of `freelancer`."""
    from marketplace.jobs import services

    def send(job: Any, *, freelancer: Any = None, **terms: Any) -> Any:
        given = {"cover_letter": "I have done this twice.", "amount_minor": 150_000, "currency": "USD", "delivery_days": 10, **terms}
        return services.proposal_submit(actor=freelancer or bob, job_id=job.pk, **given)

    return send
