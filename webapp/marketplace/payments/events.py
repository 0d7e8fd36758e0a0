"""What payments do when they hear of facts: a payer's means of payment is proven, and money that came in or went back gets its documents."""

from __future__ import annotations

from django.db.models import QuerySet

from marketplace.accounts import services as accounts
from marketplace.accounts.selectors import users_of_profiles
from marketplace.core import events
from marketplace.core.models import Event

from . import services
from .client_fees import GIVEN_BACK, MOVED, TAKEN
from .models import Payment, TaxProfile

VERIFIED = "payments.verified"
DOCUMENTS = "payments.documents"
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


def deposit_documents(event: Event) -> None:
    """The receipt of a payment."""
    services.documents_of_subject(subject_type="payment", subject_id=event.aggregate_id)


def refund_documents(event: Event) -> None:
    """The receipt of what was sent back."""
    services.documents_of_subject(subject_type="payment_refund", subject_id=event.aggregate_id)


def credit_documents(event: Event) -> None:
    """The receipt of what was found to be the payer's."""
    services.documents_of_subject(subject_type="difference", subject_id=event.aggregate_id)


def fee_refund_documents(event: Event) -> None:
    """The credit note of a fee that was given back."""
    services.documents_of_subject(subject_type="entry", subject_id=event.aggregate_id)


def client_fee_documents(event: Event) -> None:
    """The invoice of a client's fee, or the credit note of what went back of it."""
    services.documents_issue(entry_id=event.aggregate_id)


def erase(event: Event) -> None:
    """Delete what a person told for documents to come (those that were issued are kept as the books are), what they saved to pay with, and
    where they were paid to. Safe to run twice.
    """
    user_id = event.after["user_id"]
    TaxProfile.objects.filter(user=user_id).delete()
    services.methods_erase(user_id=user_id)
    services.payout_methods_erase(user_id=user_id)


def connect() -> None:
    """Called once by the app's config."""
    events.handler("payment.succeed", name=VERIFIED)(paid)
    events.handler("client_profile.create", name=VERIFIED)(appeared)
    events.handler("payment.succeed", name=DOCUMENTS)(deposit_documents)
    events.handler("payment_refund.succeed", name=DOCUMENTS)(refund_documents)
    events.handler("payment_refund.return", name=DOCUMENTS)(refund_documents)
    events.handler("difference.credit", name=DOCUMENTS)(credit_documents)
    events.handler("entry.fee_refund", name=DOCUMENTS)(fee_refund_documents)
    for kind in (TAKEN, GIVEN_BACK, MOVED):
        events.handler(f"entry.{kind}", name=DOCUMENTS)(client_fee_documents)
    events.handler("closing.erase", name="payments.closing_erase")(erase)
