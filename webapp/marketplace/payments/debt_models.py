"""Debts that are given up, and who agreed to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.core.fields import StampedModel

from .states import DEBT_WRITE_OFF


class DebtWriteOff(StampedModel):
    """That what somebody owes us is written off: asked for by one member of staff, decided on by another."""

    account = models.ForeignKey("payments.Account", on_delete=models.PROTECT, related_name="write_offs", help_text="The debt's account.")
    amount_minor = models.BigIntegerField(help_text="What was owed when it was asked for: it is written off whole.")
    state = models.CharField(max_length=12, choices=DEBT_WRITE_OFF.choices, default=DEBT_WRITE_OFF.initial)
    waiting = models.BigIntegerField(null=True, unique=True, help_text="The account while it is asked for: one request at a time.")
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="debt_write_off_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="debt_write_off_stamp"),
            models.Index(fields=["state", "id"], name="debt_write_off_state"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.account_id} ({self.state})"
