"""From a score that the web process served down to the rows of the source: API → log of served scores → model → features → rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipelines import marts_reader, trace
from pipelines.extract.run import extract
from tests.conftest import REPO, sample_house_env

#: what a browser's request and the beat's flush do, in a process with the product's settings for tests and the sample's database
SERVE = """
import json, sys
import django
django.setup()
from django.test import Client
from marketplace.accounts.models import User
from marketplace.activity.tasks import flush
web = Client()
web.force_login(User.objects.get(pk=int(sys.argv[1])))
answer = web.get("/api/v1/me/recommended-jobs?limit=5")
assert answer.status_code == 200, answer.content
flush()
print(json.dumps(answer.json()))
"""


@pytest.fixture(scope="module")
def served(sample_house: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, Any]]:
    """A copy of the sample house in which somebody was served recommendations that the log has read: the folder, whom, and the answer."""
    home = tmp_path_factory.mktemp("served")
    with closing(sqlite3.connect(sample_house / "db.sqlite3")) as source, closing(sqlite3.connect(home / "db.sqlite3")) as copy:
        source.backup(copy)
        copy.commit()
    for part in ("raw", "work"):
        shutil.copytree(sample_house / part, home / part)
    for part in ("published", "bundles"):
        (home / part).symlink_to(sample_house / part)
    user = int(json.loads((sample_house / "people.json").read_text())["freelancer"])
    env = sample_house_env(home) | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "OPENLANCE_TEST_DB": "sqlite"}
    env.pop("OPENLANCE_REDIS_URL", None)
    done = subprocess.run([sys.executable, "-c", SERVE, str(user)], cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sample_house_env(home).items():
            patch.setenv(name, value)
        assert not extract(reconcile=False).stopped
    return home, user, answer


@pytest.fixture
def house(served: tuple[Path, int, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in sample_house_env(served[0]).items():
        monkeypatch.setenv(name, value)
    return served[0]


def test_a_served_score_leads_to_its_model_its_features_and_the_rows_of_the_source(
    house: Path, served: tuple[Path, int, dict[str, Any]]
) -> None:
    _, user, answer = served
    assert not answer["fallback"] and len(answer["results"]) == 5, answer["note"]
    hit = answer["results"][0]
    job = hit["job"]["id"]
    found = trace.score(user, job, limit=1000)

    assert found.served is not None
    assert (found.served["batch"], found.served["position"], found.served["score"]) == (answer["batch"], 1, hit["score"])
    assert json.loads(found.served["parts"]) == hit["parts"]
    assert sum(part["value"] for part in hit["parts"]) == pytest.approx(hit["score"], abs=1e-9)

    assert found.model["model_version"] == answer["model_version"] and len(found.model["run_id"]) == 32
    assert found.model["registry_version"]
    assert found.feature_publication == answer["publish_id"] == marts_reader.current().publish_id
    [person], [post] = found.features["science.feat_freelancers"], found.features["science.feat_jobs"]
    assert (person["freelancer_id"], post["job_id"]) == (user, job)
    assert {run.table for run in found.sources} >= {"accounts_freelancerprofile", "jobs_job"} and all(
        not run.drift for run in found.sources
    )

    rows = {rows.table: {row.key for row in rows.rows} for rows in found.rows}
    with closing(sqlite3.connect(house / "db.sqlite3")) as db:
        wanted = {
            "accounts_freelancerprofile": ("SELECT id FROM accounts_freelancerprofile WHERE user_id = ?", user),
            "accounts_freelancerskill": (
                "SELECT s.id FROM accounts_freelancerskill s JOIN accounts_freelancerprofile p ON p.id = s.freelancer_id WHERE p.user_id = ?",
                user,
            ),
            "jobs_jobskill": ("SELECT id FROM jobs_jobskill WHERE job_id = ?", job),
            "jobs_proposal": ("SELECT id FROM jobs_proposal WHERE job_id = ?", job),
            "jobs_job": ("SELECT id FROM jobs_job WHERE client_id = (SELECT client_id FROM jobs_job WHERE id = ?)", job),
        }
        for table, (sql, key) in wanted.items():
            assert rows[table] == {number for (number,) in db.execute(sql, [key])}, table
    assert {row.now for told in trace.in_source(found.rows) for row in told.rows} == {"same"}


def test_rows_that_changed_or_went_since_say_so_and_the_command_tells_all_of_it(
    house: Path, served: tuple[Path, int, dict[str, Any]]
) -> None:
    _, user, answer = served
    job = answer["results"][0]["job"]["id"]
    with closing(sqlite3.connect(house / "db.sqlite3")) as db, db:
        db.execute("UPDATE accounts_freelancerprofile SET hours_per_week = hours_per_week + 1 WHERE user_id = ?", [user])
        [(gone,)] = db.execute("SELECT max(id) FROM jobs_jobskill WHERE job_id = ?", [job]).fetchall()
        db.execute("DELETE FROM jobs_jobskill WHERE id = ?", [gone])
    command = [sys.executable, "-m", "pipelines.trace", "--rows", "1000", "--source", "score", str(user), str(job)]
    told = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith(f"score {answer['results'][0]['score']} of job {job} for freelancer {user}, served ")
    assert any(line.startswith("model model_version " + answer["model_version"]) for line in lines)
    changed = [line for line in lines if line.endswith("changed in the source since")]
    assert len(changed) == 1 and lines.index(changed[0]) == lines.index("  accounts_freelancerprofile: 1 rows") + 1
    went = [line for line in lines if line.endswith("gone from the source")]
    assert len(went) == 1 and went[0].startswith(f"    id {gone} ·")


def test_a_pair_that_nobody_was_served_is_told_from_the_current_model(house: Path, served: tuple[Path, int, dict[str, Any]]) -> None:
    _, user, answer = served
    shown = {hit["job"]["id"] for hit in answer["results"]}
    with marts_reader.connect() as db:
        jobs = [job for (job,) in db.execute("SELECT job_id FROM science.feat_jobs ORDER BY 1").fetchall()]
    found = trace.score(user, next(job for job in jobs if job not in shown))
    assert found.model["model_version"] == answer["model_version"] and found.feature_publication == answer["publish_id"]
    with pytest.raises(trace.NothingToTrace, match="no model scored them"):
        trace.score(10**9, next(iter(shown)))
