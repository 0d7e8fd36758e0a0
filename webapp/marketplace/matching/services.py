"""Recommendations: the loaded model's order, re-checked against the database, explained, shown once and logged.

A score that cannot be had in settings.MATCHING_DEADLINE_SECONDS, a model that is missing or damaged, a freelancer it does not know: the documented rules
(matching.rules) answer instead and say so.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from dataclasses import dataclass

import structlog
from django.conf import settings

from marketplace.accounts import selectors as accounts
from marketplace.accounts.models import FreelancerProfile, User
from marketplace.activity import capture
from marketplace.core import clock
from marketplace.core.errors import InvalidInput, NotAllowed
from marketplace.jobs import selectors as jobs
from marketplace.jobs.models import Job, Skill
from ml.serving import Part, Recommendation, Recommender

from . import bundles, rules

log = structlog.get_logger(__name__)

MAX_LIMIT = 100
SPARE = 30  # jobs that closed since the model's marts were published are replaced out of these
RULES_LOOK_AT = 500
SURFACE = "recommended_jobs"
_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="matching")


@dataclass(frozen=True, slots=True)
class Hit:
    """One recommended job. `parts` sum to `score`; `placed_by` is "score", "exposure" (a reserved place) or "rules"."""

    job: Job
    skills: list[Skill]
    position: int
    score: float
    placed_by: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Recommendations:
    """What was shown. `note` says in words why the rules answered, when they did."""

    model_version: str
    publish_id: str
    fallback: bool
    note: str
    batch: str
    hits: list[Hit]


def recommended_jobs(*, actor: User, limit: int) -> Recommendations:
    """The jobs that fit this freelancer best now, at most `limit`; recorded as one list of impressions with its scores.

    Every job is open and visible to the actor at this moment, is not their own and was not bid on by them.
    Raises NotAllowed for an actor without a freelancer profile, InvalidInput for a limit outside 1–100.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput("limit_invalid", f"`limit` is a whole number from 1 to {MAX_LIMIT}.", {"limit": [f"Use 1 to {MAX_LIMIT}."]})
    profile = accounts.freelancer_profile_of(actor.pk)
    if profile is None:
        raise NotAllowed("freelancer_profile_missing", "Recommendations need a freelancer profile. Fill yours in first.")
    exclude = set(jobs.proposals_of(freelancer_id=actor.pk).values_list("job_id", flat=True))
    loaded = bundles.current()
    note, found = loaded.reason, None
    if loaded.recommender is not None:
        found, note = _by_model(loaded.recommender, actor, limit, exclude)
    if found is not None and loaded.recommender is not None:
        version, publish_id = loaded.recommender.version, loaded.recommender.publish_id
        visible = jobs.open_jobs([r.job_id for r in found], actor)
        chosen = [(r.job_id, r.score, r.placed_by, r.parts) for r in found if r.job_id in visible]
        chosen = [c for c in chosen if visible[c[0]].client_id != actor.pk][:limit]
    else:
        version, publish_id = rules.VERSION, ""
        visible, chosen = _by_rules(actor, profile, limit, exclude)
    skills = jobs.skills_of_jobs([c[0] for c in chosen])
    hits = [
        Hit(visible[job_id], skills.get(job_id, []), position, score, placed_by, parts)
        for position, (job_id, score, placed_by, parts) in enumerate(chosen, start=1)
    ]
    batch = _record(actor, version, publish_id, hits)
    return Recommendations(version, publish_id, found is None, note, batch, hits)


def _by_model(recommender: Recommender, actor: User, limit: int, exclude: Collection[int]) -> tuple[list[Recommendation] | None, str]:
    """The model's list within the deadline, or None and why not."""
    day = clock.now().timestamp() / 86400.0
    answer = _pool.submit(recommender.recommend, actor.pk, limit=min(limit + SPARE, MAX_LIMIT + SPARE), day=day, exclude=exclude)
    try:
        found = answer.result(timeout=settings.MATCHING_DEADLINE_SECONDS)
    except DeadlineExceeded:
        answer.cancel()
        log.warning("recommendation_deadline", version=recommender.version)
        return None, "the model did not answer in time"
    if found is None:
        return None, "the model does not know you yet; it learns about new profiles with the next publication"
    return found, ""


def _by_rules(
    actor: User, profile: FreelancerProfile, limit: int, exclude: Collection[int]
) -> tuple[dict[int, Job], list[tuple[int, float, str, tuple[Part, ...]]]]:
    newest = {j.pk: j for j in jobs.newest_open_jobs(actor, RULES_LOOK_AT) if j.pk not in exclude and j.client_id != actor.pk}
    asked = jobs.skills_of_jobs(newest)
    now = clock.now()
    facts = [rules.JobFacts(j.pk, frozenset(s.pk for s in asked.get(j.pk, [])), j.category_id, j.opened_at or now) for j in newest.values()]
    ranked = rules.rank(
        facts, skills=accounts.skill_ids_of([actor.pk]).get(actor.pk, set()), category_id=profile.category_id, now=now, limit=limit
    )
    return newest, [(job_id, score, "rules", parts) for job_id, score, parts in ranked]


def _record(actor: User, version: str, publish_id: str, hits: list[Hit]) -> str:
    """Impressions and served scores, off the request path; returns the list's batch."""
    items = [("job", h.job.pk, h.position, h.score) for h in hits]
    batch = capture.impressions(user_id=actor.pk, surface=SURFACE, ranking=version, items=items)
    rows = [[h.job.pk, h.position, h.score, [[p.name, p.value, p.text] for p in h.parts]] for h in hits]
    if rows:
        capture.record("served_scores", batch=batch, user_id=actor.pk, model_version=version, publish_id=publish_id, rows=rows)
    return batch
