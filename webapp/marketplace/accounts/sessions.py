"""What ends with a session: the OpenID tokens that were given out under it.

allauth leaves tokens alone on logout, password change and ended sessions; whoever ends a session means the dashboards too.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_delete


def end_tokens(user_id: int) -> int:
    """Delete every token of the user; the dashboards deny at their next check. Returns how many there were."""
    return Token.objects.filter(user=user_id).delete()[0]


def _on_account_signal(sender: Any, user: Any = None, **_: Any) -> None:
    if user is not None and user.pk is not None:
        end_tokens(user.pk)


def _on_session_deleted(sender: Any, instance: UserSession, **_: Any) -> None:
    end_tokens(instance.user_id)


def connect() -> None:
    """Called once by the app's config."""
    for signal in (user_logged_out, account_signals.password_changed, account_signals.password_reset, account_signals.password_set):
        signal.connect(_on_account_signal, dispatch_uid="accounts.end_tokens")
    post_delete.connect(_on_session_deleted, sender=UserSession, dispatch_uid="accounts.end_tokens")
