"""Two imports of the same file at the same time: each post once, each row accounted for by both."""

from __future__ import annotations

import threading
from pathlib import Path

from django.db import connection

from marketplace.accounts.models import ClientProfile
from marketplace.core.models import Event
from marketplace.jobs.import_format import FileMapping
from marketplace.jobs.importing import ImportReport, posts_import
from marketplace.jobs.models import Job
from marketplace.jobs.taxonomy import load

POSTS = 60


def test_two_imports_at_once_make_each_post_and_each_client_once(committed_db: None, tmp_path: Path) -> None:
    load()
    file = tmp_path / "posts.csv"
    rows = [f"Post {n},5/14/2024 1:23am,Text {n},Python,SEO,{'Kenya' if n % 2 else 'India'},$5,," for n in range(POSTS)]
    file.write_text("\n".join(["title,published,description,skills,category,country,budget,hourly_range_min,hourly_range_max", *rows]))
    start = threading.Barrier(2)
    reports: list[ImportReport] = []
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait(timeout=30)
            reports.append(posts_import(path=file, mapping=FileMapping(), source="feed", rejects=tmp_path / f"{number}.csv"))
        except BaseException as e:
            failures.append(e)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)

    assert failures == []
    assert sorted((r.rows, r.imported + r.unchanged, r.rejected) for r in reports) == [(POSTS, POSTS, 0)] * 2
    assert sum(r.imported for r in reports) == POSTS == Job.objects.count()
    assert sorted(ClientProfile.objects.values_list("user__country", flat=True)) == ["IN", "KE"]
    assert Event.objects.filter(kind="job.publish").count() == POSTS
