"""Bringing the tables up to the files. Nothing else writes categories, skills, aliases and relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import models

from marketplace.core.transactions import unit_of_work

from ..models import Category, Skill, SkillAlias, SkillRelation
from .source import Taxonomy, source


@dataclass(frozen=True, slots=True)
class TableReport:
    """What happened to one table. `left` rows are in the table but not (any more) in the files: posts may point at them."""

    created: int
    updated: int
    removed: int
    unchanged: int
    left: int


LoadReport = Mapping[str, TableReport]


@unit_of_work
def load(taxonomy: Taxonomy | None = None) -> LoadReport:
    """Make the four tables say what the files say; a second run changes nothing. Keys are slugs, so ids stay.

    Aliases and relations that left the files are removed; categories and skills never are. What staff decided goes before the files: a name
    they gave stays, and the spellings and relations of a merged skill are those of the other one. The files go before imported taxonomies:
    what both say becomes ours, what only those say stays. Raises TaxonomyError for faulty files.
    """
    taxonomy = taxonomy or source()
    report = {"category": _upsert(Category, "slug", [{"slug": c.slug, "name": c.name} for c in taxonomy.categories.values()])}
    category_ids = dict(Category.objects.values_list("slug", "pk"))
    renamed = dict(Skill.objects.filter(renamed_at__isnull=False).values_list("slug", "name"))
    skills = [
        {"slug": s.slug, "name": renamed.get(s.slug, s.name), "category_id": category_ids[s.category], "onet_name": s.onet}
        for s in taxonomy.skills.values()
    ]
    report["skill"] = _upsert(Skill, "slug", skills)
    ids = {slug: merged or pk for slug, pk, merged in Skill.objects.values_list("slug", "pk", "merged_into")}
    by_staff = set(SkillAlias.objects.filter(by_staff=True).values_list("alias", flat=True))
    aliases = [{"alias": key, "skill_id": ids[slug]} for key, slug in taxonomy.by_key.items() if key not in by_staff]
    _claim(SkillAlias, {(a["alias"],) for a in aliases}, ("alias",))
    report["alias"] = _upsert(SkillAlias, "alias", aliases, remove=True, rows=SkillAlias.objects.filter(by_staff=False, origin=None))
    relations = {
        (ids[s.slug], ids[r.target], r.kind): {"source_id": ids[s.slug], "target_id": ids[r.target], "kind": r.kind, "weight": r.weight}
        for s in taxonomy.skills.values()
        for r in s.relations
        if ids[s.slug] != ids[r.target]
    }
    _claim(SkillRelation, set(relations), ("source_id", "target_id", "kind"))
    ours = SkillRelation.objects.filter(origin=None)
    report["relation"] = _upsert(SkillRelation, ("source_id", "target_id", "kind"), list(relations.values()), remove=True, rows=ours)
    imported = Skill.objects.filter(origins__isnull=False).exclude(slug__in=taxonomy.skills).distinct().count()
    return report | {"skill": replace(report["skill"], left=report["skill"].left - imported)}


def _claim(model: type[models.Model], wanted: set[tuple[Any, ...]], names: tuple[str, ...]) -> None:
    """Rows that an import brought and the files say too are the files'."""
    rows = model._default_manager.filter(origin__isnull=False).values_list("pk", *names)
    claimed = [pk for pk, *key in rows if tuple(key) in wanted]
    for begin in range(0, len(claimed), 500):
        model._default_manager.filter(pk__in=claimed[begin : begin + 500]).update(origin=None)


def _upsert(
    model: type[models.Model],
    key: str | tuple[str, ...],
    wanted: list[dict[str, Any]],
    *,
    remove: bool = False,
    rows: models.QuerySet[Any] | None = None,
) -> TableReport:
    """Bring `rows` (default: all of the table) up to what is wanted."""
    names = (key,) if isinstance(key, str) else key
    key_of: Callable[[Any], tuple[Any, ...]] = lambda row: tuple(row[n] if isinstance(row, dict) else getattr(row, n) for n in names)  # noqa: E731
    have = {key_of(row): row for row in (model._default_manager.all() if rows is None else rows)}
    create, update = [], []
    for values in wanted:
        row = have.pop(key_of(values), None)
        if row is None:
            create.append(model(**values))
        elif changed := {n: v for n, v in values.items() if getattr(row, n) != v}:
            for name, value in changed.items():
                setattr(row, name, value)
            update.append(row)
    if remove and have:
        model._default_manager.filter(pk__in=[row.pk for row in have.values()]).delete()
    model._default_manager.bulk_create(create, batch_size=500)
    if update:
        model._default_manager.bulk_update(update, _columns(wanted, names), batch_size=500)
    return TableReport(
        created=len(create),
        updated=len(update),
        removed=len(have) if remove else 0,
        unchanged=len(wanted) - len(create) - len(update),
        left=0 if remove else len(have),
    )


def _columns(wanted: list[dict[str, Any]], names: Iterable[str]) -> list[str]:
    return [name.removesuffix("_id") for name in wanted[0] if name not in set(names)]
