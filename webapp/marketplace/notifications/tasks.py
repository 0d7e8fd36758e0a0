"""The postman."""

from __future__ import annotations

from celery import shared_task

from . import services


@shared_task(ignore_result=True, time_limit=300)
def send_letters() -> int:
    """Send the letters whose time has come; returns how many items went out."""
    return services.send_due()
