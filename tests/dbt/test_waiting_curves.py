"""The published waiting curves against the whole Kaplan–Meier estimate of the sample market's jobs: survival in exact fractions, Greenwood's sum
with sixty digits (as a fraction its denominator grows with every job)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from decimal import Context, Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

import duckdb
import pytest

DIGITS = Context(prec=60)
#: hour 0, the hours of 30 days, the later days of a year, and the quartiles; a row more for each year of the market
MOST_ROWS = 1 + 720 + 335 + 3


def estimate(waits: list[tuple[float, bool]]) -> list[tuple[float, Fraction, Decimal, int, int, int]]:
    """hours, survival, Greenwood's sum, at risk, events, events so far: of hour 0 and each distinct time at which it happened."""
    leaving, happened = Counter(hours for hours, _ in waits), Counter(hours for hours, it_did in waits if it_did)
    steps, survival, greenwood, watched, so_far = [], Fraction(1), Decimal(0), len(waits), 0
    for hours in sorted({0.0, *leaving}):
        if happened[hours] or hours == 0:
            survival *= 1 - Fraction(happened[hours], watched)
            if watched > happened[hours]:
                greenwood = DIGITS.add(greenwood, DIGITS.divide(happened[hours], watched * (watched - happened[hours])))
            so_far += happened[hours]
            steps.append((hours, survival, greenwood, watched, happened[hours], so_far))
        watched -= leaving[hours]
    return steps


@pytest.mark.parametrize(("relation", "event"), [("admin.time_to_first_bid", "first_bid_at"), ("admin.time_to_hire", "hired_at")])
def test_a_published_curve_is_the_whole_one_at_every_hour_and_quartile(sample_house: Path, relation: str, event: str) -> None:
    with duckdb.connect(str(sample_house / "work" / "warehouse.duckdb"), read_only=True) as db:
        waits = db.execute(
            f"select epoch_us(coalesce({event}, watched_until) - opened_at) / 1e6 / 3600.0, {event} is not null"
            f" from marts.fct_job where in_market and coalesce({event}, watched_until) >= opened_at"
        ).fetchall()
        published = db.execute(
            f"select hours, survival, standard_error, at_risk, events, events_so_far from {relation} order by hours"
        ).fetchall()
    whole = estimate(waits)
    of_time = {step[0]: step for step in whole}
    assert len(whole) > 300 and len(published) < min(len(whole), MOST_ROWS + 3)
    for hours, survival, error, *counts in published:
        _, exact, greenwood, *exact_counts = of_time[hours]
        assert survival == pytest.approx(float(exact), rel=1e-9, abs=1e-12) and counts == exact_counts
        assert error == pytest.approx(float(exact) * float(greenwood) ** 0.5, rel=1e-9, abs=1e-12)

    def last(times: list[float], hour: float) -> float:
        return times[bisect_right(times, hour) - 1]

    all_times, published_times = [step[0] for step in whole], [row[0] for row in published]
    ends = {*range(721), *range(720, 8761, 24), 8760 * max(1, ceil(whole[-1][0] / 8760))}
    assert [end for end in sorted(ends) if last(published_times, end) != last(all_times, end)] == []
    for share in (0.75, 0.5, 0.25):
        wanted = min((hours for hours, survival, *_ in whole if survival <= share), default=None)
        assert min((row[0] for row in published if row[1] <= share + 1e-12), default=None) == wanted, share
