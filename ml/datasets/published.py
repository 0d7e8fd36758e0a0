"""Frames of the matcher out of the newest published marts (schema `science`), through the marts' reader only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines import marts_reader

EPOCH_SECONDS = 86400.0


class NoFrames(RuntimeError):
    """The marts cannot feed the matcher; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TrainingFrames:
    """What one training sees: pairs as in ml.matching.dataset, both sides as in ml.features.sides (all jobs, open or not)."""

    publish_id: str
    pairs: pl.DataFrame
    freelancers: pl.DataFrame
    jobs: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Sides:
    """What is served now: every freelancer, the open public jobs; `day` = days since 1970-01-01 UTC of the newest fact."""

    publish_id: str
    freelancers: pl.DataFrame
    jobs: pl.DataFrame
    day: float


def var() -> Path:
    """The run-time folder, from OPENLANCE_VAR (default: var/ beside the packages)."""
    return Path(os.environ.get("OPENLANCE_VAR", Path(__file__).resolve().parents[2] / "var"))


def bundles_root() -> Path:
    """Where bundles are written and read: OPENLANCE_BUNDLES, else bundles/ in the run-time folder."""
    return Path(os.environ.get("OPENLANCE_BUNDLES", var() / "bundles"))


def _table(name: str) -> tuple[str, pl.DataFrame]:
    published = marts_reader.current()
    with marts_reader.connect() as connection:
        return published.publish_id, connection.execute(f"select * from science.{name}").pl()


def training_frames() -> TrainingFrames:
    """All impressions with their outcomes, and both sides. Raises NoFrames when nothing was ever shown."""
    publish_id, pairs = _table("feat_pairs")
    if pairs.is_empty():
        raise NoFrames(
            "the published marts hold no impressions yet; run `make demo` for a sample market, or let people use the product first"
        )
    return TrainingFrames(publish_id, pairs, _table("feat_freelancers")[1], _table("feat_jobs")[1])


def current_sides() -> Sides:
    """The newest published state of both sides, for serving."""
    publish_id, freelancers = _table("feat_freelancers")
    jobs = _table("feat_jobs")[1].filter(pl.col("state") == "open")
    newest = jobs["opened_at"].max()
    opened = newest.timestamp() / EPOCH_SECONDS if newest is not None else 0.0  # type: ignore[union-attr]
    return Sides(publish_id, freelancers, jobs, max(time.time() / EPOCH_SECONDS, opened))
