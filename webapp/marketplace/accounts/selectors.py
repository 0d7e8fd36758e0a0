"""Reading people: profiles by user, and what others may see of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from marketplace.core.policies import Actor, one_of

from .models import ClientProfile, FreelancerProfile, FreelancerSkill, User


def client_profile_of(user_id: int) -> ClientProfile | None:
    """The buying side of a user, or None."""
    return ClientProfile.objects.filter(user=user_id).first()


def freelancer_profile_of(user_id: int) -> FreelancerProfile | None:
    """The selling side of a user, or None."""
    return FreelancerProfile.objects.filter(user=user_id).first()


def skill_ids_of(user_ids: Iterable[int]) -> dict[int, set[int]]:
    """For each of these users, the ids of the skills they claim; one query."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = FreelancerSkill.objects.filter(freelancer__user__in=set(user_ids))
    for user_id, skill_id in rows.values_list("freelancer__user", "skill_id"):
        found[user_id].add(skill_id)
    return found


def users_by_id(user_ids: Iterable[int]) -> dict[int, User]:
    """Users with both profiles loaded, by id; one query."""
    rows = User.objects.filter(pk__in=set(user_ids)).select_related("client_profile", "freelancer_profile")
    return {u.pk: u for u in rows}


def user_with_profiles(user_id: int) -> User:
    """The user with both profiles and the claimed skills loaded."""
    return (
        User.objects.select_related("client_profile", "freelancer_profile").prefetch_related("freelancer_profile__skills").get(pk=user_id)
    )


def freelancer_for(actor: Actor, user_id: int) -> User:
    """An active freelancer with profile and skills, for anybody signed in. Raises NotFound."""
    people = User.objects.filter(is_active=True, freelancer_profile__isnull=False) if actor.is_authenticated else User.objects.none()
    return one_of(people.select_related("freelancer_profile").prefetch_related("freelancer_profile__skills"), user_id, "freelancer")
