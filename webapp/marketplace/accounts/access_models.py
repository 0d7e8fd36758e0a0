"""Who may act as whom, and for how long: tokens of API clients, suspensions, and staff acting as somebody else. Part of `models`."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel


class ApiToken(models.Model):
    """A named key of a person's own program. Only the digest of the secret is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, help_text="How the secret begins, so that its owner knows it again.")
    digest = models.CharField(
        max_length=64, unique=True, help_text="sha256 of the whole secret, which is 256 random bits: no salt is needed."
    )
    scopes = models.JSONField(default=list, help_text="Names of accounts.scopes.SCOPES.")
    created_at = models.DateTimeField(help_text="Business time.")
    expires_at = models.DateTimeField(help_text="Business time.")
    last_used_at = models.DateTimeField(null=True, help_text="Business time, to the minute.")
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.prefix}… of user {self.user_id}"


class Suspension(StampedModel):
    """A person kept out by staff, from `at` until it is lifted. At most one is live."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    live = models.BooleanField(null=True, default=True, help_text="True or null: the unique key counts the live one only.")
    reason = models.CharField(max_length=500, help_text="The suspended person reads it.")
    at = models.DateTimeField(help_text="Business time.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "live"], name="suspension_live_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="suspension_stamp")]

    def __str__(self) -> str:
        return f"suspension of user {self.user_id}"


class Impersonation(StampedModel):
    """A member of staff acts as somebody else, for a reason and a short time, within one session."""

    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, help_text="The person reads it afterwards.")
    session_digest = models.CharField(max_length=64, help_text="sha256 of the key of the session that it is bound to.")
    started_at = models.DateTimeField(help_text="Business time.")
    expires_at = models.DateTimeField(help_text="Business time.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="impersonation_stamp"),
            models.Index(fields=["ended_at", "expires_at"], name="impersonation_due"),
        ]

    def __str__(self) -> str:
        return f"staff {self.staff_id} as user {self.user_id}"


class ImpersonatedRequest(StampedModel):
    """One request made under an impersonation, written before it is answered."""

    impersonation = models.ForeignKey(Impersonation, on_delete=models.PROTECT, related_name="requests")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    status = models.PositiveSmallIntegerField(null=True, help_text="Null when the server died before it answered.")
    at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="impersonated_request_stamp")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class SignIn(StampedModel):
    """That somebody came in by a sign-in of their own. Unlike the session it stays after signing out, and holds no address."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    device = models.CharField(max_length=80, help_text='As sessions.device_of names it, such as "Firefox on Linux".')
    at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="sign_in_stamp"),
            models.Index(fields=["user", "id"], name="sign_in_user"),
        ]

    def __str__(self) -> str:
        return f"sign-in of user {self.user_id}"
