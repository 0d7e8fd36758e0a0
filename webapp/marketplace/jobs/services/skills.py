"""Staff's changes of the taxonomy: a skill is merged into another, or gets another name.

A merge is decided in one short transaction; from then on whoever names the merged skill means the other one (selectors.skills_by_slug). What
points at it follows in batches, each a transaction of its own: whatever stops them, the next run goes on with what is left.
"""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.accounts.services import freelancer_skills_replace
from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.policies import require_staff
from marketplace.core.transactions import unit_of_work

from ..models import Job, JobSkill, SavedSearch, Skill, SkillAlias, SkillRelation
from ..taxonomy import fold
from .posts import move_job_skill

BATCH = 50


@unit_of_work
def skill_merge(*, actor: User, slug: str, into: str, reason: str) -> Skill:
    """Let every use of the skill `slug` mean the skill `into` from now on; returns the latter. Its spellings become spellings of that one,
    posts, profiles and saved searches follow.

    Raises NotAllowed, NotFound, InvalidInput naming `into`, Conflict("skill_merged") when either was merged before.
    """
    require_staff(actor, "taxonomy_change")
    found = {s.slug: s for s in Skill.objects.select_for_update().filter(slug__in=[slug, into]).order_by("pk")}
    if slug not in found:
        raise NotFound("skill")
    gone, kept = found[slug], found.get(into)
    if kept is None or kept.pk == gone.pk:
        raise InvalidInput("skill_unknown", "Name another skill to merge into.", {"into": ["Name another skill that exists."]})
    if gone.merged_into_id is not None or kept.merged_into_id is not None:
        raise Conflict("skill_merged", "One of the two was merged already.")
    gone.merged_into = kept
    gone.save(update_fields=["merged_into"])
    Skill.objects.filter(merged_into=gone).update(merged_into=kept)
    SkillAlias.objects.filter(skill=gone).update(skill=kept, by_staff=True)
    for spelling in (gone.name, gone.slug):
        _spell(kept, spelling)
    _move_relations(gone, kept)
    _move_saved_searches(gone, kept)
    before, after = {"merged_into": None}, {"merged_into": kept.slug}
    audit.record(actor=actor, action="taxonomy_change", obj=gone, reason=reason, before=before, after=after)
    events.record(aggregate=gone, kind="skill.merge", actor_id=actor.pk, before=before, after={**after, "skill_id": kept.pk}, reason=reason)
    return kept


@unit_of_work
def skill_rename(*, actor: User, slug: str, name: str, reason: str) -> Skill:
    """Give the skill another name; the slug stays, and the old name is still understood. Raises NotAllowed, NotFound, InvalidInput,
    Conflict("skill_name_taken"), Conflict("skill_merged")."""
    require_staff(actor, "taxonomy_change")
    checks = Checks()
    name = checks.text("name", name, longest=100, shortest=1)
    if not fold(name):
        checks.add("name", "Use letters or digits.")
    checks.raise_if_any()
    skill = Skill.objects.select_for_update().filter(slug=slug).first()
    if skill is None:
        raise NotFound("skill")
    if skill.merged_into_id is not None:
        raise Conflict("skill_merged", "This skill was merged: rename the one it was merged into.")
    if SkillAlias.objects.filter(alias=fold(name)).exclude(skill=skill).exists():
        raise Conflict("skill_name_taken", "That is a spelling of another skill. Merge the two instead.")
    before, after = {"name": skill.name}, {"name": name}
    _spell(skill, skill.name)
    _spell(skill, name)
    skill.name, skill.renamed_at = name, clock.now()
    skill.save(update_fields=["name", "renamed_at"])
    audit.record(actor=actor, action="taxonomy_change", obj=skill, reason=reason, before=before, after=after)
    events.record(aggregate=skill, kind="skill.rename", actor_id=actor.pk, before=before, after=after, reason=reason)
    return skill


@unit_of_work
def merged_skills_follow() -> int:
    """Move one batch of what still points at merged skills; returns how many posts and profiles it moved, 0 when nothing is left."""
    return _posts_follow() or _profiles_follow()


def _posts_follow() -> int:
    left = JobSkill.objects.filter(skill__merged_into__isnull=False)
    ids = sorted(set(left.order_by("pk").values_list("job_id", flat=True)[:BATCH]))
    jobs = list(Job.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    for job in jobs:
        rows = list(JobSkill.objects.filter(job=job, skill__merged_into__isnull=False).select_related("skill__merged_into"))
        for row in rows:
            move_job_skill(row, row.skill.merged_into_id)  # type: ignore[arg-type]  # filtered
        if rows:
            before = {"skills": sorted(r.skill.slug for r in rows)}
            after = {"skills": sorted({r.skill.merged_into.slug for r in rows})}  # type: ignore[union-attr]  # filtered
            events.record(aggregate=job, kind="job.merge_skills", actor_id=None, before=before, after=after, reason="skills merged")
    return len(jobs)


def _profiles_follow() -> int:
    for merged in Skill.objects.filter(merged_into__isnull=False).order_by("pk"):
        moved = freelancer_skills_replace(skill_id=merged.pk, by=merged.merged_into_id, limit=BATCH)  # type: ignore[arg-type]  # filtered
        if moved:
            return moved
    return 0


def _spell(skill: Skill, spelling: str) -> None:
    key = fold(spelling)
    if key:
        alias, new = SkillAlias.objects.get_or_create(alias=key, defaults={"skill": skill, "by_staff": True})
        if not new and alias.skill_id == skill.pk and not alias.by_staff:
            alias.by_staff = True
            alias.save(update_fields=["by_staff"])


def _move_relations(gone: Skill, kept: Skill) -> None:
    """Relations of the one become the other's, where it has no such relation yet and they do not lead to itself."""
    there = set(SkillRelation.objects.filter(source=kept).values_list("target_id", "kind"))
    for relation in SkillRelation.objects.filter(source=gone):
        if relation.target_id != kept.pk and (relation.target_id, relation.kind) not in there:
            SkillRelation.objects.filter(pk=relation.pk).update(source=kept)
    there = set(SkillRelation.objects.filter(target=kept).values_list("source_id", "kind"))
    for relation in SkillRelation.objects.filter(target=gone):
        if relation.source_id != kept.pk and (relation.source_id, relation.kind) not in there:
            SkillRelation.objects.filter(pk=relation.pk).update(target=kept)
    SkillRelation.objects.filter(source=gone).delete()
    SkillRelation.objects.filter(target=gone).delete()


def _move_saved_searches(gone: Skill, kept: Skill) -> None:
    for saved in SavedSearch.objects.select_for_update().filter(parameters__skills__icontains=gone.slug).order_by("pk"):
        slugs = [s.strip() for s in saved.parameters.get("skills", "").split(",")]
        if gone.slug in slugs:
            moved = dict.fromkeys(kept.slug if s == gone.slug else s for s in slugs)
            saved.parameters = {**saved.parameters, "skills": ",".join(moved)}
            saved.save(update_fields=["parameters"])
