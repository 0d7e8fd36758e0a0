"""A figure in the viewer's currency, for reading only: by the rates that the publication itself has.

What moved is always the transaction currency; this is an estimate and is shown as one. Sums are summed first and converted then. Staff find the
rates as `metrics.usd_rates`; tenants, who do not see that schema, beside their own figures as `client.usd_rates` and `freelancer.usd_rates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import duckdb
import pyarrow as pa

from .definitions import Metric
from .question import BadQuestion, MetricError, nearest

RATES = "metrics.usd_rates"
#: the relations that hold the same rates, by who reads them
RELATIONS = (RATES, "client.usd_rates", "freelancer.usd_rates")
#: the dimension whose value is the day of a figure
_DAY = "day"


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency that figures can be read in. `exponent` is its decimal places (CLDR: JPY 0, USD 2, KWD 3)."""

    code: str
    name: str
    exponent: int


@dataclass(frozen=True, slots=True)
class Rates:
    """One currency's minor units of a US cent, each for the days from its first up to, but without, its last; oldest first."""

    currency: str
    spans: tuple[tuple[date, date, Decimal], ...]

    def on(self, day: date | None) -> Decimal | None:
        """The rate of that day, or the newest one without a day; None where none is known."""
        if day is None:
            return self.spans[-1][2]
        return next((rate for first, past, rate in self.spans if first <= day < past), None)


def read_currencies(db: duckdb.DuckDBPyConnection, relation: str = RATES) -> tuple[Currency, ...]:
    """Every currency with a rate, USD first and the others by code. Raises MetricError when the publication was made before it had them."""
    found = _rows(db, relation, "SELECT DISTINCT currency, currency_name, exponent FROM {} ORDER BY currency <> 'USD', currency")
    return tuple(Currency(*row) for row in found)


def read_rates(db: duckdb.DuckDBPyConnection, currency: str, relation: str = RATES) -> Rates:
    """Raises BadQuestion for a currency without any rate, MetricError when the publication was made before it had rates."""
    spans = _rows(db, relation, "SELECT valid_from, valid_to, minor_per_usd_cent FROM {} WHERE currency = ? ORDER BY 1", [currency])
    if not spans:
        known = [name for (name,) in _rows(db, relation, "SELECT DISTINCT currency FROM {} ORDER BY 1")]
        raise BadQuestion(f"no rate is known for {currency!r}.{nearest(currency, known)} Known are: {', '.join(known)}")
    return Rates(currency, tuple(spans))


def read_good_until(db: duckdb.DuckDBPyConnection, currency: str, relation: str = RATES) -> date | None:
    """The last day on which the marketplace moves money at the newest rate of a currency; None for USD, and for a currency without any rate.

    Raises MetricError when the publication was made before its rates told it.
    """
    found = _rows(db, relation, "SELECT good_until FROM {} WHERE currency = ? ORDER BY valid_from DESC LIMIT 1", [currency])
    return found[0][0] if found else None


def _rows(db: duckdb.DuckDBPyConnection, relation: str, sql: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Rows of `sql`, in which {} stands for the relation."""
    if relation not in RELATIONS:
        raise BadQuestion(f"{relation!r} holds no rates; these do: {', '.join(RELATIONS)}")
    try:
        return db.execute(sql.format(relation), values).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as missing:
        raise MetricError("this publication was made before there were such rates in it: run `make pipeline`") from missing


def between(own: Rates, viewer: Rates, day: date | None = None) -> Decimal | None:
    """Minor units of the viewer's currency for one of `own`, by way of USD: by that day's rates, or the newest; None where either is not known.

    In one's own currency nothing is converted: 1, whatever is known.
    """
    if own.currency == viewer.currency:
        return Decimal(1)
    theirs, ours = viewer.on(day), own.on(day)
    if theirs is None or ours is None:
        return None
    with localcontext() as exact:
        exact.prec = 76
        return theirs / ours


def convert(minor: int | None, rate: Decimal | None) -> int | None:
    """Whole minor units, rounded half to even; None when the amount or the rate is not known, which is never taken for 1:1.

    `rate` is minor units for one minor unit: `Rates.on` for US cents, `between` for an amount in another currency.
    """
    if minor is None or rate is None:
        return None
    with localcontext() as exact:
        exact.prec = 76
        return int((minor * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def with_viewer_minor(table: pa.Table, definition: Metric, rates: Rates, by: Sequence[str]) -> pa.Table:
    """The answer with `viewer_minor` beside `value`. Raises BadQuestion for a metric that is not money in USD.

    Split by day, each figure is converted at its own day's rate; else all are at the newest, so that they can be compared.
    """
    if definition.unit != "minor" or definition.currency != "USD":
        raise BadQuestion(f"{definition.name} is not money in USD ({definition.unit}): it has no other currency")
    values = table["value"].to_pylist()
    days = table[_DAY].to_pylist() if _DAY in by else [None] * len(values)
    found = [convert(value, None if _DAY in by and day is None else rates.on(day)) for value, day in zip(values, days, strict=True)]
    return table.append_column("viewer_minor", pa.array(found, pa.int64()))
