"""Every served score, with what made it."""

from __future__ import annotations

from django.db import models

from marketplace.core.fields import StampedModel


class ServedScore(StampedModel):
    """One score that a user was served: the parts sum to the score."""

    batch = models.CharField(max_length=36, help_text="The impression batch it was shown in.")
    user_id = models.BigIntegerField()
    job_id = models.BigIntegerField()
    position = models.PositiveSmallIntegerField()
    score = models.FloatField()
    parts = models.JSONField(help_text='[{"name", "value", "text"}]; the values sum to the score.')
    model_version = models.CharField(max_length=64)
    publish_id = models.CharField(max_length=64, blank=True)
    served_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="served_score_stamp"),
            models.Index(fields=["user_id", "served_at"], name="served_score_user"),
        ]

    def __str__(self) -> str:
        return f"{self.model_version}: user {self.user_id}, job {self.job_id}: {self.score:.3f}"
