"""Filling and reading the inbox, and choosing what comes by e-mail."""

from __future__ import annotations

from typing import Any

from marketplace.accounts.models import User
from marketplace.accounts.selectors import accounts_that_left
from marketplace.core import clock
from marketplace.core.checks import Checks
from marketplace.core.models import Event
from marketplace.core.transactions import unit_of_work

from .letters import preference_of, read_token, send_due
from .models import InboxItem, Letter, Preference
from .policies import ALWAYS, TOPICS, notices, topic_of
from .schedule import due_at
from .selectors import inbox_of, item_for

__all__ = ["inbox_read_all", "item_read", "preference_put", "send_due", "tell", "unsubscribe"]
LAST_MINUTE = 24 * 60 - 1


def _languages(user_ids: list[int]) -> dict[int, str]:
    return dict(User.objects.filter(pk__in=user_ids).values_list("pk", "language"))


@unit_of_work
def tell(*, event: Event) -> int:
    """Put an event into the inboxes of those it concerns, in their language, with a letter where they want one; once a person however often it
    is delivered, and nobody whose account is closed. Returns how many were new.
    """
    new = 0
    found = notices(event, _languages)
    gone = accounts_that_left([n.user_id for n in found])
    for notice in (n for n in found if n.user_id not in gone):
        item, created = InboxItem.objects.get_or_create(
            user_id=notice.user_id,
            event_id=event.pk,
            defaults={"kind": event.kind, "text": notice.text, "link": notice.link, "created_at": event.occurred_at},
        )
        if created:
            new += 1
            _write(item)
    return new


def _write(item: InboxItem) -> None:
    topic = topic_of(item.kind)
    preference = preference_of(item.user_id)
    if topic in ALWAYS:
        preference = Preference(user_id=item.user_id)
    due = due_at(preference, topic, item.user.time_zone, clock.now())
    if due is not None:
        Letter.objects.create(item=item, user_id=item.user_id, topic=topic, due_at=due)


@unit_of_work
def item_read(*, actor: User, item_id: int) -> InboxItem:
    """Mark an item as read; the first time stands. Raises NotFound."""
    item = item_for(actor, item_id)
    InboxItem.objects.filter(pk=item.pk, read_at__isnull=True).update(read_at=clock.now())
    item.refresh_from_db()
    return item


@unit_of_work
def inbox_read_all(*, actor: User) -> int:
    """Mark everything that is in the inbox now as read; returns how many items were new."""
    return inbox_of(actor).filter(read_at__isnull=True).update(read_at=clock.now())


@unit_of_work
def preference_put(*, actor: User, **given: Any) -> Preference:
    """Replace how the actor wants to hear: pace, by_topic, quiet_from and quiet_to (minutes of the local day, both or neither), digest_at.

    Letters that wait keep their time. Raises InvalidInput with every wrong field.
    """
    checks = Checks()
    paces = list(Preference.Pace.values)
    by_topic = given.get("by_topic", {})
    if not isinstance(by_topic, dict) or not set(by_topic) <= set(TOPICS) - ALWAYS:
        checks.add("by_topic", f"Use the topics {', '.join(sorted(set(TOPICS) - ALWAYS))}; letters about the account always come.")
        by_topic = {}
    quiet = {}
    for name in ("quiet_from", "quiet_to"):
        value = given.get(name)
        quiet[name] = None if value is None else checks.whole(name, value, low=0, high=LAST_MINUTE)
    if (quiet["quiet_from"] is None) != (quiet["quiet_to"] is None):
        checks.add("quiet_to", "Give both ends of the quiet hours, or neither.")
    values = {
        "pace": checks.choice("pace", given.get("pace", "instant"), paces),
        "by_topic": {topic: checks.choice(f"by_topic.{topic}", pace, paces) for topic, pace in by_topic.items()},
        "digest_at": checks.whole("digest_at", given.get("digest_at", 480), low=0, high=LAST_MINUTE),
        **quiet,
    }
    checks.raise_if_any()
    preference, _ = Preference.objects.update_or_create(user=actor, defaults=values)
    return preference


@unit_of_work
def unsubscribe(*, token: str) -> str | None:
    """Turn off the topic that a letter's link names, for whom it was sent to; the topic, or None when the link is not ours.

    Letters of the topic that still wait are dropped. The same link again changes nothing.
    """
    found = read_token(token)
    if found is None:
        return None
    user_id, topic = found
    preference, _ = Preference.objects.select_for_update().get_or_create(user_id=user_id)
    preference.by_topic = {**preference.by_topic, topic: Preference.Pace.OFF}
    preference.save(update_fields=["by_topic"])
    waiting = Letter.objects.filter(user_id=user_id, topic=topic, state=Letter.State.WAITING)
    waiting.update(state=Letter.State.DROPPED, last_error="unsubscribed")
    return topic
