"""The page of served scores on the sample's publication: before anybody was served, and with what its own model and the rules answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import streamlit as st
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from dashboards.queries import scores
from ml.serving import Recommendation, load_recommender
from pipelines.marts_reader import Published
from pipelines.publish import bundles
from tests.conftest import REPO, sample_house_env
from tests.dashboards.by_hand import emptied, publication
from tests.dashboards.stage import Stage, Visitor, instead

PATIENCE_MS = 30_000
SERVED_AT = datetime(2026, 11, 29, 20, 11, 5)
RULES = [{"name": "skill_cover", "value": 1.5, "text": "covers"}, {"name": "category_match", "value": 0.0, "text": "field"}]


@pytest.fixture(scope="module")
def whom(sample_house: Path) -> int:
    return int(json.loads((sample_house / "people.json").read_text())["freelancer"])


@pytest.fixture(scope="module")
def hits(sample_house: Path, whom: int) -> list[Recommendation]:
    """What the sample's model answered, once: a score ages with every moment."""
    found = load_recommender(sample_house / "bundles").recommend(whom, limit=5)
    assert found is not None and len(found) == 5
    return found


@pytest.fixture(scope="module")
def served(sample_house: Path, marts: Published, whom: int, hits: list[Recommendation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run-time folder whose publication is the sample's, with a list of its own model and, earlier, one of the rules."""
    home = tmp_path_factory.mktemp("served-scores")
    kept = ("admin.kpi_overview", "admin.freshness", "science.feat_freelancers", "science.feat_jobs")
    file = emptied(marts, home / "made.duckdb", kept=kept)
    model = load_recommender(sample_house / "bundles")
    with duckdb.connect(str(file)) as db, pytest.MonkeyPatch.context() as patch:
        for place, hit in enumerate(hits, start=1):
            told = json.dumps([{"name": p.name, "value": p.value, "text": p.text} for p in hit.parts])
            row = [place, "by-model", place, whom, hit.job_id, hit.score, told, model.version, model.publish_id, SERVED_AT]
            db.execute(f"insert into admin.served_scores values ({', '.join('?' * len(row))})", row)
        row = [9, "by-rules", 1, whom, hits[0].job_id, 1.5, json.dumps(RULES), "rules-1", None, datetime(2026, 11, 28)]
        db.execute(f"insert into admin.served_scores values ({', '.join('?' * len(row))})", row)
        for name, value in sample_house_env(sample_house).items():
            patch.setenv(name, value)
        db.execute("drop table _meta.bundle")
        bundles.write(db, {bundles.SCORES})
    publication(home / "published", "20200101T000000000000", file)
    return home


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """page(home, opened…): the page over the publication below `home`, with the lineage of these keys opened."""

    def shown(home: Path, *opened: str) -> Any:
        for name, value in sample_house_env(home).items():
            monkeypatch.setenv(name, value)
        st.cache_data.clear()
        app = AppTest.from_file(str(REPO / "dashboards" / "app_pages" / "admin" / "served_scores.py"), default_timeout=120)
        for key in opened:
            app.session_state[f"lineage-{key}"] = True
        app.run()
        assert not app.exception, app.exception
        return app

    return shown


def numbers(app: Any) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def text(app: Any) -> str:
    return "\n".join(told.value for told in app.markdown)


def test_before_anybody_was_served_the_page_of_the_sample_says_what_to_do(page: Any, sample_house: Path) -> None:
    app = page(sample_house)
    assert numbers(app) == {"Newest scores": "0", "Lists": "0", "Models": "0", "By rules": "0"}
    assert "look at the recommended jobs, then run `make pipeline`" in app.info[0].value
    assert (app.selectbox.len, app.dataframe.len) == (0, 0)


def test_a_score_leads_to_its_model_its_run_its_features_and_the_command_that_walks_on(
    page: Any, served: Path, sample_house: Path, hits: list[Recommendation], whom: int
) -> None:
    app = page(served)
    assert numbers(app) == {"Newest scores": "6", "Lists": "2", "Models": "1", "By rules": "1"}
    first = hits[0]
    version = load_recommender(sample_house / "bundles").version
    meta = json.loads((sample_house / "bundles" / "matching" / version / "manifest.json").read_text())["meta"]
    told = text(app)
    assert f"**{first.score:.3f}** for job **{first.job_id}**, place 1 of the list that freelancer **{whom}**" in told
    assert f"Model: `{version}`, version {meta['registry_version']} in the registry" in told
    assert f"MLflow run: `{meta['run_id']}`" in told and len(meta["run_id"]) == 32
    assert f"Features of publication: `{meta['publish_id']}`" in told
    assert app.code[0].value == f"python -m pipelines.trace score {whom} {first.job_id}"
    [bars] = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    assert 1 < len(bars["y"]) <= 9 and sum(bars["x"]) == pytest.approx(first.score, abs=1e-9)
    assert [abs(x) for x in bars["x"][:8]] == sorted((abs(x) for x in bars["x"][:8]), reverse=True)


def test_the_list_names_each_score_with_its_strongest_contributions(page: Any, served: Path, hits: list[Recommendation]) -> None:
    table = page(served).dataframe[0].value
    assert list(table["job_id"]) == [*(hit.job_id for hit in hits), hits[0].job_id]
    own = sorted((p for p in hits[0].parts if p.name != "base"), key=lambda p: -abs(p.value))[:3]
    assert table["contributions"].iloc[0].split(", ") == [f"{p.name.replace('_', ' ')} {p.value:+.2f}".replace("-", "−") for p in own]
    assert table["contributions"].iloc[5] == "skill cover +1.50", "what is nothing does not contribute"
    assert list(table["run_id"].iloc[[0, 5]].str.len()) == [32, 1] and table["publish_id"].iloc[5] == "—"


def test_a_score_of_the_rules_says_that_no_model_made_it(page: Any, served: Path) -> None:
    app = page(served)
    app.selectbox[0].select("9").run()
    assert not app.exception
    assert "Made by: rules `rules-1`, no model and no MLflow run" in text(app) and "in the registry" not in text(app)


def test_from_a_score_one_reaches_the_runs_that_brought_its_source_tables(page: Any, served: Path) -> None:
    app = page(served, "one-score")
    assert "**`admin.served_scores`** · " in text(app)
    assert list(app.table[0].value["table"]) == ["matching_servedscore"]


def test_what_a_person_reads_of_a_part() -> None:
    assert [scores.signed(value) for value in (0.25, -1.5, 0.004, -0.004, 0.005001)] == ["+0.25", "−1.50", "0.00", "0.00", "+0.01"]
    assert scores.in_short([]) == scores.in_short(scores.parts('[{"name": "base", "value": -1, "text": ""}]')) == "nothing"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_begins_below_the_bar_and_fits_the_screen(
    width: int, visitor: Callable[..., Visitor], stage: Stage, served: Path
) -> None:
    with instead(stage, served / "published"):
        page = visitor("admin", width=width).open_dashboards()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=PATIENCE_MS)
        for name, title in {"data_quality": "Data quality", "metrics": "Metrics", "served_scores": "Scores served"}.items():
            page.goto(f"{stage.dashboards}/{name}")
            expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(timeout=PATIENCE_MS)
            bar = page.get_by_test_id("stHeader").bounding_box()
            product = page.get_by_text("Openlance dashboards").bounding_box()
            account = page.get_by_role("button", name="Demo Admin").bounding_box()
            assert bar and product and account
            assert min(product["y"], account["y"]) >= bar["y"] + bar["height"], name
            assert account["x"] + account["width"] <= width, name
        expect(page.locator(".st-key-made-of .js-plotly-plot .bars path").first).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("python -m pipelines.trace score")).to_be_visible()
        sideways = page.evaluate(
            "[document.documentElement, document.querySelector('[data-testid=stMain]')].map(e => e.scrollWidth - e.clientWidth)"
        )
        assert sideways == [0, 0]
