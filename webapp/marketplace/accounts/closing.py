"""Leaving: a request, a grace in which it can be taken back, and then two steps of a clock: the account is shut, and what is personal is erased.

What must be kept (the ledger, contracts, reviews, evidence) stays under a pseudonym: docs/retention.md says for how long. Other apps do their
part when they hear `closing.shut` (end what lives) and `closing.erase` (delete what is personal). Every step can be run again.
Services like those in services.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from marketplace.core import clock, events, files, ports
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.models import IdempotencyRecord
from marketplace.core.personal import Obstacle
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import api_tokens, impersonation, sessions
from .exporting import exports_drop
from .models import AccountClosing, ApiToken, ClientProfile, CompanyDetails, FreelancerProfile, FreelancerSkill, ProfileEntry, SignIn, User
from .services import user_locked
from .states import CLOSING

PUT_OFF = timedelta(days=1)
LIVE = ("pending", "shut")
#: files on these go with the account; those handed over with work, proposals and evidence stay with them
ERASED_FILES = ("accounts.profileentry",)


def obstacles_of(user_id: int) -> list[Obstacle]:
    """What keeps this account open now, in the words of the apps that know."""
    return [o for answers in ports.closing_obstacles.all(user_id=user_id).values() for o in answers]


def closing_of(user_id: int) -> AccountClosing | None:
    """The account's live closing, or None."""
    return AccountClosing.objects.filter(user=user_id, state__in=LIVE).first()


@unit_of_work
def closing_request(*, actor: User, reason: str = "") -> AccountClosing:
    """Ask to leave: the account is closed after CLOSING_GRACE_DAYS. The caller has made sure that it is the person who asks.

    Raises Conflict("closing_requested") for a second request, Conflict("closing_obstacles") with every obstacle in `fields`, InvalidInput.
    """
    checks = Checks()
    reason = checks.text("reason", reason, longest=500)
    checks.raise_if_any()
    user_locked(actor.pk)
    if closing_of(actor.pk) is not None:
        raise Conflict("closing_requested", "Your account is being closed already.")
    found = obstacles_of(actor.pk)
    if found:
        message = "Something keeps your account open: " + " ".join(o.message for o in found)
        raise Conflict("closing_obstacles", message, {o.code: [p.message for p in found if p.code == o.code] for o in found})
    now = clock.now()
    closing = AccountClosing.objects.create(
        user=actor, live_key=actor.pk, reason=reason, requested_at=now, closes_at=now + timedelta(days=settings.CLOSING_GRACE_DAYS)
    )
    after = {"state": closing.state, "closes_at": closing.closes_at.isoformat()}
    events.record(aggregate=closing, kind="closing.request", actor_id=actor.pk, after=after)
    return closing


@unit_of_work
def closing_cancel(*, actor: User) -> AccountClosing:
    """Stay after all. Raises Conflict("closing_none") when there is nothing to take back."""
    user_locked(actor.pk)
    closing = AccountClosing.objects.select_for_update().filter(user=actor, state="pending").first()
    if closing is None:
        raise Conflict("closing_none", "Your account is not being closed.")
    closing.live_key = None
    move(closing, CLOSING, "cancel", role="owner", actor_id=actor.pk, also=["live_key"])
    return closing


def due_closing_ids(now: datetime, limit: int = 200) -> list[int]:
    """Closings whose grace is over, and those that were shut and not erased yet."""
    due = AccountClosing.objects.filter(state__in=LIVE, closes_at__lte=now)
    return list(due.order_by("closes_at", "id").values_list("pk", flat=True)[:limit])


def closing_advance(*, closing_id: int) -> int:
    """The clock's act: shut the account when its grace is over and nothing stands in the way, then erase it; returns the steps taken here.

    Each step is a transaction of its own. Run twice, or after a crash between them, it takes the steps that are left.
    """
    return int(_shut(closing_id=closing_id)) + int(_erase(closing_id=closing_id))


def _locked(closing_id: int) -> tuple[User, AccountClosing]:
    user = user_locked(AccountClosing.objects.values_list("user_id", flat=True).get(pk=closing_id))
    return user, AccountClosing.objects.select_for_update().get(pk=closing_id)


@unit_of_work
def _shut(*, closing_id: int) -> bool:
    """Nobody comes in any more. What came in the way meanwhile puts it off by a day, of which the person is told the first time."""
    user, closing = _locked(closing_id)
    now = clock.now()
    if closing.state != "pending" or now < closing.closes_at:
        return False
    found = obstacles_of(user.pk)
    if found:
        first = closing.put_off_at is None
        closing.put_off_at, closing.closes_at = closing.put_off_at or now, now + PUT_OFF
        closing.save(update_fields=["put_off_at", "closes_at"])
        if first:
            codes = {"obstacles": [o.code for o in found]}
            why = " ".join(o.message for o in found)[:200]
            events.record(aggregate=closing, kind="closing.put_off", actor_id=None, after=codes, reason=why)
        return False
    user.is_active = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    sessions.end(user.pk)
    api_tokens.revoke_all(user.pk)
    impersonation.end_all_of(user)
    events.record(aggregate=user, kind="user.close", actor_id=None, reason="closed by its owner")
    closing.shut_at = now
    move(closing, CLOSING, "shut", role="system", actor_id=None, also=["shut_at"], extra={"user_id": user.pk})
    return True


@unit_of_work
def _erase(*, closing_id: int) -> bool:
    """Take away what is personal; what stays bears the pseudonym."""
    user, closing = _locked(closing_id)
    if closing.state != "shut":
        return False
    user.email = f"closed-{user.public_id.hex}@closed.invalid"  # a domain that is reserved never to exist (RFC 2606)
    user.display_name = f"Former member {user.pk}"
    user.country, user.time_zone, user.language, user.display_currency = "", "UTC", "en", "USD"
    user.last_login = None
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    ApiToken.objects.filter(user=user).delete()
    SignIn.objects.filter(user=user).delete()
    IdempotencyRecord.objects.filter(actor_key=f"user:{user.pk}").delete()  # they hold answers, and answers hold personal data
    _erase_profiles(user)
    exports_drop(user_id=user.pk)
    files.erase_files(owner_id=user.pk, attached_types=ERASED_FILES)
    closing.reason, closing.erased_at = "", clock.now()
    move(closing, CLOSING, "erase", role="system", actor_id=None, also=["reason", "erased_at"], extra={"user_id": user.pk})
    return True


def _erase_profiles(user: User) -> None:
    blank: dict[str, Any] = {"title": "Closed account", "overview": "", "languages": [], "hourly_rate_minor": None, "category_id": None}
    profile = FreelancerProfile.objects.filter(user=user).first()
    if profile is not None:
        FreelancerSkill.objects.filter(freelancer=profile).delete()
        ProfileEntry.objects.filter(freelancer=profile).delete()
        FreelancerProfile.objects.filter(pk=profile.pk).update(availability=FreelancerProfile.Availability.UNAVAILABLE, **blank)
    ClientProfile.objects.filter(user=user).update(company_name="", about="")
    CompanyDetails.objects.filter(profile__user=user).update(website="", check_reason="")
