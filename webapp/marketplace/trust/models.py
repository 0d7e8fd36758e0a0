"""Double-blind reviews."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel


class Review(StampedModel):
    """One side's word on a contract; hidden (`opened_at` null) until both are in or the window of 14 days shuts."""

    class Side(models.TextChoices):
        CLIENT = "client"
        FREELANCER = "freelancer"

    contract = models.ForeignKey("contracts.Contract", on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    author_side = models.CharField(max_length=10, choices=Side.choices)
    rating = models.PositiveSmallIntegerField(help_text="1 to 5.")
    text = models.TextField(blank=True, max_length=5000)
    written_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "author_side"], name="review_once_a_side"),
            models.CheckConstraint(condition=models.Q(rating__gte=1, rating__lte=5), name="review_rating_1_5"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="review_stamp"),
            models.Index(fields=["subject", "opened_at"], name="review_subject"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk} of contract {self.contract_id}"
