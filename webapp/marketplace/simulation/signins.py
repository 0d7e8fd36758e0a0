"""Three ready sign-ins for a demo: the best furnished simulated client and freelancer, and an administrator.

Never part of a production installation: the app is installed by the embedded, services and test profiles only.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, Q

from marketplace.accounts.models import ClientProfile, FreelancerProfile, User
from marketplace.contracts.models import Contract, Milestone
from marketplace.jobs.models import Job

PASSWORD_VARIABLE = "OPENLANCE_DEMO_PASSWORD"  # noqa: S105 - the name of a variable
CLIENT, FREELANCER, ADMIN = "client@openlance.example", "freelancer@openlance.example", "admin@openlance.example"
#: what makes a contract page worth showing, by the state of its milestones
WORTH = {"submitted": 6, "changes_requested": 4, "disputed": 3, "in_progress": 3, "funded": 2, "planned": 1}
SIMULATED = "@sim.openlance.example"


@dataclass(frozen=True, slots=True)
class SignIn:
    """One ready account. `password` is None when the account keeps the password it was given before."""

    role: str
    email: str
    password: str | None
    user_id: int


@transaction.atomic
def ensure_signins() -> list[SignIn]:
    """Make the three sign-ins, or find them; the second time nothing changes unless OPENLANCE_DEMO_PASSWORD names another password."""
    client = _person(CLIENT) or _pick("client") or _fresh(CLIENT, "Demo Client")
    freelancer = _person(FREELANCER) or _pick("freelancer", apart_from=client.pk) or _fresh(FREELANCER, "Demo Freelancer")
    admin = _person(ADMIN) or _fresh(ADMIN, "Demo Admin")
    ClientProfile.objects.get_or_create(user=client, defaults={"company_name": "Demo Company"})
    FreelancerProfile.objects.get_or_create(user=freelancer, defaults={"title": "Demo freelancer"})
    User.objects.filter(pk=admin.pk).update(is_staff=True, is_superuser=True)
    admin.groups.add(Group.objects.get_or_create(name="admin")[0])
    wanted = os.environ.get(PASSWORD_VARIABLE) or None
    made = secrets.token_urlsafe(12)
    accounts = (("client", CLIENT, client), ("freelancer", FREELANCER, freelancer), ("admin", ADMIN, admin))
    return [_signed(role, email, user, wanted, made) for role, email, user in accounts]


def _signed(role: str, email: str, user: User, wanted: str | None, made: str) -> SignIn:
    password = wanted if wanted else None if user.email == email and user.has_usable_password() else made
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])
    if password is not None and not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    EmailAddress.objects.filter(user=user).exclude(email=email).delete()
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return SignIn(role, email, password, user.pk)


def _person(email: str) -> User | None:
    return User.objects.filter(email=email).first()


def _fresh(email: str, name: str) -> User:
    return User.objects.create_user(email, None, display_name=name)


def _pick(side: str, apart_from: int | None = None) -> User | None:
    """The simulated person whose running contracts show most; contracts with the demo's other side count double."""
    points: dict[int, int] = {}
    running = Milestone.objects.filter(contract__state__in=("active", "offered"), state__in=WORTH)
    for state, client, freelancer in running.values_list("state", "contract__client_id", "contract__freelancer_id"):
        user = client if side == "client" else freelancer
        points[user] = points.get(user, 0) + WORTH[state] * (2 if side == "freelancer" and client == apart_from else 1)
    if side == "client":
        lively = Job.objects.filter(state="open", proposal_count__gt=0).values("client_id").annotate(n=Count("id"))
        for row in lively:
            points[row["client_id"]] = points.get(row["client_id"], 0) + 3 * min(row["n"], 3)
    done = Contract.objects.filter(state="completed").values(f"{side}_id").annotate(n=Count("id"))
    for row in done:
        points[row[f"{side}_id"]] = points.get(row[f"{side}_id"], 0) + min(row["n"], 4)
    people = User.objects.filter(Q(pk__in=points) & Q(email__endswith=SIMULATED)).exclude(pk=apart_from or 0)
    return max(people, key=lambda u: (points[u.pk], -u.pk), default=None)
