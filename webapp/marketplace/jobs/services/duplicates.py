"""Posts that say nearly the same: their fingerprints are kept, and a client's second one needs the client's word."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from marketplace.core.errors import Conflict

from ..fingerprint import Fingerprint, fingerprint
from ..models import Job, JobFingerprint

#: the newest posts of a client that a new one is compared with
COMPARED = 300


def fingerprint_store(job: Job) -> None:
    """Keep what the post's words come down to; the caller holds the post's lock or has just inserted it."""
    found = fingerprint(job.title, job.description)
    JobFingerprint.objects.update_or_create(job=job, defaults=_columns(found))


def refuse_twin(job: Job, states: Iterable[str], *, confirmed: bool) -> None:
    """Raise Conflict("job_duplicate") with the twin's id when the client has a near-identical post in one of these states, unless the
    client confirms it now or has confirmed that very twin before; what was confirmed is set on `job.duplicate_of`, not saved.

    The caller holds the client's lock, so that two twins cannot pass each other.
    """
    twin = _twin(job, states)
    if twin is None or job.duplicate_of_id == twin:
        return
    if not confirmed:
        raise Conflict(
            "job_duplicate",
            f"Your post {twin} says nearly the same. Change this one, or send it again with confirm_duplicate: true.",
            {"duplicate_of": [str(twin)]},
        )
    job.duplicate_of_id = twin


def _twin(job: Job, states: Iterable[str]) -> int | None:
    mine = fingerprint(job.title, job.description)
    rivals = Job.objects.filter(client=job.client_id, state__in=sorted(states)).exclude(pk=job.pk).order_by("-created_at", "-pk")
    found = list(rivals.values_list("pk", "fingerprint__signature")[:COMPARED])
    known = {pk: bytes(signature) for pk, signature in found if signature is not None}
    known |= _made_up([pk for pk, signature in found if signature is None])
    if job.duplicate_of_id in known and mine.likeness(known[job.duplicate_of_id]) >= settings.JOB_DUPLICATE_PERCENT:
        return job.duplicate_of_id
    like = [(mine.likeness(signature), pk) for pk, signature in known.items()]
    return max((pair for pair in like if pair[0] >= settings.JOB_DUPLICATE_PERCENT), default=(0, None))[1]


def _made_up(job_ids: list[int]) -> dict[int, bytes]:
    """Signatures of posts that came in bulk and have none yet; they are kept."""
    made = {j.pk: fingerprint(j.title, j.description) for j in Job.objects.filter(pk__in=job_ids).only("title", "description")}
    rows = [JobFingerprint(job_id=pk, **_columns(f)) for pk, f in made.items()]
    JobFingerprint.objects.bulk_create(rows, ignore_conflicts=True)
    return {pk: f.signature for pk, f in made.items()}


def _columns(found: Fingerprint) -> dict[str, object]:
    return {"exact": found.exact, "signature": found.signature, **{f"band_{i}": band for i, band in enumerate(found.bands, start=1)}}
