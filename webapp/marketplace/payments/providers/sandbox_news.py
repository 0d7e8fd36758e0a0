"""The sandbox delivers its notifications by HTTP, signed, to the same address as a real gateway would: what is tried here is the whole way in.

One that is not answered with 2xx is tried again for three days, later each time. Claims are compare-and-set on the next try, so that two
workers send one notification once; sent twice after a crash it is the same event.
"""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import structlog
from django.conf import settings

from marketplace.core import clock

from ..models import SandboxNews
from . import gateways
from .sandbox import Sandbox, body_of, sign, webhook_path_token

log = structlog.get_logger(__name__)
TIMEOUT = httpx.Timeout(10, connect=2)
LEASE = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(days=3)
BATCH = 100


def address() -> str:
    """Where the sandbox notifies us."""
    return f"{settings.SANDBOX_NOTIFIES}/api/v1/webhooks/{Sandbox.name}/{webhook_path_token()}"


def due() -> list[int]:
    """Notifications whose time has come; none where there is no sandbox."""
    if Sandbox.name not in gateways():
        return []
    waiting = SandboxNews.objects.filter(next_try_at__lte=clock.now()).order_by("next_try_at", "id")
    return list(waiting.values_list("pk", flat=True)[:BATCH])


def deliver(news_id: int) -> bool:
    """Send one notification; whether it was answered well. Not to be called inside a transaction."""
    news, now = SandboxNews.objects.get(pk=news_id), clock.now()
    mine = SandboxNews.objects.filter(pk=news_id, attempts=news.attempts, next_try_at=news.next_try_at)
    if news.next_try_at is None or mine.update(attempts=news.attempts + 1, next_try_at=now + LEASE) != 1:
        return False
    body = json.dumps(body_of(news)).encode()
    try:
        headers = {"Content-Type": "application/json", "Sandbox-Signature": sign(body)}
        answered = httpx.post(address(), content=body, headers=headers, timeout=TIMEOUT).is_success
    except httpx.HTTPError as e:
        log.warning("sandbox_news_unanswered", news=news_id, kind=type(e).__name__)
        answered = False
    if answered:
        SandboxNews.objects.filter(pk=news_id).update(next_try_at=None, delivered_at=clock.now())
    else:
        later = now + timedelta(seconds=min(3600, 5 * 2**news.attempts))
        given_up = later > news.due_at + GIVEN_UP_AFTER
        SandboxNews.objects.filter(pk=news_id, delivered_at=None).update(next_try_at=None if given_up else later)
    return answered
