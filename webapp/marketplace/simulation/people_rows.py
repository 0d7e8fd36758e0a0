"""People as rows of accounts: one operations person, freelancers with profiles and skills, clients with profiles."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from marketplace.accounts.models import ClientProfile, FreelancerProfile, FreelancerSkill, User

from . import calibration as cal
from . import texts
from .bids import Desk
from .people import AVAILABILITY, LEVELS, currency_of, languages_of
from .posts import minor
from .streams import uuids
from .tables import Table

USER_COLUMNS = (
    "id", "password", "last_login", "is_superuser", "public_id", "email", "display_name", "country", "time_zone", "language", "display_currency",
    "is_active", "is_staff", "date_joined",
)  # fmt: skip
PROFILE_COLUMNS = (
    "id", "user_id", "title", "overview", "hourly_rate_minor", "currency", "experience_level", "years_experience", "availability",
    "hours_per_week", "languages", "category_id", "created_at",
)  # fmt: skip
#: an unusable password (Django's prefix), the same in every run
NO_PASSWORD = "!simulated-person-cannot-sign-in"  # noqa: S105 - no password: nobody can sign in with it


def people_tables(desk: Desk, payers: Collection[int]) -> list[Table]:
    """Users, profiles and skills. `desk.staff_id` becomes the operations person who decides disputes and removes posts; the clients among
    `payers`, whose payment succeeded, are verified.
    """
    rng, people, clients = desk.streams["names"], desk.people, desk.clients
    users = Table(User, USER_COLUMNS)
    profiles, held, buyers = (
        Table(FreelancerProfile, PROFILE_COLUMNS),
        Table(FreelancerSkill, ("id", "freelancer_id", "skill_id", "level", "years")),
        None,
    )
    buyers = Table(ClientProfile, ("id", "user_id", "company_name", "about", "payment_verified", "import_source", "created_at"))
    ids = uuids(rng, 1 + len(people) + len(clients))
    first = int(min(people.joined.min(), clients.joined.min())) - cal.DAY
    users.add(
        desk.staff_id,
        NO_PASSWORD,
        None,
        True,
        ids[0],
        "operations@sim.openlance.example",
        "Operations",
        "",
        "UTC",
        "en",
        "USD",
        True,
        True,
        first,
    )
    for i in range(len(people)):
        _user(users, ids[1 + i], int(people.user_id[i]), "freelancer", texts.person(rng), int(people.country[i]), int(people.joined[i]))
        _profile(desk, profiles, i)
        for s in np.flatnonzero(people.skills[i]):
            years = max(1, int(people.years[i]) - int(rng.integers(0, 4)))
            held.add(len(held) + 1, int(people.profile_id[i]), int(desk.skills.ids[s]), int(people.skill_level[i, s]), years)
    for i in range(len(clients)):
        _user(
            users,
            ids[1 + len(people) + i],
            int(clients.user_id[i]),
            "client",
            texts.person(rng),
            int(clients.country[i]),
            int(clients.joined[i]),
        )
        field = desk.skills.categories[int(clients.category[i])][2]
        buyers.add(
            i + 1, int(clients.user_id[i]), texts.firm(rng), f"We buy {field.lower()} a few times a year.",
            int(clients.user_id[i]) in payers, "", int(clients.joined[i]),
        )  # fmt: skip
    return [users, profiles, held, buyers]


def _user(users: Table, public_id: object, pk: int, side: str, name: str, country: int, joined: int) -> None:
    code, _, _, currency, zone, _, languages = cal.COUNTRIES[country]
    mail = f"{side}{pk}@sim.openlance.example"
    users.add(pk, NO_PASSWORD, None, False, public_id, mail, name, code, zone, languages[0], currency, True, False, joined)


def _profile(desk: Desk, profiles: Table, i: int) -> None:
    people = desk.people
    held = [desk.skills.names[s] for s in np.flatnonzero(people.skills[i])]
    order = desk.streams["names"].permutation(len(held))
    level = LEVELS[people.level[i]]
    title, overview = texts.profile(desk.streams["names"], [held[k] for k in order], level, desk.skills.categories[people.category[i]][2])
    currency = currency_of(int(people.country[i]))
    profiles.add(
        int(people.profile_id[i]), int(people.user_id[i]), title, overview, int(minor(float(people.rate_usd[i]), currency)), currency, level,
        int(people.years[i]), AVAILABILITY[people.availability[i]], (40, 20, 5)[people.availability[i]], languages_of(int(people.country[i])),
        desk.skills.categories[people.category[i]][0], int(people.joined[i]),
    )  # fmt: skip
