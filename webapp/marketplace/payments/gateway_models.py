"""Which payers a gateway knows, with what they saved there; and the sandbox's news."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import SAVED_METHOD


class GatewayCustomer(models.Model):
    """Under which name a gateway keeps what a payer saved there. It was told nothing else about the person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    ref = models.CharField(max_length=128)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "provider"], name="gateway_customer_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.ref}"


class SavedMethod(StampedModel):
    """A means of payment that a payer saved at a gateway: its token, and what is printed on receipts. Card data never comes here."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=SAVED_METHOD.choices, default=SAVED_METHOD.initial)
    setup_ref = models.CharField(max_length=128, null=True, unique=True, help_text="The gateway's name of the act of saving.")
    token = models.CharField(max_length=128, blank=True)
    brand = models.CharField(max_length=24, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    exp_month = models.PositiveSmallIntegerField(null=True)
    exp_year = models.PositiveSmallIntegerField(null=True)
    is_default = models.BooleanField(default=False)
    details = models.JSONField(default=dict, help_text="What the browser had of it: a token, never card data.")
    action = models.JSONField(default=dict, help_text="What its owner still has to do, for the browser; empty when nothing.")
    failure_code = models.CharField(max_length=64, blank=True)
    idempotency_key = models.CharField(max_length=128, unique=True)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="saved_method_stamp"),
            models.Index(fields=["user", "state", "id"], name="saved_method_user"),
            models.Index(fields=["provider", "token"], name="saved_method_token"),
            models.Index(fields=["state", "created_at"], name="saved_method_open"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.brand} {self.last4} ({self.state})"


class SandboxNews(models.Model):
    """A notification that the sandbox has to deliver: what a real gateway would keep in its own queue until we answer."""

    event_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=64)
    ref = models.CharField(max_length=64)
    due_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True, help_text="Null: delivered, or given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "sandbox news"
        indexes = [
            models.Index(fields=["next_try_at", "id"], name="sandbox_news_next"),
            models.Index(fields=["due_at", "id"], name="sandbox_news_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"
