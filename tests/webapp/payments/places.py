"""An account at a gateway with questions of its own, as its owner completed it."""

from __future__ import annotations

from typing import Any

from marketplace.core import clock
from marketplace.payments.models import PayoutMethod
from marketplace.payments.payout_methods import digest_of


def connected(user: Any, account: str, **more: Any) -> PayoutMethod:
    """A ready one at Stripe, unless `more` says otherwise."""
    details, now = {"account": account}, clock.now()
    values: dict[str, Any] = {
        "state": "ready",
        "ref": account,
        "details": details,
        "digest": digest_of("stripe", details),
        "usable_at": now,
    }
    return PayoutMethod.objects.create(user=user, provider="stripe", added_at=now, **(values | more))
