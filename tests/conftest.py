"""What every suite shares: the small cast, and a database that real threads and processes can see.

The cast: alice is a client, bob a freelancer, charlie must see nothing, sam is staff.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def committed_db(request: pytest.FixtureRequest) -> Iterator[None]:
    """A database whose commits are real, for threads, processes and triggers; emptied by TRUNCATE afterwards.

    Django's flush issues DELETE, which the append-only triggers refuse: on MariaDB the sequences are reset, which truncates.
    On SQLite the triggers are taken away for the flush and laid again.
    """
    request.applymarker(pytest.mark.django_db(transaction=True, reset_sequences=True))
    request.getfixturevalue("_django_db_helper")
    yield
    from django.db import connection

    if connection.vendor == "sqlite":
        from marketplace.core import triggers

        with connection.cursor() as cursor:
            for name in triggers.existing():
                cursor.execute(f"DROP TRIGGER {name}")


def _user(email: str, name: str, **extra: Any) -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_user(email, "correct horse battery", display_name=name, **extra)


@pytest.fixture
def alice(db: None) -> Any:
    """A client."""
    from marketplace.accounts.models import ClientProfile

    user = _user("alice@example.org", "Alice", country="DE")
    ClientProfile.objects.create(user=user, company_name="Alice & Co")
    return user


@pytest.fixture
def bob(db: None) -> Any:
    """A freelancer."""
    from marketplace.accounts.models import FreelancerProfile

    user = _user("bob@example.org", "Bob", country="KE")
    FreelancerProfile.objects.create(user=user, title="Python developer", hourly_rate_minor=4500, currency="USD")
    return user


@pytest.fixture
def charlie(db: None) -> Any:
    """A stranger with both profiles: must see nothing of alice's and bob's."""
    from marketplace.accounts.models import ClientProfile, FreelancerProfile

    user = _user("charlie@example.org", "Charlie")
    ClientProfile.objects.create(user=user)
    FreelancerProfile.objects.create(user=user, title="Somebody else")
    return user


@pytest.fixture
def sam(db: None) -> Any:
    """Staff."""
    return _user("sam@example.org", "Sam", is_staff=True)
