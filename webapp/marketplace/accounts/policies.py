"""Which of a person's fields others may see, and which roles somebody holds: the one place."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.core.policies import Actor, staff_may

from .models import User

#: who reads a field: everybody signed in; the owner and staff who may check profiles; the owner; such staff; nobody through a profile
PUBLIC = frozenset({"public", "owner", "staff"})
PRIVATE = frozenset({"owner", "staff"})
OWNER = frozenset({"owner"})
STAFF = frozenset({"staff"})
NOBODY: frozenset[str] = frozenset()

#: every field of the tables behind a profile, each with its decision; a field without one fails a test
FIELDS: dict[str, dict[str, frozenset[str]]] = {
    "user": {
        **dict.fromkeys(("id", "public_id", "display_name", "country", "time_zone"), PUBLIC),
        **dict.fromkeys(("email", "language", "display_currency"), OWNER),
        **dict.fromkeys(("password", "last_login", "is_superuser", "is_active", "is_staff", "date_joined", "updated_at"), NOBODY),
    },
    "freelancer_profile": {
        **dict.fromkeys(
            (
                "title",
                "overview",
                "hourly_rate_minor",
                "currency",
                "experience_level",
                "years_experience",
                "availability",
                "hours_per_week",
                "languages",
                "category_id",
            ),
            PUBLIC,
        ),
        **dict.fromkeys(("id", "user", "created_at", "updated_at"), NOBODY),
    },
    "freelancer_skill": {
        **dict.fromkeys(("skill_id", "level", "years"), PUBLIC),
        **dict.fromkeys(("id", "freelancer", "updated_at"), NOBODY),
    },
    "profile_entry": {
        **dict.fromkeys(
            ("id", "title", "organisation", "subject", "description", "started_on", "ended_on", "links", "check_state"), PUBLIC
        ),
        **dict.fromkeys(("checked_at", "check_reason"), PRIVATE),
        **dict.fromkeys(("freelancer", "section", "position", "checked_by", "created_at", "updated_at"), NOBODY),
    },
    "client_profile": {
        **dict.fromkeys(("company_name", "about", "payment_verified", "created_at"), PUBLIC),
        **dict.fromkeys(("id", "user", "import_source", "updated_at"), NOBODY),
    },
    "company_details": {
        **dict.fromkeys(("website", "check_state"), PUBLIC),
        **dict.fromkeys(("checked_at", "check_reason"), PRIVATE),
        **dict.fromkeys(("id", "profile", "checked_by", "updated_at"), NOBODY),
    },
}
#: whose files everybody signed in may read; those of other sections are for the owner and staff who may check profiles
PUBLIC_FILES = frozenset({"portfolio"})


def audience_of(actor: Actor, owner_id: int) -> str:
    """In which capacity somebody reads a profile: owner, staff (who may `profile_verify`) or public."""
    if actor.pk == owner_id:
        return "owner"
    return "staff" if staff_may(actor, "profile_verify") else "public"


def seen_by(audience: str, table: str) -> tuple[str, ...]:
    """The fields of one of the tables in FIELDS that this audience reads."""
    return tuple(name for name, readers in FIELDS[table].items() if audience in readers)


@dataclass(frozen=True, slots=True)
class Roles:
    """What an account is to the product."""

    client: bool
    freelancer: bool
    staff: bool
    groups: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """As the dashboards ask for them: client, freelancer, staff and the staff groups."""
        held = {"client": self.client, "freelancer": self.freelancer, "staff": self.staff}
        return [*(name for name, holds in held.items() if holds), *self.groups]


def roles_of(user: User) -> Roles:
    """Roles by profiles and, for active staff only, groups; a superuser counts as the group admin."""
    groups: set[str] = set()
    if user.is_staff:
        groups = set(user.groups.values_list("name", flat=True)) | ({"admin"} if user.is_superuser else set())
    return Roles(
        client=hasattr(user, "client_profile"),
        freelancer=hasattr(user, "freelancer_profile"),
        staff=user.is_staff,
        groups=tuple(sorted(groups)),
    )
