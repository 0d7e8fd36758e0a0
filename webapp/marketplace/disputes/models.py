"""Disputes and their settlement."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import DISPUTE


class Dispute(StampedModel):
    """One disputed milestone. `live_key` is the milestone's id while the dispute lives, so that there is one at a time."""

    milestone = models.ForeignKey("contracts.Milestone", on_delete=models.PROTECT, related_name="+")
    live_key = models.CharField(max_length=24, null=True, unique=True)
    state = models.CharField(max_length=12, choices=DISPUTE.choices, default=DISPUTE.initial)
    filer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    claim = models.TextField(max_length=10000)
    held_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    to_freelancer_minor = models.BigIntegerField(null=True)
    to_client_minor = models.BigIntegerField(null=True)
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField(help_text="A decision by staff is due then.")
    settled_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decision_reason = models.TextField(blank=True, max_length=5000)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(settled_at__isnull=True)
                | models.Q(held_minor=models.F("to_freelancer_minor") + models.F("to_client_minor")),
                name="dispute_split_sums",
            ),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="dispute_stamp")]

    def __str__(self) -> str:
        return f"dispute {self.pk} on milestone {self.milestone_id}"
