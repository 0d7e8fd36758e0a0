"""What payments cannot work without, laid after every migrate (and flush), idempotently: a fee schedule, exchange rates, and who has paid
already as a verified client.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

from . import events, fees, fx
from .models import FeeSchedule, FxRate


def after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Handler of post_migrate, connected by the app's AppConfig."""
    there = set(connections[using].introspection.table_names())
    if using == "default" and {FeeSchedule._meta.db_table, FxRate._meta.db_table} <= there:
        fees.forget()
        fees.lay_standard()
        fx.lay_current()
        events.verify_earlier_payers()
