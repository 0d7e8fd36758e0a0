"""The flow of job posts: when they come, what they ask for and what they pay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import calibration as cal
from .people import Clients, Floats, Ints
from .skills import SkillMap
from .streams import Streams

Flags = NDArray[np.bool_]


@dataclass(slots=True)
class Jobs:
    """One row per post in the order of creation. Money in US dollars is latent; minor units are what is posted (0: unknown)."""

    id: Ints
    client: Ints  # position in Clients
    created: Ints
    opened: Ints  # 0: never
    category: Ints
    skills: NDArray[np.float32]
    level: Ints
    hourly: Flags
    unknown_price: Flags
    invited: Flags
    rate_usd: Floats  # what an hour of it is worth to the client
    size_usd: Floats  # what the whole is worth
    low: Ints
    high: Ints
    duration_days: Ints
    weights: list[list[int]]  # of the steps the work falls into
    questions: list[list[str]]
    fate: NDArray[np.int8]  # of Fate
    closes: Ints  # for CLOSED: when the client closes it
    decides: Ints  # when the client would choose
    attraction: Floats
    fraud: list[str]  # "" or the planted kind
    copy_of: Ints  # position of the post it duplicates, -1

    def __len__(self) -> int:
        return len(self.id)


DRAFT, REVIEW, MARKET, CLOSED, REMOVED = range(5)


def arrivals(rng: Generator, n: int, first_day: int, days: int) -> Ints:
    """`n` sorted instants with growth, season, weekday and business-hours pattern; days are counted from 1970."""
    day = np.arange(first_day, first_day + days)
    when = [datetime.fromtimestamp(int(d) * cal.DAY, UTC) for d in day]
    weight = np.array([cal.WEEKDAY[w.weekday()] * cal.SEASON[w.month - 1] for w in when])
    weight *= np.exp(np.log1p(cal.GROWTH_A_YEAR) * np.arange(days) / 365)
    chosen = rng.choice(day, n, p=weight / weight.sum())
    hour = np.clip(rng.normal(14.5, 3.8, n), 0.2, 23.8)
    return np.sort(chosen * cal.DAY + (hour * cal.HOUR).astype(np.int64))


def minor(usd: Floats | float, currency: str) -> Ints:
    """US dollars as a round amount of minor units of the currency, at the simulation's own price level."""
    per_unit = cal.USD_PER_UNIT[currency]
    units = np.asarray(usd, dtype=float) / per_unit
    if currency == "JPY":
        return np.maximum(np.round(units / 100) * 100, 100).astype(np.int64)
    step = np.where(units >= 20_000, 100, np.where(units >= 200, 5, 1))
    return (np.maximum(np.round(units / step) * step, 1) * 100).astype(np.int64)


def minor_of(usd: float, currency: str) -> int:
    """`minor` of one amount."""
    units = usd / cal.USD_PER_UNIT[currency]
    if currency == "JPY":
        return int(max(round(units / 100) * 100, 100))
    step = 100 if units >= 20_000 else 5 if units >= 200 else 1
    return int(max(round(units / step) * step, 1) * 100)


def draw(streams: Streams, scale: cal.Scale, skills: SkillMap, clients: Clients, first_day: int, until: int) -> Jobs:
    """All posts of the history. A post's client has joined before it."""
    rng, n = streams["jobs"], scale.jobs
    created = arrivals(rng, n, first_day, scale.days)
    client = np.empty(n, dtype=np.int64)
    cumulative = np.cumsum(clients.weight)
    for i, at in enumerate(created):
        there = max(1, int(np.searchsorted(clients.joined, at - cal.HOUR)))
        client[i] = min(there - 1, int(np.searchsorted(cumulative[:there], rng.random() * cumulative[there - 1])))
    created = np.maximum(created, clients.joined[client] + 600)
    dice = rng.random(n)
    category = np.where(dice < 0.6, clients.category[client], clients.second_category[client])
    category = np.where(dice > 0.9, rng.choice(len(skills.categories), n, p=skills.category_weight), category)
    asked = np.zeros((n, len(skills)), dtype=np.float32)
    for i in range(n):
        wanted = int(np.clip(rng.poisson(cal.SKILLS_OF_JOB_MEAN), *cal.SKILLS_OF_JOB))
        asked[i, skills.draw(rng, int(category[i]), wanted, stray=0.08)] = 1.0
    level = rng.choice(3, n, p=cal.LEVEL_SHARES)
    rate = cal.HOURLY_LOW_MEDIAN_USD * cal.HOURLY_RATIO**0.5 * np.array(cal.LEVEL_PRICE)[level] * skills.category_price[category]
    rate *= np.exp(cal.HOURLY_SIGMA * rng.standard_normal(n))
    size = cal.FIXED_MEDIAN_USD * np.array(cal.LEVEL_PRICE)[level] * np.exp(cal.FIXED_SIGMA * rng.standard_normal(n))
    size = np.clip(size, cal.FIXED_MIN_USD, cal.FIXED_MAX_USD)
    hourly = rng.random(n) < cal.HOURLY_SHARE
    unknown = rng.random(n) < cal.UNKNOWN_PRICE_SHARE
    low, high = _posted_price(clients, client, hourly, unknown, rate, size)
    fate = np.full(n, MARKET, dtype=np.int8)
    other = rng.random(n)
    fate[other < cal.CLOSED_EARLY_SHARE] = CLOSED
    fate[(other > 1 - cal.RECENT_DRAFTS) & (created > until - 25 * cal.DAY)] = DRAFT
    # what is still held back: of the newest posts the last but one, and of the week before a few
    fate[(other < cal.RECENT_REVIEWS) & (created > until - 6 * cal.DAY)] = REVIEW
    fate[n - 2] = REVIEW
    opened = np.where(fate == DRAFT, 0, np.minimum(created + rng.integers(120, 7_200, n), until - 60))
    wait = cal.DAY * cal.DECISION_DAYS_MEDIAN * np.exp(cal.DECISION_SIGMA * rng.standard_normal(n) - 0.2 * clients.decisive[client])
    return Jobs(
        id=np.arange(1, n + 1), client=client, created=created, opened=opened, category=category, skills=asked, level=level, hourly=hourly,
        unknown_price=unknown, invited=rng.random(n) < cal.INVITED_SHARE, rate_usd=rate, size_usd=size, low=low, high=high,
        duration_days=np.clip((size / rate / 3.0).astype(np.int64) + rng.integers(2, 12, n), 3, 75), fate=fate,
        weights=[_steps(rng, float(s), bool(h)) for s, h in zip(size, hourly, strict=True)],
        questions=[[] if dice < 0.8 else ["What is the closest work you have done?"] for dice in rng.random(n)],
        closes=opened + (rng.uniform(1, 12, n) * cal.DAY).astype(np.int64),
        decides=opened + np.clip(wait, 0.7 * cal.DAY, 26 * cal.DAY).astype(np.int64),
        attraction=0.35 * rng.standard_normal(n), fraud=[""] * n, copy_of=np.full(n, -1),
    )  # fmt: skip


def _steps(rng: Generator, size_usd: float, hourly: bool) -> list[int]:
    """Whole-number weights of a job's steps, one milestone each."""
    steps = int(rng.integers(1, 4)) if hourly else 1 + int(rng.poisson(size_usd / cal.MILESTONES_PER_STEP_USD))
    return [int(w) for w in rng.integers(2, 6, min(steps, cal.MAX_MILESTONES))]


def _posted_price(clients: Clients, client: Ints, hourly: Flags, unknown: Flags, rate: Floats, size: Floats) -> tuple[Ints, Ints]:
    low, high = np.zeros(len(client), dtype=np.int64), np.zeros(len(client), dtype=np.int64)
    currencies = np.array([c[3] for c in cal.COUNTRIES])[clients.country[client]]
    for currency in np.unique(currencies):
        rows = (currencies == currency) & ~unknown
        spread = cal.HOURLY_RATIO**0.5
        low[rows] = minor(np.where(hourly, rate / spread, size * 0.8)[rows], currency)
        high[rows] = np.maximum(low[rows], minor(np.where(hourly, rate * spread, size * 1.2)[rows], currency))
    return low, high
