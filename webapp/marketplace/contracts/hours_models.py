"""The hours of weekly contracts. A week's money lives in a milestone of its own, so that it is funded, held, disputed and released like any other."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import CAP_CHANGE


class HourlyTerms(StampedModel):
    """What the sides of a weekly contract agreed on. An hourly contract without it is made of milestones that the client named."""

    class Unspent(models.TextChoices):
        REFUND = "refund", "stays in the client's wallet"
        ROLL = "roll", "funds the next week that waits for money"

    contract = models.OneToOneField("contracts.Contract", on_delete=models.PROTECT, primary_key=True, related_name="hours")
    rate_minor = models.BigIntegerField(help_text="Of one hour, in minor units of the contract's currency.")
    weekly_cap_minutes = models.PositiveIntegerField(help_text="Of weeks that are not funded yet; a funded week keeps its own.")
    unspent = models.CharField(
        max_length=8, choices=Unspent.choices, default=Unspent.REFUND, help_text="Where money goes that a week did not need."
    )
    auto_fund = models.BooleanField(default=False, help_text="Whether each week is funded from the client's wallet when it begins.")
    funding_waits_since = models.DateTimeField(
        null=True, help_text="Money could have moved from the wallet by itself then, but funding was shut or a side suspended: tried again."
    )
    next_week_at = models.DateTimeField(
        null=True, help_text="When the next week begins and another is opened; null before the start and after the end."
    )
    stopped_at = models.DateTimeField(null=True, help_text="No week is opened and no later day is worked from then on.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(rate_minor__gt=0), name="hours_rate_positive"),
            models.CheckConstraint(condition=models.Q(weekly_cap_minutes__gt=0), name="hours_cap_positive"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "contract"], name="hourly_terms_stamp"),
            models.Index(fields=["next_week_at"], name="hours_next_week"),
            models.Index(fields=["funding_waits_since"], name="hours_funding_waits"),
        ]

    def __str__(self) -> str:
        return f"contract {self.contract_id}: {self.weekly_cap_minutes} minutes a week"


class CapChange(StampedModel):
    """One side's wish to work more or fewer hours a week; the other side's agreement makes it so."""

    contract = models.ForeignKey("contracts.Contract", on_delete=models.PROTECT, related_name="cap_changes")
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=CAP_CHANGE.choices, default=CAP_CHANGE.initial)
    weekly_cap_minutes = models.PositiveIntegerField()
    note = models.TextField(blank=True, max_length=2000)
    proposed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    live_key = models.BigIntegerField(null=True, unique=True, help_text="The contract's id while unanswered: one wish at a time.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="cap_change_stamp"),
            models.Index(fields=["contract", "id"], name="cap_change_contract"),
        ]

    def __str__(self) -> str:
        return f"contract {self.contract_id}: {self.weekly_cap_minutes} minutes a week, {self.state}"


class Timesheet(StampedModel):
    """One week's hours (Monday 00:00 to Sunday 24:00 UTC), or the part of them that the client questioned. Its milestone holds their money."""

    class Part(models.IntegerChoices):
        WEEK = 0, "the week"
        QUESTIONED = 1, "its questioned hours"

    contract = models.ForeignKey("contracts.Contract", on_delete=models.PROTECT, related_name="timesheets")
    milestone = models.OneToOneField("contracts.Milestone", on_delete=models.PROTECT, related_name="timesheet")
    week_start = models.DateField(help_text="A Monday.")
    part = models.PositiveSmallIntegerField(choices=Part.choices, default=Part.WEEK)
    rate_minor = models.BigIntegerField()
    cap_minutes = models.PositiveIntegerField()
    minutes = models.PositiveIntegerField(default=0, help_text="Sum of its entries.")
    closes_at = models.DateTimeField(
        help_text="What is logged is submitted then: Monday noon, later by as long as the contract stood still."
    )
    closed_at = models.DateTimeField(null=True, help_text="Entries are fixed from then on.")
    funded_minor = models.BigIntegerField(null=True, help_text="What was held for the week before its hours were fixed.")
    answer_by = models.DateTimeField(null=True, help_text="Questions that the freelancer has not answered by then count as granted.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contract", "week_start", "part"], name="timesheet_week_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="timesheet_stamp"),
            models.Index(fields=["closed_at", "closes_at"], name="timesheet_closing"),
            models.Index(fields=["answer_by"], name="timesheet_answer"),
        ]

    def __str__(self) -> str:
        return f"contract {self.contract_id}, week of {self.week_start}"


class TimeEntry(StampedModel):
    """Minutes worked on one day (UTC) of the week, and on what. Once the week is closed its amount is fixed; a question moves it to the other part."""

    timesheet = models.ForeignKey(Timesheet, on_delete=models.PROTECT, related_name="entries")
    day = models.DateField()
    minutes = models.PositiveSmallIntegerField()
    what = models.TextField(max_length=10_000)
    logged_at = models.DateTimeField()
    amount_minor = models.BigIntegerField(null=True, help_text="Its share of the week's amount.")
    question = models.TextField(blank=True, max_length=2000)
    questioned_at = models.DateTimeField(null=True)
    minutes_questioned = models.PositiveSmallIntegerField(null=True, help_text="Its minutes before the freelancer answered.")
    answer = models.TextField(blank=True, max_length=2000)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="time_entry_stamp"),
            models.Index(fields=["timesheet", "day", "id"], name="time_entry_day"),
        ]

    def __str__(self) -> str:
        return f"{self.minutes} minutes on {self.day}"
