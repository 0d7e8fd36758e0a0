"""The simulator's truth, for one purpose: the bound that no order of the same lists can beat on average."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray


def oracle_scores(pairs: pl.DataFrame) -> NDArray[np.float64] | None:
    """The true expected gain of each impression, or None on a market that was not simulated.

    The file is $OPENLANCE_VAR/simulation/truth_pairs.parquet (batch, user_id, job_id, p_bid, p_hire); the gain of a bid is 1 and
    of a hire 4 (ml.matching.evaluate.GAIN), so the expected gain is p_bid · (1 + 3 · p_hire).
    """
    path = Path(os.environ.get("OPENLANCE_VAR", Path(__file__).resolve().parents[2] / "var")) / "simulation" / "truth_pairs.parquet"
    if not path.is_file():
        return None
    truth = pl.read_parquet(path, columns=["batch", "user_id", "job_id", "p_bid", "p_hire"]).unique(["batch", "user_id", "job_id"])
    found = pairs.join(
        truth, left_on=["batch", "freelancer_id", "job_id"], right_on=["batch", "user_id", "job_id"], how="left", maintain_order="left"
    )
    gain = found["p_bid"].fill_null(0.0) * (1.0 + 3.0 * found["p_hire"].fill_null(0.0))
    return gain.to_numpy().astype(np.float64)
