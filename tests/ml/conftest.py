"""A small made-up market in frames: bids follow skill cover and field of work, so that there is something to learn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

START = datetime(2026, 1, 1, tzinfo=UTC)
SKILLS, CATEGORIES = 40, 5


@dataclass(frozen=True)
class Market:
    pairs: pl.DataFrame
    freelancers: pl.DataFrame
    jobs: pl.DataFrame


def make_market(*, people: int = 40, jobs: int = 120, lists: int = 600, seed: int = 1) -> Market:
    rng = np.random.default_rng(seed)

    def skills_of(category: int) -> list[int]:
        own = np.arange(category * 8, category * 8 + 8)
        return sorted(int(s) + 1 for s in rng.choice(own, 4, replace=False))

    fc, jc = rng.integers(0, CATEGORIES, people), rng.integers(0, CATEGORIES, jobs)
    freelancers = pl.DataFrame(
        {
            "freelancer_id": np.arange(1, people + 1),
            "skills": [skills_of(c) for c in fc],
            "category_id": fc + 1,
            "country": rng.choice(["DE", "KE", "IN"], people),
            "zone_hours": rng.choice([1.0, 3.0, 5.5], people),
            "level": rng.choice(["entry", "intermediate", "expert"], people),
            "rate_usd_minor": rng.integers(1500, 9000, people),
            "reputation": rng.uniform(3, 5, people),
            "contracts_done": rng.integers(0, 20, people),
            "availability": rng.choice(["available", "partly"], people),
            "text": [f"category{c} specialist with years of practice number {i}" for i, c in enumerate(fc)],
        }
    )
    opened = [START + timedelta(days=float(d)) for d in np.sort(rng.uniform(0, 60, jobs))]
    job_frame = pl.DataFrame(
        {
            "job_id": np.arange(1001, 1001 + jobs),
            "skills": [skills_of(c) for c in jc],
            "category_id": jc + 1,
            "country": rng.choice(["DE", "KE", "IN"], jobs),
            "zone_hours": rng.choice([1.0, 3.0, 5.5], jobs),
            "level": rng.choice(["entry", "intermediate", "expert", ""], jobs),
            "hourly": rng.random(jobs) < 0.4,
            "budget_usd_minor": pl.Series(
                [int(b) if rng.random() > 0.1 else None for b in rng.integers(2000, 200_000, jobs)], dtype=pl.Int64
            ),
            "client_hire_rate": rng.uniform(0.2, 0.9, jobs),
            "proposals": rng.integers(0, 30, jobs),
            "opened_at": opened,
            "text": [f"we need category{c} work, task number {i}" for i, c in enumerate(jc)],
        }
    )
    return Market(_pairs(rng, freelancers, job_frame, lists), freelancers, job_frame)


def _pairs(rng: np.random.Generator, freelancers: pl.DataFrame, jobs: pl.DataFrame, lists: int) -> pl.DataFrame:
    rows = []
    people = freelancers.to_dicts()
    posts = jobs.to_dicts()
    for number in range(lists):
        person = people[rng.integers(len(people))]
        shown = START + timedelta(days=10 + 60 * number / lists)
        for position, j in enumerate(rng.choice(len(posts), 10, replace=False), start=1):
            job = posts[j]
            cover = len(set(job["skills"]) & set(person["skills"])) / len(job["skills"])
            propensity = 1 / np.log2(position + 1)
            bid = rng.random() < propensity * (0.02 + 0.9 * cover)
            hired = bid and rng.random() < 0.15 + 0.1 * (person["reputation"] - 3)
            rows.append(
                {
                    "batch": f"list-{number:05}", "freelancer_id": person["freelancer_id"], "job_id": job["job_id"], "shown_at": shown,
                    "position": position, "propensity": propensity,
                    "bid_at": shown + timedelta(hours=1) if bid else None, "shortlisted_at": shown + timedelta(days=1) if hired else None,
                    "hired_at": shown + timedelta(days=2) if hired else None, "reputation": person["reputation"],
                    "contracts_done": person["contracts_done"], "client_hire_rate": job["client_hire_rate"], "proposals": job["proposals"],
                }
            )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="session")
def market() -> Market:
    return make_market()
