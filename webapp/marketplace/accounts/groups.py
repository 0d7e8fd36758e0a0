"""The staff groups and their permissions exist in every database, from the first migrate on."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from marketplace.core.models import StaffAction
from marketplace.core.policies import STAFF_ACTIONS, STAFF_GROUPS


def lay_after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Handler of this app's post_migrate; creates what is missing. A permission is given to its groups when it is new: what an admin changed stays."""
    there = set(Group.objects.using(using).values_list("name", flat=True))
    Group.objects.using(using).bulk_create([Group(name=name) for name in STAFF_GROUPS if name not in there], ignore_conflicts=True)
    groups = {g.name: g for g in Group.objects.using(using).filter(name__in=STAFF_GROUPS)}
    hook = ContentType.objects.db_manager(using).get_for_model(StaffAction)
    for action, (words, held_by) in STAFF_ACTIONS.items():
        permission, new = Permission.objects.using(using).get_or_create(content_type=hook, codename=action, defaults={"name": words})
        if new:
            for name in held_by:
                groups[name].permissions.add(permission)
