"""What both sides may change about a weekly contract while it runs: the cap by agreement, the handling of money by the client."""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import hours_calendar as calendar
from .. import policies
from ..hours_selectors import cap_change_for, hours_of
from ..models import CapChange, Contract, HourlyTerms, Timesheet
from ..selectors import contract_for, contract_locked
from ..states import CAP_CHANGE
from .weeks import cap_checked

MAX_NOTE = 2_000


def _running(contract: Contract) -> HourlyTerms:
    terms = hours_of(contract)
    if terms is None or contract.state != "active" or terms.stopped_at is not None:
        raise Conflict("hours_not_running", "This contract has no weeks that run: there is nothing to agree on.")
    return terms


@unit_of_work
def cap_change_propose(*, actor: User, contract_id: int, weekly_cap_minutes: int, note: str = "") -> CapChange:
    """One side wishes another weekly cap for the weeks that are not funded yet. One wish at a time.

    Raises Conflict("cap_change_waits") while one is unanswered, InvalidInput for a cap that is impossible or the present one.
    """
    policies.role_in(contract_for(actor, contract_id), actor)
    contract = contract_locked(contract_id)
    if policies.role_in(contract, actor) == "staff":
        raise NotAllowed("cap_change_not_yours", "Only the client and the freelancer of this contract agree on its cap.")
    terms = _running(contract)
    cap_checked(weekly_cap_minutes, terms.rate_minor)
    if weekly_cap_minutes == terms.weekly_cap_minutes:
        message = "That is the present cap."
        raise InvalidInput("weekly_cap_invalid", message, {"weekly_cap_minutes": [message]})
    if CapChange.objects.filter(live_key=contract.pk).exists():
        raise Conflict("cap_change_waits", "A change of the cap waits for an answer: answer or withdraw it first.")
    change = CapChange.objects.create(
        contract=contract,
        proposer=actor,
        weekly_cap_minutes=weekly_cap_minutes,
        note=note.strip()[:MAX_NOTE],
        proposed_at=clock.now(),
        live_key=contract.pk,
    )
    after = {"state": change.state, "weekly_cap_minutes": weekly_cap_minutes, "now": terms.weekly_cap_minutes}
    events.record(aggregate=change, kind="cap_change.propose", actor_id=actor.pk, after=after)
    return change


@unit_of_work
def cap_change_answer(*, actor: User, cap_change_id: int, action: str) -> CapChange:
    """The other side accepts or declines, the proposer withdraws. An accepted cap holds for every week that is not funded yet.

    A funded week keeps the cap that its money was held for. Raises NotAllowed for the wrong side, Conflict when it was answered before.
    """
    known = cap_change_for(actor, cap_change_id)
    policies.role_in(known.contract, actor)
    contract = contract_locked(known.contract_id)
    change = CapChange.objects.get(pk=cap_change_id)
    role = policies.role_in(contract, actor)
    if (action == "withdraw") != (actor.pk == change.proposer_id) and role != "staff":
        whose = "who proposed it" if action == "withdraw" else "of the other side"
        raise NotAllowed(f"cap_change_{action}_not_yours", f"Only the one {whose} can do that.")
    terms = _running(contract) if action == "accept" else None
    change.answered_at, change.live_key = clock.now(), None
    move(
        change,
        CAP_CHANGE,
        action,
        role=role,
        actor_id=actor.pk,
        also=["answered_at", "live_key"],
        extra={"weekly_cap_minutes": change.weekly_cap_minutes},
    )
    if terms is not None:
        _take_effect(contract, terms, change.weekly_cap_minutes)
    return change


def _take_effect(contract: Contract, terms: HourlyTerms, weekly_cap_minutes: int) -> None:
    terms.weekly_cap_minutes = weekly_cap_minutes
    terms.save(update_fields=["weekly_cap_minutes"])
    waiting = Timesheet.objects.filter(contract=contract, closed_at__isnull=True, milestone__state="planned")
    for sheet in waiting.select_related("milestone"):
        sheet.cap_minutes = weekly_cap_minutes
        sheet.save(update_fields=["cap_minutes"])
        sheet.milestone.amount_minor = calendar.worth(weekly_cap_minutes, sheet.rate_minor)
        sheet.milestone.save(update_fields=["amount_minor"])


@unit_of_work
def hours_settings(*, actor: User, contract_id: int, unspent: str | None = None, auto_fund: bool | None = None) -> HourlyTerms:
    """The client chooses what becomes of money that a week did not need, and whether the wallet funds each week as it begins."""
    policies.require_role(contract_for(actor, contract_id), actor, "client", "hours_settings")
    contract = contract_locked(contract_id)
    terms = _running(contract)
    before = {"unspent": terms.unspent, "auto_fund": terms.auto_fund}
    terms.unspent = terms.unspent if unspent is None else unspent
    terms.auto_fund = terms.auto_fund if auto_fund is None else auto_fund
    after = {"unspent": terms.unspent, "auto_fund": terms.auto_fund}
    if after != before:
        terms.save(update_fields=["unspent", "auto_fund"])
        events.record(aggregate=contract, kind="contract.hours_settings", actor_id=actor.pk, before=before, after=after)
    return terms
