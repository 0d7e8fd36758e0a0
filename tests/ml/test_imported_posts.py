"""Real posts go all the way: imported, extracted, published, and within somebody's reach in the served model."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from ml.matching.export import TOP
from ml.serving import load_recommender
from pipelines import marts_reader


@pytest.mark.shared
def test_each_imported_post_is_in_the_marts_and_in_some_freelancers_first_hundred(shared: Path, sample_house: Path) -> None:
    with sqlite3.connect(sample_house / "db.sqlite3") as database:
        imported = {row[0] for row in database.execute("select id from jobs_job where source <> ''")}
    assert len(imported) == 500
    marts = marts_reader.connect(sample_house / "published")
    published = {row[0] for row in marts.execute("select job_id from science.feat_jobs where state = 'open'").fetchall()}
    assert imported <= published
    recommender = load_recommender(Path(os.environ.get("OPENLANCE_BUNDLES") or sample_house / "bundles"))
    reached = {r.job_id for person in recommender.freelancers.ids for r in recommender.recommend(int(person), limit=TOP) or []}
    assert imported <= reached
