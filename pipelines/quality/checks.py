"""Checks of one batch against the history that the raw log holds.

History is the log itself: rows of earlier runs (never the first, whose rows show how things ended and not how they begin, where only
later runs can tell) and the runs' own record. A check without enough history says nothing. Each threshold is measured from history and
has a floor from the settings, so that a quiet history does not make a nervous check.

check         what it compares                                              severity
deletes       share of the living rows that the batch deletes               quarantine
nulls         share of empty values where history knows none or few         quarantine
range         numbers far outside all that history holds                    quarantine
distribution  how a column's words are spread, against later runs (PSI)     warn
volume        rows at once, and rows an hour of the last runs, against      warn
              earlier runs: far more, far fewer
freshness     time since a table last brought rows, against recent gaps     warn
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from ..extract.contracts import Contract
from ..settings import Quality

_NUMBERS = {"tinyint", "utinyint", "smallint", "usmallint", "integer", "uinteger", "bigint", "ubigint", "double", "decimal"}
_WORDS = ("varchar", "boolean")
_UNLIKELY = math.log(1e9)
#: Stretches of runs that a fall is held to: of runs of each minute two weeks' worth at most.
_STRETCHES = 1000


@dataclass(frozen=True)
class Finding:
    """A check that failed: what was measured, beyond which threshold, and how many rows of the batch it concerns."""

    table: str
    check: str
    column: str
    severity: str
    value: float
    threshold: float
    rows: int
    message: str

    @property
    def held(self) -> bool:
        return self.severity == "quarantine"

    @property
    def line(self) -> str:
        """Table, check and rows in one line."""
        where = f"{self.table}.{self.column}" if self.column else self.table
        return f"{where}: {self.check}: {self.message} ({self.rows} rows; measured {self.value:.4g}, threshold {self.threshold:.4g})"


def check_batch(
    db: duckdb.DuckDBPyConnection, contract: Contract, batch: str, history: str, deletes: int, settings: Quality
) -> list[Finding]:
    """What is odd about `batch` (SQL of its written rows) beside `history` (SQL of the log's rows). `deletes` rows of it are gone."""
    [(rows,)] = db.execute(f"SELECT count(*) FROM ({batch})").fetchall()
    if max(rows, deletes) < settings.least_batch:
        return []
    runs = _Runs.of(db, history)
    found = _deletes(db, contract, history, deletes, runs, settings)
    if rows < settings.least_batch:
        return found
    seen = _seen(contract)
    db.execute(f"CREATE OR REPLACE TEMP TABLE quality_past AS SELECT {seen}, _run_seq FROM ({runs.newest(history, settings.history_rows)})")
    db.execute(f"CREATE OR REPLACE TEMP TABLE quality_batch AS SELECT {seen} FROM ({batch})")
    try:
        [(known,)] = db.execute("SELECT count(*) FROM quality_past").fetchall()
        if known >= settings.least_history:
            found += _nulls(db, contract, settings) + _ranges(db, contract, settings) + _distributions(db, contract, settings)
    finally:
        db.execute("DROP TABLE quality_past")
        db.execute("DROP TABLE quality_batch")
    return found


def _seen(contract: Contract) -> str:
    """SQL of the columns as the checks see them. Of what is neither number nor word they ask whether it is empty: nobody copies texts for that."""

    def column(name: str) -> str:
        kind = contract.columns[name].type
        if kind.family in (*_NUMBERS, *_WORDS):
            return f'"{name}"'
        blank = f"NULLIF(\"{name}\", '')" if kind.duckdb == "VARCHAR" else f'"{name}"'
        return f'CASE WHEN {blank} IS NOT NULL THEN true END AS "{name}"'

    return ", ".join(map(column, contract.columns))


def _checked(contract: Contract, families: Iterable[str]) -> list[str]:
    return [
        name for name, column in contract.columns.items() if column.type.family in families and name not in (contract.key, contract.stamp)
    ]


@dataclass(frozen=True)
class _Runs:
    """How many rows each run of the log wrote and deleted, newest first: two narrow columns tell it, whatever the table."""

    counts: list[tuple[int, int, int]]

    @classmethod
    def of(cls, db: duckdb.DuckDBPyConnection, history: str) -> _Runs:
        counted = "count(*) FILTER (WHERE _op = 'u'), count(*) FILTER (WHERE _op = 'd')"
        return cls(db.execute(f"SELECT _run_seq, {counted} FROM ({history}) GROUP BY 1 ORDER BY 1 DESC").fetchall())

    @property
    def least_living(self) -> int:
        """At least so many keys live: a run writes each key once, and no key is deleted more often than there are deletions."""
        return max((written for _, written, _ in self.counts), default=0) - sum(deleted for _, _, deleted in self.counts)

    def newest(self, history: str, most: int) -> str:
        """SQL of the newest `most` written rows; of the run in which they end, any. Without a sort of the whole table."""
        rest = most
        for run, written, _ in self.counts:
            if written >= rest:
                last = f"(SELECT * FROM ({history}) WHERE _op = 'u' AND _run_seq = {run} LIMIT {rest})"
                return f"SELECT * FROM ({history}) WHERE _op = 'u' AND _run_seq > {run} UNION ALL {last}"
            rest -= written
        return f"SELECT * FROM ({history}) WHERE _op = 'u'"


def _deletes(
    db: duckdb.DuckDBPyConnection, contract: Contract, history: str, deletes: int, runs: _Runs, settings: Quality
) -> list[Finding]:
    if deletes < settings.least_batch or deletes <= settings.deleted_share * runs.least_living:
        return []
    key = f'"{contract.key}"'
    [(living,)] = db.execute(
        f"SELECT count(*) FROM (SELECT _op FROM ({history}) QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _run_seq DESC) = 1) WHERE _op = 'u'"
    ).fetchall()
    [(most,)] = db.execute(
        f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM ({history}) WHERE _op = 'd' GROUP BY _run_seq)"
    ).fetchall()
    share, threshold = deletes / max(living, 1), max(settings.deleted_share, 3 * most / max(living, 1))
    if share <= threshold:
        return []
    return [
        Finding(
            contract.table, "deletes", "", "quarantine", share, threshold, deletes, f"{deletes} of {living} living rows are deleted at once"
        )
    ]


def _nulls(db: duckdb.DuckDBPyConnection, contract: Contract, settings: Quality) -> list[Finding]:
    names = list(contract.columns)
    if not names:
        return []

    def empty(name: str) -> str:
        blank = f" OR \"{name}\" = ''" if contract.columns[name].type.family == "varchar" else ""
        return f'count(*) FILTER (WHERE "{name}" IS NULL{blank})'

    counts = "count(*), " + ", ".join(empty(name) for name in names)
    before = db.execute(f"SELECT {counts} FROM quality_past GROUP BY _run_seq ORDER BY _run_seq").fetchall()
    [(rows, *now)] = db.execute(f"SELECT {counts} FROM quality_batch").fetchall()
    found = []
    for place, (name, is_now) in enumerate(zip(names, now, strict=True), start=1):
        usual = usual_nulls([(run[0], run[place]) for run in before], rows, settings)
        if usual and is_now / rows > usual[0]:
            told = f"{is_now} of {rows} values are empty, {usual[1]}"
            found.append(Finding(contract.table, "nulls", name, "quarantine", is_now / rows, usual[0], is_now, told))
    return found


def usual_nulls(runs: Sequence[tuple[int, int]], rows: int, settings: Quality) -> tuple[float, str] | None:
    """The share of empty values beyond which a batch of so many rows is odd, and what was before. `runs`: (rows, empty ones), oldest first.

    None where history cannot tell. How things ended tells nothing of how they begin, so the oldest run is no measure of a share that is not 0.
    """
    past, was = (sum(counts) for counts in zip(*runs, strict=True))
    if not was:
        # history without a single empty value among n: by the rule of three, their true share is below 3 ÷ n
        return max(settings.null_share, 3 / past), f"in {past} rows before none was"
    later = [(count, empty) for count, empty in runs[1:] if count >= settings.least_batch]
    if len(later) < settings.least_runs:
        return None
    known = sum(count for count, _ in later)
    ever = sum(empty for _, empty in later)
    share, most = ever / known, max(empty / count for count, empty in later)
    if share > settings.rarely_empty:
        return None
    # what a run before brought is not odd, and as far as the worst of them lay from the mean a batch may lie from the worst
    threshold = by_chance(max(share + settings.null_share, 2 * most - share, 3 / known), rows)
    return threshold, f"in {len(later)} runs before {ever} of {known} were, and at most {most:.0%} of a run"


def by_chance(share: float, rows: int) -> float:
    """The share that a batch of so many rows exceeds once in 10⁹ times at most where the true one is `share`.

    Chernoff's bound: P(more than a·n of n) ≤ exp(−n · (a · ln(a ÷ p) + (1 − a) · ln((1 − a) ÷ (1 − p)))).
    """
    low, high = share, 1.0
    if share >= 1 or -rows * math.log(share) < _UNLIKELY:
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        apart = middle * math.log(middle / share) + (1 - middle) * math.log((1 - middle) / (1 - share))
        low, high = (middle, high) if rows * apart < _UNLIKELY else (low, middle)
    return high


def _ranges(db: duckdb.DuckDBPyConnection, contract: Contract, settings: Quality) -> list[Finding]:
    found = []
    # references grow with their table, whatever is in them
    numbers = [name for name in _checked(contract, _NUMBERS) if not name.endswith("_id")]
    if not numbers:
        return []
    spans = ", ".join(f'min("{n}")::DOUBLE, max("{n}")::DOUBLE' for n in numbers)
    [edges] = db.execute(f"SELECT {spans} FROM quality_past").fetchall()
    for name, low, high in zip(numbers, edges[::2], edges[1::2], strict=True):
        if low is None or high is None or low == high == 0:
            continue
        top, bottom = settings.range_factor * max(high, 0), settings.range_factor * min(low, 0)
        [(outside, most, rows)] = db.execute(
            f'SELECT count(*) FILTER (WHERE "{name}" > ? OR "{name}" < ?), max(abs("{name}"))::DOUBLE, count("{name}") FROM quality_batch',
            [top, bottom],
        ).fetchall()
        if rows and outside / rows > settings.range_share:
            told = f"{outside} of {rows} numbers lie outside {settings.range_factor:g} times the span {low:g} to {high:g} of history"
            found.append(Finding(contract.table, "range", name, "quarantine", most, top if most > top else bottom, outside, told))
    return found


def _distributions(db: duckdb.DuckDBPyConnection, contract: Contract, settings: Quality) -> list[Finding]:
    found = []
    later = "SELECT * FROM quality_past WHERE _run_seq > (SELECT min(_run_seq) FROM quality_past)"
    runs = db.execute(f"SELECT _run_seq FROM ({later}) GROUP BY 1 HAVING count(*) >= {settings.least_batch} ORDER BY 1").fetchall()
    if len(runs) < settings.least_runs:
        return []
    for name in _checked(contract, _WORDS):
        shares = db.execute(
            f"SELECT _run_seq, coalesce(\"{name}\"::VARCHAR, ''), count(*) FROM ({later}) WHERE _run_seq IN ({', '.join(str(run) for (run,) in runs)}) GROUP BY ALL"
        ).fetchall()
        words = {word for _, word, _ in shares}
        if not 1 < len(words) <= settings.most_words:
            continue
        whole = _spread((word, count) for _, word, count in shares)
        each = {run: _spread((word, count) for at, word, count in shares if at == run) for (run,) in runs}
        usual = max(psi(whole, spread) for spread in each.values())
        batch = db.execute(f"SELECT coalesce(\"{name}\"::VARCHAR, ''), count(*) FROM quality_batch GROUP BY 1").fetchall()
        value, threshold = psi(whole, _spread(batch)), max(settings.psi, 2 * usual)
        if value > threshold:
            rows = sum(count for _, count in batch)
            top = max(batch, key=lambda pair: pair[1])
            # what is told outlives the rows: no word of a table whose rows go with their person
            word = "one of them" if contract.people else repr(top[0])
            told = f"words are spread unlike in {len(runs)} runs before; most are now {word} ({top[1] / rows:.0%}, usually {whole.get(top[0], 0):.0%})"
            found.append(Finding(contract.table, "distribution", name, "warn", value, threshold, rows, told))
    return found


def _spread(counts: Iterable[tuple[str, int]]) -> dict[str, float]:
    total: dict[str, int] = {}
    for word, count in counts:
        total[word] = total.get(word, 0) + count
    rows = sum(total.values())
    return {word: count / rows for word, count in total.items()}


def psi(before: dict[str, float], now: dict[str, float]) -> float:
    """The population stability index of two spreads: Σ (now − before) · ln(now ÷ before); what is absent counts as 0.001.

    Below 0.1 nothing moved, above 0.25 much did (Siddiqi 2006, Credit Risk Scorecards).
    """
    floor = 0.001
    pairs = ((max(before.get(word, 0), floor), max(now.get(word, 0), floor)) for word in before.keys() | now.keys())
    return sum((b - a) * math.log(b / a) for a, b in pairs)


class Awake:
    """Time in which runs were made at all: of the time between two of them, at most so many seconds count."""

    def __init__(self, runs: Sequence[datetime], most: float) -> None:
        """`runs`: when any were, oldest first."""
        self._runs, self._most = runs, most
        steps = (min((later - earlier).total_seconds(), most) for earlier, later in itertools.pairwise(runs))
        self._sums = list(itertools.accumulate(steps, initial=0.0))

    def seconds(self, since: datetime, until: datetime) -> float:
        """Of those between the two, how many count."""
        return self._until(until) - self._until(since)

    def _until(self, at: datetime) -> float:
        place = bisect.bisect_right(self._runs, at) - 1
        return self._sums[place] + min((at - self._runs[place]).total_seconds(), self._most) if place >= 0 else 0.0


def check_runs(table: str, runs: Sequence[tuple[datetime, int]], awake: Awake, at: datetime, rows: int, settings: Quality) -> list[Finding]:
    """Volume and freshness. `runs`: (when, rows) of earlier runs that brought rows, the first of all left out, oldest first.

    They go by the runs of the settings' last days, or by the last ones where those are too few. Nobody looked while no run was made: how long
    a table is silent goes by `awake`.
    """
    if len(runs) < settings.least_runs:
        return []
    first = bisect.bisect_left(runs, at - timedelta(days=settings.recent_days), key=lambda run: run[0])
    recent = runs[min(first, len(runs) - settings.least_runs) :]
    if not rows:
        return _freshness(table, recent, awake, at, settings)
    return _volume(table, recent, at, rows, settings) or _fall(table, recent, awake, at, rows, settings)


def _freshness(table: str, runs: Sequence[tuple[datetime, int]], awake: Awake, at: datetime, settings: Quality) -> list[Finding]:
    since = awake.seconds(runs[-1][0], at)
    if since <= settings.silence_hours * 3600:
        return []
    longest = max(awake.seconds(earlier, later) for (earlier, _), (later, _) in itertools.pairwise(runs))
    threshold = max(settings.silence_hours * 3600, 3 * longest)
    if since <= threshold:
        return []
    told = f"nothing for {since / 3600:.1f} h; the longest of {len(runs) - 1} gaps before was {longest / 3600:.1f} h"
    return [Finding(table, "freshness", "", "warn", since, threshold, 0, told)]


def _volume(table: str, runs: Sequence[tuple[datetime, int]], at: datetime, rows: int, settings: Quality) -> list[Finding]:
    # counts of rows are skewed: their logarithms are compared, by median and median deviation, which no single spike moves
    logs = sorted(math.log1p(count) for _, count in runs)
    middle = logs[len(logs) // 2]
    spread = sorted(abs(value - middle) for value in logs)[len(logs) // 2]
    limit = max(math.expm1(middle + settings.volume_deviations * max(1.4826 * spread, 0.25)), max(count for _, count in runs) * 1.5)
    # what comes after a pause is what came in it
    gaps = sorted((later - earlier).total_seconds() for (earlier, _), (later, _) in itertools.pairwise(runs))
    limit *= max(1.0, (at - runs[-1][0]).total_seconds() / max(gaps[len(gaps) // 2], 1.0))
    if rows <= max(limit, settings.least_volume):
        return []
    told = f"{rows} rows at once; runs before brought {math.expm1(middle):.0f} as a rule and {max(count for _, count in runs)} at most"
    return [Finding(table, "volume", "", "warn", rows, limit, rows, told)]


def _fall(table: str, runs: Sequence[tuple[datetime, int]], awake: Awake, at: datetime, rows: int, settings: Quality) -> list[Finding]:
    """Rows an hour of the last runs, this one included, against equal stretches of runs before: nights and weekends are among them."""
    stretch = settings.least_runs
    every = [*runs[-_STRETCHES * stretch :], (at, rows)]
    if len(every) <= stretch * 10:
        return []

    def rate(last: int) -> float:
        hours = awake.seconds(every[last - stretch][0], every[last][0]) / 3600
        return sum(count for _, count in every[last - stretch + 1 : last + 1]) / max(hours, 1 / 3600)

    now = rate(len(every) - 1)
    before = sorted(rate(last) for last in range(stretch, len(every) - stretch, stretch))
    usual, threshold = before[len(before) // 2], before[0] / settings.volume_fall
    expected = usual * awake.seconds(every[-1 - stretch][0], at) / 3600
    if now >= threshold or expected < settings.least_volume:
        return []
    told = f"{now:.0f} rows an hour in the last {stretch} runs; as a rule there were {usual:.0f}, and never fewer than {before[0]:.0f}"
    return [Finding(table, "volume", "", "warn", now, threshold, rows, told)]
