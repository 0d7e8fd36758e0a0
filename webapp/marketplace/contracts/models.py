"""Agreements and their milestones."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .hours_models import CapChange, HourlyTerms, TimeEntry, Timesheet
from .states import CONTRACT, COUNTER_OFFER, MILESTONE

__all__ = ["CapChange", "Contract", "CounterOffer", "HourlyTerms", "Milestone", "Offer", "Submission", "TimeEntry", "Timesheet"]


class Contract(StampedModel):
    """What client and freelancer agreed on. Everything on a contract is locked through this row first, then by pk downwards."""

    job = models.ForeignKey("jobs.Job", on_delete=models.PROTECT, related_name="+")
    proposal = models.OneToOneField("jobs.Proposal", on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=CONTRACT.choices, default=CONTRACT.initial)
    pricing = models.CharField(max_length=8)
    title = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, help_text="Of the milestones and their holds.")
    payee_currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    fee_schedule = models.CharField(max_length=32, help_text="payments.FeeSchedule.version the freelancer was quoted.")
    paused_at = models.DateTimeField(null=True)
    disputed_at = models.DateTimeField(null=True)
    offered_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(total_minor__gt=0), name="contract_total_positive"),
            models.CheckConstraint(condition=~models.Q(client=models.F("freelancer")), name="contract_two_people"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="contract_stamp"),
            models.Index(fields=["client", "id"], name="contract_client"),
            models.Index(fields=["freelancer", "id"], name="contract_freelancer"),
            models.Index(fields=["ended_at"], name="contract_ended"),
        ]

    def __str__(self) -> str:
        return self.title


class Milestone(StampedModel):
    """A part of the work with its own price, hold and clocks."""

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="milestones")
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=20, choices=MILESTONE.choices, default=MILESTONE.initial)
    title = models.CharField(max_length=200)
    acceptance = models.JSONField(default=list, help_text='["what must be true for approval", …]')
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    due_at = models.DateTimeField(null=True)
    funded_at = models.DateTimeField(null=True)
    payment_id = models.BigIntegerField(null=True, unique=True, help_text="payments_payment.id that funded it; null when the wallet did.")
    started_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    auto_approve_at = models.DateTimeField(null=True, help_text="Silence approves then (14 days after submission).")
    approved_at = models.DateTimeField(null=True)
    approved_by_clock = models.BooleanField(default=False)
    released_at = models.DateTimeField(null=True)
    clears_at = models.DateTimeField(null=True, help_text="Released money becomes available then (5 days).")
    cleared_at = models.DateTimeField(null=True)
    refunded_at = models.DateTimeField(null=True)
    disputed_at = models.DateTimeField(null=True, help_text="Of the live dispute.")
    disputed_from = models.CharField(max_length=20, blank=True, help_text="The state to return to when the dispute is withdrawn.")
    decide_by = models.DateTimeField(null=True, help_text="When staff's decision of the live dispute is due.")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "position"], name="milestone_position_once"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="milestone_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="milestone_stamp"),
            models.Index(fields=["state", "auto_approve_at"], name="milestone_auto_approve"),
            models.Index(fields=["cleared_at", "clears_at"], name="milestone_clearing"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (#{self.pk})"


class Submission(models.Model):
    """One version of delivered work against the acceptance list, and the change request it met, if any."""

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="submissions")
    version = models.PositiveSmallIntegerField()
    note = models.TextField(max_length=10000)
    submitted_at = models.DateTimeField()
    change_request = models.TextField(blank=True, max_length=10000)
    unmet = models.JSONField(default=list, help_text="Positions in the acceptance list (from 0) that the change request names as not met.")
    change_requested_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["milestone", "version"], name="submission_version_once")]

    def __str__(self) -> str:
        return f"{self.milestone_id} v{self.version}"


class Offer(models.Model):
    """What a contract says before it is accepted: until when it stands, and what it brings the freelancer."""

    contract = models.OneToOneField(Contract, primary_key=True, on_delete=models.PROTECT, related_name="offer")
    revision = models.PositiveSmallIntegerField(default=1, help_text="One more with each counter-offer that the client took.")
    quote = models.JSONField(help_text="Fee, tax, net, rate and day of clearing for the whole price, as quoted with these terms.")
    made_at = models.DateTimeField(help_text="Of these terms; business time.")
    expires_at = models.DateTimeField(help_text="Without an answer the offer ends then.")
    open_until = models.DateTimeField(null=True, help_text="The same while it is open, then null: what the clock looks for.")

    class Meta:
        indexes = [models.Index(fields=["open_until"], name="offer_expiry")]

    def __str__(self) -> str:
        return f"offer of contract {self.contract_id}, revision {self.revision}"


class CounterOffer(models.Model):
    """Other terms that the freelancer would accept. `live_key` is the contract's id while it is open, else null: one at a time."""

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="counter_offers")
    live_key = models.BigIntegerField(null=True, unique=True)
    state = models.CharField(max_length=12, choices=COUNTER_OFFER.choices, default=COUNTER_OFFER.initial)
    milestones = models.JSONField(help_text='[{"title", "amount_minor", "due_in_days", "acceptance": [..]}]')
    total_minor = models.BigIntegerField()
    message = models.TextField(max_length=5000, blank=True)
    quote = models.JSONField(help_text="What these terms would bring, as quoted when they were proposed.")
    made_at = models.DateTimeField(help_text="Business time.")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was declined, withdrawn, or lapsed.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(total_minor__gt=0), name="counter_offer_positive")]
        indexes = [models.Index(fields=["contract", "id"], name="counter_offer_list")]

    def __str__(self) -> str:
        return f"counter-offer {self.pk} on contract {self.contract_id}"
