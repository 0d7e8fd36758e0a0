"""Each card and chart of each page of the dashboards is walked down: figure → models → columns → source runs → rows of the source."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.queries import meta
from pipelines import marts_reader, trace
from pipelines.marts_reader import Published
from tests.conftest import REPO, sample_house_env

PAGES = {"overview": 22, "metrics": 40, "served_scores": 4, "data_quality": 13}
#: its key, its metrics, its published models
Card = tuple[str, tuple[str, ...], tuple[str, ...]]


def cards_of(node: Any) -> Iterator[Card]:
    """What each card below a part of a page says that its numbers come from."""
    if node.type == "popover" and node.proto.popover.label == "Where from?":
        names = node.proto.popover.help.partition(":")[0].split(", ")
        key = node.proto.popover.id.partition("-lineage-")[2]
        yield key, tuple(n for n in names if "." not in n), tuple(n for n in names if "." in n)
    for child in getattr(node, "children", {}).values():
        yield from cards_of(child)


@pytest.fixture(scope="module")
def cards(sample_house: Path) -> dict[str, list[Card]]:
    """Page → its cards, found by running the page."""
    found: dict[str, list[Card]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sample_house_env(sample_house).items():
            patch.setenv(name, value)
        st.cache_data.clear()
        for page in PAGES:
            app = AppTest.from_file(str(REPO / "dashboards" / "app_pages" / "admin" / f"{page}.py"), default_timeout=120).run()
            assert not app.exception, app.exception
            found[page] = list(cards_of(app._tree))
    return found


@pytest.fixture
def marts(marts: Published, sample_house: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    for name, value in sample_house_env(sample_house).items():
        monkeypatch.setenv(name, value)
    return marts


@pytest.mark.parametrize("page", PAGES)
def test_every_card_says_where_its_numbers_come_from(page: str, cards: dict[str, list[Card]]) -> None:
    assert len(cards[page]) >= PAGES[page]
    assert all(metrics or relations for _, metrics, relations in cards[page])
    keys = [key for key, _, _ in cards[page]]
    assert len(keys) == len(set(keys))


def test_every_metric_on_a_card_leads_to_rows_that_the_source_holds(
    cards: dict[str, list[Card]], marts: Published, sample_house: Path
) -> None:
    names = sorted({name for page in cards.values() for _, metrics, _ in page for name in metrics})
    assert set(names) == {metric.name for metric in marts_reader.metrics(marts)}
    with closing(sqlite3.connect(f"file:{sample_house / 'db.sqlite3'}?mode=ro", uri=True)) as source:
        for name in names:
            metric = trace.read_metric_of(marts, name)
            # a figure that must not be put together is walked down in one of its cells
            asked = marts_reader.metric(name, by=list(metric.required), published=marts).to_pylist()
            cell = {key: asked[-1][key] for key in metric.required} if asked else {}
            told = marts_reader.trace(name, cell, published=marts)
            assert told.models[0].relation == metric.relation, name
            assert told.models[-1].layer in ("raw", "seed", "staging"), name
            assert [run for run in told.sources if run.feeds and run.high is not None], name
            found = trace.source_rows(name, cell, published=marts, limit=3)
            assert bool(told.value) <= any(rows.count for rows in found), f"{name} is {told.value} and leads to no rows"
            for rows in found:
                keys = [row.key for row in rows.rows]
                there = source.execute(f"SELECT count(*) FROM {rows.table} WHERE id IN ({', '.join('?' * len(keys))})", keys).fetchone()
                assert there == (len(keys),), (name, rows.table)
                assert all(row.high is not None for row in rows.rows), (name, rows.table)


def test_every_model_on_a_card_leads_to_the_runs_of_its_source_tables(cards: dict[str, list[Card]], marts: Published) -> None:
    relations = sorted({relation for page in cards.values() for _, _, relations in page for relation in relations})
    assert len(relations) >= 6
    for relation in relations:
        card = meta.model_card(marts, relation)
        layers = set(card.ancestors["layer"])
        assert "raw" in layers and card.sql.strip() and len(card.tests) and set(card.tests["status"]) == {"pass"}, relation
        raw = set(card.ancestors[card.ancestors["layer"] == "raw"]["relation"].str.split(".").str[1])
        assert set(card.sources["table"]) == {table for table in raw if not table.startswith("_")}, relation
