"""What one currency costs in another: promised to one person for a while, and set by hand where nobody publishes it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from marketplace.core.fields import StampedModel

from .states import HAND_RATE


class FxQuote(StampedModel):
    """So much of one currency for so much of another, at a stored rate. Used at most once: by the ledger entry `exchange:<id>`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sell_minor = models.BigIntegerField()
    sell_currency = models.CharField(max_length=3)
    buy_minor = models.BigIntegerField()
    buy_currency = models.CharField(max_length=3)
    rate = models.ForeignKey("payments.FxRate", on_delete=models.PROTECT, related_name="+")
    spread_bps = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    payment_key = models.CharField(
        max_length=128, null=True, unique=True, help_text="The key of the payment that was begun at this price: it keeps the price for it."
    )
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sell_minor__gt=0, buy_minor__gt=0), name="fx_quote_positive"),
            models.CheckConstraint(condition=~Q(sell_currency=F("buy_currency")), name="fx_quote_two_currencies"),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="fx_quote_stamp")]

    def __str__(self) -> str:
        return f"{self.sell_minor} {self.sell_currency} for {self.buy_minor} {self.buy_currency}"


class HandRate(StampedModel):
    """A rate that a member of staff set by hand, or asks a second one to: who, why, and what was known before."""

    currency = models.CharField(max_length=3)
    per_usd = models.DecimalField(max_digits=24, decimal_places=12, help_text="Units of the currency for one US dollar.")
    known_per_usd = models.DecimalField(
        max_digits=24, decimal_places=12, null=True, help_text="The last one known when this was asked for."
    )
    state = models.CharField(max_length=8, choices=HAND_RATE.choices, default=HAND_RATE.initial)
    waiting = models.CharField(max_length=3, null=True, unique=True, help_text="The currency while it is asked for: one at a time.")
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    rate = models.OneToOneField("payments.FxRate", on_delete=models.PROTECT, related_name="by_hand", null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(per_usd__gt=0), name="hand_rate_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="hand_rate_stamp"),
            models.Index(fields=["state", "id"], name="hand_rate_state"),
        ]

    def __str__(self) -> str:
        return f"{self.per_usd.normalize():f} {self.currency} for 1 USD ({self.state})"
