"""Payouts whose end two people read at the gateway, because it does not tell it, or tells it too late.

One that is sent is resolved as failed, and the money is on the balance again. Should the gateway say later that it was paid, the payout is marked
payouts.PAID_AFTER_ALL, and two people settle it late: the money leaves the balance again, and what was spent of it meanwhile is owed.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.transactions import unit_of_work

from .models import Payout, PayoutResolution
from .payouts import payout_locked, resolved_as_failed, settled_late

ACTION = "payout_decide"


@unit_of_work
def payout_resolve(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """Ask that a sent payout fails here, because the actor read at the gateway that it was not paid; it waits for a second person.

    Raises NotAllowed for anybody else and for the own payout, NotFound, InvalidInput without a reason, Conflict unless it was sent
    PAYOUT_RESOLVE_HOURS ago and nobody has asked yet.
    """
    payout, reason = _locked(actor, payout_id, reason, "sent")
    sent_at = payout.sent_at or payout.created_at
    if clock.now() < sent_at + timedelta(hours=settings.PAYOUT_RESOLVE_HOURS):
        raise Conflict(
            "payout_resolve_early", f"Its gateway may still answer: wait until it was sent {settings.PAYOUT_RESOLVE_HOURS} hours ago."
        )
    _ask(actor, payout, reason)
    return _said(actor, payout, "payout.resolve_ask", reason, None, "failed")


@unit_of_work
def payout_resolve_approve(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """The second person, who read the same: the payout fails, and the money is on the balance again. Raises as payout_resolve,
    NotAllowed("payout_second") for the person who asked, Conflict unless somebody did."""
    payout, reason = _locked(actor, payout_id, reason, "sent")
    _approve(actor, payout)
    resolved_as_failed(payout, actor_id=actor.pk, reason=reason)
    return _decided(actor, payout, reason, "sent", "failed")


@unit_of_work
def payout_resolve_refuse(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """It stays sent. Also whoever asked may take it back so. Raises as payout_resolve_approve."""
    payout, reason = _locked(actor, payout_id, reason, "sent")
    _asked(payout).delete()
    return _said(actor, payout, "payout.resolve_refuse", reason, "failed", None)


@unit_of_work
def payout_settle_late(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """Ask that a payout which failed here after it was sent counts as paid, because the actor read at the gateway that it was; it waits for a
    second person.

    Raises NotAllowed for anybody else and for the own payout, NotFound, InvalidInput without a reason, Conflict unless it failed after it was
    sent and nobody has asked yet.
    """
    payout, reason = _locked(actor, payout_id, reason, "failed")
    _ask(actor, payout, reason)
    return _said(actor, payout, "payout.late_ask", reason, None, "paid")


@unit_of_work
def payout_settle_late_approve(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """The second person, who read the same: the payout is paid, out of what its payee has available; what is not there they owe, and what comes
    pays it first. Raises as payout_settle_late, NotAllowed("payout_second") for the person who asked, Conflict unless somebody did."""
    payout, reason = _locked(actor, payout_id, reason, "failed")
    _approve(actor, payout)
    settled_late(payout, actor_id=actor.pk, reason=reason)
    return _decided(actor, payout, reason, "failed", "paid")


@unit_of_work
def payout_settle_late_refuse(*, actor: Actor, payout_id: int, reason: str) -> Payout:
    """It stays failed. Also whoever asked may take it back so. Raises as payout_settle_late_approve."""
    payout, reason = _locked(actor, payout_id, reason, "failed")
    _asked(payout).delete()
    return _said(actor, payout, "payout.late_refuse", reason, "paid", None)


def _locked(actor: Actor, payout_id: int, reason: str, state: str) -> tuple[Payout, str]:
    """The payout, locked, in the state in which this is decided of it, and the reason as it is kept."""
    require_staff(actor, ACTION)
    payout = payout_locked(payout_id)
    require(payout.payee_id != actor.pk, "payout_own", "Nobody resolves their own payout: another member of staff does.")
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    if payout.state != state:
        can = "one that is sent is resolved as failed" if state == "sent" else "one that failed is settled late"
        raise Conflict("payout_resolve_impossible", f"The payout is {payout.state}: only {can} by hand.")
    if payout.sent_at is None:
        raise Conflict("payout_never_sent", "This payout failed before it was sent: no gateway can have paid it.")
    return payout, reason


def _ask(actor: Actor, payout: Payout, reason: str) -> None:
    if PayoutResolution.objects.filter(payout=payout).exists():
        raise Conflict("payout_resolve_asked", "Somebody has asked for this already: it waits for a second person.")
    PayoutResolution.objects.create(payout=payout, asked_by_id=actor.pk, asked_at=clock.now(), reason=reason)


def _approve(actor: Actor, payout: Payout) -> None:
    """Take the request away that the actor, who is somebody else, agrees to."""
    asked = _asked(payout)
    require(asked.asked_by_id != actor.pk, "payout_second", "You asked for this: somebody else has to approve it.")
    asked.delete()


def _decided(actor: Actor, payout: Payout, reason: str, before: str, outcome: str) -> Payout:
    was, is_now = {"state": before, "resolution": outcome}, {"state": payout.state, "resolution": None}
    audit.record(actor=actor, action=ACTION, obj=payout, reason=reason, before=was, after=is_now)
    return _fresh(payout)


def _asked(payout: Payout) -> PayoutResolution:
    asked = PayoutResolution.objects.filter(payout=payout).first()
    if asked is None:
        raise Conflict("payout_resolve_unasked", "Nobody has asked to resolve this payout.")
    return asked


def _said(actor: Actor, payout: Payout, kind: str, reason: str, before: str | None, after: str | None) -> Payout:
    events.record(aggregate=payout, kind=kind, actor_id=actor.pk, before={"resolution": before}, after={"resolution": after}, reason=reason)
    audit.record(actor=actor, action=ACTION, obj=payout, reason=reason, before={"resolution": before}, after={"resolution": after})
    return _fresh(payout)


def _fresh(payout: Payout) -> Payout:
    return Payout.objects.select_related("payee", "resolution__asked_by").get(pk=payout.pk)
