"""Agreements and their milestones."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .hours_models import CapChange, HourlyTerms, TimeEntry, Timesheet
from .states import CONTRACT, COUNTER_OFFER, MILESTONE, REFUND_REQUEST, WORK_REQUEST

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
    paused_by_staff = models.BooleanField(default=False, help_text="Then only staff let it go on; otherwise either side may.")
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
    refund_asked_at = models.DateTimeField(null=True, help_text="Of the open refund request: silence approves nothing while there is one.")
    held_since = models.DateTimeField(null=True, help_text="Since when its oldest money is held, when that came from another milestone.")
    hold_warnings = models.PositiveSmallIntegerField(default=0, help_text="How often both sides were told of the hold's age.")
    reminded_for = models.DateTimeField(null=True, help_text="The auto_approve_at of which the client was reminded.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "position"], name="milestone_position_once"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="milestone_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="milestone_stamp"),
            models.Index(fields=["state", "auto_approve_at"], name="milestone_auto_approve"),
            models.Index(fields=["cleared_at", "clears_at"], name="milestone_clearing"),
            models.Index(fields=["state", "funded_at"], name="milestone_held"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (#{self.pk})"

    @property
    def hold_began_at(self) -> datetime | None:
        """Since when its oldest money is held; None before it is funded."""
        return self.held_since or self.funded_at


class Submission(StampedModel):
    """One version of delivered work against the acceptance list, and the change request it met, if any."""

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="submissions")
    version = models.PositiveSmallIntegerField()
    note = models.TextField(max_length=10000)
    submitted_at = models.DateTimeField()
    change_request = models.TextField(blank=True, max_length=10000)
    unmet = models.JSONField(default=list, help_text="Positions in the acceptance list (from 0) that the change request names as not met.")
    item_notes = models.JSONField(default=list, help_text='[{"item": position, "text": "what is missing"}, …] of the change request.')
    change_requested_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["milestone", "version"], name="submission_version_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="submission_stamp")]

    def __str__(self) -> str:
        return f"{self.milestone_id} v{self.version}"


class Offer(StampedModel):
    """What a contract says before it is accepted: until when it stands, and what it brings the freelancer."""

    contract = models.OneToOneField(Contract, primary_key=True, on_delete=models.PROTECT, related_name="offer")
    revision = models.PositiveSmallIntegerField(default=1, help_text="One more with each counter-offer that the client took.")
    quote = models.JSONField(help_text="Fee, tax, net, rate and day of clearing for the whole price, as quoted with these terms.")
    made_at = models.DateTimeField(help_text="Of these terms; business time.")
    expires_at = models.DateTimeField(help_text="Without an answer the offer ends then.")
    open_until = models.DateTimeField(null=True, help_text="The same while it is open, then null: what the clock looks for.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "contract"], name="offer_stamp"),
            models.Index(fields=["open_until"], name="offer_expiry"),
        ]

    def __str__(self) -> str:
        return f"offer of contract {self.contract_id}, revision {self.revision}"


class CounterOffer(StampedModel):
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
        indexes = [
            models.Index(fields=["updated_at", "id"], name="counter_offer_stamp"),
            models.Index(fields=["contract", "id"], name="counter_offer_list"),
        ]

    def __str__(self) -> str:
        return f"counter-offer {self.pk} on contract {self.contract_id}"


class PartRelease(StampedModel):
    """A part of a milestone's price that was paid while the rest stayed held; it clears on its own."""

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="part_releases")
    part = models.PositiveSmallIntegerField(help_text="Of the ledger's release; 1 is the one that closes the hold, so parts count from 2.")
    gross_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    released_at = models.DateTimeField()
    clears_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["milestone", "part"], name="part_release_once"),
            models.CheckConstraint(condition=models.Q(gross_minor__gt=0), name="part_release_positive"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="part_release_stamp"),
            models.Index(fields=["cleared_at", "clears_at"], name="part_release_clearing"),
        ]

    def __str__(self) -> str:
        return f"{self.milestone_id} part {self.part}"


class Bonus(StampedModel):
    """Pay beyond the price, from the client's wallet."""

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="bonuses")
    gross_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    note = models.CharField(max_length=500, blank=True)
    request_key = models.CharField(
        max_length=64,
        null=True,
        unique=True,
        help_text="Hash of giver and Idempotency-Key: the same request gives one bonus, whatever crashed.",
    )
    given_at = models.DateTimeField()
    clears_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "bonuses"
        constraints = [models.CheckConstraint(condition=models.Q(gross_minor__gt=0), name="bonus_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="bonus_stamp"),
            models.Index(fields=["contract", "id"], name="bonus_contract"),
            models.Index(fields=["cleared_at", "clears_at"], name="bonus_clearing"),
        ]

    def __str__(self) -> str:
        return f"bonus {self.pk} on {self.contract_id}"


class RefundRequest(StampedModel):
    """The client asks for held money: back to the wallet, or on to the next milestone. The freelancer's silence until `answer_by` agrees."""

    class To(models.TextChoices):
        WALLET = "wallet"
        NEXT = "next"

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="refund_requests")
    live_key = models.CharField(max_length=32, null=True, unique=True, help_text="Milestone id while open: one open request a milestone.")
    state = models.CharField(max_length=12, choices=REFUND_REQUEST.choices, default=REFUND_REQUEST.initial)
    to = models.CharField(max_length=8, choices=To.choices, default=To.WALLET)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.TextField(max_length=10000)
    ends_contract = models.BooleanField(default=False, help_text="Asked for because the client ends the contract.")
    asked_at = models.DateTimeField()
    answer_by = models.DateTimeField()
    reminded_for = models.DateTimeField(null=True, help_text="The answer_by of which the freelancer was reminded.")
    answer = models.TextField(blank=True, max_length=10000)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="refund_request_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="refund_request_stamp"),
            models.Index(fields=["milestone", "id"], name="refund_request_milestone"),
            models.Index(fields=["state", "answer_by"], name="refund_request_due"),
        ]

    def __str__(self) -> str:
        return f"refund request {self.pk} on milestone {self.milestone_id}"


class WorkRequest(StampedModel):
    """What one side asks of the other: a later due date, a word on progress, a pause."""

    class Kind(models.TextChoices):
        EXTENSION = "extension"
        PROGRESS = "progress"
        PAUSE = "pause"

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="work_requests")
    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="+", null=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    live_key = models.CharField(max_length=48, null=True, unique=True, help_text="Kind and object while open: one of a kind at a time.")
    state = models.CharField(max_length=12, choices=WORK_REQUEST.choices, default=WORK_REQUEST.initial)
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=10000)
    due_at = models.DateTimeField(null=True, help_text="The new due date of an extension.")
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True, max_length=10000)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="work_request_stamp"),
            models.Index(fields=["contract", "id"], name="work_request_contract"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} request {self.pk}"


class ProgressReport(StampedModel):
    """The freelancer's word on how far a milestone is; files hang on it."""

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="progress_reports")
    request = models.ForeignKey(WorkRequest, on_delete=models.PROTECT, related_name="+", null=True, help_text="Which this answered.")
    text = models.TextField(max_length=10000)
    percent = models.PositiveSmallIntegerField(null=True)
    reported_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="progress_report_stamp"),
            models.Index(fields=["milestone", "id"], name="progress_report_milestone"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(percent__isnull=True) | models.Q(percent__lte=100), name="progress_percent_within")
        ]

    def __str__(self) -> str:
        return f"progress {self.pk} of milestone {self.milestone_id}"


class WorkTask(StampedModel):
    """A card on a milestone's board, which both sides edit. Its column is no state of the contract and moves no money."""

    class Column(models.TextChoices):
        TODO = "todo"
        DOING = "doing"
        DONE = "done"

    class Side(models.TextChoices):
        CLIENT = "client"
        FREELANCER = "freelancer"

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="tasks")
    title = models.CharField(max_length=200)
    column = models.CharField(max_length=8, choices=Column.choices, default=Column.TODO)
    position = models.PositiveIntegerField(help_text="Order in its column; gaps are allowed, equal ones are in the order of ids.")
    assignee = models.CharField(max_length=12, choices=Side.choices, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="work_task_stamp"),
            models.Index(fields=["milestone", "id"], name="work_task_milestone"),
        ]

    def __str__(self) -> str:
        return self.title


class CalendarFeed(models.Model):
    """The right to read a person's deadlines by a secret address. The address is made from `nonce` and the server's key: see calendar.py."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    nonce = models.CharField(max_length=32)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"calendar of user {self.user_id}"
