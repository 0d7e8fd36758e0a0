"""Means of payment that payers save at a gateway. The gateway keeps the card; we keep its token and what is printed on receipts.

Saving has two halves: we begin it, the payer proves the card in the browser (or on the bank's page), and then the gateway says what came of it,
to whoever asks first: the browser's return, a notification, or the poller. What is removed here is forgotten at the gateway too, now or by the
next round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from marketplace.accounts.services import user_locked
from marketplace.core import clock
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput
from marketplace.core.policies import Actor
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction, unit_of_work

from . import selectors
from .gateways import require_no_transaction
from .models import GatewayCustomer, SavedMethod
from .providers import gateway
from .providers.base import Card, Setup
from .states import SAVED_METHOD


def method_save(*, actor: Any, provider: str, details: Mapping[str, Any], idempotency_key: str) -> SavedMethod:
    """Begin to save a means of payment; what its owner has to do next is in `action`. Not to be called inside a transaction.

    The same key and request continue the same act. Raises InvalidInput for a gateway that keeps none or details it refuses,
    Conflict("saved_methods_many"), IdempotencyConflict, Unavailable (ask again with the same key).
    """
    require_no_transaction()
    asked = gateway(provider)
    if not asked.capabilities().saves_methods:
        raise InvalidInput(
            "gateway_cannot", f"{provider} cannot save a means of payment. Choose another way.", {"provider": ["Saves none."]}
        )
    kept = asked.check_method(details, purpose="payment")
    row = SavedMethod(
        user_id=actor.pk,
        provider=provider,
        details=kept,
        idempotency_key=f"{actor.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}",
        created_at=clock.now(),
    )
    return method_refresh(method_id=run_in_transaction(lambda: _intent(row)).pk)


def _intent(row: SavedMethod) -> SavedMethod:
    user_locked(row.user_id)
    seen = SavedMethod.objects.filter(idempotency_key=row.idempotency_key).first()
    if seen is not None:
        if (seen.provider, seen.details) != (row.provider, row.details):
            raise IdempotencyConflict
        return seen
    if SavedMethod.objects.filter(user=row.user_id, state__in=("pending", "ready")).count() >= settings.SAVED_METHODS_MOST:
        raise Conflict("saved_methods_many", f"You have {settings.SAVED_METHODS_MOST} saved means of payment. Remove one first.")
    row.save(force_insert=True)
    return row


def _customer(user: Any, provider: str) -> str:
    """The gateway's name of the user, asked for when there is none yet."""
    found = GatewayCustomer.objects.filter(user=user, provider=provider).values_list("ref", flat=True).first()
    if found is not None:
        return found
    # the public id tells apart the people of installations that share a gateway's account
    ref = gateway(provider).create_customer(key=f"customer:{user.pk}:{user.public_id}")
    try:
        with transaction.atomic():
            return GatewayCustomer.objects.create(user=user, provider=provider, ref=ref).ref
    except IntegrityError:
        return GatewayCustomer.objects.get(user=user, provider=provider).ref


def method_refresh(*, method_id: int) -> SavedMethod:
    """Ask the gateway how the saving stands and apply it; returns the re-read row. Not to be called inside a transaction. Raises Unavailable."""
    row = SavedMethod.objects.select_related("user").get(pk=method_id)
    if row.state not in ("pending", "removed") or (row.state == "removed" and row.token):
        return row
    require_no_transaction()
    asked = gateway(row.provider)
    if row.setup_ref is not None:
        setup = asked.fetch_setup(ref=row.setup_ref)
    elif row.state == "pending":
        key = f"setup:{row.pk}:{row.idempotency_key}"
        setup = asked.save_method(key=key, customer=_customer(row.user, row.provider), details=row.details)
    else:
        return row
    return row if setup is None else run_in_transaction(lambda: _apply(method_id, setup))


def _apply(method_id: int, setup: Setup) -> SavedMethod:
    """Forward only; runs in a transaction."""
    user_locked(SavedMethod.objects.values_list("user_id", flat=True).get(pk=method_id))
    row = _locked(method_id)
    row.setup_ref = row.setup_ref or setup.ref
    if setup.status == "succeeded" and setup.card is not None and row.state in ("pending", "removed"):
        _print(row, setup.card)
        row.action = {}
        if row.state == "removed":
            row.save()  # removed while it was being saved: the next round lets the gateway forget it
            return row
        row.is_default = not SavedMethod.objects.filter(user=row.user_id, state="ready", is_default=True).exists()
        also = ["setup_ref", "token", "brand", "last4", "exp_month", "exp_year", "action", "is_default"]
        move(row, SAVED_METHOD, "complete", role="system", actor_id=row.user_id, also=also, extra=_about(row))
    elif row.state == "pending" and setup.status == "failed":
        row.action, row.failure_code = {}, setup.failure_code or "declined"
        also = ["setup_ref", "action", "failure_code"]
        move(row, SAVED_METHOD, "fail", role="system", actor_id=row.user_id, also=also, extra={"failure_code": row.failure_code})
    elif row.state == "pending":
        row.action, row.failure_code = dict(setup.action), setup.failure_code
        row.save(update_fields=["setup_ref", "action", "failure_code"])
    return row


def _print(row: SavedMethod, card: Card) -> None:
    row.token, row.brand, row.last4 = card.token, card.brand, card.last4
    row.exp_month, row.exp_year = card.exp_month, card.exp_year


def _about(row: SavedMethod) -> dict[str, Any]:
    return {"provider": row.provider, "brand": row.brand, "last4": row.last4}


def _locked(method_id: int) -> SavedMethod:
    return SavedMethod.objects.select_for_update().get(pk=method_id)


@unit_of_work
def method_default(*, actor: Actor, method_id: int) -> SavedMethod:
    """Make it the one that is offered first. Raises NotFound, Conflict for one that cannot be used."""
    user_locked(actor.pk)
    selectors.saved_method_for(actor, method_id)
    row = _locked(method_id)
    if row.state != "ready":
        raise Conflict("saved_method_not_ready", f"This means of payment is {row.state}: it cannot be used.")
    SavedMethod.objects.filter(user=actor.pk, is_default=True).exclude(pk=row.pk).update(is_default=False)
    row.is_default = True
    row.save(update_fields=["is_default"])
    return row


@unit_of_work
def method_remove(*, actor: Actor, method_id: int) -> None:
    """Forget it: here at once, at the gateway after the commit or by the next round. Raises NotFound."""
    user_locked(actor.pk)
    selectors.saved_method_for(actor, method_id)
    row = _locked(method_id)
    if row.state == "failed":
        SavedMethod.objects.filter(pk=row.pk).update(removed_at=clock.now())
    else:
        _end(row, "remove", role="owner", actor_id=actor.pk)
        transaction.on_commit(lambda: method_forget(method_id=method_id), robust=True)


def _end(row: SavedMethod, action: str, *, role: str, actor_id: int | None) -> None:
    was_default, row.is_default, row.action, row.removed_at = row.is_default, False, {}, clock.now()
    move(row, SAVED_METHOD, action, role=role, actor_id=actor_id, also=["is_default", "action", "removed_at"], extra=_about(row))
    if was_default:
        newest = SavedMethod.objects.filter(user=row.user_id, state="ready").order_by("-id").first()
        if newest is not None:
            SavedMethod.objects.filter(pk=newest.pk).update(is_default=True)


def method_forget(*, method_id: int) -> bool:
    """Let the gateway forget what is removed here; whether there was anything. Not to be called inside a transaction. Raises Unavailable."""
    require_no_transaction()
    row = SavedMethod.objects.get(pk=method_id)
    if row.state != "removed" or not row.token:
        return False
    gateway(row.provider).forget_method(token=row.token)
    return SavedMethod.objects.filter(pk=method_id, state="removed").update(token="") == 1


def card_heard(*, provider: str, token: str) -> bool:
    """A bank renewed a saved card, or it is gone: ask and apply it; whether it is one of ours. Not to be called inside a transaction."""
    require_no_transaction()
    found = SavedMethod.objects.filter(provider=provider, token=token, state="ready").values_list("pk", "user_id").first()
    if found is None:
        return False
    card = gateway(provider).fetch_card(token=token)

    def apply() -> None:
        user_locked(found[1])
        row = _locked(found[0])
        if row.state != "ready":
            return
        if card is None:
            row.token = ""
            row.save(update_fields=["token"])
            _end(row, "lapse", role="system", actor_id=None)
        else:
            _print(row, card)
            row.save(update_fields=["token", "brand", "last4", "exp_month", "exp_year"])

    run_in_transaction(apply)
    return True


def setup_heard(*, provider: str, ref: str) -> bool:
    """A gateway has news of the saving of a means of payment; whether it is one of ours."""
    found = SavedMethod.objects.filter(provider=provider, setup_ref=ref).values_list("pk", flat=True).first()
    if found is None:
        return False
    method_refresh(method_id=found)
    return True


@unit_of_work
def method_give_up(*, method_id: int) -> bool:
    """Nobody finished the saving for days: it ends. Whether it ended here; safe to repeat."""
    row = SavedMethod.objects.select_for_update().get(pk=method_id)
    if row.state != "pending" or row.created_at > clock.now() - timedelta(hours=settings.PAYMENT_WAITS_HOURS):
        return False
    row.action, row.failure_code = {}, "given_up"
    move(row, SAVED_METHOD, "fail", role="system", actor_id=None, also=["action", "failure_code"], extra={"failure_code": "given_up"})
    return True


@unit_of_work
def methods_erase(*, user_id: int) -> None:
    """Remove all that somebody saved; the next round lets the gateways forget it. Safe to repeat."""
    user_locked(user_id)
    for row in SavedMethod.objects.select_for_update().filter(user=user_id, state__in=("pending", "ready")).order_by("pk"):
        _end(row, "remove", role="owner", actor_id=user_id)
