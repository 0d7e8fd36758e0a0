"""Exchange rates set by hand, for currencies that the European Central Bank does not publish, and the watch over the age of all that are used.

A rate is given as units of the currency for one US dollar. One person sets what hardly moves the last known rate; what moves it more waits for
a second person, and what looks like a slip (the inverse, a forgotten factor) is refused unless whoever sets it insists, and then waits too.
What is stored is never changed: a posting's rate stays what it was, and a correction on the same day is a row of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.models import Event
from marketplace.core.money import exponent
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import fx
from .models import Account, FxRate, HandRate
from .states import HAND_RATE

ACTION = "rates_set"
#: what a rate may be at all, in units for one US dollar
LEAST, MOST = Decimal("0.000001"), Decimal(10) ** 9
_ECB = ("ecb", "ecb_cross")


@unit_of_work
def rate_set(*, actor: Actor, currency: str, per_usd: Decimal, reason: str, sure: bool = False) -> HandRate:
    """Set today's rate of a currency by hand: it stands at once, or waits for a second person when it moves the last known rate, or that of
    FX_HAND_SECOND_DAYS ago, by more than FX_HAND_SECOND_PERCENT, or when none is known. `sure` says that a rate further away than
    FX_HAND_FACTOR is no slip.

    Raises NotAllowed for anybody else, InvalidInput for US dollars, a currency that is unknown or published by the ECB, a rate out of
    range or that looks like a slip, or no reason, Conflict("hand_rate_waits") while another one of the currency waits.
    """
    require_staff(actor, ACTION)
    now = clock.now()
    exponent(currency)
    reason = _reason(reason)
    per_usd = _checked(currency, per_usd, now.date())
    known = _known(currency, now.date())
    if known is not None and not sure and _apart(per_usd, known) > settings.FX_HAND_FACTOR:
        raise InvalidInput("hand_rate_far", _slip(currency, per_usd, known), {"per_usd": ["Far from the last known rate."]})
    try:
        with transaction.atomic():  # whoever sets a rate of the same currency now waits here until this one is done
            row = HandRate.objects.create(
                currency=currency,
                per_usd=per_usd,
                known_per_usd=known,
                waiting=currency,
                reason=reason,
                asked_by_id=actor.pk,
                asked_at=now,
            )
    except IntegrityError:
        raise Conflict("hand_rate_waits", f"A rate of {currency} waits for a second person already: decide on it first.") from None
    if known is None or _far(per_usd, known) or _far(per_usd, _known(currency, now.date() - timedelta(days=settings.FX_HAND_SECOND_DAYS))):
        events.record(aggregate=row, kind="hand_rate.ask", actor_id=actor.pk, after=_told(row), reason=reason)
        audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"state": None}, after={"state": "asked", **_told(row)})
        return row
    return _stand(actor, row, reason)


@unit_of_work
def rate_set_approve(*, actor: Actor, hand_rate_id: int, reason: str) -> HandRate:
    """The second person: the rate stands, as one of the day on which it was asked for.

    Raises NotAllowed for anybody else and for the person who asked, NotFound, Conflict when it was decided, or when the last known rate is
    not the one any more that it was compared with.
    """
    row, reason = _locked(actor, hand_rate_id, reason)
    require(row.asked_by_id != actor.pk, "hand_rate_second", "You asked for this rate: somebody else has to approve it.")
    if row.state == "asked" and _known(row.currency, clock.now().date()) != row.known_per_usd:
        raise Conflict("hand_rate_overtaken", "A newer rate became known meanwhile. Refuse this one, and set it anew if it is still right.")
    return _stand(actor, row, reason)


@unit_of_work
def rate_set_refuse(*, actor: Actor, hand_rate_id: int, reason: str) -> HandRate:
    """It does not stand. Also whoever asked may take it back so. Raises NotAllowed, NotFound, Conflict as rate_set_approve."""
    row, reason = _locked(actor, hand_rate_id, reason)
    row.decided_by_id, row.decided_at, row.decision_reason, row.waiting = actor.pk, clock.now(), reason, None
    also = ["decided_by", "decided_at", "decision_reason", "waiting"]
    move(row, HAND_RATE, "refuse", role="staff", actor_id=actor.pk, also=also, reason=reason, extra=_told(row))
    audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"state": "asked"}, after={"state": row.state})
    return row


@unit_of_work
def rate_warn(*, rate_id: int) -> bool:
    """Tell, once, whoever may set rates that a rate in use is about to be too old, or is; whether it was told now."""
    row = FxRate.objects.select_for_update().get(pk=rate_id)
    left = fx.days_left(row, clock.now().date())
    kind = "fx_rate.age" if left < 0 else "fx_rate.near_age"
    if left > settings.FX_WARN_DAYS or row.pk in _told_of([row.pk], kind):
        return False
    after = {"base": row.base, "quote": row.quote, "source": row.source, "as_of": row.as_of.isoformat(), "days_left": left}
    events.record(aggregate=row, kind=kind, actor_id=None, after=after)
    return True


def ageing_ids(day: date) -> list[int]:
    """The newest rates of currencies in use that are about to be too old, or are, and of which nobody was told. All that the ECB published on
    one day become old together: one of them stands for the others."""
    seen: dict[object, FxRate] = {}
    for row in _in_use(day):
        if fx.days_left(row, day) <= settings.FX_WARN_DAYS and not fx.packaged(row):
            seen.setdefault(row.as_of if row.source in _ECB else row.pk, row)
    old, near = ({r.pk for r in seen.values() if (fx.days_left(r, day) < 0) is past} for past in (True, False))
    return sorted((old - _told_of(old, "fx_rate.age")) | (near - _told_of(near, "fx_rate.near_age")))


def _in_use(day: date) -> Iterator[FxRate]:
    """The newest rate, of US dollars, of every currency that an account of somebody's is in."""
    used = Account.objects.exclude(user=None).exclude(currency="USD").order_by("currency")
    for currency in used.values_list("currency", flat=True).distinct():
        row = fx.newest_stored("USD", currency, day) or fx.newest_stored(currency, "USD", day) or fx.newest_stored("EUR", currency, day)
        if row is not None:
            yield row


def _told_of(ids: Collection[int], kind: str) -> set[int]:
    of = Event.objects.filter(aggregate_type=FxRate._meta.label_lower, aggregate_id__in=ids, kind=kind)
    return set(of.values_list("aggregate_id", flat=True))


def _locked(actor: Actor, hand_rate_id: int, reason: str) -> tuple[HandRate, str]:
    require_staff(actor, ACTION)
    row = HandRate.objects.select_for_update().filter(pk=hand_rate_id).first()
    if row is None:
        raise NotFound("rate set by hand")
    return row, _reason(reason)


def _reason(given: str) -> str:
    checks = Checks()
    reason = checks.text("reason", given, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return reason


def _checked(currency: str, per_usd: Decimal, day: date) -> Decimal:
    if currency == "USD":
        raise InvalidInput("currency_same", "A dollar is a dollar. Choose another currency.", {"currency": ["The same currency."]})
    published = FxRate.objects.filter(base="EUR", source="ecb").order_by("-as_of")
    theirs = published.filter(quote="USD").first()
    if theirs and fx.is_current(theirs, day) and (currency == "EUR" or published.filter(quote=currency, as_of=theirs.as_of).exists()):
        message = f"The European Central Bank publishes {currency}: import its rates instead."
        raise InvalidInput("hand_rate_published", message, {"currency": ["Published by the European Central Bank."]})
    if not per_usd.is_finite() or not LEAST <= per_usd <= MOST or per_usd != per_usd.quantize(fx.PRECISION):
        message = f"Give units of {currency} for one US dollar: from {LEAST:f} to {MOST:,f}, with 12 decimals at most."
        raise InvalidInput("hand_rate_range", message, {"per_usd": [message]})
    return per_usd.quantize(fx.PRECISION)


def _known(currency: str, day: date) -> Decimal | None:
    try:
        return fx.rate("USD", currency, on=day).rate
    except InvalidInput:
        return None


def _apart(a: Decimal, b: Decimal) -> Decimal:
    return max(a / b, b / a)


def _far(per_usd: Decimal, known: Decimal | None) -> bool:
    return known is not None and abs(per_usd - known) * 100 > known * settings.FX_HAND_SECOND_PERCENT


def _slip(currency: str, per_usd: Decimal, known: Decimal) -> str:
    told = f"The last known rate is {known.normalize():f} {currency} for one US dollar, and {per_usd.normalize():f} is far from it."
    if _apart(1 / per_usd, known) <= settings.FX_HAND_FACTOR:
        return (
            f"{told} It looks like dollars for one {currency}: turn it round. If it is right, say so (sure), and a second person decides."
        )
    return f"{told} Look for a slip of the decimal point. If it is right, say so (sure), and a second person decides."


def _stand(actor: Actor, row: HandRate, reason: str) -> HandRate:
    before, day = row.state, row.asked_at.date()
    same_day = FxRate.objects.filter(base="USD", quote=row.currency, as_of=day, source__startswith=fx.BY_HAND).count()
    source = fx.BY_HAND if same_day == 0 else f"{fx.BY_HAND}:{same_day + 1}"
    row.rate = fx.row_of("USD", row.currency, row.per_usd, source, day, clock.now())
    row.decided_by_id, row.decided_at, row.waiting = actor.pk, clock.now(), None
    row.decision_reason = reason if actor.pk != row.asked_by_id else ""
    if before == "asked":  # nothing is stored for one that was decided before
        row.rate.save(force_insert=True)
    also = ["rate", "decided_by", "decided_at", "decision_reason", "waiting"]
    move(row, HAND_RATE, "set", role="staff", actor_id=actor.pk, also=also, reason=reason, extra=_told(row))
    after = {"per_usd": f"{row.per_usd.normalize():f}", "source": source, "as_of": day.isoformat()}
    known = None if row.known_per_usd is None else f"{row.known_per_usd.normalize():f}"
    audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"per_usd": known}, after=after)
    return row


def _told(row: HandRate) -> dict[str, object]:
    known = None if row.known_per_usd is None else f"{row.known_per_usd.normalize():f}"
    return {"currency": row.currency, "per_usd": f"{row.per_usd.normalize():f}", "known_per_usd": known}
