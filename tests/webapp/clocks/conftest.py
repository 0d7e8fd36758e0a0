"""The stages of contracts, and proof after every clock that the books balance."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category
from tests.webapp.clocks.table import House
from tests.webapp.contracts_cast import *  # noqa: F403  (fixtures)


@pytest.fixture
def house(request: pytest.FixtureRequest, time_machine: Any, settings: Any, tmp_path: Any) -> House:
    """The marketplace under a clock that stands still until it is moved."""
    settings.SEARCH_DIR = tmp_path / "search"
    return House(request, time_machine)


@pytest.fixture
def draft(alice: Any) -> Any:
    """A post of Alice's that nobody else sees yet."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    words = {"title": "A web shop", "description": "A shop with a cart and a checkout.", "category": "web-development"}
    return jobs.job_create(actor=alice, pricing="fixed", **words)
