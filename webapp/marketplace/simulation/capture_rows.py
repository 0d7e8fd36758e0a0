"""What was shown, searched and opened, as rows of activity."""

from __future__ import annotations

import numpy as np

from marketplace.activity.capture import POSITION_MODEL
from marketplace.activity.models import Impression, Search, View

from . import calibration as cal
from .bids import Desk
from .streams import uuids
from .tables import Table

IMPRESSION_COLUMNS = (
    "id", "batch", "user_id", "surface", "item_type", "item_id", "position", "propensity", "score", "ranking", "shown_at",
)  # fmt: skip


def batch_names(desk: Desk) -> list[str]:
    """The name of each list, by its number."""
    return [str(u) for u in uuids(np.random.default_rng([desk.streams.seed, 7]), len(desk.history.batches))]


def activity_tables(desk: Desk) -> list[Table]:
    """Impressions of every list, the searches some lists came from, and what was opened."""
    shown, searched, people, jobs = desk.history.shown, desk.history.searches, desk.people, desk.jobs
    names = batch_names(desk)
    surfaces = ["job_search" if s else "recommended_jobs" for s in searched]
    users, items = people.user_id[shown.freelancer].tolist(), jobs.id[shown.job].tolist()
    impressions = Table(Impression, IMPRESSION_COLUMNS)
    batch, ranking = shown.batch.tolist(), f"{cal.RANKING}+{POSITION_MODEL}"
    columns = zip(
        batch, users, items, shown.position.tolist(), shown.propensity.tolist(), shown.score.tolist(), shown.at.tolist(), strict=True
    )
    for n, (b, user, item, position, propensity, score, at) in enumerate(columns, start=1):
        impressions.add(n, names[b], user, surfaces[b], "job", item, position, propensity, round(score, 6), ranking, at)
    rng = desk.streams["activity"]
    opened = shown.bid | (shown.looked & (rng.random(len(shown)) < cal.VIEW_SHARE))
    views = Table(View, ("id", "user_id", "item_type", "item_id", "batch", "viewed_at"))
    for i in np.flatnonzero(opened):
        views.add(len(views) + 1, users[i], "job", items[i], names[batch[i]], int(shown.at[i]) + 20 + 90 * int(shown.position[i]))
    return [impressions, _searches(desk), views]


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
