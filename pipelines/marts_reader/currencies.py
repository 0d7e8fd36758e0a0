"""A figure in the viewer's currency, for reading only: US cents times the rates that the publication itself has.

What moved is always the transaction currency; this is an estimate and is shown as one. Sums are summed first and converted then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import duckdb
import pyarrow as pa

from .definitions import Metric
from .question import BadQuestion, MetricError, nearest

RATES = "metrics.usd_rates"
#: the dimension whose value is the day of a figure
_DAY = "day"


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


def read_rates(db: duckdb.DuckDBPyConnection, currency: str) -> Rates:
    """Raises BadQuestion for a currency without any rate, MetricError when the publication was made before it had rates."""
    try:
        known = [name for (name,) in db.execute(f"SELECT DISTINCT currency FROM {RATES} ORDER BY 1").fetchall()]
    except duckdb.CatalogException as missing:
        raise MetricError("this publication was made before there were rates in it: run `make pipeline`") from missing
    if currency not in known:
        raise BadQuestion(f"no rate is known for {currency!r}.{nearest(currency, known)} Known are: {', '.join(known)}")
    spans = db.execute(f"SELECT valid_from, valid_to, minor_per_usd_cent FROM {RATES} WHERE currency = ? ORDER BY 1", [currency]).fetchall()
    return Rates(currency, tuple(spans))


def convert(usd_minor: int | None, rate: Decimal | None) -> int | None:
    """Whole minor units, rounded half to even; None when the amount or the rate is not known, which is never taken for 1:1."""
    if usd_minor is None or rate is None:
        return None
    with localcontext() as exact:
        exact.prec = 76
        return int((usd_minor * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


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
