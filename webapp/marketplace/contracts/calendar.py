"""A person's deadlines as an iCalendar feed (RFC 5545), read by a secret address that calendar programs fetch without signing in.

The address holds the feed's number and a keyed hash of its nonce, so that it can be shown again to its owner and a copy of the tables alone
opens nothing. Revoking deletes the nonce.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils.crypto import salted_hmac
from icalendar import Calendar, Event

from marketplace.core.errors import NotFound

from .models import CalendarFeed, Contract
from .selectors import milestones_of_many, running
from .timeline import Clock, clocks

#: contracts in one feed, newest first; nobody works on more at once
MOST_CONTRACTS = 200
NAMES = {
    "auto_approval": "Silence approves",
    "bonus_clearing": "Bonus clears",
    "clearing": "Money clears",
    "dispute_decision": "Dispute: this stage ends",
    "due": "Due",
    "funding_opens": "Can be funded",
    "hold_limit": "Held money returns",
    "part_clearing": "Money clears",
    "refund_answer": "Refund request: silence agrees",
    "review_window": "Reviews shut",
}


def token_of(feed: CalendarFeed) -> str:
    """The secret part of the feed's address."""
    mac = salted_hmac("openlance.calendar", f"{feed.pk}:{feed.nonce}", algorithm="sha256").hexdigest()
    return f"{feed.pk}-{mac}"


def url_of(feed: CalendarFeed) -> str:
    """The feed's whole address."""
    return f"{settings.BASE_URL}/api/v1/calendar/{token_of(feed)}.ics"


def feed_of(token: str) -> CalendarFeed:
    """The feed behind an address. Raises NotFound for any other address, and when its owner is suspended."""
    number, _, _ = token.partition("-")
    if number.isascii() and number.isdigit() and len(number) < 19:
        feed = CalendarFeed.objects.select_related("user").filter(pk=int(number), user__is_active=True).first()
        if feed is not None and hmac.compare_digest(token_of(feed).encode(), token.encode()):
            return feed
    raise NotFound("calendar")


def render(user_id: int, now: datetime) -> bytes:
    """The calendar of the person's contracts: every clock that runs, in UTC. The same facts give the same bytes."""
    lately = now - timedelta(days=settings.REVIEW_WINDOW_DAYS)
    mine = Contract.objects.filter(Q(client_id=user_id) | Q(freelancer_id=user_id)).exclude(state="offered").exclude(ended_at__lt=lately)
    contracts = list(mine.select_related("hours", "offer").order_by("-id")[:MOST_CONTRACTS])
    milestones = milestones_of_many([c.pk for c in contracts])
    beside = running([c.pk for c in contracts], [m for every in milestones.values() for m in every])
    calendar = Calendar()
    calendar.add("prodid", "-//Openlance//Deadlines//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Openlance")
    for contract in contracts:
        for runs in clocks(contract, milestones.get(contract.pk, []), beside):
            calendar.add_component(_event(contract, runs))
    return bytes(calendar.to_ical())


def _event(contract: Contract, clock: Clock) -> Event:
    event = Event()
    key = f"{clock.clock}-{contract.pk}-{clock.milestone_id or 0}-{clock.about or 0}"
    event.add("uid", f"{key}@openlance")
    # DTSTAMP says when the entry was made; the hour of the deadline itself keeps the bytes, and so the ETag, the same until something changes
    event.add("dtstamp", clock.at.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", clock.at.astimezone(UTC).replace(microsecond=0))
    event.add("summary", f"{NAMES.get(clock.clock, clock.clock)}: {contract.title}")
    event.add("description", clock.then)
    event.add("url", f"{settings.BASE_URL}/contracts/{contract.pk}")
    return event


def etag_of(content: bytes) -> str:
    """A strong validator of the content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
