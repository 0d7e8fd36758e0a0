"""Captured activity. Rows are written in batches (activity.capture) and never changed."""

from __future__ import annotations

from django.db import models

from marketplace.core.fields import StampedModel


class Impression(StampedModel):
    """One item shown to one user at one position. `propensity` is the probability that this position is looked at,
    by the position model named in `surface`'s ranking version: it corrects training for position."""

    batch = models.CharField(max_length=36, help_text="One list shown; ties positions together.")
    user_id = models.BigIntegerField(null=True)
    surface = models.CharField(max_length=32, help_text='"recommended_jobs", "job_search", …')
    item_type = models.CharField(max_length=16)
    item_id = models.BigIntegerField()
    position = models.PositiveSmallIntegerField(help_text="From 1.")
    propensity = models.FloatField()
    score = models.FloatField(null=True)
    ranking = models.CharField(max_length=64, help_text="Model or rule version that made the order.")
    shown_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="impression_stamp"),
            models.Index(fields=["user_id", "shown_at"], name="impression_user"),
        ]

    def __str__(self) -> str:
        return f"{self.surface} {self.item_type}:{self.item_id} @{self.position}"


class Search(StampedModel):
    """One search, its filters and how many hits it had."""

    user_id = models.BigIntegerField(null=True)
    surface = models.CharField(max_length=32)
    query = models.CharField(max_length=200, blank=True)
    filters = models.JSONField(default=dict)
    hits = models.PositiveIntegerField()
    searched_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "searches"
        indexes = [models.Index(fields=["updated_at", "id"], name="search_stamp")]

    def __str__(self) -> str:
        return f"search {self.pk}: {self.hits} hits"


class View(StampedModel):
    """One object opened by one user."""

    user_id = models.BigIntegerField(null=True)
    item_type = models.CharField(max_length=16)
    item_id = models.BigIntegerField()
    batch = models.CharField(max_length=36, blank=True, help_text="The list it was opened from, if any.")
    viewed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="view_stamp"),
            models.Index(fields=["item_type", "item_id"], name="view_item"),
        ]

    def __str__(self) -> str:
        return f"view of {self.item_type}:{self.item_id}"


class RequestLatency(StampedModel):
    """Requests of one route in one minute at one worker, as far as one flush saw them: rows of the same minute add up."""

    route = models.CharField(max_length=120)
    method = models.CharField(max_length=7)
    minute = models.DateTimeField()
    worker = models.CharField(max_length=40)
    requests = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    total_ms = models.PositiveBigIntegerField()
    max_ms = models.PositiveIntegerField()
    histogram = models.JSONField(default=dict, help_text='{"<=5": n, "<=10": n, …}')

    class Meta:
        verbose_name_plural = "request latencies"
        indexes = [models.Index(fields=["updated_at", "id"], name="latency_stamp")]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.minute:%F %H:%M}"


class FlushedBatch(models.Model):
    """That a batch of captured records was written, in the same transaction: a batch delivered twice is written once."""

    name = models.CharField(max_length=64, unique=True)
    records = models.PositiveIntegerField()
    flushed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "flushed batches"
        indexes = [models.Index(fields=["flushed_at"], name="flushed_batch_age")]

    def __str__(self) -> str:
        return f"{self.name}: {self.records} records"
