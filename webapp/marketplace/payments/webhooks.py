"""Notifications of gateways: verified, stored under their unique id, answered; a task handles them later by fetching the object again.

What a notification says is never believed: it only names what to ask about. So duplicates, old and early news do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.core import clock
from marketplace.core.errors import DomainError, InvalidInput, NotFound

from .gateways import payment_refresh, require_no_transaction
from .models import Payment, Payout, WebhookEvent
from .payouts import payout_refresh
from .providers import gateway


def webhook_receive(*, provider: str, path_token: str, raw_body: bytes, headers: Mapping[str, str]) -> WebhookEvent:
    """Verify a notification and store it under its unique id; the work is done later by `webhook_handle`. Duplicates are the same row.

    Raises NotFound for an unknown provider or path token, InvalidInput for a bad signature or body.
    """
    try:
        asked = gateway(provider)
    except InvalidInput as e:
        raise NotFound("webhook") from e
    event = asked.parse_webhook(raw_body=raw_body, headers=headers, path_token=path_token)
    defaults = {"kind": event.kind, "object_ref": event.object_ref, "body": event.body, "received_at": clock.now()}
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
    error = ""
    try:
        payment = Payment.objects.filter(provider=event.provider, provider_ref=event.object_ref).first()
        payout = Payout.objects.filter(provider=event.provider, provider_ref=event.object_ref).first()
        if payment is not None:
            payment_refresh(payment_id=payment.pk)
        elif payout is not None:
            payout_refresh(payout_id=payout.pk)
        else:
            error = "object_unknown"
    except DomainError as e:
        error = str(e)[:1000]
    handled = None if error else clock.now()
    WebhookEvent.objects.filter(pk=webhook_id).update(handled_at=handled, last_error=error)
    return handled is not None
