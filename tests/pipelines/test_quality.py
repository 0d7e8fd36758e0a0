"""A batch unlike all before it is set aside, named by table, check and rows, and the rest goes on; people let it in or have it read again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import duckdb
import numpy as np
import pytest

from pipelines import rounds
from pipelines.quality import Gate, alerts, checks, held_tables, quarantine
from pipelines.quality.__main__ import main
from pipelines.settings import Quality

from .conftest import Source

SETTINGS = Quality(least_history=100, least_runs=3)


def insert(source: Source, count: int, name: str = "'n'", amount: str = "seq") -> None:
    source.sql(f"INSERT INTO item (name, amount) SELECT {name}, {amount} FROM seq_1_to_{count}")


@pytest.fixture
def filled(source: Source) -> Source:
    """200 rows with names and amounts from 1 to 200, in the log."""
    insert(source, 200)
    source.run(gate=Gate(SETTINGS))
    return source


def run(source: Source, **options: Any) -> Any:
    report = source.run(gate=Gate(SETTINGS), **options)
    return next(result for result in report.tables if result.table == "item")


def events() -> list[tuple[str, str, str, str, int]]:
    return [(told["event"], told["table"], told["check"], told["column"], told["rows"]) for told in alerts.history()]


def test_a_bad_batch_is_set_aside_the_rest_goes_on_and_release_lets_it_in(filled: Source, capsys: pytest.CaptureFixture[str]) -> None:
    insert(filled, 40, name="''")
    filled.sql("INSERT INTO other (note) VALUES ('n')")
    result = run(filled)
    assert result.held and result.rows == 0
    assert result.stopped.startswith("item: set aside: item.name: nulls: 40 of 40 values are empty, in 200 rows before none was (40 rows;")
    assert (held_tables(), len(filled.state()), filled.warehouse("SELECT count(*) FROM raw.other")) == (["item"], 200, [(1,)])
    assert filled.warehouse("SELECT state FROM raw._runs WHERE \"table\" = 'item' ORDER BY run_seq") == [("read",), ("quarantined",)]

    insert(filled, 1)
    assert run(filled).held, "the mark stays: the batch is looked at again with what came after it"
    assert events() == [("set aside", "item", "nulls", "name", 40)], "told once"

    assert main(["list"]) == 0
    assert "item: 41 rows set aside since" in capsys.readouterr().out
    assert main(["release", "item", "--reason", "names may be blank now"]) == 0
    insert(filled, 30, name="''", amount="1000000000")
    assert "range" in run(filled).stopped, "what was accepted is that finding, not whatever comes"
    filled.sql("DELETE FROM item WHERE amount = 1000000000")
    taken = run(filled)
    assert (taken.stopped, taken.rows) == ("", 41)
    assert filled.state() == filled.rows()
    assert held_tables() == []
    assert [event[0] for event in events()] == ["set aside", "released", "set aside", "let in"]

    assert main(["drop", "item", "--reason", "x"]) == 1
    assert "nothing of 'item' is set aside" in capsys.readouterr().err


def test_an_empty_text_is_told_like_an_empty_word(source: Source) -> None:
    """Of texts the gate sees no more than whether they are empty."""
    source.sql("INSERT INTO other (note) SELECT CONCAT('note ', seq) FROM seq_1_to_200")
    source.run(gate=Gate(SETTINGS))
    source.sql("INSERT INTO other (note) SELECT IF(seq <= 30, '', CONCAT('more ', seq)) FROM seq_1_to_40")
    result = next(result for result in source.run(gate=Gate(SETTINGS)).tables if result.table == "other")
    assert result.stopped.startswith(
        "other: set aside: other.note: nulls: 30 of 40 values are empty, in 200 rows before none was (30 rows;"
    )


def test_a_column_that_was_seldom_empty_is_judged_by_how_often_it_was(source: Source) -> None:
    insert(source, 200)
    source.run(gate=Gate(SETTINGS))
    for _ in range(3):
        source.sql("INSERT INTO item (name, amount) SELECT IF(seq <= 2, '', 'n'), seq FROM seq_1_to_100")
        assert run(source).stopped == ""
    source.sql("INSERT INTO item (name, amount) SELECT IF(seq <= 10, '', 'n'), seq FROM seq_1_to_100")
    assert run(source).stopped == "", "by chance"
    insert(source, 100, name="''")
    assert run(source).stopped.startswith(
        "item: set aside: item.name: nulls: 100 of 100 values are empty, in 4 runs before 16 of 400 were, and at most 10% of a run (100 rows;"
    )


def usual(runs: list[tuple[int, int]], rows: int) -> float | None:
    found = checks.usual_nulls(runs, rows, Quality())
    return found and found[0]


def test_one_empty_value_among_many_does_not_switch_the_check_off() -> None:
    assert usual([(1000, 0)] * 100, 1000) == 0.05
    assert usual([(1000, 1)] + [(1000, 0)] * 99, 1000) == pytest.approx(0.1001, abs=1e-4)
    for share, most in ((0.01, 0.1140), (0.05, 0.1662)):
        assert usual([(1000, 0)] + [(1000, int(1000 * share))] * 99, 1000) == pytest.approx(most, abs=1e-4)


def test_where_history_cannot_tell_how_often_a_value_is_empty_nothing_is_said() -> None:
    assert usual([(1000, 1)] * 20, 1000) is None, "19 runs after the oldest"
    assert usual([(19, 1)] * 99, 1000) is None, "smaller runs than are judged"
    assert usual([(1000, 0)] + [(1000, 101)] * 30, 1000) is None, "a state"
    assert usual([(1000, 0)] + [(1000, 0)] * 30 + [(1000, 1000)], 1000) == 1.0, "it came before"


def test_chance_is_bounded_by_hand() -> None:
    # 0.6 · ln(0.6 ÷ 0.05) + 0.4 · ln(0.4 ÷ 0.95) = 1.144928, and ln(10⁹) = 20.723266 = 1.144928 · 18.1
    assert checks.by_chance(0.05, 18) == pytest.approx(0.6, abs=2e-3)
    assert (checks.by_chance(0.5, 20), checks.by_chance(1, 1000)) == (1, 1)


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.05, 0.08])
@pytest.mark.parametrize("spread", [0, 0.5], ids=["the same in each run", "half as much again, or half as little"])
def test_honest_batches_are_not_set_aside(share: float, spread: float) -> None:
    """40,000 batches drawn like their history, of sizes from 20 to 20,000: not one."""
    draw = np.random.default_rng(20260301)
    trips = 0
    for _ in range(100):
        sizes = draw.integers(20, 2000, size=60)
        shares = share * draw.uniform(1 - spread, 1 + spread, size=60)
        history = [(int(size), int(empty)) for size, empty in zip(sizes, draw.binomial(sizes, shares), strict=True)]
        if not sum(empty for _, empty in history):
            continue
        for rows in (20, 100, 1000, 20_000):
            threshold = usual(history, rows)
            assert threshold is not None
            batches = draw.binomial(rows, share * draw.uniform(1 - spread, 1 + spread, size=100))
            trips += int((batches / rows > threshold).sum())
    assert trips == 0


def test_drop_forgets_the_copy_and_the_next_run_checks_the_source_as_it_is_now(filled: Source) -> None:
    insert(filled, 40, amount="seq * 1000000")
    assert "amount: range: 40 of 40 numbers lie outside 10 times the span 1 to 200 of history" in run(filled).stopped
    assert main(["drop", "item", "--reason", "the source will be mended"]) == 0
    assert held_tables() == []
    assert run(filled).held, "nothing was mended"
    filled.sql("UPDATE item SET amount = amount / 1000000 WHERE amount > 200")
    assert run(filled).stopped == ""
    assert (filled.state(), held_tables()) == (filled.rows(), []), "a source that was mended is let in by itself"


def copies(source: Source) -> list[str]:
    return sorted(path.name for path in (source.folder / "quality" / "quarantine").rglob("*") if path.is_file())


@pytest.mark.parametrize("deleted", [True, False], ids=["with tombstones", "without a trace"])
def test_a_source_mended_by_deleting_is_let_in_although_nothing_is_left_to_let_in(filled: Source, deleted: bool) -> None:
    insert(filled, 40, name="''")
    assert run(filled).held
    if deleted:
        for (key,) in filled.sql("SELECT id FROM item WHERE name = ''"):
            filled.delete(key)
    else:
        filled.sql("DELETE FROM item WHERE name = ''")
    result = run(filled)
    assert (result.stopped, result.rows, result.deletes) == ("", 0, 0)
    assert (held_tables(), copies(filled), filled.state()) == ([], [], filled.rows())
    assert [event[0] for event in events()] == ["set aside", "let in"]


def test_what_a_comparison_found_waits_for_the_next_one_and_so_does_its_release(filled: Source) -> None:
    def unnoticed(rows: str, name: str) -> None:
        filled.sql(f"UPDATE item SET name = '{name}', updated_at = updated_at WHERE id {rows}")

    assert run(filled, reconcile=True).stopped == "", "what the marks brought is history"
    filled.sql("UPDATE item SET updated_at = '2026-01-01'")
    assert run(filled, reconcile=True).stopped == ""
    unnoticed("<= 40", "")
    assert run(filled, reconcile=True).held
    assert (run(filled).held, held_tables(), copies(filled)) == (False, ["item"], ["batch.parquet", "findings.json"])
    assert main(["release", "item", "--reason", "names may be blank now"]) == 0
    insert(filled, 1)
    assert (run(filled).rows, held_tables()) == (1, ["item"]), "another batch does not use the release up"
    taken = run(filled, reconcile=True)
    assert (taken.stopped, taken.rows, held_tables(), filled.state()) == ("", 40, [], filled.rows())

    filled.sql("UPDATE item SET name = 'n', updated_at = '2026-01-01'")
    assert run(filled, reconcile=True).stopped == ""
    unnoticed("<= 40", "m")
    filled.sql("UPDATE item SET amount = 1000000000, updated_at = updated_at WHERE id <= 40")
    assert run(filled, reconcile=True).held
    filled.sql("UPDATE item SET amount = id, updated_at = updated_at WHERE id <= 40")
    run(filled)
    assert held_tables() == ["item"], "nobody has looked"
    assert (run(filled, reconcile=True).stopped, held_tables()) == ("", [])


def test_a_release_is_void_once_its_batch_is_mended_away(filled: Source) -> None:
    insert(filled, 40, name="''")
    assert run(filled).held
    assert main(["release", "item", "--reason", "names may be blank now"]) == 0
    filled.sql("DELETE FROM item WHERE name = ''")
    assert (run(filled).stopped, held_tables()) == ("", [])
    insert(filled, 40, name="''")
    assert run(filled).held, "what was accepted was another batch"


def test_many_deletes_at_once_are_set_aside_and_few_are_not(filled: Source) -> None:
    for key in range(1, 31):
        filled.delete(key)
    assert run(filled).stopped == "", "15 % are below the floor"
    keys = [row[0] for row in filled.sql("SELECT id FROM item")]
    for key in keys[:100]:
        filled.delete(key)
    assert "deletes: 100 of 170 living rows are deleted at once" in run(filled).stopped
    assert len(filled.state()) == 170
    main(["release", "item", "--reason", "a purge"])
    assert run(filled).stopped == ""
    assert filled.state() == filled.rows()


def test_versions_of_a_row_are_no_rows_when_deletes_are_counted(filled: Source) -> None:
    for _ in range(5):
        filled.sql("UPDATE item SET amount = amount + 1")
        assert run(filled).stopped == ""
    insert(filled, 30, name="'later'")
    assert run(filled).stopped == ""
    for (key,) in filled.sql("SELECT id FROM item WHERE name = 'n' LIMIT 60"):
        filled.delete(key)
    assert "deletes: 60 of 230 living rows are deleted at once" in run(filled).stopped, "of 1,230 versions it would be few"


def test_history_is_its_newest_rows_whole_runs_first(source: Source) -> None:
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE log AS SELECT range AS id, 1 + range // 10 AS _run_seq, IF(range % 10 = 9, 'd', 'u') AS _op FROM range(40)"
        )
        runs = checks._Runs.of(db, "SELECT * FROM log")
        assert runs.least_living == 9 - 4
        for most in (1, 9, 10, 18, 20, 36, 99):
            found = [
                run for (run,) in db.execute(f"SELECT _run_seq FROM ({runs.newest('SELECT * FROM log', most)}) ORDER BY 1 DESC").fetchall()
            ]
            assert found == [run for run in (4, 3, 2, 1) for _ in range(9)][:most]


def test_small_batches_and_a_first_load_are_never_judged(source: Source) -> None:
    insert(source, 300, name="''", amount="seq * 1000000")
    assert run(source).stopped == ""
    insert(source, SETTINGS.least_batch - 1, name="'named'", amount="-1000000000000")
    assert run(source).stopped == ""
    assert held_tables() == []


def test_a_round_s_gate_has_the_environment_s_settings(filled: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(filled, 40, name="''")
    assert rounds.extracted(reconcile=False).stopped == [], "200 rows are too short a history there"
    filled.sql("UPDATE item SET name = '' WHERE id <= 100")
    filled.sql("DELETE FROM item WHERE name = ''")
    filled.sql("INSERT INTO item (name, amount) SELECT 'n', 1000000000 FROM seq_1_to_40")
    monkeypatch.setenv("OPENLANCE_PLATFORM__QUALITY__LEAST_HISTORY", "100")
    report = rounds.extracted(reconcile=False)
    assert [result.table for result in report.stopped] == ["item"]
    assert held_tables() == ["item"]


@pytest.mark.parametrize(("people", "word"), [("", "'odd'"), ('[people]\nid = "accounts_user"\n', "one of them")])
def test_words_spread_unlike_in_runs_before_are_told_and_let_in(filled: Source, people: str, word: str) -> None:
    """Of a table whose rows go with their person no word is told: what is told stays."""
    contract = filled.folder / "contracts" / "item.toml"
    contract.write_text(contract.read_text() + people)
    for _ in range(4):
        filled.sql("INSERT INTO item (name, amount) SELECT IF(seq % 2, 'even', 'odd'), seq FROM seq_1_to_40")
        assert run(filled).stopped == ""
    assert events() == []
    filled.sql("INSERT INTO item (name, amount) SELECT 'odd', seq FROM seq_1_to_40")
    assert run(filled).stopped == ""
    assert events() == [("warned", "item", "distribution", "name", 40)]
    assert f"most are now {word} (100%, usually 50%)" in alerts.history()[0]["message"]


def test_population_stability_by_hand() -> None:
    # (0.9 − 0.5) · ln(0.9 ÷ 0.5) + (0.1 − 0.5) · ln(0.1 ÷ 0.5)
    assert checks.psi({"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.1}) == pytest.approx(0.878890, abs=1e-6)
    assert checks.psi({"a": 1.0}, {"a": 1.0}) == 0


START = datetime(2026, 3, 1)
#: A hundred rows an hour
STEADY = [(START + timedelta(hours=hour), 100 + hour % 7) for hour in range(30)]
LAST = STEADY[-1][0]


def checked(runs: list[tuple[datetime, int]], at: datetime, rows: int, made: list[datetime] | None = None) -> list[tuple[str, float]]:
    """What is found of runs that brought rows; runs of any kind were `made`, or else every half hour from the first on."""
    made = made or [START + n * timedelta(minutes=30) for n in range(int((at - START) / timedelta(minutes=30)))]
    found = checks.check_runs("item", runs, checks.Awake(made, 6 * 3600), at, rows, Quality())
    return [(finding.check, finding.threshold) for finding in found]


def test_silence_is_measured_against_the_longest_gap_and_the_floor() -> None:
    floor = timedelta(hours=6)
    assert checked(STEADY, LAST + floor, 0) == []
    assert checked(STEADY, LAST + floor + timedelta(seconds=1), 0) == [("freshness", 6 * 3600)]
    daily = [(START + timedelta(days=day), 10) for day in range(30)]
    assert checked(daily, daily[-1][0] + timedelta(days=3), 0) == []
    assert checked(daily, daily[-1][0] + timedelta(days=3, seconds=1), 0) == [("freshness", 3 * 86400)]
    assert checked(STEADY[:19], LAST + timedelta(days=99), 0) == [], "19 runs are no history"


def test_no_time_passes_while_no_run_is_made() -> None:
    """Runs of every minute, with 14 days without any between the first and the second."""
    runs = [(START, 10), *((START + timedelta(days=14, minutes=minute), 10) for minute in range(2000))]
    last, hours = runs[-1][0], [timedelta(hours=hour) for hour in range(1, 20)]
    made = [at for at, _ in runs] + [last + hour for hour in hours]
    # the pause is a gap of 6 hours
    assert checked(runs, last + timedelta(hours=18), 0, made[:-2]) == []
    assert checked(runs, last + timedelta(hours=19), 0, made[:-1]) == [("freshness", 18 * 3600)]
    assert checked(runs, last + timedelta(days=14), 0, [at for at, _ in runs]) == [], "nor since the last row"


def test_gaps_of_the_last_weeks_count_and_older_ones_do_not() -> None:
    pause = [(START + timedelta(days=day), 10) for day in (0, 14)]
    hourly = [(START + timedelta(days=14, hours=hour), 10) for hour in range(1, 24 * 29)]
    last = hourly[-1][0]
    assert checked([*pause, *hourly[:100]], hourly[99][0] + timedelta(days=9), 0) == [], "the pause is of these weeks"
    assert checked([*pause, *hourly], last + timedelta(hours=6, seconds=1), 0) == [("freshness", 6 * 3600)]
    weekly = [(START + timedelta(weeks=week), 10) for week in range(30)]
    assert checked(weekly, weekly[-1][0] + timedelta(weeks=3), 0) == [], "too few in four weeks: the last twenty count"
    assert checked(weekly, weekly[-1][0] + timedelta(weeks=3, seconds=1), 0) == [("freshness", 3 * 7 * 86400)]


def test_volume_is_measured_by_median_and_deviation_and_one_spike_does_not_move_it() -> None:
    soon = LAST + timedelta(hours=1)
    assert checked(STEADY, soon, 1000) == [], "fewer than the floor are never too many"
    [(check, threshold)] = checked(STEADY, soon, 1001)
    # exp(ln(104) + 6 · 0.25) − 1: the runs vary less than the least deviation
    assert (check, threshold) == ("volume", pytest.approx(465.09, abs=0.01))
    spiked = [*STEADY[:-1], (LAST, 50_000)]
    assert checked(spiked, soon, 75_000) == []
    assert [name for name, _ in checked(spiked, soon, 75_001)] == ["volume"]


def test_what_comes_after_a_pause_is_held_to_its_length() -> None:
    # 20 hours where an hour is the rule
    assert checked(STEADY, LAST + timedelta(hours=20), 9301) == []
    assert checked(STEADY, LAST + timedelta(hours=20), 9302) == [("volume", pytest.approx(20 * 465.09, abs=0.2))]


def test_a_fall_of_volume_is_told_and_nights_are_no_fall() -> None:
    minutes = [START + timedelta(minutes=minute) for minute in range(3000)]

    def found(counts: list[int]) -> list[tuple[str, float]]:
        runs = list(zip(minutes, counts, strict=False))
        return checked(runs[:-1], runs[-1][0], runs[-1][1], minutes[: len(counts)])

    assert found([5000] * 300 + [1] * 13) == [], "of the last 20 still 7 brought what they always do: more than a third"
    assert found([5000] * 300 + [1] * 14) == [("volume", pytest.approx(5000 * 60 / 3))]
    assert found([5000] * 180 + [1] * 20) == [] == found([40] * 300 + [1] * 20), "no history; fewer than the floor to be expected"
    day = [5000] * 500 + [100] * 500
    assert [found(day * 2 + [5000] * 500 + [100] * last) for last in range(1, 60)] == [[]] * 59


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Somebody who listens; what they were sent."""
    heard: list[dict[str, Any]] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENLANCE_ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/")
    yield heard
    server.shutdown()
    server.server_close()


def test_the_webhook_hears_table_check_and_rows_and_its_silence_stops_nothing(
    filled: Source, webhook: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(filled, 40, name="''")
    run(filled)
    [told] = webhook
    [finding] = told["findings"]
    assert (told["event"], told["table"], finding["check"], finding["column"], finding["rows"]) == (
        "set aside",
        "item",
        "nulls",
        "name",
        40,
    )

    monkeypatch.setenv("OPENLANCE_ALERT_WEBHOOK", "http://127.0.0.1:9/")
    quarantine.drop("item", who="test", reason="x")
    assert run(filled).held
    assert [event[0] for event in events()] == ["set aside", "dropped", "set aside"]
