"""Which of a person's fields others may see, and which roles somebody holds: the one place."""

from __future__ import annotations

from dataclasses import dataclass

from .models import User

#: what every signed-in person may read of a freelancer; everything else (e-mail, time zone, display currency, …) is private
PUBLIC_USER_FIELDS = ("id", "public_id", "display_name", "country")
PUBLIC_FREELANCER_FIELDS = (
    "title",
    "overview",
    "hourly_rate_minor",
    "currency",
    "experience_level",
    "years_experience",
    "availability",
    "hours_per_week",
    "languages",
    "category",
    "skills",
)


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
