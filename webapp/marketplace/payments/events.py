"""What payments make known below them: that a client has paid once."""

from __future__ import annotations

from django.db.models import QuerySet

from marketplace.accounts import services as accounts
from marketplace.accounts.selectors import users_of_profiles
from marketplace.core import events
from marketplace.core.models import Event

from .models import Payment

NAME = "payments.verified"
#: states of a payment that once succeeded
PROVEN = ("succeeded", "partially_refunded", "refunded", "charged_back")


def paid(event: Event) -> None:
    """A payment succeeded: its payer's means of payment is proven."""
    accounts.client_payment_verify(user_id=Payment.objects.values_list("payer_id", flat=True).get(pk=event.aggregate_id))


def appeared(event: Event) -> None:
    """A client profile was made, perhaps by somebody who has paid before."""
    for user_id in users_of_profiles(clients=[event.aggregate_id])[0]:
        if _proven().filter(payer=user_id).exists():
            accounts.client_payment_verify(user_id=user_id)


def verify_earlier_payers() -> int:
    """Verify the clients whose payment succeeded when nobody noted it; how many that was here.

    Each in a transaction of their own and as if they paid now, so that search hears of it. Nothing happens twice, or beside the handlers.
    """
    unverified = (
        _proven().filter(payer__client_profile__payment_verified=False).order_by("payer_id").values_list("payer_id", flat=True).distinct()
    )
    return sum(accounts.client_payment_verify(user_id=user_id) for user_id in unverified)


def _proven() -> QuerySet[Payment]:
    return Payment.objects.filter(settled_at__isnull=False, state__in=PROVEN)


def connect() -> None:
    """Called once by the app's config."""
    events.handler("payment.succeed", name=NAME)(paid)
    events.handler("client_profile.create", name=NAME)(appeared)
