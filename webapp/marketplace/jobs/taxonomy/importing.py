"""Skills of another taxonomy brought into the tables beside ours. What is ours goes before: names, fields, spellings and relations stay."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, TypeVar

from django.db import models

from marketplace.core import clock
from marketplace.core.transactions import unit_of_work

from ..models import Category, Skill, SkillAlias, SkillOrigin, SkillRelation, SkillSource
from .folding import fold
from .foreign import SPELLING_LONGEST, Concept, Foreign
from .source import source

BATCH = 500
T = TypeVar("T")
#: ESCO's way to say that a word is the language, which is the skill we have.
_NOTE = re.compile(r"\s*\(computer programming\)$", re.I)


@dataclass(slots=True)
class ImportReport:
    """What happened. Every concept is created (a new skill), joined (one of ours stands for it) or unchanged (known from before)."""

    created: int = 0
    joined: int = 0
    unchanged: int = 0
    renamed: int = 0
    spellings: int = 0
    spellings_removed: int = 0
    relations: int = 0
    relations_removed: int = 0
    rejected: int = 0

    @property
    def concepts(self) -> int:
        return self.created + self.joined + self.unchanged


def taxonomy_import(foreign: Foreign, *, progress: Callable[[ImportReport], None] = lambda report: None) -> ImportReport:
    """Make the tables hold every concept of `foreign`, in batches that are transactions of their own: a run that breaks off goes on when repeated.

    Guarantees: a second run changes nothing; skills are never removed; a spelling or relation of ours, or of staff's, is never taken away or
    given another meaning; no spelling means two skills. Spellings and relations that left the files go, unless rows were rejected.
    """
    report = ImportReport(rejected=len(foreign.faults))
    kept = _source(foreign)
    known, before = _Known.read(kept), SkillAlias.objects.filter(origin=kept).count()
    concepts = sorted(foreign.concepts.values(), key=lambda c: c.key)
    # an alternative spelling never takes the name of another concept, whichever of them comes first
    names = {fold(text) for concept in concepts for text in _names(concept)}
    for batch in _batched(concepts):
        _import_batch(foreign, kept, known, names, batch, report)
        progress(report)
    report.spellings = SkillAlias.objects.filter(origin=kept).count() - before
    wanted = names | {fold(text) for concept in concepts for text in concept.spellings}
    _import_relations(foreign, kept, known, report)
    if not foreign.faults:
        _remove_spellings(kept, wanted, report)
    _finish(kept)
    progress(report)
    return report


@unit_of_work
def _source(foreign: Foreign) -> SkillSource:
    about = foreign.about
    told = {
        "name": about["name"],
        "release": foreign.release,
        "licence": about["licence"],
        "attribution": about["attribution"].format(release=foreign.release),
    }
    return SkillSource.objects.update_or_create(slug=foreign.slug, defaults=told)[0]


@unit_of_work
def _finish(kept: SkillSource) -> None:
    SkillSource.objects.filter(pk=kept.pk).update(imported_at=clock.now())


@dataclass(slots=True)
class _Known:
    """What the tables hold, read once and kept up with what is written."""

    by_key: dict[str, int]
    by_spelling: dict[str, int]
    #: the names there under which our files were checked against O*NET
    by_name: dict[str, int]
    names: dict[int, str]
    slugs: set[str]
    own_names: set[int]
    categories: dict[str, int]

    @classmethod
    def read(cls, kept: SkillSource) -> _Known:
        merged = {pk: into for pk, into in Skill.objects.values_list("pk", "merged_into") if into is not None}
        ours = set(source().skills)
        # the last one said of a skill wins: who brought it first
        first = dict(SkillOrigin.objects.order_by("-pk").values_list("skill", "source"))
        rows = list(Skill.objects.values_list("pk", "slug", "name", "renamed_at"))
        checked = Skill.objects.filter(slug__in=ours).exclude(onet_name="").values_list("onet_name", "pk")
        return cls(
            by_key={key: merged.get(pk, pk) for key, pk in SkillOrigin.objects.filter(source=kept).values_list("key", "skill")},
            by_spelling={alias: merged.get(pk, pk) for alias, pk in SkillAlias.objects.values_list("alias", "skill")},
            by_name={fold(name): merged.get(pk, pk) for name, pk in checked} if kept.slug == "onet" else {},
            names={pk: name for pk, _, name, _ in rows},
            slugs={slug for _, slug, _, _ in rows},
            # the name is this taxonomy's to change: it brought the skill, and neither our files nor staff name it
            own_names={pk for pk, slug, _, renamed in rows if first.get(pk) == kept.pk and slug not in ours and renamed is None},
            categories=dict(Category.objects.values_list("slug", "pk")),
        )


@unit_of_work
def _write(
    kept: SkillSource, new: list[Skill], named: list[Skill], origins: list[tuple[str, Any]], spell: list[tuple[str, Any]]
) -> dict[str, int]:
    """One batch. Two imports of one taxonomy at once wait for each other here."""
    SkillSource.objects.select_for_update().get(pk=kept.pk)
    Skill.objects.bulk_create(new)
    Skill.objects.bulk_update(named, ["name"])
    ids = dict(Skill.objects.filter(slug__in=[s.slug for s in new]).values_list("slug", "pk"))
    id_of = lambda skill: skill if isinstance(skill, int) else ids[skill]  # noqa: E731
    SkillOrigin.objects.bulk_create([SkillOrigin(source=kept, key=key, skill_id=id_of(skill)) for key, skill in origins])
    # the database holds some letters for equal that folding tells apart (œ and oe): the first of them stays
    for plain in (True, False):
        rows = [SkillAlias(alias=alias, skill_id=id_of(skill), origin=kept) for alias, skill in spell if alias.isascii() == plain]
        SkillAlias.objects.bulk_create(rows, ignore_conflicts=not plain)
    return ids


def _import_batch(
    foreign: Foreign, kept: SkillSource, known: _Known, names: set[str], batch: Sequence[Concept], report: ImportReport
) -> None:
    new: list[Skill] = []
    named: list[Skill] = []
    origins: list[tuple[str, int | str]] = []
    spell: dict[str, int | str] = {}
    for concept in batch:
        there = known.by_key.get(concept.key)
        skill: int | str
        if there is not None:
            skill = there
            report.unchanged += 1
            if there in known.own_names and known.names[there] != concept.name:
                named.append(Skill(pk=there, name=concept.name))
                known.names[there] = concept.name
                report.renamed += 1
        else:
            key = fold(_NOTE.sub("", concept.name))
            standing = known.by_spelling.get(key) or known.by_name.get(key) or spell.get(key)
            if standing is None:
                made = Skill(
                    slug=_slug(concept.name, known.slugs), name=concept.name, category_id=known.categories[foreign.field_of(concept)]
                )
                if foreign.slug == "onet":
                    made.onet_name = concept.name
                new.append(made)
                skill = made.slug
                report.created += 1
            else:
                skill = standing
                report.joined += 1
            origins.append((concept.key, skill))
        own = [fold(text) for text in _names(concept)]
        for alias in (*own, *(a for a in map(fold, concept.spellings) if a not in names)):
            if alias and len(alias) <= SPELLING_LONGEST and alias not in known.by_spelling and alias not in spell:
                spell[alias] = skill
    if not (new or named or origins or spell):
        return
    ids = _write(kept, new, named, origins, list(spell.items()))
    known.by_key |= {key: skill if isinstance(skill, int) else ids[skill] for key, skill in origins}
    known.by_spelling |= {alias: skill if isinstance(skill, int) else ids[skill] for alias, skill in spell.items()}
    known.names |= {ids[skill.slug]: skill.name for skill in new}


def _names(concept: Concept) -> tuple[str, str]:
    return concept.name, _NOTE.sub("", concept.name)


def _slug(name: str, taken: set[str]) -> str:
    """A slug that nobody has, which `taken` then holds: "C++" is c-plus-plus, and the second of two is …-2."""
    text = name.replace("+", " plus ").replace("#", " sharp ").replace("&", " and ")
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:72].strip("-") or "skill"
    slug = next(s for n in count(1) if (s := stem if n == 1 else f"{stem}-{n}") not in taken)
    taken.add(slug)
    return slug


@unit_of_work
def _import_relations(foreign: Foreign, kept: SkillSource, known: _Known, report: ImportReport) -> None:
    wanted = {
        (known.by_key[concept.key], known.by_key[other], kind): weight
        for concept in foreign.concepts.values()
        for (kind, other), weight in concept.relations.items()
        if known.by_key[concept.key] != known.by_key[other]
    }
    have = {(r.source_id, r.target_id, r.kind): r for r in SkillRelation.objects.all()}
    new = [
        SkillRelation(source_id=a, target_id=b, kind=kind, weight=weight, origin=kept)
        for (a, b, kind), weight in wanted.items()
        if (a, b, kind) not in have
    ]
    changed = [r for key, r in have.items() if r.origin_id == kept.pk and key in wanted and r.weight != wanted[key]]
    for relation in changed:
        relation.weight = wanted[relation.source_id, relation.target_id, relation.kind]
    SkillRelation.objects.bulk_create(new, batch_size=BATCH)
    SkillRelation.objects.bulk_update(changed, ["weight"], batch_size=BATCH)
    report.relations += len(new)
    if not foreign.faults:
        gone = [r.pk for key, r in have.items() if r.origin_id == kept.pk and key not in wanted]
        report.relations_removed += _remove(SkillRelation.objects.all(), gone)


@unit_of_work
def _remove_spellings(kept: SkillSource, wanted: set[str], report: ImportReport) -> None:
    rows = SkillAlias.objects.filter(origin=kept, by_staff=False).values_list("pk", "alias")
    report.spellings_removed += _remove(SkillAlias.objects.all(), [pk for pk, alias in rows if alias not in wanted])


def _batched(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, BATCH)):
        yield some


def _remove(rows: models.QuerySet[Any], keys: list[int]) -> int:
    for some in _batched(keys):
        rows.filter(pk__in=some).delete()
    return len(keys)
