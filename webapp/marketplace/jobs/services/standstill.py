"""The days of a post stand still while its client is suspended.

Until the suspension is lifted nothing is written: `expires_at` counts from the instant at which the post stopped. Lifting the suspension puts it
off by the time that has passed, in the same transaction. What staff do with the post meanwhile settles it earlier.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from marketplace.accounts.selectors import suspended_since
from marketplace.core import clock

from ..models import Job


def stands_since(job: Job) -> datetime | None:
    """Since when the post stands still because its client is suspended; None when the client is not."""
    since = suspended_since(job.client_id)
    return since if since is None or job.opened_at is None else max(since, job.opened_at)


def post_time(job: Job) -> datetime:
    """The instant from which the post's remaining days count: now, or when it stopped."""
    return stands_since(job) or clock.now()


def settle(job: Job) -> None:
    """Let the locked post's expiry count from now on, before it leaves its state; the caller saves `expires_at`. One that had run out before
    its client was suspended stays as it is."""
    since = stands_since(job)
    if job.state == "open" and since is not None and job.expires_at is not None and job.expires_at > since:
        job.expires_at += clock.now() - since


def go_on(*, user_id: int, since: datetime, until: datetime) -> int:
    """The answer to ports.suspension_lifted: the client's open posts have as many days left as they had. Returns how many go on.

    Posts that were held or removed were settled then, and one that had run out before the suspension is left to the clock.
    """
    standing = Job.objects.filter(client=user_id, state="open", expires_at__gt=since)
    opened_meanwhile = list(standing.select_for_update().filter(opened_at__gt=since).order_by("pk"))
    for job in opened_meanwhile:  # by staff, who cleared them
        job.expires_at += until - (job.opened_at or since)  # type: ignore[operator,assignment]  # filtered
        job.save(update_fields=["expires_at"])
    there_before = standing.filter(opened_at__lte=since)
    return len(opened_meanwhile) + there_before.update(expires_at=F("expires_at") + (until - since))
