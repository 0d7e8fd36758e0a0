"""A person's sessions: listed, ended, and what ends with them: the OpenID tokens that were given out under them.

allauth leaves tokens alone on logout, password change and ended sessions; whoever ends a session means the dashboards too. Sessions live by
the wall clock, like the session store.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from allauth.account import signals as account_signals
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.core import context, ratelimit
from allauth.idp.oidc.models import Token
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.signals import post_delete, post_save
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from marketplace.core import clock, events
from marketplace.core.errors import NotAllowed
from marketplace.core.policies import one_of
from marketplace.core.transactions import unit_of_work

from . import api_tokens, pace
from .models import SignIn, User

_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def device_of(user_agent: str) -> str:
    """A short name of the device for its owner's eyes, such as "Firefox on Linux"; what a program calls itself when it is no browser."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser is None:
        return user_agent.split(" ", 1)[0][:60] or "an unknown device"
    return f"{browser} on {system}" if system else browser


def sessions_of(actor: User) -> models.QuerySet[UserSession]:
    """The actor's sessions that are still open."""
    open_ = Session.objects.filter(session_key=models.OuterRef("session_key"), expire_date__gt=timezone.now())
    return UserSession.objects.filter(models.Exists(open_), user=actor.pk)


@unit_of_work
def session_end(*, actor: User, session_id: int) -> None:
    """End one of one's own sessions, also the present one. Raises NotFound."""
    owner = User.objects.select_for_update().get(pk=actor.pk)
    one_of(sessions_of(owner), session_id, "session").end()
    events.record(aggregate=owner, kind="account.sessions_end", actor_id=actor.pk, after={"sessions": 1})


@unit_of_work
def sessions_end(*, actor: User, but: str | None = None, with_tokens: bool = False) -> int:
    """End the actor's sessions, all or all but the one with the key `but`, and the API tokens when asked to; returns how many sessions."""
    owner = User.objects.select_for_update().get(pk=actor.pk)
    ended = end(owner.pk, but=but)
    revoked = api_tokens.revoke_all(owner.pk) if with_tokens else 0
    events.record(aggregate=owner, kind="account.sessions_end", actor_id=actor.pk, after={"sessions": ended, "tokens": revoked})
    return ended


def end(user_id: int, *, but: str | None = None) -> int:
    """End a person's sessions and OpenID tokens; returns how many sessions. Part of a caller's unit of work."""
    rows = UserSession.objects.filter(user=user_id)
    ended = 0
    for row in rows.exclude(session_key=but) if but else rows:
        row.end()
        ended += 1
    end_tokens(user_id)
    return ended


def mark_seen(session_key: str | None) -> None:
    """Keep when the session was last used, to the minute."""
    if session_key and pace.due("session", session_key):
        UserSession.objects.filter(session_key=session_key).update(last_seen_at=timezone.now())


def end_tokens(user_id: int) -> int:
    """Delete every OpenID token of the user; the dashboards deny at their next check. Returns how many there were."""
    return Token.objects.filter(user=user_id).delete()[0]


def _on_login(sender: Any, user: User, request: Any = None, **_: Any) -> None:
    """A sign-in is written down, and its session as seen: the first requests after it need not."""
    agent = request.META.get("HTTP_USER_AGENT", "") if request is not None else ""
    SignIn.objects.create(user=user, device=device_of(agent), at=clock.now())
    if request is not None and request.session.session_key:
        pace.due("session", request.session.session_key)


def require_person(request: Request, password: str | None) -> None:
    """Make sure that it is the person who asks: by their password, or by a re-authentication of this session that is still fresh (allauth's
    ACCOUNT_REAUTHENTICATION_TIMEOUT; the way for accounts without a password).

    Raises NotAllowed("password_wrong") and NotAllowed("reauthentication_required"), Throttled after too many wrong passwords.
    """
    user: Any = request.user
    if password is None:
        session = request.auth if isinstance(request.auth, SessionBase) else request._request.session
        shown: Any = SimpleNamespace(user=user, session=session)
        if not did_recently_reauthenticate(shown):
            raise NotAllowed(
                "reauthentication_required", "Send your password, or confirm that it is you (re-authenticate) and send this again."
            )
        return
    if not ratelimit.consume(request._request, action="reauthenticate", user=user):
        raise Throttled(wait=60)
    if not user.check_password(password):
        raise NotAllowed("password_wrong", "The password is not right. Nothing was changed.")


def _on_logout(sender: Any, user: Any = None, **_: Any) -> None:
    if user is not None and user.pk is not None:
        end_tokens(user.pk)


def _on_new_password(sender: Any, user: User, request: Any = None, **_: Any) -> None:
    """The session in which the password was changed goes on; a reset is made outside of any, and ends all."""
    signed_in = request is not None and request.user.is_authenticated and request.user.pk == user.pk
    end(user.pk, but=request.session.session_key if signed_in else None)


def _on_new_factor(sender: Any, instance: Authenticator, created: bool, **_: Any) -> None:
    """Every live session of whoever has a second factor was opened with it, or is the one in which it was set up: in the same transaction,
    which allauth's own signal, sent after the commit, could not promise."""
    if created and instance.type != Authenticator.Type.RECOVERY_CODES:
        request = context.request
        end(instance.user_id, but=request.session.session_key if request is not None else None)


def _on_session_deleted(sender: Any, instance: UserSession, **_: Any) -> None:
    end_tokens(instance.user_id)


def connect() -> None:
    """Called once by the app's config."""
    user_logged_in.connect(_on_login, dispatch_uid="accounts.mark_seen")
    user_logged_out.connect(_on_logout, dispatch_uid="accounts.end_tokens")
    for signal in (account_signals.password_changed, account_signals.password_reset, account_signals.password_set):
        signal.connect(_on_new_password, dispatch_uid="accounts.end_sessions")
    post_save.connect(_on_new_factor, sender=Authenticator, dispatch_uid="accounts.end_sessions")
    post_delete.connect(_on_session_deleted, sender=UserSession, dispatch_uid="accounts.end_tokens")
