"""What one currency costs in another, promised to one person for a while."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class FxQuote(models.Model):
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

    def __str__(self) -> str:
        return f"{self.sell_minor} {self.sell_currency} for {self.buy_minor} {self.buy_currency}"
