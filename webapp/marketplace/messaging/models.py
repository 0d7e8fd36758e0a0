"""Conversations and messages."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel


class Conversation(StampedModel):
    """The talk of one client and one freelancer about one job."""

    job = models.ForeignKey("jobs.Job", on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    last_seq = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "freelancer"], name="conversation_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="conversation_stamp")]

    def __str__(self) -> str:
        return f"conversation {self.pk}"


class Message(StampedModel):
    """One message; `seq` orders a conversation, `client_key` makes sending twice one message."""

    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="messages")
    seq = models.PositiveIntegerField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    client_key = models.CharField(max_length=64)
    text = models.TextField(max_length=10000)
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(fields=["conversation", "author", "client_key"], name="message_client_key_once"),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="message_stamp")]

    def __str__(self) -> str:
        return f"message {self.conversation_id}/{self.seq}"
