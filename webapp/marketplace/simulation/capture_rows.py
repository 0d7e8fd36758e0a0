"""What was shown, searched and opened, as rows of activity."""

from __future__ import annotations

import numpy as np

from marketplace.activity.capture import POSITION_MODEL
from marketplace.activity.models import Impression, Search, View

from . import calibration as cal
from .bids import Desk
from .people import Ints
from .streams import uuids
from .tables import Columns, MadeTable, Table

IMPRESSION_COLUMNS = (
    "id", "batch", "user_id", "surface", "item_type", "item_id", "position", "propensity", "score", "ranking", "shown_at",
)  # fmt: skip


def batch_names(desk: Desk) -> list[str]:
    """The name of each list, by its number."""
    return [str(u) for u in uuids(np.random.default_rng([desk.streams.seed, 7]), len(desk.history.batches))]


def activity_tables(desk: Desk) -> list[Table]:
    """Impressions of every list, the searches some lists came from, and what was opened."""
    shown, rng = desk.history.shown, desk.streams["activity"]
    names = batch_names(desk)
    opened = np.flatnonzero(shown.bid | (shown.looked & (rng.random(len(shown)) < cal.VIEW_SHARE)))
    return [_impressions(desk, names), _searches(desk), _views(desk, names, opened)]


def _impressions(desk: Desk, names: list[str]) -> Table:
    shown, people, jobs = desk.history.shown, desk.people, desk.jobs
    surfaces = ["job_search" if s else "recommended_jobs" for s in desk.history.searches]
    ranking = f"{cal.RANKING}+{POSITION_MODEL}"

    def make(start: int, stop: int) -> Columns:
        part, n = slice(start, stop), stop - start
        batch = shown.batch[part].tolist()
        return [
            range(start + 1, stop + 1), [names[b] for b in batch], people.user_id[shown.freelancer[part]].tolist(),
            [surfaces[b] for b in batch], ["job"] * n, jobs.id[shown.job[part]].tolist(), shown.position[part].tolist(),
            shown.propensity[part].tolist(), [round(score, 6) for score in shown.score[part].tolist()], [ranking] * n, shown.at[part].tolist(),
        ]  # fmt: skip

    return MadeTable(Impression, IMPRESSION_COLUMNS, make=make, count=len(shown))


def _views(desk: Desk, names: list[str], opened: Ints) -> Table:
    shown, people, jobs = desk.history.shown, desk.people, desk.jobs

    def make(start: int, stop: int) -> Columns:
        i = opened[start:stop]
        return [
            range(start + 1, stop + 1), people.user_id[shown.freelancer[i]].tolist(), ["job"] * len(i), jobs.id[shown.job[i]].tolist(),
            [names[b] for b in shown.batch[i].tolist()], (shown.at[i] + 20 + 90 * shown.position[i]).tolist(),
        ]  # fmt: skip

    return MadeTable(View, ("id", "user_id", "item_type", "item_id", "batch", "viewed_at"), make=make, count=len(opened))


def _searches(desk: Desk) -> Table:
    shown, rng = desk.history.shown, desk.streams["searches"]
    table = Table(Search, ("id", "user_id", "surface", "query", "filters", "hits", "searched_at"))
    first = np.unique(shown.batch, return_index=True)[1]
    for i in first:
        b = int(shown.batch[i])
        if not desk.history.searches[b]:
            continue
        f = int(shown.freelancer[i])
        held = np.flatnonzero(desk.people.skills[f])
        query = desk.skills.names[int(held[int(rng.integers(len(held)))])]
        filters = {"category": desk.skills.categories[desk.people.category[f]][1]} if rng.random() < 0.4 else {}
        hits = int(rng.poisson(9))
        table.add(len(table) + 1, int(desk.people.user_id[f]), "job_search", query[:200], filters, hits, int(shown.at[i]) - 2)
    return table
