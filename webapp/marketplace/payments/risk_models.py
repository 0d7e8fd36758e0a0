"""Where people are paid out to and when, what the velocity rules found, and notifications that were turned away."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace.core.fields import StampedModel

from .states import PAYOUT_METHOD, RISK_HOLD


class PayoutMethod(StampedModel):
    """One place to which somebody's payouts go: what the gateway's adapter lets us keep of it, and a label to show.

    Where the gateway asks payees questions of its own, it is an account there (`ref`), and the gateway says when it is ready.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=PAYOUT_METHOD.choices, default=PAYOUT_METHOD.initial)
    country = models.CharField(max_length=2, blank=True, help_text="Where the payee lives, as the gateway was told.")
    ref = models.CharField(max_length=128, null=True, help_text="The gateway's name of a connected account; null where it keeps none.")
    details = models.JSONField(default=dict, help_text="As Payout.method: token and display data only.")
    digest = models.CharField(max_length=64, help_text="sha256 of gateway and details: the same place is one row.")
    label = models.CharField(max_length=64, blank=True, help_text="What may be shown: all but the last characters are hidden.")
    due = models.JSONField(default=list, help_text="What the gateway still asks the payee for.")
    is_default = models.BooleanField(default=False)
    added_at = models.DateTimeField(help_text="An account at a gateway: begun, and from when it was ready first, that.")
    usable_at = models.DateTimeField(
        null=True, help_text="Until then payouts to it wait: it was added after another one. Null: never ready."
    )
    checked_at = models.DateTimeField(null=True, help_text="When the gateway was asked last.")
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="payout_method_once"),
            models.UniqueConstraint(fields=["provider", "ref"], name="payout_method_ref_once"),
            models.CheckConstraint(
                condition=Q(state="removed", removed_at__isnull=False) | (~Q(state="removed") & Q(removed_at__isnull=True)),
                name="payout_method_removed",
            ),
            models.CheckConstraint(condition=~Q(state="ready") | Q(usable_at__isnull=False), name="payout_method_usable"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="payout_method_stamp"),
            models.Index(fields=["state", "checked_at"], name="payout_method_open"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.label} ({self.state})"


class PayoutResolution(StampedModel):
    """Somebody read at the gateway that a sent payout was not paid, and asks that it fails here; it waits for a second person.

    Gone once it is decided: the payout's events and the audit keep what was said.
    """

    payout = models.OneToOneField("payments.Payout", on_delete=models.PROTECT, primary_key=True, related_name="resolution")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reason = models.CharField(max_length=500)

    class Meta:
        indexes = [models.Index(fields=["updated_at", "payout"], name="payout_resolution_stamp")]

    def __str__(self) -> str:
        return f"payout {self.payout_id} as failed"


class PayoutSchedule(StampedModel):
    """When somebody's available balance in one currency is paid out by itself."""

    class Pace(models.TextChoices):
        MANUAL = "manual"
        WEEKLY = "weekly"
        MONTHLY = "monthly"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    pace = models.CharField(max_length=8, choices=Pace.choices, default=Pace.MANUAL)
    least_minor = models.BigIntegerField(default=0, help_text="Less than this stays on the balance until the next time.")
    method = models.ForeignKey(PayoutMethod, on_delete=models.PROTECT, related_name="+", null=True)
    next_at = models.DateTimeField(null=True, help_text="Null: by hand.")
    last_at = models.DateTimeField(null=True)
    last_result = models.CharField(max_length=64, blank=True, help_text="requested, too_little, or the code of what kept it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "currency"], name="payout_schedule_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="payout_schedule_stamp"),
            models.Index(fields=["next_at", "id"], name="payout_schedule_due"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.pace}"


class PaymentTrace(StampedModel):
    """By what a payment can be told to come from the same card or device as another: keyed hashes, forgotten after some days."""

    payment = models.OneToOneField("payments.Payment", on_delete=models.PROTECT, primary_key=True, related_name="trace")
    instrument = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "payment"], name="payment_trace_stamp"),
            models.Index(fields=["instrument", "at"], name="trace_instrument"),
            models.Index(fields=["device", "at"], name="trace_device"),
            models.Index(fields=["at"], name="trace_age"),
        ]

    def __str__(self) -> str:
        return f"trace of payment {self.payment_id}"


class RiskHold(StampedModel):
    """What a velocity rule found. It holds the payout it is about, or all new payments of its person, unless it only counts (`shadow`)."""

    class Act(models.TextChoices):
        PAYMENT = "payment"
        PAYOUT = "payout"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    act = models.CharField(max_length=8, choices=Act.choices, help_text="What is held, and what `subject_id` is a row of.")
    subject_id = models.BigIntegerField()
    rule = models.CharField(max_length=32)
    shadow = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=RISK_HOLD.choices, default=RISK_HOLD.initial)
    evidence = models.JSONField(default=dict, help_text="The figures that the rule looked at.")
    opened_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, help_text="Nobody decided by then: it ends. Null: it waits for a decision.")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["act", "subject_id", "rule"], name="risk_hold_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="risk_hold_stamp"),
            models.Index(fields=["user", "act", "state"], name="risk_hold_user"),
            models.Index(fields=["state", "ends_at"], name="risk_hold_ends"),
            models.Index(fields=["rule", "shadow", "id"], name="risk_hold_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} on {self.act} {self.subject_id} ({self.state})"


class WebhookRefusal(models.Model):
    """A notification that could not be verified, for whoever has to find out why. Nothing of it is ever handled or replayed."""

    provider = models.CharField(max_length=16)
    code = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="sha256 of the body; empty: many more than are kept one by one.")
    reason = models.CharField(max_length=255)
    size = models.PositiveIntegerField(help_text="Bytes of the body.")
    body = models.JSONField(null=True, help_text="With what may name a person taken out; null: not readable, or too long.")
    remote_ip = models.CharField(max_length=45, blank=True)
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "code", "digest"], name="webhook_refusal_once")]
        indexes = [models.Index(fields=["provider", "first_at"], name="webhook_refusal_kept")]

    def __str__(self) -> str:
        return f"{self.provider} {self.code} ({self.times}×)"
