"""Notifications of gateways: verified, stored under their unique id, answered; a task handles them later by fetching the object again.

What a notification says is never believed: it only names what to ask about. So duplicates, old and early news do no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet

from marketplace.core import clock
from marketplace.core.errors import DomainError, InvalidInput, NotFound
from marketplace.core.money import Money

from .chargebacks import chargeback_refresh
from .gateways import payment_key, payment_refresh, require_no_transaction
from .models import GatewayPoll, Payment, PaymentRefund, Payout, WebhookEvent, WebhookRefusal
from .payout_onboarding import payout_method_heard
from .payouts import payout_key, payout_refresh
from .providers import gateway
from .providers.base import NAMELESS, VerifiedEvent, WrongSender, own_ref, row_of
from .redact import redacted_bytes
from .refunds import payment_refund_refresh, refund_key
from .saved_methods import card_heard, setup_heard

#: gateways list an event a little later than they say it happened
OVERLAP = timedelta(hours=1)
#: news of people, not of money
_OF_PEOPLE: dict[str, Callable[..., bool]] = {"payee": payout_method_heard, "setup": setup_heard, "card": card_heard}


def webhook_receive(*, provider: str, path_token: str, raw_body: bytes, headers: Mapping[str, str], remote_ip: str = "") -> WebhookEvent:
    """Verify a notification and store it under its unique id; the work is done later by `webhook_handle`. Duplicates are the same row.

    Raises NotFound for an unknown provider, path token or sender's address, InvalidInput for a bad signature or body.
    """
    try:
        asked = gateway(provider)
    except InvalidInput as e:
        raise NotFound("webhook") from e
    try:
        event = asked.parse_webhook(raw_body=raw_body, headers=headers, path_token=path_token, remote_ip=remote_ip)
    except InvalidInput as e:
        _turned_away(provider, e.code, e.message, raw_body, remote_ip)
        raise
    except WrongSender:
        why = "The address is right, the sender is not the gateway's. Is OPENLANCE_PROXIES the number of the proxies before us?"
        _turned_away(provider, "sender_unknown", why, raw_body, remote_ip)
        raise
    return store(provider, event)


def _turned_away(provider: str, code: str, reason: str, raw_body: bytes, remote_ip: str) -> None:
    """Note what could not be verified. Its sender knew our address; the same body counts up, and a flood is only counted."""
    now = clock.now()
    digest = hashlib.sha256(raw_body).hexdigest()
    today = WebhookRefusal.objects.filter(provider=provider, first_at__gt=now - timedelta(days=1))
    known = WebhookRefusal.objects.filter(provider=provider, code=code[:64], digest=digest).exists()
    if not known and today.count() >= settings.WEBHOOK_REFUSALS_A_DAY:
        digest = ""
    defaults = {
        "reason": reason[:255],
        "size": len(raw_body),
        "body": redacted_bytes(raw_body) if digest else None,
        "remote_ip": remote_ip[:45],
        "first_at": now,
        "last_at": now,
    }
    row, new = WebhookRefusal.objects.get_or_create(provider=provider, code=code[:64], digest=digest, defaults=defaults)
    if not new:
        WebhookRefusal.objects.filter(pk=row.pk).update(times=F("times") + 1, last_at=now, remote_ip=remote_ip[:45])


def store(provider: str, event: VerifiedEvent) -> WebhookEvent:
    """Store a verified event once."""
    defaults = {
        "kind": event.kind,
        "object_ref": event.object_ref,
        "subject": event.subject,
        "own_ref": event.own_ref,
        "claimed_minor": None if event.claimed is None else event.claimed.minor,
        "claimed_currency": "" if event.claimed is None else event.claimed.currency,
        "body": event.body,
        "received_at": clock.now(),
    }
    stored, _ = WebhookEvent.objects.get_or_create(provider=provider, event_id=event.event_id, defaults=defaults)
    return stored


def webhook_handle(*, webhook_id: int) -> bool:
    """Fetch again what the notification is about, and apply that. Returns whether it is handled now.

    An object that we do not know yet (news that came before our own answer was written) stays unhandled: the poller comes back to it.
    """
    require_no_transaction()
    event = WebhookEvent.objects.get(pk=webhook_id)
    if event.handled_at is not None:
        return True
    try:
        error = "" if _handle(event) else "object_unknown"
    except DomainError as e:
        error = str(e)[:1000]
    except Exception as e:
        # a fault of ours: staff see it among those that failed, and the task's own log says where it was
        WebhookEvent.objects.filter(pk=webhook_id).update(last_error=f"unexpected: {type(e).__name__}")
        raise
    handled = None if error else clock.now()
    WebhookEvent.objects.filter(pk=webhook_id).update(handled_at=handled, last_error=error)
    return handled is not None


def _handle(event: WebhookEvent) -> bool:
    """Whether what the event is about was found, asked about and applied."""
    if event.subject in _OF_PEOPLE:
        # what is of nobody here is asked about by the round of open ones, when our own answer was lost
        _OF_PEOPLE[event.subject](provider=event.provider, **{"token" if event.subject == "card" else "ref": event.object_ref})
        return True
    if event.subject == "other":
        return True
    if event.subject == "dispute":
        return chargeback_refresh(provider=event.provider, ref=event.object_ref) is not None
    heard = None if event.object_ref == NAMELESS else event.object_ref
    claimed = None if event.claimed_minor is None else Money(event.claimed_minor, event.claimed_currency)
    payment = _row(Payment.objects.all(), "payment", event, payment_key)
    if payment is not None:
        payment_refresh(payment_id=payment.pk, heard_ref=heard, claimed=claimed)
        return True
    payout = _row(Payout.objects.all(), "payout", event, payout_key)
    if payout is not None:
        payout_refresh(payout_id=payout.pk, heard_ref=heard, claimed=claimed)
        return True
    refund = _row(PaymentRefund.objects.all(), "refund", event, refund_key)
    if refund is not None:
        payment_refund_refresh(refund_id=refund.pk, heard_ref=heard)
        return True
    return False


def _row(rows: QuerySet[Any], kind: str, event: WebhookEvent, key: Callable[[Any], str]) -> Any:
    """The row that an event is about: by the gateway's reference, else by our own name of it when that is truly the row's."""
    if event.subject not in ("", kind):
        return None
    rows = rows.filter(provider=event.provider)
    found = rows.filter(provider_ref=event.object_ref).first()
    if found is not None:
        return found
    named = row_of(event.own_ref)
    if named is None or named[0] != kind:
        return None
    found = rows.filter(pk=named[1]).first()
    return found if found is not None and own_ref(key(found)) == event.own_ref else None


def missed_events(*, provider: str) -> int:
    """Read the gateway's own list of events since the last reading (with an overlap) and store what never arrived; returns how many were new.

    After any outage, ours or our endpoint's, this brings everything back, to the length of the gateway's memory. Raises Unavailable.
    """
    require_no_transaction()
    asked = gateway(provider)
    if not asked.capabilities().lists_events:
        return 0
    now = clock.now()
    read = GatewayPoll.objects.filter(provider=provider).values_list("read_until", flat=True).first()
    since = max((read or now) - OVERLAP, now - settings.GATEWAY_EVENTS_DAYS * timedelta(days=1))
    new = 0
    for event in asked.missed_events(since=since):
        before = WebhookEvent.objects.filter(provider=provider, event_id=event.event_id).exists()
        store(provider, event)
        new += not before
    GatewayPoll.objects.update_or_create(provider=provider, defaults={"read_until": now})
    return new
