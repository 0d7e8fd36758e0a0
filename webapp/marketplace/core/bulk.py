"""Acts of staff on many objects at once: one row that says who, what, why and how far, worked off by a task.

Each object is done in its own transaction by the same service that does one; what it refuses is written beside the object and stops nothing. A
worker that dies leaves the row with its place in the list; the sweep goes on from there. An object that fails by a fault of ours is tried MOST_TRIES
times, a lease apart, then it is left as failed with the fault beside it, and the rest is done.

Belongs here: the list, its progress, its place. Not here: what an act does and who may do it (the services).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from kombu.exceptions import OperationalError

from . import clock
from .checks import Checks
from .errors import DomainError, NotFound
from .models import BulkAct
from .policies import STAFF_ACTIONS, Actor, one_of, require_staff, staff_may
from .transactions import run_in_transaction, unit_of_work

log = structlog.get_logger(__name__)

MOST_OBJECTS = 5_000
REASON_LENGTH = 500
KEPT_REFUSALS = 200
#: a claim that was not renewed for so long belongs to a worker that died
LEASE = timedelta(minutes=5)
MOST_TRIES = 3
#: the code beside an object that was given up after a fault of ours
FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Act:
    """What can be done to many: `work(actor=, pk=, reason=)` does it to one, `action` is what STAFF_ACTIONS calls the permission."""

    words: str
    action: str
    object_type: str
    work: Callable[..., Any]


#: name → act; apps register theirs in AppConfig.ready
ACTS: dict[str, Act] = {}


def register(name: str, act: Act) -> None:
    """Make an act known; called once an app, in AppConfig.ready. Raises KeyError for an unknown permission."""
    STAFF_ACTIONS[act.action]
    if name in ACTS:
        raise RuntimeError(f"two bulk acts named {name!r}")
    ACTS[name] = act


def by(service: Callable[..., Any], parameter: str) -> Callable[..., Any]:
    """`work` out of a service that takes its object's id as `parameter`, beside actor and reason."""

    def work(*, actor: Any, pk: int, reason: str) -> Any:
        return service(actor=actor, reason=reason, **{parameter: pk})

    return work


@unit_of_work
def start(*, actor: Actor, name: str, object_ids: Sequence[int], reason: str) -> BulkAct:
    """Put an act on the list; the task begins when this transaction has committed. Ids are done in order, each once.

    Raises NotFound for an unknown act, NotAllowed("staff_only"), InvalidInput without objects, with too many or without a reason.
    """
    if name not in ACTS:
        raise NotFound("act")
    require_staff(actor, ACTS[name].action)
    checks = Checks()
    reason = checks.text("reason", reason, longest=REASON_LENGTH, shortest=1)
    ids = list(dict.fromkeys(object_ids))
    if not 1 <= len(ids) <= MOST_OBJECTS or not all(type(i) is int and 0 < i < 2**63 for i in ids):
        checks.add("object_ids", f"Name 1 to {MOST_OBJECTS} objects by their numbers.")
    checks.raise_if_any()
    act = BulkAct.objects.create(name=name, actor_id=actor.pk, object_ids=ids, reason=reason, created_at=clock.now())
    transaction.on_commit(wake)
    return act


def wake() -> None:
    """Ask a worker to look now; when the broker is away, beat's next sweep finds the row."""
    from .tasks import work_bulk_acts

    try:
        work_bulk_acts.delay()
    except (OSError, OperationalError) as e:
        log.warning("bulk_wake_failed", error=type(e).__name__)


def acts_for(actor: Actor) -> QuerySet[BulkAct]:
    """The acts that the actor may see: those whose action they may do themselves."""
    return BulkAct.objects.filter(name__in=[name for name, act in ACTS.items() if staff_may(actor, act.action)])


def act_for(actor: Actor, pk: int) -> BulkAct:
    """Raises NotFound for an absent act and for one that the actor may not see alike."""
    return one_of(acts_for(actor), pk, "act")


def work_off(act_id: int, *, budget: int | None = None) -> int:
    """Do what is left of an act, at most `budget` objects; returns how many were done, refused or given up here.

    One worker at a time: the claim is taken by compare-and-set and renewed with each object. An object's effect and its place in the list commit
    together, so that a worker that dies leaves neither half. After a fault the claim stays, so that the next try comes when it has run out.
    """
    now = clock.now()
    open_ = BulkAct.objects.filter(pk=act_id, finished_at__isnull=True)
    if not open_.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)).update(claimed_until=now + LEASE):
        return 0
    here = 0
    while budget is None or here < budget:
        try:
            if not run_in_transaction(lambda: _do_next(act_id)):
                break
        except Exception as e:
            fault = type(e).__name__
            log.exception("bulk_act_failed", act=act_id, error=fault)
            if not run_in_transaction(lambda: _count_fault(act_id, fault)):  # noqa: B023
                return here
        here += 1
    BulkAct.objects.filter(pk=act_id).update(claimed_until=None)
    return here


def _do_next(act_id: int) -> bool:
    row = BulkAct.objects.select_for_update().get(pk=act_id)
    if row.place >= len(row.object_ids):
        BulkAct.objects.filter(pk=act_id, finished_at__isnull=True).update(finished_at=clock.now())
        return False
    pk = row.object_ids[row.place]
    try:
        with transaction.atomic():
            ACTS[row.name].work(actor=get_user_model().objects.get(pk=row.actor_id), pk=pk, reason=row.reason)
        row.done += 1
    except DomainError as e:
        row.refused += 1
        row.refusals = [*row.refusals, {"object_id": pk, "code": e.code, "message": e.message}][:KEPT_REFUSALS]
    _go_on(row)
    return True


def _count_fault(act_id: int, fault: str) -> bool:
    """Note one more try that ended by a fault of ours; says whether the object was given up with it."""
    row = BulkAct.objects.select_for_update().get(pk=act_id)
    row.tries += 1
    if row.tries < MOST_TRIES:
        row.claimed_until = clock.now() + LEASE
        row.save(update_fields=["tries", "claimed_until"])
        return False
    row.failed += 1
    message = f"Something on our side broke ({fault}). It was tried {MOST_TRIES} times; nothing was changed."
    row.refusals = [*row.refusals, {"object_id": row.object_ids[row.place], "code": FAULT, "message": message}][:KEPT_REFUSALS]
    _go_on(row)
    return True


def _go_on(row: BulkAct) -> None:
    """To the next object of the locked row, or to its end."""
    row.place += 1
    row.tries = 0
    row.claimed_until = clock.now() + LEASE
    if row.place == len(row.object_ids):
        row.finished_at = clock.now()
    row.save(update_fields=["done", "refused", "failed", "refusals", "place", "tries", "claimed_until", "finished_at"])


def open_ids() -> list[int]:
    """Acts with something left to do, oldest first."""
    return list(BulkAct.objects.filter(finished_at__isnull=True).order_by("id").values_list("pk", flat=True))
