"""Other terms for an offer: the freelancer proposes them, the client takes them or not. The offer stands meanwhile, and its clock runs on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.accounts.selectors import is_suspended
from marketplace.core import clock, events, features
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work
from marketplace.payments.services import Quote, quote_make

from .. import policies, terms
from ..models import Contract, CounterOffer, HourlyTerms, Offer
from ..selectors import contract_for, contract_locked, counter_offer_for
from ..states import COUNTER_OFFER
from .offers import lay_terms, quote_of

_MESSAGE = 5000


@unit_of_work
def counter_offer_make(*, actor: User, contract_id: int, milestones: Sequence[object], message: str = "") -> CounterOffer:
    """The freelancer names the milestones, amounts and due days that they would accept; their sum is the new price, quoted as of today.

    Raises NotFound, NotAllowed for the client, Conflict("offer_not_open"), Conflict("counter_offer_exists") while another one waits,
    Conflict("counter_offer_by_the_week") for an offer with a weekly cap, Conflict("counter_offers_many") after COUNTER_OFFERS_MOST of them, InvalidInput naming each field at fault.
    """
    policies.require_role(contract_for(actor, contract_id), actor, "freelancer", "counter_offer")
    contract = contract_locked(contract_id)
    _open_offer(contract)
    if HourlyTerms.objects.filter(contract=contract).exists():
        raise Conflict("counter_offer_by_the_week", "An offer by the week is accepted or declined; its cap can be changed afterwards.")
    if CounterOffer.objects.filter(live_key=contract.pk).exists():
        raise Conflict("counter_offer_exists", "Your last counter-offer waits for its answer: withdraw it first.")
    if contract.counter_offers.count() >= settings.COUNTER_OFFERS_MOST:
        raise Conflict("counter_offers_many", f"After {settings.COUNTER_OFFERS_MOST} counter-offers only accepting or declining is left.")
    checks = Checks()
    message = checks.text("message", message, longest=_MESSAGE)
    checks.raise_if_any()
    agreed = terms.read(milestones, currency=contract.currency, total_minor=None)
    total = sum(t.amount_minor for t in agreed)
    counter = CounterOffer.objects.create(
        contract=contract,
        live_key=contract.pk,
        milestones=[t.stored() for t in agreed],
        total_minor=total,
        message=message,
        quote=quote_of(_quote(contract, total), agreed),
        made_at=clock.now(),
    )
    after = {"state": counter.state, "contract_id": contract.pk, "total_minor": total, "currency": contract.currency}
    events.record(aggregate=counter, kind="counter_offer.make", actor_id=actor.pk, after=after)
    return counter


@unit_of_work
def counter_offer_accept(*, actor: User, counter_offer_id: int) -> CounterOffer:
    """The client takes the terms: the offer now says them, under a fresh quote and the fee schedule of today, and its days begin anew.
    The freelancer still accepts the offer.

    Raises NotFound, NotAllowed for anybody but the client, Conflict when the counter-offer or the offer is no longer open.
    """
    contract, counter = _locked(actor, counter_offer_id)
    policies.require_role(contract, actor, "client", "counter_offer_accept")
    now = clock.now()
    offer = _open_offer(contract)
    if is_suspended(contract.freelancer_id):
        raise Conflict("freelancer_away", "This freelancer takes no new work at the moment. The offer stands as it was until its day.")
    counter.live_key, counter.decided_at = None, now
    _move(counter, "accept", contract, actor)
    agreed = terms.read(counter.milestones, currency=contract.currency, total_minor=counter.total_minor)
    quote = _quote(contract, counter.total_minor)
    before = {"total_minor": contract.total_minor, "revision": offer.revision}
    contract.total_minor, contract.fee_schedule = counter.total_minor, quote.fee_schedule
    contract.save(update_fields=["total_minor", "fee_schedule"])
    lay_terms(contract, agreed, now)
    offer.revision += 1
    offer.quote, offer.made_at = quote_of(quote, agreed), now
    offer.expires_at = offer.open_until = now + timedelta(days=features.number("OFFER_EXPIRES_DAYS"))
    offer.save()
    after = {"total_minor": contract.total_minor, "revision": offer.revision, "counter_offer_id": counter.pk}
    events.record(aggregate=contract, kind="contract.change_offer", actor_id=actor.pk, before=before, after=after)
    return counter


@unit_of_work
def counter_offer_decline(*, actor: User, counter_offer_id: int, reason: str = "") -> CounterOffer:
    """The client says no to these terms, with a reason; the offer stands as it was."""
    return _end(actor, counter_offer_id, "decline", reason)


@unit_of_work
def counter_offer_withdraw(*, actor: User, counter_offer_id: int, reason: str = "") -> CounterOffer:
    """The freelancer takes the terms back; the offer stands as it was."""
    return _end(actor, counter_offer_id, "withdraw", reason)


def _end(actor: User, counter_offer_id: int, action: str, reason: str) -> CounterOffer:
    contract, counter = _locked(actor, counter_offer_id)
    counter.live_key, counter.decided_at, counter.reason = None, clock.now(), reason.strip()[:500]
    _move(counter, action, contract, actor)
    return counter


def _move(counter: CounterOffer, action: str, contract: Contract, actor: User) -> None:
    role, also = policies.role_in(contract, actor), ["live_key", "decided_at", "reason"]
    extra = {"contract_id": contract.pk}
    move(counter, COUNTER_OFFER, action, role=role, actor_id=actor.pk, reason=counter.reason, also=also, extra=extra)


def _locked(actor: User, counter_offer_id: int) -> tuple[Contract, CounterOffer]:
    """The counter-offer, re-read after its contract was locked. Raises NotFound."""
    contract = contract_locked(counter_offer_for(actor, counter_offer_id).contract_id)
    return contract, CounterOffer.objects.get(pk=counter_offer_id)


def _open_offer(contract: Contract) -> Offer:
    """The offer of a locked contract. Raises Conflict once it was answered or has run out."""
    offer = Offer.objects.filter(contract=contract).first()
    if contract.state != "offered" or offer is None or offer.expires_at <= clock.now():
        raise Conflict("offer_not_open", "This offer is not open any more. Reload to see what became of it.")
    return offer


def _quote(contract: Contract, total_minor: int) -> Quote:
    gross = Money(total_minor, contract.currency)
    return quote_make(gross=gross, payee_currency=contract.payee_currency, payee_id=contract.freelancer_id)
