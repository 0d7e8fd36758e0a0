"""Pay beyond the price: from the client's wallet straight to the freelancer, with the contract's fee."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.accounts.selectors import accounts_that_left
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, IdempotencyConflict
from marketplace.core.money import Money
from marketplace.core.transactions import unit_of_work
from marketplace.payments import services as payments

from .. import policies
from ..models import Bonus, Contract
from ..selectors import contract_for, contract_locked
from .ending import moves_anything


@unit_of_work
def bonus_give(*, actor: User, contract_id: int, amount_minor: int, note: str = "", idempotency_key: str | None = None) -> Bonus:
    """The client pays extra in the contract's currency. It bears the fee that the contract was quoted and clears after CLEARING_DAYS.

    Possible while the contract is active and BONUS_DAYS after its end. Nothing is held: both sides have what they want at once.
    The same key and request give the same bonus: no state shows that a bonus was given, so nothing else would keep a request that is sent once
    more from giving a second one. Raises NotFound, NotAllowed, InvalidInput, Conflict("bonus_impossible"), Conflict("insufficient_funds") when
    the wallet has less, IdempotencyConflict.
    """
    contract_for(actor, contract_id)
    checks = Checks()
    checks.amount("amount_minor", amount_minor)
    note = checks.text("note", note, longest=500)
    checks.raise_if_any()
    contract = contract_locked(contract_id)
    policies.require_role(contract, actor, "client", "bonus")
    key = None if idempotency_key is None else hashlib.sha256(f"{actor.pk}:{idempotency_key}".encode()).hexdigest()
    seen = None if key is None else Bonus.objects.filter(request_key=key).first()
    if seen is not None:
        if (seen.contract_id, seen.gross_minor, seen.note) != (contract.pk, amount_minor, note):
            raise IdempotencyConflict
        return seen
    now = clock.now()
    if not _open_for_bonus(contract):
        raise Conflict("bonus_impossible", f"A bonus is paid on an active contract, or within {settings.BONUS_DAYS} days of its end.")
    if accounts_that_left([contract.freelancer_id]):
        raise Conflict("bonus_impossible", "The freelancer has closed their account: nobody could take the money out again.")
    gross = Money(amount_minor, contract.currency)
    bonus = Bonus.objects.create(
        contract=contract,
        gross_minor=gross.minor,
        currency=gross.currency,
        note=note,
        request_key=key,
        given_at=now,
        clears_at=now + timedelta(days=settings.CLEARING_DAYS),
    )
    payments.bonus(
        contract_id=contract.pk,
        bonus_id=bonus.pk,
        payer_id=contract.client_id,
        payee_id=contract.freelancer_id,
        gross=gross,
        payee_currency=contract.payee_currency,
        fee_schedule=contract.fee_schedule,
        actor_id=actor.pk,
        rule="client_bonus",
        reason=note,
    )
    told = {"contract_id": contract.pk, "amount_minor": gross.minor, "currency": gross.currency, "clears_at": bonus.clears_at.isoformat()}
    events.record(aggregate=bonus, kind="bonus.give", actor_id=actor.pk, after=told, reason=note)
    return bonus


def _open_for_bonus(contract: Contract) -> bool:
    if contract.started_at is None:
        return False
    return contract.ended_at is None or clock.now() <= contract.ended_at + timedelta(days=settings.BONUS_DAYS)


@unit_of_work
def bonus_clear(*, bonus_id: int) -> bool:
    """Make a bonus available once it has waited CLEARING_DAYS; says whether it did here. Once only."""
    contract = contract_locked(Bonus.objects.values_list("contract_id", flat=True).get(pk=bonus_id))
    bonus, now = Bonus.objects.get(pk=bonus_id), clock.now()
    if bonus.cleared_at is not None or bonus.clears_at > now:
        return False
    moved = moves_anything(lambda: payments.clear_bonus(contract_id=contract.pk, bonus_id=bonus.pk, payee_id=contract.freelancer_id))
    bonus.cleared_at = now
    bonus.save(update_fields=["cleared_at"])
    if not moved:
        return False
    events.record(aggregate=bonus, kind="bonus.clear", actor_id=None, after={"cleared_at": now.isoformat()})
    return True
