"""The taxonomy as its reviewable files hold it, read once and checked. Pure Python: no database, no Django model.

Files: `data/categories.toml`, `data/skills/<category>.tsv` (slug, name, aliases, onet, relations) and `data/attributes.toml`.
Relations are written `>broader`, `<whole it is part of`, `~related`, with `:weight` where it is not the kind's usual one.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .folding import fold

DATA = Path(__file__).parent / "data"
COLUMNS = ["slug", "name", "aliases", "onet", "relations"]
_KINDS = {">": ("broader", 1.0), "<": ("part_of", 0.8), "~": ("related", 0.5)}
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class TaxonomyError(Exception):
    """The files contradict themselves; the message lists every fault, one a line."""


@dataclass(frozen=True, slots=True)
class CategoryEntry:
    slug: str
    name: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """`target` is broader than, the whole of, or related to the skill that holds this; weight 0–1."""

    kind: str
    target: str
    weight: float


@dataclass(frozen=True, slots=True)
class SkillEntry:
    slug: str
    name: str
    category: str
    aliases: tuple[str, ...]
    onet: str
    relations: tuple[Relation, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Every folded spelling of the skill."""
        return frozenset(fold(spelling) for spelling in (self.slug, self.name, *self.aliases))


@dataclass(frozen=True)
class Taxonomy:
    """Categories and skills in file order, with the lookups made from them."""

    categories: Mapping[str, CategoryEntry]
    skills: Mapping[str, SkillEntry]
    attributes: Mapping[str, Mapping[str, str]]
    by_key: Mapping[str, str]
    category_by_key: Mapping[str, str]

    def category_of(self, text: str) -> str | None:
        """The slug of the category that `text` names, or None."""
        return self.category_by_key.get(fold(text))


@lru_cache(maxsize=1)
def source() -> Taxonomy:
    """The shipped taxonomy. Raises TaxonomyError when the files contradict themselves."""
    return read(DATA)


def read(folder: Path) -> Taxonomy:
    """Read and check a folder of taxonomy files.

    Guarantees: slugs unique and well formed; every folded spelling belongs to one skill; relations end at known skills, once
    each, with weights in (0, 1]; `broader` and `part_of` have no cycle; every category has skills. Raises TaxonomyError otherwise.
    """
    categories = {
        slug: CategoryEntry(slug, entry["name"], tuple(entry.get("aliases", ())))
        for slug, entry in tomllib.loads((folder / "categories.toml").read_text(encoding="utf-8")).items()
    }
    entries = [entry for path in sorted((folder / "skills").glob("*.tsv")) for entry in _skills_in(path)]
    order = {slug: i for i, slug in enumerate(categories)}
    entries.sort(key=lambda e: order.get(e.category, len(order)))
    faults = [*_faults(categories, entries)]
    by_key, clashes = _index([(e.slug, e.keys) for e in entries])
    category_keys, category_clashes = _index([(c.slug, {fold(t) for t in (c.slug, c.name, *c.aliases)}) for c in categories.values()])
    faults += [*clashes, *category_clashes]
    if faults:
        raise TaxonomyError("\n".join(faults))
    return Taxonomy(
        MappingProxyType(categories),
        MappingProxyType({e.slug: e for e in entries}),
        MappingProxyType(_attributes(folder / "attributes.toml")),
        MappingProxyType(by_key),
        MappingProxyType(category_keys),
    )


def _skills_in(path: Path) -> Iterator[SkillEntry]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
        if rows.fieldnames != COLUMNS:
            raise TaxonomyError(f"{path.name}: the columns are {', '.join(COLUMNS)}, not {rows.fieldnames}")
        for row in rows:
            if None in row or None in row.values():
                raise TaxonomyError(f"{path.name}, line {rows.line_num}: {len(COLUMNS)} columns, separated by tabs, are needed")
            yield SkillEntry(
                slug=row["slug"],
                name=row["name"],
                category=path.stem,
                aliases=tuple(a.strip() for a in row["aliases"].split("|") if a.strip()),
                onet=row["onet"],
                relations=tuple(_relation(text, f"{path.name}, {row['slug']}") for text in row["relations"].split()),
            )


def _relation(text: str, where: str) -> Relation:
    target, _, weight = text[1:].partition(":")
    if text[0] not in _KINDS or not target:
        raise TaxonomyError(f"{where}: a relation is written >slug, <slug or ~slug, not {text!r}")
    kind, usual = _KINDS[text[0]]
    try:
        return Relation(kind, target, float(weight) if weight else usual)
    except ValueError as e:
        raise TaxonomyError(f"{where}: {weight!r} is not a weight") from e


def _attributes(path: Path) -> dict[str, Mapping[str, str]]:
    """`{attribute: {folded spelling: value}}` from `[attribute] value = [spellings]`."""
    document: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        attribute: MappingProxyType({fold(text): value for value, texts in values.items() for text in (value, *texts)})
        for attribute, values in document.items()
    }


def _index(owners: list[tuple[str, set[str] | frozenset[str]]]) -> tuple[dict[str, str], list[str]]:
    index: dict[str, str] = {}
    clashes = []
    for slug, keys in owners:
        for key in sorted(keys):
            if not key:
                clashes.append(f"{slug}: a spelling folds to nothing")
            elif index.setdefault(key, slug) != slug:
                clashes.append(f"{slug}: {key!r} already stands for {index[key]}")
    return index, clashes


def _faults(categories: Mapping[str, CategoryEntry], entries: list[SkillEntry]) -> Iterator[str]:
    slugs = {e.slug for e in entries}
    yield from (f"{slug}: the slug is used {n} times" for slug, n in Counter(e.slug for e in entries).items() if n > 1)
    yield from (f"{slug}: no skill belongs to this category" for slug in categories if slug not in {e.category for e in entries})
    for entry in entries:
        if not _SLUG.fullmatch(entry.slug) or len(entry.slug) > 80 or not 0 < len(entry.name) <= 100:
            yield f"{entry.slug}: slug or name is malformed"
        if entry.category not in categories:
            yield f"{entry.slug}: unknown category {entry.category}"
        if len({(r.kind, r.target) for r in entry.relations}) != len(entry.relations):
            yield f"{entry.slug}: a relation stands twice"
        for relation in entry.relations:
            if relation.target not in slugs or relation.target == entry.slug:
                yield f"{entry.slug}: {relation.kind} {relation.target} leads nowhere"
            if not 0 < relation.weight <= 1:
                yield f"{entry.slug}: the weight of {relation.target} is not in (0, 1]"
    parents = {e.slug: [r.target for r in e.relations if r.kind in {"broader", "part_of"}] for e in entries}
    yield from (f"{slug}: is broader than itself" for slug in parents if _reaches(slug, parents))


def _reaches(start: str, parents: Mapping[str, list[str]]) -> bool:
    todo, seen = list(parents[start]), set()
    while todo:
        node = todo.pop()
        if node == start:
            return True
        if node not in seen:
            seen.add(node)
            todo += parents.get(node, [])
    return False
