"""That the publication which the bench asks is one that publishing makes: the contracts' columns and types, and an answer to every question."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.marts_reader.answers import answer, read_metrics
from pipelines.marts_reader.question import READY, compile_question
from pipelines.publish import metrics
from tests.load import platform_queries as bench


def test_the_benchs_publication_has_the_published_models_and_their_answers_ready_and_answers_every_question(tmp_path: Path) -> None:
    path = bench.lay(tmp_path, 20_000, seed=1)
    contracts = bench.contracts()
    with duckdb.connect(str(path), read_only=True) as db:
        for relation, told in contracts.items():
            made = {name: kind for name, kind, *_ in db.execute(f"DESCRIBE {relation}").fetchall()}
            assert made == {column["name"]: column["data_type"].upper() for column in told["columns"]}, relation
            assert db.execute(f"SELECT count(*) FROM {relation}").fetchall() == [(bench.rows_of(relation, 20_000),)], relation
        defined = {metric.name: metric for metric in read_metrics(db)}
        # sums of doubles are the same to their last digits but one: threads add in the order in which they end
        for metric in defined.values():
            for by in READY:
                if not metric.required and all(metric.dimension(name) for name in by):
                    ready, asked = answer(db, metric, by), db.execute(*compile_question(metric, by)).to_arrow_table()
                    assert ready.schema == asked.schema and ready.num_rows == asked.num_rows, (metric.name, by)
                    for one, other in zip(ready.to_pylist(), asked.to_pylist(), strict=True):
                        assert one == {n: pytest.approx(v, rel=1e-12) if isinstance(v, float) else v for n, v in other.items()}, (
                            metric.name,
                            by,
                        )
    assert defined.keys() == metrics.load(bench.REPO / "dbt_project" / "metrics")[0].keys(), "every governed metric can be asked"
    assert bench.GROWING.keys() | bench.BOUNDED.keys() <= contracts.keys()
    questions = bench.questions(path, 20_000, seed=1)
    assert len(questions) >= 10
    for name, question in questions.items():
        found = question()
        for part in found if isinstance(found, tuple | list) else [found]:
            assert len(part) or name in ("a client's spend", "a freelancer's proposals", "data quality"), name
