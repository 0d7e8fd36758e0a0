"""The taxonomy as arrays: which skill belongs to which category, which skills go together, what a field of work pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from marketplace.core.errors import Conflict
from marketplace.jobs.models import Category, Skill, SkillRelation

from .streams import Streams


@dataclass(slots=True)
class SkillMap:
    """Skills and categories in the order of their slugs; a position, not an id, is what the simulation computes with."""

    ids: NDArray[np.int64]
    names: list[str]
    category: NDArray[np.int64]
    categories: list[tuple[int, str, str]]  # id, slug, name
    popularity: NDArray[np.float64]
    category_weight: NDArray[np.float64]
    category_price: NDArray[np.float64]
    near: list[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.ids)

    def draw(self, rng: Generator, category: int, wanted: int, *, stray: float) -> list[int]:
        """`wanted` distinct skills around one field: popular ones of the category, their relations, and some strays."""
        own = np.flatnonzero(self.category == category)
        weights = self.popularity[own] / self.popularity[own].sum()
        chosen: list[int] = [int(rng.choice(own, p=weights))]
        for _ in range(wanted * 4):
            if len(chosen) >= wanted:
                break
            dice = rng.random()
            relations = self.near[chosen[int(rng.integers(len(chosen)))]]
            if dice < stray:
                pick = int(rng.integers(len(self)))
            elif dice < stray + 0.45 and len(relations):
                pick = int(relations[int(rng.integers(len(relations)))])
            else:
                pick = int(rng.choice(own, p=weights))
            if pick not in chosen:
                chosen.append(pick)
        return chosen


def load(streams: Streams) -> SkillMap:
    """Read the taxonomy's tables. Raises Conflict("taxonomy_missing") when it was not loaded."""
    categories = list(Category.objects.order_by("slug").values_list("id", "slug", "name"))
    skills = list(Skill.objects.order_by("slug").values_list("id", "name", "category_id"))
    if not skills:
        raise Conflict("taxonomy_missing", "There are no skills yet. Run `manage.py load_taxonomy` first.")
    position = {pk: i for i, (pk, _, _) in enumerate(skills)}
    place = {pk: i for i, (pk, _, _) in enumerate(categories)}
    category = np.array([place[c] for _, _, c in skills])
    used = np.unique(category)
    rng = streams["skills"]
    near: list[list[int]] = [[] for _ in skills]
    for source, target in SkillRelation.objects.order_by("source__slug", "target__slug", "kind").values_list("source_id", "target_id"):
        near[position[source]].append(position[target])
        near[position[target]].append(position[source])
    weight = np.zeros(len(categories))
    weight[used] = rng.permutation(1.0 / np.arange(1, len(used) + 1) ** 0.5)
    return SkillMap(
        ids=np.array([pk for pk, _, _ in skills]),
        names=[name for _, name, _ in skills],
        category=category,
        categories=[(pk, slug, name) for pk, slug, name in categories],
        popularity=np.exp(1.1 * rng.standard_normal(len(skills))),
        category_weight=weight / weight.sum(),
        category_price=np.exp(0.25 * rng.standard_normal(len(categories))),
        near=[np.unique(n).astype(np.int64) for n in near],
    )
