"""What happens to posts when nobody acts."""

from __future__ import annotations

from celery import shared_task

from marketplace.core import clock

from .models import Job
from .services import job_expire

BATCH = 500


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def expire_due() -> int:
    """Expire open posts past their time, at most BATCH at once; returns how many. Delivered twice it expires nothing twice."""
    due = Job.objects.filter(state="open", expires_at__lte=clock.now()).order_by("expires_at", "pk")
    return sum(job_expire(job_id=pk) for pk in list(due.values_list("pk", flat=True)[:BATCH]))
