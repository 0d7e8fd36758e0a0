"""What the platform takes, in published versions, and the versions that staff propose."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import FEE_PROPOSAL


class FeeSchedule(StampedModel):
    """A versioned fee table; a contract keeps the version it was quoted."""

    version = models.CharField(max_length=32, unique=True)
    freelancer_fee_bps = models.PositiveIntegerField(help_text="Hundredths of a per cent of the gross.")
    tax_bps = models.PositiveIntegerField(default=0, help_text="Hundredths of a per cent of the fee: the tax on our service.")
    tiers = models.JSONField(
        default=dict,
        help_text="currency → [[from minor units, hundredths of a per cent], …], ascending: what is paid on the contract beyond an amount bears its percent.",
    )
    minimum = models.JSONField(
        default=dict, help_text="currency → minor units that a contract bears at least, out of half of what is paid at most."
    )
    client_fee_bps = models.PositiveIntegerField(
        default=0, help_text="Hundredths of a per cent of what is funded: the client's fee, on top."
    )
    client_minimum = models.JSONField(default=dict, help_text="Currency → the least that a client's fee is, in minor units.")
    active_from = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="fee_schedule_stamp")]

    def __str__(self) -> str:
        return self.version


class FeeProposal(StampedModel):
    """A version that a member of staff proposes, and what a second one decided: who, when and why."""

    version = models.CharField(max_length=32)
    active_from = models.DateTimeField()
    terms = models.JSONField(help_text="The other fields of the schedule that it would be.")
    state = models.CharField(max_length=10, choices=FEE_PROPOSAL.choices, default=FEE_PROPOSAL.initial)
    waiting = models.CharField(max_length=32, null=True, unique=True, help_text="The version while it is proposed: a name once.")
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    schedule = models.OneToOneField(FeeSchedule, on_delete=models.PROTECT, related_name="proposal", null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="fee_proposal_stamp"),
            models.Index(fields=["state", "id"], name="fee_proposal_state"),
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.state})"
