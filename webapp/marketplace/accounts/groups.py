"""The staff groups exist in every database, from the first migrate on."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group

from marketplace.core.policies import STAFF_GROUPS


def lay_after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Handler of this app's post_migrate; creates what is missing."""
    there = set(Group.objects.using(using).values_list("name", flat=True))
    Group.objects.using(using).bulk_create([Group(name=name) for name in STAFF_GROUPS if name not in there], ignore_conflicts=True)
