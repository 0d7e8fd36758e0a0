"""Polars frames of freelancers and jobs → the arrays of ml.serving.pairs.

Freelancer frame, one row per freelancer (or per freelancer and instant):
  freelancer_id Int64, skills List[Int64], category_id Int64?, country String, zone_hours Float64?, level String (entry |
  intermediate | expert), rate_usd_minor Int64?, reputation Float64? (1–5), contracts_done Int64, availability String
  (available | partly | unavailable), text String
Job frame, one row per job (or per job and instant):
  job_id Int64, skills List[Int64], category_id Int64?, country String, zone_hours Float64?, level String ("" unknown), hourly
  Boolean, budget_usd_minor Int64? (middle of the range), client_hire_rate Float64, proposals Int64, opened_at Datetime(UTC),
  text String
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.serving.pairs import Floats, FreelancerSide, Ints, JobSide

from .text import TextSpace

LEVELS = {"entry": 0.0, "intermediate": 1.0, "expert": 2.0}
AVAILABILITY = {"available": 1.0, "partly": 0.5, "unavailable": 0.0}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which skill, category and country stands at which position, and how rare each skill is among jobs.

    idf = ln((1 + jobs) / (1 + jobs asking for it)) + 1.
    """

    skills: tuple[int, ...]
    countries: tuple[str, ...]
    idf: NDArray[np.float64]

    @classmethod
    def of(cls, freelancers: pl.DataFrame, jobs: pl.DataFrame) -> Vocabulary:
        asked = jobs.unique("job_id")["skills"].explode().drop_nulls()
        held = freelancers["skills"].explode().drop_nulls()
        skills = tuple(sorted(set(asked.to_list()) | set(held.to_list())))
        counts = dict(asked.value_counts().iter_rows())
        n = jobs["job_id"].n_unique()
        idf = np.array([np.log((1 + n) / (1 + counts.get(s, 0))) + 1.0 for s in skills], dtype=np.float64)
        countries = tuple(sorted(set(freelancers["country"].to_list()) | set(jobs["country"].to_list()) - {""}))
        return cls(skills, countries, idf)


def _lists(column: pl.Series, position: dict[int, int]) -> tuple[Ints, Ints]:
    start, flat = [0], []
    for values in column.to_list():
        known = sorted({position[v] for v in (values or []) if v in position})
        flat.extend(known)
        start.append(len(flat))
    return np.asarray(start, dtype=np.int64), np.asarray(flat, dtype=np.int64)


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _log(column: pl.Series) -> Floats:
    values = _floats(column)
    out = np.full(len(values), np.nan)
    np.log(values, out=out, where=values > 0)
    return out


def _codes(column: pl.Series, names: tuple[str, ...]) -> Ints:
    position = {n: i for i, n in enumerate(names) if n}
    return np.asarray([position.get(v, -1) for v in column.to_list()], dtype=np.int64)


def _mapped(column: pl.Series, table: dict[str, float], unknown: float) -> Floats:
    return np.asarray([table.get(v, unknown) for v in column.to_list()], dtype=np.float64)


def freelancer_side(frame: pl.DataFrame, vocabulary: Vocabulary, space: TextSpace) -> FreelancerSide:
    """Arrays of the freelancer frame, row for row."""
    start, index = _lists(frame["skills"], {s: i for i, s in enumerate(vocabulary.skills)})
    return FreelancerSide(
        ids=frame["freelancer_id"].to_numpy().astype(np.int64),
        skill_start=start,
        skill_index=index,
        category=frame["category_id"].fill_null(-1).to_numpy().astype(np.int64),
        country=_codes(frame["country"], vocabulary.countries),
        zone=_floats(frame["zone_hours"]),
        level=_mapped(frame["level"], LEVELS, 1.0),
        log_rate=_log(frame["rate_usd_minor"]),
        reputation=_floats(frame["reputation"]),
        done=_floats(frame["contracts_done"]),
        availability=_mapped(frame["availability"], AVAILABILITY, 1.0),
        vector=_vectors(frame, "freelancer_id", space),
    )


def job_side(frame: pl.DataFrame, vocabulary: Vocabulary, space: TextSpace) -> JobSide:
    """Arrays of the job frame, row for row."""
    start, index = _lists(frame["skills"], {s: i for i, s in enumerate(vocabulary.skills)})
    opened = frame["opened_at"].dt.epoch("us").cast(pl.Float64).to_numpy() / 86_400e6
    return JobSide(
        ids=frame["job_id"].to_numpy().astype(np.int64),
        skill_start=start,
        skill_index=index,
        category=frame["category_id"].fill_null(-2).to_numpy().astype(np.int64),
        country=_codes(frame["country"], vocabulary.countries),
        zone=_floats(frame["zone_hours"]),
        level=_mapped(frame["level"], LEVELS, float("nan")),
        hourly=frame["hourly"].cast(pl.Float64).to_numpy().astype(np.float64),
        log_budget=_log(frame["budget_usd_minor"]),
        client_hire_rate=_floats(frame["client_hire_rate"]),
        proposals=_floats(frame["proposals"]),
        opened_day=opened.astype(np.float64),
        vector=_vectors(frame, "job_id", space),
    )


def _vectors(frame: pl.DataFrame, key: str, space: TextSpace) -> Floats:
    """One text per entity is enough: its rows at different instants share the vector."""
    once = frame.select(key, "text").unique(key, keep="first", maintain_order=True)
    vectors = space.vectors(once["text"].to_list())
    position = {k: i for i, k in enumerate(once[key].to_list())}
    return vectors[[position[k] for k in frame[key].to_list()]] if len(frame) else vectors
