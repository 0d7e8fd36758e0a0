"""The inbox."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class InboxItem(models.Model):
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
        indexes = [models.Index(fields=["user", "id"], name="inbox_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.kind}"
