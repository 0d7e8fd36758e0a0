"""The audit of staff's acts: one row a changed field, written in the transaction of the act, never changed afterwards.

Belongs here: writing and reading the audit. Not here: who may act (policies), and facts about the marketplace itself (events).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, models, transaction

from . import clock
from .checks import Checks
from .events import aggregate_name
from .models import StaffAct
from .policies import STAFF_ACTIONS, Actor, require_staff

REASON_LENGTH = 500


def record(
    *,
    actor: Actor,
    action: str,
    obj: models.Model,
    reason: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> list[StaffAct]:
    """Write what staff did to `obj`: a row for each field whose value in `after` is not the one in `before` (JSON values), or one row
    without a field when neither names any. Returns the rows.

    Call it under the object's lock, in the transaction of the act. It does not ask whether the actor may. Raises KeyError for an unknown
    action, InvalidInput for a reason that is empty or longer than 500 characters, TransactionManagementError outside a transaction.
    """
    STAFF_ACTIONS[action]
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an act is recorded inside the transaction that does it")
    checks = Checks()
    reason = checks.text("reason", reason, longest=REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    old, new = dict(before or {}), dict(after or {})
    fields = sorted(name for name in {*old, *new} if old.get(name) != new.get(name)) if old or new else [""]
    common = {"actor_id": actor.pk, "action": action, "object_type": aggregate_name(obj), "object_id": obj.pk, "reason": reason}
    at = clock.now()
    return [StaffAct.objects.create(**common, field=f, before=old.get(f), after=new.get(f), at=at) for f in fields]


def acts_for(actor: Actor) -> models.QuerySet[StaffAct]:
    """Every recorded act. Raises NotAllowed("staff_only") for whoever may not read the audit."""
    require_staff(actor, "audit_see")
    return StaffAct.objects.all()
