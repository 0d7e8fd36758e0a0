"""Reading texts for contact details, paying past the platform, paying to apply, and copies: a warning to the writer first, a case for a
moderator only when warnings are ignored again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.transactions import unit_of_work

from .. import text as reading
from ..models import CheckedText
from ..subjects import Subject, subject
from ..text import copies
from ..text.finding import REASONS, WARN, Finding
from ..text.scan import Tokens, scan

MAX_TEXT = 20_000
#: what is read when it is handed over
CHECKED_TYPES = ("job", "proposal", "review", "reply", "profile")
#: the author's newest texts of a kind that a new one is compared with
COMPARED = 20
EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a text, and by which version of the rules."""

    version: str
    findings: list[dict[str, Any]]

    @property
    def warned(self) -> bool:
        return any(f["level"] == WARN for f in self.findings)


def text_check(*, actor: User, text: str, subject_type: str = "") -> Reading:
    """What would be found in a draft; stores nothing. With a `subject_type` also whether the actor sent the same before.

    Raises InvalidInput for more than 20,000 characters.
    """
    checks = Checks()
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        checks.add("text", f"At most {MAX_TEXT} characters.")
    checks.raise_if_any()
    tokens = scan(text)
    return _read(tokens, actor.pk, subject_type, None)


@unit_of_work
def text_flag(*, subject_type: str, subject_id: int) -> CheckedText | None:
    """Read what was handed over and keep what was found; the author is told of a warning, and after TEXT_WARNINGS_BEFORE_CASE of them within
    TEXT_WARNING_DAYS a moderator looks. The same content is read once; None when it was, when it is a draft, or when there is no text.
    """
    there = subject(subject_type, subject_id)
    tokens = scan(there.text)
    digest, count = copies.digest(tokens)
    if (
        not count
        or there.state == "draft"
        or CheckedText.objects.filter(subject_type=subject_type, subject_id=subject_id, digest=digest).exists()
    ):
        return None
    found = _read(tokens, there.about_id, subject_type, subject_id)
    now = clock.now()
    checked, new = CheckedText.objects.get_or_create(
        subject_type=subject_type,
        subject_id=subject_id,
        digest=digest,
        defaults={
            "author_id": there.about_id,
            "word_count": count,
            "sketch": copies.sketch(tokens),
            "findings": found.findings,
            "warned": found.warned,
            "version": found.version,
            "at": now,
        },
    )
    if not new:
        return None
    if found.warned:
        _tell(checked, there)
    return checked


def _tell(checked: CheckedText, there: Subject) -> None:
    codes = sorted({f["code"] for f in checked.findings if f["level"] == WARN})
    said = {"subject_type": there.type, "subject_id": there.id, "codes": codes, "version": checked.version}
    events.record(aggregate=checked, kind="moderation.warning", actor_id=None, after=said, reason=REASONS[codes[0]])
    since = checked.at - timedelta(days=settings.TEXT_WARNING_DAYS)
    ignored = CheckedText.objects.filter(author_id=checked.author_id, warned=True, at__gt=since, case__isnull=True)
    if ignored.count() >= settings.TEXT_WARNINGS_BEFORE_CASE:
        from .reports import case_flag

        case_flag(there=there, checked=ignored)


def _read(tokens: Tokens, author_id: int, subject_type: str, subject_id: int | None) -> Reading:
    found = [_told(f) for f in reading.check_tokens(tokens)]
    copied = _copy(tokens, author_id, subject_type, subject_id) if subject_type else None
    return Reading(reading.VERSION, [*found, *([copied] if copied else [])])


def _told(f: Finding) -> dict[str, Any]:
    return {"code": f.code, "level": f.level, "start": f.start, "end": f.end, "excerpt": f.excerpt, "reason": f.reason}


def _copy(tokens: Tokens, author_id: int, subject_type: str, subject_id: int | None) -> dict[str, Any] | None:
    """A finding when the author sent nearly the same text for something else, or anybody the very same: two look-ups by index."""
    digest, count = copies.digest(tokens)
    if count < copies.FEWEST_WORDS:
        return None
    own = CheckedText.objects.filter(author_id=author_id, subject_type=subject_type).exclude(subject_id=subject_id or 0)
    mine = copies.sketch(tokens)
    like = any(copies.similarity(mine, s) >= copies.SIMILAR for s in own.order_by("-id").values_list("sketch", flat=True)[:COMPARED])
    same = CheckedText.objects.filter(digest=digest, subject_type=subject_type).exclude(author_id=author_id)
    if not like and not same.exists():
        return None
    end = len(tokens.text)
    # a cover letter used twice is common and worth a word; somebody else's text is worth a look
    level = WARN if not like else reading.NOTE
    return {"code": "duplicate", "level": level, "start": 0, "end": end, "excerpt": tokens.text[:EXCERPT], "reason": REASONS["duplicate"]}
