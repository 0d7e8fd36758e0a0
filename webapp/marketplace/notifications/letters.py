"""Sending what waits: items of one person that are due together leave as one letter.

At least once: a sender that dies after the mail server took the letter leaves it to be sent again. With the same items it carries the same
Message-ID, by which mail programs know the second from the first. A letter that comes late, after a fault, still keeps out of quiet hours. No transaction is open while the mail server is spoken to.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from email.utils import parseaddr

import structlog
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.core import clock

from .models import Letter, Preference
from .policies import ALWAYS, TOPICS, say
from .schedule import awake_at

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 6
MOST_ITEMS = 50
SALT = "notifications.unsubscribe"


def unsubscribe_token(user_id: int, topic: str) -> str:
    """What a letter's link carries: who turns which topic off. It does not expire and does nothing else."""
    return signing.dumps([user_id, topic], salt=SALT, compress=False)


def read_token(token: str) -> tuple[int, str] | None:
    """(user id, topic) of a link of ours, else None."""
    try:
        user_id, topic = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return (user_id, topic) if topic in TOPICS and topic not in ALWAYS else None


def send_due(limit: int = 500) -> int:
    """Send the letters whose time has come; returns how many items went out."""
    now = clock.now()
    states = [Letter.State.WAITING, Letter.State.SENDING]
    due = Letter.objects.filter(state__in=states, due_at__lte=now).order_by("due_at", "id").values_list("id", "user_id")[:limit]
    by_user: dict[int, list[int]] = defaultdict(list)
    for letter_id, user_id in due:
        by_user[user_id].append(letter_id)
    return sum(_send(user_id, _claimed(ids[:MOST_ITEMS])) for user_id, ids in by_user.items())


def _claimed(ids: list[int]) -> list[Letter]:
    """Those of the letters that this sender won: compare-and-set on state and attempts."""
    now = clock.now()
    won = []
    for seen in Letter.objects.filter(pk__in=ids).select_related("item").order_by("id"):
        mine = Letter.objects.filter(pk=seen.pk, state=seen.state, attempts=seen.attempts, due_at__lte=now)
        if seen.state in (Letter.State.WAITING, Letter.State.SENDING) and mine.update(
            state=Letter.State.SENDING, attempts=F("attempts") + 1, due_at=now + LEASE
        ):
            seen.attempts += 1
            won.append(seen)
    return won


def _send(user_id: int, letters: list[Letter]) -> int:
    if not letters:
        return 0
    user = User.objects.get(pk=user_id)
    if not EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists():
        _mark(letters, state=Letter.State.DROPPED, last_error="no verified address")
        return 0
    if not user.is_active:  # a suspended person must still hear why, and how to appeal
        _mark([x for x in letters if x.topic not in ALWAYS], state=Letter.State.DROPPED, last_error="suspended")
        letters = [x for x in letters if x.topic in ALWAYS]
        if not letters:
            return 0
    preference = preference_of(user_id)
    later = awake_at(preference, user.time_zone, clock.now())
    asleep = [x for x in letters if x.topic not in ALWAYS] if later is not None else []
    for letter in asleep:
        # no attempt was made: the count goes back with the time
        Letter.objects.filter(pk=letter.pk, state=Letter.State.SENDING, attempts=letter.attempts).update(
            state=Letter.State.WAITING, attempts=letter.attempts - 1, due_at=later
        )
    letters = [x for x in letters if x not in asleep]
    if not letters:
        return 0
    try:
        message(user, letters).send()
    except Exception as e:  # whatever the mail server does, the letter waits and is tried again
        given_up = letters[0].attempts >= MAX_ATTEMPTS
        wait = timedelta(minutes=2 ** letters[0].attempts)
        state = Letter.State.DROPPED if given_up else Letter.State.WAITING
        _mark(letters, state=state, last_error=type(e).__name__[:200], due_at=clock.now() + wait)
        log.warning("letter_failed", user=user_id, items=len(letters), error=type(e).__name__, given_up=given_up)
        return 0
    return _mark(letters, state=Letter.State.SENT, last_error="", sent_at=clock.now())


def _mark(letters: list[Letter], **values: object) -> int:
    """Write the outcome on the letters that are still this sender's."""
    return sum(Letter.objects.filter(pk=x.pk, state=Letter.State.SENDING, attempts=x.attempts).update(**values) for x in letters)


def message(user: User, letters: list[Letter]) -> EmailMessage:
    """The letter: its sentences with their pages, and at its foot how to get fewer."""
    language = user.language
    texts = [x.item.text for x in letters]
    many = say("letter_many", language, "{count} things happened on Openlance").format(count=len(letters))
    subject = texts[0] if len(texts) == 1 else many
    hello = say("letter_hello", language, "Hello {name},").format(name=user.display_name)
    lines = [hello, ""]
    for x in letters:
        lines += [f"- {x.item.text}", *([f"  {settings.BASE_URL}{x.item.link}"] if x.item.link else [])]
    foot = say("letter_foot", language, "You choose which letters you get: {url}").format(url=f"{settings.BASE_URL}/settings")
    lines += ["", "Openlance", foot]
    headers = {"Message-ID": f"<letter-{letters[0].pk}-{len(letters)}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition('@')[2]}>"}
    topics = {x.topic for x in letters}
    if len(topics) == 1 and not topics & ALWAYS:
        (topic,) = topics
        link = f"{settings.BASE_URL}/unsubscribe/{unsubscribe_token(user.pk, topic)}"
        stop = say("letter_stop", language, "No more letters about “{topic}”: {url}")
        lines.append(stop.format(topic=say(f"letter_topic_{topic}", language, topic), url=link))
        headers |= {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    one_line = " ".join(subject.split())[:150]
    return EmailMessage(one_line, "\n".join(lines), settings.DEFAULT_FROM_EMAIL, [user.email], headers=headers)


def preference_of(user_id: int) -> Preference:
    """The stored preference, or an unsaved one with the defaults."""
    return Preference.objects.filter(user_id=user_id).first() or Preference(user_id=user_id)
