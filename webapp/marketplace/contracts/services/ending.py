"""When a contract, or the waiting of released money, is over."""

from __future__ import annotations

from collections.abc import Callable

from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.states import move

from ..hours_selectors import weeks_go_on
from ..models import Contract, WorkRequest
from ..states import CONTRACT, MILESTONE_ENDED, WORK_REQUEST


def end_if_done(contract: Contract, *, actor_id: int | None, reason: str = "") -> bool:
    """End a locked, active contract none of whose milestones can change any more; says whether it ended here.

    Completed when any milestone was paid for (released, or settled in a dispute), cancelled when nothing was.
    """
    states = set(contract.milestones.values_list("state", flat=True))
    if contract.state != "active" or not states <= MILESTONE_ENDED or weeks_go_on(contract):
        return False
    contract.ended_at = clock.now()
    action = "complete" if states & {"released", "resolved"} else "cancel"
    move(contract, CONTRACT, action, role="system", actor_id=actor_id, reason=reason, also=["ended_at"])
    for request in WorkRequest.objects.filter(contract=contract, state="open"):
        request.live_key, request.closed_at = None, contract.ended_at
        move(request, WORK_REQUEST, "supersede", role="system", actor_id=actor_id, also=["live_key", "closed_at"])
    return True


def moves_anything(clear: Callable[[], object]) -> bool:
    """Run one of payments' clearings; False when there was nothing to clear.

    A cent can be worth less than one minor unit of the payee's currency: it waits for nothing, and must not fail in every sweep for ever.
    """
    try:
        clear()
    except Conflict as e:
        if e.code != "nothing_to_clear":
            raise
        return False
    return True
