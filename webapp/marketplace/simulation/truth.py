"""The simulator's truth, as files apart from the product: $OPENLANCE_VAR/simulation/*.parquet.

truth_pairs (batch, user_id, job_id, p_bid, p_hire): for every impression the probability of a bid when looked at, and of the hire
when bid. truth_freelancers and truth_jobs: latent qualities. truth_fraud (kind, subject_type, subject_id, at): what was planted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from django.conf import settings

from . import calibration as cal
from .bids import Bids, Desk
from .capture_rows import batch_names
from .exposure import Market
from .fraud import Planted
from .people import Floats


def folder() -> Path:
    """Where the truth lies."""
    return Path(settings.VAR) / "simulation"


def write_truth(desk: Desk, bids: Bids, market: Market, planted: Planted) -> None:
    """Write the four files; each is replaced whole."""
    target = folder()
    target.mkdir(parents=True, exist_ok=True)
    frames = {"freelancers": _freelancers(desk), "jobs": _jobs(desk), "pairs": _pairs(desk, market), "fraud": _fraud(planted)}
    for name, frame in frames.items():
        partial = target / f".truth_{name}.parquet"
        frame.write_parquet(partial)
        partial.rename(target / f"truth_{name}.parquet")


def _pairs(desk: Desk, market: Market) -> pl.DataFrame:
    shown = desk.history.shown
    return pl.DataFrame(
        {
            "batch": pl.Series(batch_names(desk)).gather(shown.batch),
            "user_id": desk.people.user_id[shown.freelancer],
            "job_id": desk.jobs.id[shown.job],
            "p_bid": shown.p_bid,
            "p_hire": hire_probability(desk, market),
        }
    )


def hire_probability(desk: Desk, market: Market) -> Floats:
    """P(hired | bid): the client hires at all × the logit share among the actual bids (McFadden, 1974) × the offer is taken."""
    shown, jobs, clients = desk.history.shown, desk.jobs, desk.clients
    owner = jobs.client[shown.job]
    hires = np.where(clients.ghosting[owner], 0.0, cal.HIRE_BASE + 0.1 * np.tanh(clients.decisive[owner]))
    reachable = (jobs.fate == 2) & (jobs.decides < jobs.opened + 30 * cal.DAY)
    mine = np.exp(shown.utility)
    others = desk.history.hire_share[shown.job] - np.where(shown.bid, mine, 0.0)
    share = mine / (mine + np.maximum(others, 0.0))
    spam = (market.spam_from[shown.freelancer] > 0) & (shown.at >= market.spam_from[shown.freelancer])
    return np.where(reachable[shown.job] & ~spam, hires * share * cal.OFFER_ACCEPTED, 0.0)


def _freelancers(desk: Desk) -> pl.DataFrame:
    p = desk.people
    return pl.DataFrame(
        {
            "user_id": p.user_id,
            "quality": p.quality,
            "responsive": p.responsive,
            "picky": p.picky,
            "activity": p.activity,
            "rate_usd": p.rate_usd,
        }
    )


def _jobs(desk: Desk) -> pl.DataFrame:
    j, c = desk.jobs, desk.clients
    return pl.DataFrame(
        {
            "job_id": j.id, "attraction": j.attraction, "rate_usd": j.rate_usd, "size_usd": j.size_usd, "client_appeal": c.appeal[j.client],
            "client_ghosting": c.ghosting[j.client], "client_strict": c.strict[j.client], "client_decisive": c.decisive[j.client],
            "decides_at": pl.from_epoch(pl.Series(j.decides), time_unit="s"),
        }
    )  # fmt: skip


def _fraud(planted: Planted) -> pl.DataFrame:
    schema = {"kind": pl.String, "subject_type": pl.String, "subject_id": pl.Int64, "at": pl.Int64}
    frame = pl.DataFrame(planted.rows, schema=schema, orient="row")
    return frame.with_columns(pl.from_epoch("at", time_unit="s"))
