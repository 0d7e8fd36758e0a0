"""Freelancers and clients: what the product knows of them, and the latent qualities that it does not.

Arrays are aligned: row i of a side is one person. Latent columns go to the truth files, never to the product's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import calibration as cal
from .skills import SkillMap
from .streams import Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVELS = ("entry", "intermediate", "expert")
AVAILABILITY = ("available", "partly", "unavailable")


@dataclass(slots=True)
class Freelancers:
    """One row per freelancer. Latent: quality, responsive, picky, activity."""

    user_id: Ints
    profile_id: Ints
    joined: Ints
    country: Ints
    zone: Floats
    category: Ints
    skills: NDArray[np.float32]  # 1 where held, columns of SkillMap
    skill_level: NDArray[np.int8]
    level: Ints
    years: Ints
    rate_usd: Floats
    availability: Ints
    quality: Floats
    responsive: Floats
    picky: Floats
    activity: Floats

    def __len__(self) -> int:
        return len(self.user_id)


@dataclass(slots=True)
class Clients:
    """One row per client. Latent: appeal (how good to work for), decisive, ghosting, pays_up, weight (how often they post)."""

    user_id: Ints
    joined: Ints
    country: Ints
    zone: Floats
    category: Ints
    second_category: Ints
    ghosting: NDArray[np.bool_]
    appeal: Floats
    decisive: Floats
    strict: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.user_id)


def _joined(rng: Generator, n: int, start: int, end: int, founding: float) -> Ints:
    """Founders before the first day, newcomers evenly until the end; sorted, so that ids follow the time of joining."""
    at = rng.uniform(start + cal.DAY, end - cal.HOUR, n)
    old = rng.random(n) < founding
    at[old] = start - rng.uniform(1, 40, int(old.sum())) * cal.DAY
    return np.sort(at).astype(np.int64)


def _country(rng: Generator, n: int, column: int) -> Ints:
    weights = np.array([c[column] for c in cal.COUNTRIES], dtype=float)
    return rng.choice(len(weights), n, p=weights / weights.sum())


def freelancers(streams: Streams, scale: cal.Scale, skills: SkillMap, first_user: int, start: int, end: int) -> Freelancers:
    """Draw the selling side."""
    rng, n = streams["freelancers"], scale.freelancers
    country = _country(rng, n, 1)
    category = rng.choice(len(skills.categories), n, p=skills.category_weight)
    level = rng.choice(3, n, p=cal.FREELANCER_LEVEL_SHARES)
    quality = rng.standard_normal(n)
    price = np.array([cal.COUNTRY_PRICE.get(c[0], cal.COUNTRY_PRICE_DEFAULT) for c in cal.COUNTRIES])[country]
    rate = cal.HOURLY_LOW_MEDIAN_USD * 1.35 * price * np.array(cal.LEVEL_PRICE)[level] * skills.category_price[category]
    rate = np.clip(rate * np.exp(0.08 * quality + 0.25 * rng.standard_normal(n)), 4.0, 180.0)
    held = np.zeros((n, len(skills)), dtype=np.float32)
    for i in range(n):
        wanted = int(rng.integers(*cal.SKILLS_OF_FREELANCER, endpoint=True)) + int(level[i])
        held[i, skills.draw(rng, int(category[i]), wanted, stray=0.18)] = 1.0
    skill_level = np.clip(1 + level[:, None] + rng.integers(0, 3, held.shape), 1, 5).astype(np.int8)
    users = np.arange(first_user, first_user + n)
    return Freelancers(
        user_id=users, profile_id=np.arange(1, n + 1), joined=_joined(rng, n, start, end, cal.FOUNDING_SHARE), country=country,
        zone=np.array([c[5] for c in cal.COUNTRIES], dtype=float)[country], category=category, skills=held, skill_level=skill_level,
        level=level, years=np.clip(level * 4 + rng.integers(0, 5, n), 0, 30), rate_usd=rate,
        availability=rng.choice(3, n, p=cal.AVAILABILITY_SHARES), quality=quality, responsive=rng.standard_normal(n),
        picky=0.5 * rng.standard_normal(n), activity=np.exp(cal.ACTIVITY_SIGMA * rng.standard_normal(n)),
    )  # fmt: skip


def clients(streams: Streams, scale: cal.Scale, skills: SkillMap, first_user: int, start: int, end: int) -> Clients:
    """Draw the buying side."""
    rng, n = streams["clients"], scale.clients
    country = _country(rng, n, 2)
    return Clients(
        user_id=np.arange(first_user, first_user + n),
        joined=_joined(rng, n, start, end, cal.FOUNDING_SHARE),
        country=country,
        zone=np.array([c[5] for c in cal.COUNTRIES], dtype=float)[country],
        category=rng.choice(len(skills.categories), n, p=skills.category_weight),
        second_category=rng.choice(len(skills.categories), n, p=skills.category_weight),
        ghosting=rng.random(n) < cal.GHOSTING_CLIENTS,
        appeal=rng.standard_normal(n),
        decisive=rng.standard_normal(n),
        strict=rng.standard_normal(n),
        weight=np.exp(0.7 * rng.standard_normal(n)),
    )


def currency_of(country: int) -> str:
    """The currency people of a country are paid in and pay in here."""
    return str(cal.COUNTRIES[country][3])


def languages_of(country: int) -> list[dict[str, Any]]:
    """Profile languages: the first one natively, the others fluently."""
    return [{"code": code, "level": "native" if i == 0 else "fluent"} for i, code in enumerate(cal.COUNTRIES[country][6])]
