"""Reading people: profiles by user, and what others may see of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from marketplace.core.errors import NotFound
from marketplace.core.policies import Actor, Seer, one_of, require_staff
from marketplace.core.prepared import Statement, fill

from .completeness import Hint, hints
from .models import AccountClosing, ClientProfile, FreelancerProfile, FreelancerSkill, ProfileEntry, Suspension, User
from .policies import PUBLIC_FILES, audience_of


def client_profile_of(user_id: int) -> ClientProfile | None:
    """The buying side of a user, or None."""
    return ClientProfile.objects.filter(user=user_id).first()


def freelancer_profile_of(user_id: int) -> FreelancerProfile | None:
    """The selling side of a user, or None."""
    return FreelancerProfile.objects.filter(user=user_id).first()


def is_suspended(user_id: int) -> bool:
    """Whether staff keep this person out now."""
    return Suspension.objects.filter(user=user_id, live=True).exists()


def last_device(user_id: int) -> tuple[str, str] | None:
    """Address and browser of the session that somebody used last; None for whoever never signed in by a browser."""
    found: tuple[str, str] | None = (
        UserSession.objects.filter(user=user_id).order_by("-last_seen_at", "-id").values_list("ip", "user_agent").first()
    )
    return found


def suspended_since(user_id: int) -> datetime | None:
    """Since when staff keep this person out; None when they do not."""
    return Suspension.objects.filter(user=user_id, live=True).values_list("at", flat=True).first()


def suspended(person: str, *, before: str = "") -> Exists:
    """For filters: whether staff keep the person out whom this field of the filtered rows names; since before the instant in the field
    `before`, when given. `~suspended("client")` leaves them out."""
    found = Suspension.objects.filter(user=OuterRef(person), live=True)
    return Exists(found.filter(at__lt=OuterRef(before)) if before else found)


def staff_who_may(action: str) -> tuple[int, ...]:
    """Ids of the active staff to whom their groups, or an admin, gave `action` of STAFF_ACTIONS. Superusers are not counted among them."""
    held = Q(groups__permissions__codename=action) | Q(user_permissions__codename=action)
    return tuple(User.objects.filter(held, is_staff=True, is_active=True).order_by("pk").distinct().values_list("pk", flat=True))


def skill_ids_of(user_ids: Iterable[int], *, among: Collection[int] | None = None) -> dict[int, set[int]]:
    """For each of these users, the ids of the skills they claim, only those `among` where given; one query."""
    found: dict[int, set[int]] = defaultdict(set)
    for user_id, skill_id in _SKILL_IDS(user_ids=set(user_ids), among=None if among is None else list(among)):
        found[user_id].add(skill_id)
    return found


def _skill_ids(*, user_ids: list[int], among: list[int] | None) -> QuerySet[Any, tuple[int, int]]:
    rows = FreelancerSkill.objects.filter(freelancer__user__in=user_ids)
    if among is not None:
        rows = rows.filter(skill_id__in=among)
    return rows.values_list("freelancer__user", "skill_id")


_SKILL_IDS: Statement[tuple[int, int]] = Statement(_skill_ids)


def users_by_id(user_ids: Iterable[int]) -> dict[int, User]:
    """Users with both profiles loaded, by id; one query."""
    rows = User.objects.filter(pk__in=set(user_ids)).select_related("client_profile", "freelancer_profile")
    return {u.pk: u for u in rows}


def accounts_that_left(user_ids: Iterable[int]) -> set[int]:
    """Those of the users whose accounts were closed by their owners, for good."""
    left = AccountClosing.objects.filter(user__in=set(user_ids), state__in=("shut", "erased"))
    return set(left.values_list("user_id", flat=True))


def user_with_profiles(user_id: int) -> User:
    """The user with both profiles, the company and the claimed skills loaded."""
    found = _OWN_ACCOUNT.first(user_id=user_id)
    if found is None:
        raise User.DoesNotExist
    return _with_sections(found, "skills")


def _with_sections(user: User, *sections: str) -> User:
    """The user whose freelancer profile, if there is one, has its skills and entries at hand; a query for each."""
    profile: FreelancerProfile | None = getattr(user, "freelancer_profile", None)
    if profile is not None:
        for section in sections:
            fill(profile, section, _SECTIONS[section](profile_id=profile.pk))
    return user


_OWN_ACCOUNT: Statement[User] = Statement(
    lambda user_id: User.objects.filter(pk=user_id).select_related("client_profile__company", "freelancer_profile")[:1]
)
_SECTIONS: dict[str, Statement[Any]] = {
    "skills": Statement(lambda profile_id: FreelancerSkill.objects.filter(freelancer=profile_id)),
    "entries": Statement(lambda profile_id: ProfileEntry.objects.filter(freelancer=profile_id)),
}


def freelancers_visible_to(actor: Actor) -> QuerySet[User]:
    """Active freelancers with their profiles, for anybody signed in; nobody for the others."""
    people = User.objects.filter(is_active=True, freelancer_profile__isnull=False) if actor.is_authenticated else User.objects.none()
    return people.select_related("freelancer_profile")


def freelancer_for(actor: Actor, user_id: int) -> User:
    """An active freelancer with profile, skills and entries, for anybody signed in. Raises NotFound."""
    found = _FREELANCER.first(pk=actor.pk, user_id=user_id)
    if found is None:
        raise NotFound("freelancer")
    return _with_sections(found, "skills", "entries")


_FREELANCER: Statement[User] = Statement(lambda pk, user_id: freelancers_visible_to(Seer(pk, False)).filter(pk=user_id)[:1])


def client_for(actor: Actor, user_id: int) -> User:
    """An active client with profile and company, for anybody signed in. Raises NotFound."""
    people = User.objects.filter(is_active=True, client_profile__isnull=False) if actor.is_authenticated else User.objects.none()
    return one_of(people.select_related("client_profile__company"), user_id, "client")


def entries_of(user_id: int, section: str) -> list[ProfileEntry]:
    """A freelancer's entries of one section in the owner's order."""
    return list(ProfileEntry.objects.filter(freelancer__user=user_id, section=section).order_by("position", "id"))


def completeness_of(user: User) -> list[Hint]:
    """What the user's freelancer profile has and lacks."""
    profile = freelancer_profile_of(user.pk)
    rows = ProfileEntry.objects.filter(freelancer__user=user.pk).values_list("section").annotate(n=Count("pk")).order_by()
    counts = {**dict(rows), "skills": FreelancerSkill.objects.filter(freelancer__user=user.pk).count()}
    return hints(user, profile, counts)


def certifications_to_check(actor: Actor, state: str) -> QuerySet[ProfileEntry]:
    """The certificates in a state of the check, for staff who may `profile_verify`. Raises NotAllowed."""
    require_staff(actor, "profile_verify")
    rows = ProfileEntry.objects.filter(section="certifications", check_state=state, freelancer__user__is_active=True)
    return rows.select_related("freelancer__user")


def reads_file(*, actor: Actor, attached_type: str, attached_id: int) -> bool | None:
    """The answer to ports.file_readers: the portfolio is for everybody signed in, a credential for its owner and staff who check it."""
    if attached_type != "accounts.profileentry":
        return None
    entry = ProfileEntry.objects.filter(pk=attached_id, freelancer__user__is_active=True).select_related("freelancer").first()
    if entry is None:
        return False
    return entry.section in PUBLIC_FILES or audience_of(actor, entry.freelancer.user_id) != "public"


_SEARCHED = (
    "title", "overview", "hourly_rate_minor", "currency", "experience_level", "years_experience", "availability", "hours_per_week",
    "languages", "category_id", "created_at",
)  # fmt: skip


def freelancers_searched(*, user_ids: Sequence[int] | None = None, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
    """What the search indexes of active freelancers, by user id: of these users, or of the next `limit` after a user id; one query."""
    rows = FreelancerProfile.objects.filter(user__is_active=True, user__gt=after).order_by("user")
    if user_ids is not None:
        rows = rows.filter(user__in=user_ids)
    return list(rows.values("user_id", "user__country", "user__time_zone", *_SEARCHED)[:limit])


def claimed_skills(user_ids: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
    """For each of these users the skills they claim as (skill id, level), the best first; one query."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    rows = FreelancerSkill.objects.filter(freelancer__user__in=set(user_ids)).order_by("-level", "pk")
    for user_id, skill_id, level in rows.values_list("freelancer__user", "skill_id", "level"):
        found[user_id].append((skill_id, level))
    return found


def users_of_profiles(*, clients: Iterable[int] = (), freelancers: Iterable[int] = ()) -> tuple[set[int], set[int]]:
    """The users behind these client profiles and these freelancer profiles."""
    buying, selling = set(clients), set(freelancers)
    return (
        set(ClientProfile.objects.filter(pk__in=buying).values_list("user", flat=True)) if buying else set(),
        set(FreelancerProfile.objects.filter(pk__in=selling).values_list("user", flat=True)) if selling else set(),
    )


def chunks_of_users_claiming(skill_id: int, size: int) -> Iterator[list[int]]:
    """The ids of all users who claim the skill, in lists of at most `size`."""
    rows, last = FreelancerSkill.objects.filter(skill_id=skill_id).order_by("pk"), 0
    while found := list(rows.filter(pk__gt=last).values_list("pk", "freelancer__user")[:size]):
        yield [user_id for _, user_id in found]
        last = found[-1][0]
