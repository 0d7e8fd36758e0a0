"""The mark itself, without a database: what a look may conclude."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.watermark import SKEW, Look, Remembered, high_mark

T0 = datetime(2026, 3, 1, 12)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_with_nobody_at_work_the_mark_is_the_clock_less_the_skew() -> None:
    high, remembered = high_mark(Look(T0), None)
    assert high == T0 - SKEW
    assert Remembered.load(remembered.dump()) == remembered


def test_statement_that_waited_for_a_lock_before_its_transaction_began_bounds_the_mark() -> None:
    """Seen waiting at 0 s, its transaction began at 60 s, and at 70 s it is still open: its row is stamped 0 s."""
    _, first = high_mark(Look(at(10), statements={"7": at(0)}), None)
    second, remembered = high_mark(Look(at(70), transactions={"t1": ("7", at(60))}), first)
    assert second == at(0) - SKEW
    third, _ = high_mark(Look(at(130), transactions={"t1": ("7", at(60))}), remembered)
    assert third == at(0) - SKEW


def test_transaction_of_a_connection_that_was_idle_began_writing_after_the_look_before() -> None:
    _, first = high_mark(Look(at(10)), None)
    second, _ = high_mark(Look(at(70), transactions={"t1": ("7", at(60))}), first)
    assert second == at(10) - SKEW


def test_first_look_allows_for_the_longest_wait_for_a_table_lock() -> None:
    high, _ = high_mark(Look(T0, transactions={"t1": ("7", at(-5))}, lock_wait=timedelta(hours=1)), None)
    assert high == at(-5) - timedelta(hours=1) - SKEW


_writers = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 100), st.integers(0, 100)), max_size=8)


@given(writers=_writers, looks=st.lists(st.integers(0, 600), min_size=1, max_size=8, unique=True))
def test_no_transaction_ever_commits_a_row_stamped_below_a_mark_taken_before(writers: list[tuple[int, int, int]], looks: list[int]) -> None:
    """Each writer starts its statement, waits for a table lock, then its transaction stays open for a while and commits."""
    before: Remembered | None = None
    for now in sorted(looks):
        statements, transactions = {}, {}
        for number, (start, waits, stays) in enumerate(writers):
            if start <= now < start + waits:
                statements[str(number)] = at(start)
            elif start + waits <= now < start + waits + stays:
                transactions[f"t{number}"] = (str(number), at(start + waits))
        high, before = high_mark(Look(at(now), statements, transactions, timedelta(seconds=100)), before)
        late = [at(start) for start, waits, stays in writers if start <= now < start + waits + stays]
        assert all(stamp >= high for stamp in late)
