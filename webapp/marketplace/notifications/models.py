"""The inbox, what somebody wants to be told of by e-mail, and the letters that wait to be sent."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel


class InboxItem(StampedModel):
    """One event told to one user; unique, because handlers may see an event twice."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    event_id = models.BigIntegerField()
    kind = models.CharField(max_length=64)
    text = models.CharField(max_length=300)
    link = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "event_id"], name="inbox_item_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="inbox_item_stamp"),
            models.Index(fields=["user", "id"], name="inbox_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.kind}"


class Preference(StampedModel):
    """How one person wants to hear. No row: the defaults below. The inbox always fills; only e-mail can be slowed or turned off."""

    class Pace(models.TextChoices):
        INSTANT = "instant"
        DAILY = "daily"
        OFF = "off"

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    pace = models.CharField(max_length=8, choices=Pace.choices, default=Pace.INSTANT)
    by_topic = models.JSONField(default=dict, help_text='Pace by topic where it differs: {"proposals": "daily"}.')
    quiet_from = models.PositiveSmallIntegerField(
        null=True, help_text="Minute of the person's local day at which quiet hours begin; null: none."
    )
    quiet_to = models.PositiveSmallIntegerField(null=True, help_text="Minute at which they end; before quiet_from it is the next day's.")
    digest_at = models.PositiveSmallIntegerField(default=480, help_text="Minute of the local day at which the daily letter goes out.")

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="preference_stamp")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.pace}"


class Letter(StampedModel):
    """One inbox item that has to go out by e-mail; items due together leave as one letter."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        DROPPED = "dropped"

    item = models.OneToOneField(InboxItem, on_delete=models.PROTECT, related_name="letter")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    topic = models.CharField(max_length=16)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(help_text="Business time; while it is being sent, the end of the sender's lease.")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True, help_text="The error's class only: texts may hold addresses.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="letter_stamp"),
            models.Index(fields=["state", "due_at"], name="letter_due"),
            models.Index(fields=["user", "state"], name="letter_user"),
        ]

    def __str__(self) -> str:
        return f"letter {self.pk} ({self.state})"
