"""Disputes, what the two sides offered and showed, and how each ended."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import DISPUTE


class Dispute(StampedModel):
    """One disputed milestone. `live_key` is the milestone's id while the dispute lives, so that there is one at a time."""

    class SettledBy(models.TextChoices):
        CLAIM_ACCEPTED = "claim_accepted"
        SILENCE = "silence"
        AGREEMENT = "agreement"
        PROPOSAL = "proposal"
        DECISION = "decision"
        APPEAL = "appeal"
        STAFF = "staff", "staff, before its turn"

    milestone = models.ForeignKey("contracts.Milestone", on_delete=models.PROTECT, related_name="+")
    live_key = models.CharField(max_length=24, null=True, unique=True)
    state = models.CharField(max_length=12, choices=DISPUTE.choices, default=DISPUTE.initial)
    filer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    claim = models.TextField(max_length=10000)
    claimed_minor = models.BigIntegerField(
        null=True, help_text="What the filer claims of the held money for their side; null is all of it."
    )
    held_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    response = models.TextField(null=True, max_length=10000)
    responded_at = models.DateTimeField(null=True)
    proposal = models.JSONField(null=True, help_text="The computed split with its parts: see disputes.proposal.")
    client_accepted_at = models.DateTimeField(null=True, help_text="Of the proposal, later of the decision.")
    freelancer_accepted_at = models.DateTimeField(null=True)
    to_freelancer_minor = models.BigIntegerField(null=True, help_text="As decided; moved when settled.")
    to_client_minor = models.BigIntegerField(null=True)
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField(help_text="The present stage ends then.")
    late_at = models.DateTimeField(null=True, help_text="When a decision was first found overdue.")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decision_reason = models.TextField(blank=True, max_length=5000)
    appellant = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    appeal_reason = models.TextField(null=True, max_length=5000)
    first_decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=16, null=True, choices=SettledBy.choices)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(settled_at__isnull=True)
                | models.Q(held_minor=models.F("to_freelancer_minor") + models.F("to_client_minor")),
                name="dispute_split_sums",
            ),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="dispute_stamp"),
            models.Index(fields=["state", "decide_by"], name="dispute_due"),
        ]

    @property
    def live_offers(self) -> list[SplitOffer]:
        return list(self.offers.order_by("side"))

    def __str__(self) -> str:
        return f"dispute {self.pk} on milestone {self.milestone_id}"


class SplitOffer(StampedModel):
    """The one live offer of a side: how much of the held money should go to the freelancer. A new offer replaces it; events keep the old ones."""

    class Side(models.TextChoices):
        CLIENT = "client"
        FREELANCER = "freelancer"

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="offers")
    side = models.CharField(max_length=10, choices=Side.choices)
    to_freelancer_minor = models.BigIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dispute", "side"], name="split_offer_one_a_side"),
            models.CheckConstraint(condition=models.Q(to_freelancer_minor__gte=0), name="split_offer_not_negative"),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="split_offer_stamp")]

    def __str__(self) -> str:
        return f"{self.side} in {self.dispute_id}"


class Evidence(StampedModel):
    """What a side shows, with files; it stays as it was handed in."""

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="evidence")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=10000)
    added_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["updated_at", "id"], name="evidence_stamp")]

    def __str__(self) -> str:
        return f"evidence {self.pk} in {self.dispute_id}"
