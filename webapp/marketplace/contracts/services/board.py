"""The board of a milestone: cards that both sides edit. It is a help to think, no state of the contract."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..models import Contract, Milestone, WorkTask
from ..selectors import milestone_for, milestone_locked, work_task_for
from ..states import MILESTONE_ENDED

MAX_TITLE = 200


@unit_of_work
def work_task_add(*, actor: User, milestone_id: int, title: str, column: str = "todo", assignee: str = "") -> WorkTask:
    """Put a card at the end of a column. Raises NotFound, NotAllowed, InvalidInput, Conflict when the milestone is over or the board is full."""
    milestone_for(actor, milestone_id)
    given = _checked({"title": title, "column": column, "assignee": assignee})
    contract, milestone = milestone_locked(milestone_id)
    _editable(contract, milestone, actor)
    if milestone.tasks.count() >= settings.MAX_MILESTONE_TASKS:
        raise Conflict("board_full", f"A board has at most {settings.MAX_MILESTONE_TASKS} tasks: remove some first.")
    last = milestone.tasks.filter(column=given["column"]).order_by("-position").values_list("position", flat=True).first()
    now = clock.now()
    position = 0 if last is None else last + 1
    task = WorkTask.objects.create(milestone=milestone, position=position, created_at=now, changed_at=now, **given)
    events.record(aggregate=milestone, kind="work_task.add", actor_id=actor.pk, after={"task_id": task.pk, "column": task.column})
    return task


@unit_of_work
def work_task_change(*, actor: User, task_id: int, position: int | None = None, **changes: Any) -> WorkTask:
    """Change title, column or assignee, or put the card at `position` (from 0) of its column. Without `position` a card that changes its column
    goes to the end. Raises NotFound, NotAllowed, InvalidInput, Conflict when the milestone is over or the card was taken away.
    """
    seen = work_task_for(actor, task_id)
    given = _checked(changes)
    contract, milestone = milestone_locked(seen.milestone_id)
    _editable(contract, milestone, actor)
    task = milestone.tasks.filter(pk=task_id).first()
    if task is None:
        raise Conflict("task_gone", "This task was taken away.")
    moved = given.get("column", task.column) != task.column
    for name, value in given.items():
        setattr(task, name, value)
    if moved or position is not None:
        others = [t for t in milestone.tasks.filter(column=task.column).order_by("position", "id") if t.pk != task.pk]
        others.insert(len(others) if position is None else position, task)
        for place, other in enumerate(others):
            if other.position != place and other.pk != task.pk:
                other.position = place
                other.save(update_fields=["position"])
            elif other.pk == task.pk:
                task.position = place
    task.changed_at = clock.now()
    task.save()
    told = {"task_id": task.pk, "fields": sorted(given), "column": task.column, "position": task.position}
    events.record(aggregate=milestone, kind="work_task.change", actor_id=actor.pk, after=told)
    return task


@unit_of_work
def work_task_remove(*, actor: User, task_id: int) -> None:
    """Take a card away. Raises NotFound, NotAllowed, Conflict when the milestone is over."""
    seen = work_task_for(actor, task_id)
    contract, milestone = milestone_locked(seen.milestone_id)
    _editable(contract, milestone, actor)
    if milestone.tasks.filter(pk=task_id).delete()[0]:
        events.record(aggregate=milestone, kind="work_task.remove", actor_id=actor.pk, before={"task_id": task_id})


def _editable(contract: Contract, milestone: Milestone, actor: User) -> None:
    policies.require_side(contract, actor, "work_task")
    if contract.state not in ("offered", "active") or milestone.state in MILESTONE_ENDED:
        raise Conflict("board_closed", "This milestone is over: its board stays as it is.")


def _checked(given: dict[str, Any]) -> dict[str, str]:
    checks = Checks()
    found = {}
    if "title" in given:
        found["title"] = checks.text("title", given["title"], longest=MAX_TITLE, shortest=1)
    if "column" in given:
        found["column"] = checks.choice("column", given["column"], WorkTask.Column.values)
    if "assignee" in given:
        found["assignee"] = given["assignee"] and checks.choice("assignee", given["assignee"], WorkTask.Side.values)
    checks.raise_if_any()
    return found
