"""Who is staff, in which groups, and what each group may do. Whoever changes it holds `groups_change`, and the last who does stays.

Nobody gives what they do not hold, to themselves or to others: a group gets only what the actor may do, and a person only groups that may no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import models
from django.db.models import Q

from marketplace.core import audit, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.policies import STAFF_ACTIONS, STAFF_GROUPS, one_of, require, require_staff
from marketplace.core.transactions import unit_of_work

from . import api_tokens, sessions
from .models import User

ACTION = "groups_change"
_HOOK = {"content_type__app_label": "core", "content_type__model": "staffaction"}


def groups_for(actor: User) -> models.QuerySet[Group]:
    """The staff groups with their permissions loaded. Raises NotAllowed("staff_only")."""
    require_staff(actor, ACTION)
    return _groups().prefetch_related(models.Prefetch("permissions", Permission.objects.filter(**_HOOK).order_by("codename")))


def staff_for(actor: User) -> models.QuerySet[User]:
    """Everybody of staff with their groups loaded. Raises NotAllowed("staff_only")."""
    require_staff(actor, ACTION)
    return User.objects.filter(is_staff=True).prefetch_related(models.Prefetch("groups", Group.objects.order_by("name")))


def _groups() -> models.QuerySet[Group]:
    return Group.objects.filter(name__in=STAFF_GROUPS)


@contextmanager
def guarded() -> Iterator[None]:
    """Around a change of who may what: one at a time, and refused with Conflict("last_admin") when nobody active would be left who may
    change groups. The groups' rows are the lock; take it before a person's."""
    list(Group.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    may = Q(groups__permissions__codename=ACTION) | Q(user_permissions__codename=ACTION) | Q(is_superuser=True)
    holders = User.objects.filter(may, is_staff=True, is_active=True)
    there_was_one = holders.exists()
    yield
    if there_was_one and not holders.exists():
        raise Conflict("last_admin", "Nobody would be left who may change groups. Let somebody else do it first.")


def rights_of(user: User) -> set[str]:
    """What the database lets this person do as staff now, of STAFF_ACTIONS: nothing for who is no staff, everything for a superuser.

    Read afresh: has_perm remembers what a user's object was asked before.
    """
    if not user.is_staff:
        return set()
    if user.is_superuser:
        return set(STAFF_ACTIONS)
    held = Permission.objects.filter(Q(group__user=user) | Q(user=user), **_HOOK, codename__in=STAFF_ACTIONS)
    return set(held.values_list("codename", flat=True))


def require_held(held: set[str], given: set[str]) -> None:
    """Raise NotAllowed("rights_not_held") when rights would be given that are not held."""
    words = "; ".join(STAFF_ACTIONS[action][0] for action in sorted(given - held))
    require(not words, "rights_not_held", f"You give only what you may do yourself. Somebody who holds it has to give this: {words}.")


@unit_of_work
def group_put(*, actor: User, group_id: int, actions: list[str], reason: str) -> Group:
    """Say what a group may do: exactly these of STAFF_ACTIONS.

    Raises InvalidInput, NotFound, NotAllowed("staff_only"), NotAllowed("rights_not_held") for what the group gains and the actor does not hold,
    Conflict("last_admin").
    """
    require_staff(actor, ACTION)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    unknown = sorted({a for a in actions if a not in STAFF_ACTIONS})
    if unknown:
        checks.add("actions", f"Unknown: {', '.join(u[:40] for u in unknown[:5])}.")
    checks.raise_if_any()
    with guarded():
        group = one_of(_groups(), group_id, "group")
        before = set(group.permissions.filter(**_HOOK).values_list("codename", flat=True))
        require_held(rights_of(actor), set(actions) - before)
        group.permissions.remove(*Permission.objects.filter(**_HOOK, codename__in=before - set(actions)))
        group.permissions.add(*Permission.objects.filter(**_HOOK, codename__in=set(actions) - before))
    was, now = {a: a in before for a in STAFF_ACTIONS}, {a: a in actions for a in STAFF_ACTIONS}
    if was != now:
        audit.record(actor=actor, action=ACTION, obj=group, reason=reason, before=was, after=now)
        told = {"before": {"actions": sorted(before)}, "after": {"actions": sorted(set(actions))}}
        events.record(aggregate=group, kind="group.change", actor_id=actor.pk, reason=reason, **told)
    return groups_for(actor).get(pk=group.pk)


@unit_of_work
def staff_put(*, actor: User, user_id: int, groups: list[str], reason: str) -> User:
    """Put a person into exactly these staff groups; none makes them no staff. Who becomes staff signs in again, with a second factor, and
    loses their API tokens; who stops being staff loses their sessions.

    Raises InvalidInput, NotFound, NotAllowed("staff_only"), NotAllowed("rights_not_held") when the person would gain what the actor does not
    hold, Conflict("superuser") and Conflict("last_admin").
    """
    require_staff(actor, ACTION)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    if unknown := sorted({g for g in groups if g not in STAFF_GROUPS}):
        checks.add("groups", f"Use some of: {', '.join(STAFF_GROUPS)}; unknown: {', '.join(u[:40] for u in unknown[:5])}.")
    checks.raise_if_any()
    with guarded():
        user = User.objects.select_for_update().filter(pk=user_id, is_active=True).first()
        if user is None:
            raise NotFound("person")
        if user.is_superuser:
            raise Conflict("superuser", "A superuser is made and changed on the server only.")
        before, held, had = _standing(user), rights_of(actor), rights_of(user)
        user.is_staff = bool(groups)
        user.save(update_fields=["is_staff"])
        others = user.groups.exclude(name__in=STAFF_GROUPS)
        user.groups.set([*others, *Group.objects.filter(name__in=groups)])
        require_held(held, rights_of(user) - had)
    after = _standing(user)
    if before["is_staff"] != after["is_staff"]:
        sessions.end(user.pk)
        api_tokens.revoke_all(user.pk)
    if before != after:
        audit.record(actor=actor, action=ACTION, obj=user, reason=reason, before=before, after=after)
        events.record(aggregate=user, kind="account.staff_change", actor_id=actor.pk, before=before, after=after, reason=reason)
    return staff_for(actor).filter(pk=user.pk).first() or user


def _standing(user: User) -> dict[str, Any]:
    names = user.groups.filter(name__in=STAFF_GROUPS).order_by("name").values_list("name", flat=True)
    return {"is_staff": user.is_staff, "groups": list(names)}
