"""The account behind imported posts. A service like those in services.py; jobs.importing is its caller."""

from __future__ import annotations

import hashlib
import re

from marketplace.core import clock, events
from marketplace.core.transactions import unit_of_work

from .models import ClientProfile, User

_UNSAFE = re.compile(r"[^a-z0-9]+")


@unit_of_work
def import_client_ensure(*, source: str, country: str) -> User:
    """The one client that stands for all posts of `source` from `country` (ISO 3166-1 alpha-2, "" when unknown); made when missing.

    Nobody can sign in to it: it has no usable password, and its address is in a domain that is reserved never to exist (RFC 2606).
    Its profile's import_source is set, which keeps it apart from people in every count.
    """
    profile = ClientProfile.objects.select_related("user").filter(import_source=source, user__country=country).first()
    if profile is not None:
        return profile.user
    # The digest keeps sources apart whose names differ only in what an address cannot hold.
    name = f"{_UNSAFE.sub('-', source.lower()).strip('-')}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    address = f"{name}.{country.lower() or 'unknown'}@import.invalid"
    user = User.objects.create_user(
        address, None, display_name=f"Imported client ({source}{', ' + country if country else ''})", country=country
    )
    profile = ClientProfile.objects.create(user=user, import_source=source, created_at=clock.now())
    events.record(aggregate=profile, kind="client_profile.create", actor_id=None, after={"import_source": source}, reason="import")
    return user
