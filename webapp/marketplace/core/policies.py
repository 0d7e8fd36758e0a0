"""Who may see and do what, default deny: the small vocabulary that every app's `policies.py` uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.db import models

from .errors import NotAllowed, NotFound

M = TypeVar("M", bound=models.Model)


class Actor(Protocol):
    """Anybody who acts: accounts.User, or AnonymousUser (whose id is None)."""

    @property
    def pk(self) -> Any: ...
    @property
    def is_authenticated(self) -> Any: ...
    @property
    def is_staff(self) -> Any: ...
    def has_perm(self, perm: str) -> bool: ...


STAFF_GROUPS = ("support", "moderator", "finance", "admin", "analyst")

#: what staff may do to what is not theirs: action → (words for the admin's picker, groups that may from the first migrate on).
#: Each is the permission `core.<action>`; an admin moves them between groups, and `staff_may` reads what the database then says.
STAFF_ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "records_see": ("see jobs, proposals, contracts, disputes and files of other people", STAFF_GROUPS),
    "clock_move": ("move the business clock of a demo or test installation", ("admin",)),
    "account_manage": ("suspend, restore and close accounts, end their sessions", ("support", "admin")),
    "account_impersonate": ("act as somebody else, with a reason and a trace", ("support", "admin")),
    "groups_change": ("say who is staff and what each group may do", ("admin",)),
    "audit_see": ("read the audit of staff's acts", ("admin", "analyst")),
    "profile_verify": ("check certificates and companies", ("support", "moderator", "admin")),
    "job_moderate": ("clear, hold and remove job posts", ("moderator", "admin")),
    "moderation_decide": ("claim and decide moderation cases", ("moderator", "admin")),
    "moderation_second": ("give the second approval that a moderation case needs", ("admin",)),
    "contract_pause": ("pause and resume contracts", ("support", "admin")),
    "dispute_decide": ("decide disputes and appeals", ("support", "admin")),
    "payments_see": ("see payments, payouts and ledger entries", ("finance", "admin")),
    "payment_query": ("ask gateways again about payments, and replay their notifications", ("finance", "admin")),
    "payout_decide": ("allow and refuse held payouts", ("finance", "admin")),
    "fee_refund": ("give fees of the platform back", ("finance", "admin")),
    "reconcile": ("settle differences with the gateways and import their files", ("finance", "admin")),
    "fees_publish": ("propose and publish versions of the fees", ("finance", "admin")),
    "rates_set": ("set exchange rates by hand", ("finance", "admin")),
    "settings_change": ("change feature settings", ("admin",)),
    "taxonomy_change": ("merge and rename skills", ("moderator", "admin")),
}


@dataclass(frozen=True, slots=True)
class Seer:
    """An actor by what prepared statements ask of one: who, and whether staff who see everybody's records."""

    pk: Any
    sees_all: bool

    @property
    def is_authenticated(self) -> bool:
        return self.pk is not None

    @property
    def is_staff(self) -> bool:
        return self.sees_all

    def has_perm(self, perm: str) -> bool:
        return self.sees_all and perm == "core.records_see"


def seen_by(actor: Actor) -> dict[str, Any]:
    """The values from which a prepared statement makes a Seer: `Statement(lambda pk, sees_all, …: visible_to(Seer(pk, sees_all))…)`."""
    return {"pk": actor.pk, "sees_all": staff_may(actor, "records_see")}


def one_of(visible: models.QuerySet[M], pk: int, what: str) -> M:
    """The row out of what the actor may see; absent and forbidden raise the same NotFound."""
    found = visible.filter(pk=pk).first()
    if found is None:
        raise NotFound(what)
    return found


def require(allowed: bool, code: str, message: str) -> None:
    """Raise NotAllowed(code, message) unless allowed."""
    if not allowed:
        raise NotAllowed(code, message)


def staff_may(actor: Actor, action: str) -> bool:
    """Whether the actor is staff whose groups hold `action`, one of STAFF_ACTIONS; a superuser may all. Raises KeyError for an unknown action."""
    STAFF_ACTIONS[action]
    return bool(actor.is_authenticated and actor.is_staff and actor.has_perm(f"core.{action}"))


def require_staff(actor: Actor, action: str) -> None:
    """Raise NotAllowed("staff_only") unless staff_may."""
    require(staff_may(actor, action), "staff_only", f"Only staff who may {STAFF_ACTIONS[action][0]} can do that.")
