"""Reviews by and about a person, cases about their content, and their reputation with everything the formula takes in, so that it can be recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from marketplace.core import clock
from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.core.personal import Part, Row, computed, rows_of

from . import reputation as formula
from .case_reading import told_to
from .models import CheckedText, Report, Review, ReviewVersion
from .reputation import Reputation, Weighed
from .selectors import conduct_of, outcomes_of

_NUMBERS = ("mean", "low", "high", "count", "at")
_CONSTANTS = {
    "formula_version": formula.VERSION,
    "prior_weight": formula.PRIOR_WEIGHT,
    "prior_mean": formula.PRIOR_MEAN,
    "prior_deviation": formula.PRIOR_DEVIATION,
    "half_life_days": formula.HALF_LIFE_DAYS,
    "z": formula.Z_95,
    "formula": formula.FORMULA,
}
_INPUT = ("rating", "value_class", "opened_at", "age_days", "weight")


def _told(found: Reputation) -> Row:
    return {"mean": found.mean, "low": found.low, "high": found.high, "count": found.count, "at": clock.now()}


def _inputs(weighed: Iterable[Weighed]) -> Iterator[Row]:
    for w in weighed:
        yield dict(zip(_INPUT, (w.outcome.rating, w.outcome.value, w.outcome.opened_at, w.age_days, w.weight), strict=True))


def _reputation(user_id: int) -> dict[str, Part]:
    """Of reviews, and for a client of the record too: the numbers, and what each rests on."""

    def whole() -> Iterator[Row]:
        yield {**_told(formula.reputation(outcomes_of(user_id), clock.now())), **_CONSTANTS}

    def record() -> Iterator[Row]:
        found = conduct_of(user_id, clock.now())
        for part in found.parts if found else ():
            yield {"kind": part.code, "about": part.about, **_told(part.found)}

    def record_inputs() -> Iterator[Row]:
        found = conduct_of(user_id, clock.now())
        for part in found.parts if found else ():
            yield from ({"kind": part.code, **row} for row in _inputs(part.found.weighed))

    table = [Review._meta.db_table]
    return {
        "reputation": computed((*_NUMBERS, *_CONSTANTS), whole, of=table),
        "reputation_inputs": computed(_INPUT, lambda: _inputs(formula.reputation(outcomes_of(user_id), clock.now()).weighed), of=table),
        "client_record": computed(("kind", "about", *_NUMBERS), record, of=[]),
        "client_record_inputs": computed(("kind", *_INPUT), record_inputs, of=[]),
    }


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data. A review about the person is theirs to read once it is open, as everywhere; who reported them is not."""
    written = Review.objects.filter(author=user_id)
    received = Review.objects.filter(subject=user_id, opened_at__isnull=False, hidden_at__isnull=True)
    columns = ("id", "contract_id", "author_side", "rating", "text", "written_at", "opened_at", "edited_at")
    return {
        "reviews_written": rows_of(written, *columns, about="subject__display_name"),
        "review_versions": rows_of(ReviewVersion.objects.filter(review__author=user_id), "review_id", "rating", "text", "replaced_at"),
        "reviews_received": rows_of(received, *columns, author_name="author__display_name"),
        "review_replies": rows_of(Review.objects.filter(subject=user_id, reply__isnull=False), "id", "contract_id", "reply", "replied_at"),
        **_reputation(user_id),
        "cases": rows_of(
            told_to(user_id),
            *("id", "subject_type", "subject_id", "state", "opened_at", "act", "reason_code", "reason", "evidence", "decided_at"),
            *("content_held", "appeal_until", "appeal_reason", "appealed_at", "appeal_decided_at", "appeal_answer"),
        ),
        "reports_made": rows_of(
            Report.objects.filter(reporter=user_id), *("id", "subject_type", "subject_id", "reason_code", "text", "at", "answered_at")
        ),
        "texts_checked": rows_of(
            CheckedText.objects.filter(author=user_id), *("id", "subject_type", "subject_id", "findings", "warned", "version", "at")
        ),
    }


@handler("closing.erase", name="trust.closing_erase")
def erase(event: Event) -> None:
    """Forget what was found in the texts of whoever left, unless a case rests on it. Safe to run twice."""
    CheckedText.objects.filter(author=event.after["user_id"], case__isnull=True).delete()
