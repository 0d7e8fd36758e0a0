"""Staff need a second factor: until it is set up, an account of staff opens nothing but the way to set it up."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.conf import settings

from .models import User

CODE = "second_factor_required"
MESSAGE = "Staff need a second factor. Set up an authenticator app or a passkey in your settings first."
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def is_lacking(user: User) -> bool:
    """Whether this is staff without TOTP and passkey, in an installation that asks for it (STAFF_SECOND_FACTOR).

    Whoever has a factor has proven it in each live session: adding one ends the other sessions, and signing in asks for it.
    """
    if not (settings.STAFF_SECOND_FACTOR and user.is_staff):
        return False
    return not Authenticator.objects.filter(user=user.pk, type__in=FACTORS).exists()
