"""Who may see and do what, default deny: the small vocabulary that every app's `policies.py` uses."""

from __future__ import annotations

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


STAFF_GROUPS = ("support", "moderator", "finance", "admin", "analyst")


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
