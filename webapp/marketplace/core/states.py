"""State machines. `move` is the only code in the house that assigns a state.

An app declares its machine in its own `states.py`; services lock and re-read the object, then call `move`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from . import events
from .errors import Conflict, NotAllowed
from .models import Event


@dataclass(frozen=True, slots=True)
class Transition:
    """What `action` leads to, and which roles may take it (roles are the service's words: client, freelancer, staff, system)."""

    to: str
    roles: frozenset[str]


class Machine:
    """A named table of transitions `{(state, action): Transition}`; anything not in it is refused."""

    def __init__(self, name: str, initial: str, transitions: Mapping[tuple[str, str], tuple[str, Iterable[str]]]) -> None:
        self.name = name
        self.initial = initial
        self.transitions = {k: Transition(to, frozenset(roles)) for k, (to, roles) in transitions.items()}
        found = {initial} | {s for s, _ in self.transitions} | {t.to for t in self.transitions.values()}
        self.states = tuple(sorted(found))

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(s, s.replace("_", " ")) for s in self.states]

    def actions_from(self, state: str, role: str) -> list[str]:
        """What `role` may do in `state`, sorted."""
        return sorted(a for (s, a), t in self.transitions.items() if s == state and role in t.roles)


def move(
    obj: models.Model,
    machine: Machine,
    action: str,
    *,
    role: str,
    actor_id: int | None,
    reason: str = "",
    field: str = "state",
    also: Iterable[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Event:
    """Take `action` on a row that the caller has locked and re-read; saves the state and the fields named in `also`,
    and records the event `<machine>.<action>`.

    Raises Conflict when the state does not know the action, NotAllowed when the role may not take it; nothing is changed then.
    """
    before = getattr(obj, field)
    transition = machine.transitions.get((before, action))
    if transition is None:
        raise Conflict(
            f"{machine.name}_{action}_impossible",
            f"This {machine.name} is {before.replace('_', ' ')}: “{action.replace('_', ' ')}” is not possible now. Reload to see what is.",
        )
    if role not in transition.roles:
        raise NotAllowed(f"{machine.name}_{action}_not_yours", f"Only {' or '.join(sorted(transition.roles))} can do that.")
    setattr(obj, field, transition.to)
    obj.save(update_fields=[field, *also])
    return events.record(
        aggregate=obj,
        kind=f"{machine.name}.{action}",
        actor_id=actor_id,
        before={field: before},
        after={field: transition.to, **(extra or {})},
        reason=reason,
    )
