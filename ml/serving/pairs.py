"""The features of a (freelancer, job) pair: one function for training and for serving, on plain arrays.

Belongs here: the two sides as arrays and what is computed from a pair of rows. How the arrays are made from marts is in ml.features.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: name → what a person reads beside its contribution; the order is the order of the columns
FEATURES: dict[str, str] = {
    "skill_cover": "how much of the job your skills cover",
    "skill_rarity": "how rare your skills for it are",
    "category_match": "its field of work against yours",
    "text_similarity": "how close its text is to your profile",
    "hourly_fit": "its hourly rate against yours",
    "fixed_size": "the size of its budget",
    "price_unknown": "whether it names a price",
    "level_gap": "its experience level against yours",
    "same_country": "the client's country against yours",
    "zone_gap": "the time difference to the client",
    "reputation": "your reviews",
    "experience": "your finished contracts",
    "availability": "your availability",
    "client_hires": "how often this client hires",
    "competition": "how many have applied already",
    "age": "how long it has been open",
}


@dataclass(frozen=True, slots=True)
class FreelancerSide:
    """One row per freelancer (or per freelancer and instant). NaN means unknown."""

    ids: Ints
    skill_start: Ints  # rows + 1 offsets into skill_index
    skill_index: Ints  # positions in the skill vocabulary
    category: Ints  # −1 unknown
    country: Ints  # −1 unknown
    zone: Floats  # hours from UTC
    level: Floats  # 0 entry, 1 intermediate, 2 expert
    log_rate: Floats  # ln of the hourly rate in USD minor units
    reputation: Floats  # shrunken mean, 1–5
    done: Floats  # finished contracts
    availability: Floats  # 0–1
    vector: Floats  # rows × dimensions, unit length or zero


@dataclass(frozen=True, slots=True)
class JobSide:
    """One row per job (or per job and instant). NaN means unknown."""

    ids: Ints
    skill_start: Ints
    skill_index: Ints
    category: Ints
    country: Ints
    zone: Floats
    level: Floats
    hourly: Floats  # 1 hourly, 0 fixed
    log_budget: Floats  # ln of the middle of the budget, USD minor units
    client_hire_rate: Floats  # shrunken share of the client's ended jobs that hired
    proposals: Floats  # received so far
    opened_day: Floats  # days since 1970-01-01 UTC
    vector: Floats


def side_arrays(side: FreelancerSide | JobSide, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays of a side by bundle file name."""
    return {f"{prefix}_{f.name}": getattr(side, f.name) for f in fields(side)}


def _skills(freelancers: FreelancerSide, jobs: JobSide, fi: Ints, ji: Ints, idf: Floats) -> tuple[Floats, Floats]:
    """idf-weighted share of the job's skills that the freelancer has, and the largest matched idf (0–1 scaled)."""
    counts = jobs.skill_start[ji + 1] - jobs.skill_start[ji]
    pair = np.repeat(np.arange(len(ji)), counts)
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = jobs.skill_index[np.repeat(jobs.skill_start[ji], counts) + inside]
    width = len(idf)
    owners, owner_of_pair = np.unique(fi, return_inverse=True)
    have_counts = freelancers.skill_start[owners + 1] - freelancers.skill_start[owners]
    have_inside = np.arange(have_counts.sum()) - np.repeat(np.cumsum(have_counts) - have_counts, have_counts)
    have = freelancers.skill_index[np.repeat(freelancers.skill_start[owners], have_counts) + have_inside]
    keys = np.sort(np.repeat(np.arange(len(owners)), have_counts) * width + have)
    asked = owner_of_pair[pair] * width + wanted
    if len(keys):
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        matched = (keys[at] == asked).astype(np.float64)
    else:
        matched = np.zeros(len(asked))
    weight = idf[wanted]
    total = np.bincount(pair, weight, len(ji))
    covered = np.bincount(pair, weight * matched, len(ji))
    rarest = np.zeros(len(ji))
    np.maximum.at(rarest, pair, weight * matched)
    cover = np.divide(covered, total, out=np.zeros(len(ji)), where=total > 0)
    return cover, rarest / max(float(idf.max(initial=0.0)), 1e-9)


def pair_features(freelancers: FreelancerSide, jobs: JobSide, fi: Ints, ji: Ints, *, idf: Floats, day: Floats) -> Floats:
    """Features of the pairs (freelancers[fi[k]], jobs[ji[k]]) seen on `day[k]` (days since 1970-01-01 UTC).

    Returns a finite matrix of shape (pairs, len(FEATURES)); unknown values become the neutral value of their feature.
    """
    cover, rarity = _skills(freelancers, jobs, fi, ji, idf)
    hourly = jobs.hourly[ji] > 0.5
    budget, rate = jobs.log_budget[ji], freelancers.log_rate[fi]
    level = freelancers.level[fi] - jobs.level[ji]
    gap = np.abs(freelancers.zone[fi] - jobs.zone[ji])
    country = freelancers.country[fi]
    columns = {
        "skill_cover": cover,
        "skill_rarity": rarity,
        "category_match": (freelancers.category[fi] == jobs.category[ji]) & (freelancers.category[fi] >= 0),
        "text_similarity": np.einsum("ij,ij->i", freelancers.vector[fi], jobs.vector[ji]),
        "hourly_fit": np.where(hourly, np.clip(np.nan_to_num(budget - rate), -2.0, 2.0), 0.0),
        "fixed_size": np.where(~hourly, np.nan_to_num(budget - np.log(50_000.0)), 0.0),
        "price_unknown": np.isnan(budget),
        "level_gap": np.nan_to_num(level),
        "same_country": (country == jobs.country[ji]) & (country >= 0),
        "zone_gap": np.nan_to_num(np.minimum(gap, 24.0 - gap), nan=6.0),
        "reputation": np.nan_to_num(freelancers.reputation[fi], nan=4.0),
        "experience": np.log1p(freelancers.done[fi]),
        "availability": freelancers.availability[fi],
        "client_hires": jobs.client_hire_rate[ji],
        "competition": np.log1p(jobs.proposals[ji]),
        "age": np.log1p(np.maximum(day - jobs.opened_day[ji], 0.0)),
    }
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES])
