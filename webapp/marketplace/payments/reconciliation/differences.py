"""What people do with differences: claim, explain, book, write off; and what a run does to them when it looks again.

A booking moves the clearing account by what the gateway has more than we, against suspense or write-off, so that the books are again what the
gateway says. Above RECONCILE_SECOND_ABOVE_USD_MINOR it waits for a second person. Should the other side tell it after all, a new difference
shows the booking as one too many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import selectors
from ..ledger import accounts
from ..ledger.post import Line, post
from ..models import Chargeback, Difference, Payment, PaymentRefund, Payout
from ..states import DIFFERENCE
from .compare import Wanted

_KEPT = ("kind", "effect_minor", "theirs_minor", "ours_minor", "other_currency", "since")


def visible_to(actor: Actor) -> QuerySet[Difference]:
    """Every difference, for staff who see payments. Raises NotAllowed for anybody else."""
    require_staff(actor, "payments_see")
    return Difference.objects.select_related("owner", "asked_by")


def difference_for(actor: Actor, difference_id: int) -> Difference:
    """Raises NotAllowed for who is not finance staff, NotFound."""
    found = visible_to(actor).filter(pk=difference_id).first()
    if found is None:
        raise NotFound("difference")
    return found


# --- what a run does


def apply(provider: str, wanted: Iterable[Wanted], items: Collection[str]) -> None:
    """Bring the live differences of the items to what a run has just found: open, change, or close as matched. Runs in its transaction."""
    live = Difference.objects.select_for_update().filter(provider=provider).exclude(live_key=None).order_by("pk")
    there = {str(row.live_key): row for row in live}
    seen = set()
    for w in wanted:
        key = f"{provider}:{w.currency}:{w.item}:{w.aspect}"
        seen.add(key)
        values = {
            "kind": w.kind,
            "effect_minor": w.effect,
            "theirs_minor": w.theirs,
            "ours_minor": w.ours,
            "other_currency": w.other_currency,
            "since": w.since,
        }
        row = there.get(key)
        if row is None:
            _open(provider, w, key, values)
        elif any(getattr(row, name) != values[name] for name in _KEPT[:-1]):
            _change(row, values)
    for key, row in there.items():
        if key not in seen and row.item in items:
            _close(row)
            move(row, DIFFERENCE, "match", role="system", actor_id=None, also=["live_key", "closed_at", "alarm_at"], extra=about(row))


def _open(provider: str, w: Wanted, key: str, values: dict[str, Any]) -> None:
    told = {name: values[name] for name in ("kind", "theirs_minor", "ours_minor")}
    if w.effect == 0 and Difference.objects.filter(provider=provider, item=w.item, aspect=w.aspect, state="explained", **told).exists():
        return  # it moves no money, and somebody has said why it is so
    now = clock.now()
    row = Difference.objects.create(
        provider=provider,
        currency=w.currency,
        item=w.item,
        aspect=w.aspect,
        live_key=key,
        opened_at=now,
        alarm_at=now + timedelta(days=settings.RECONCILE_ALARM_DAYS[0]),
        **values,
    )
    events.record(aggregate=row, kind="difference.open", actor_id=None, after=about(row))


def _change(row: Difference, values: dict[str, Any]) -> None:
    """It is another amount now: what was explained or asked for was about the old one."""
    before = {name: getattr(row, name) for name in ("kind", "effect_minor")}
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    after = {name: values[name] for name in before}
    events.record(aggregate=row, kind="difference.change", actor_id=None, before=before, after=after)
    if row.state != DIFFERENCE.initial:
        row.asked_by, row.asked_as = None, ""
        row.alarm_at = clock.now() + timedelta(days=settings.RECONCILE_ALARM_DAYS[0])
        move(row, DIFFERENCE, "reopen", role="system", actor_id=None, also=["asked_by", "asked_as", "alarm_at"], reason="changed")


def _close(row: Difference) -> None:
    row.live_key, row.closed_at, row.alarm_at = None, clock.now(), None


# --- what people do


def difference_locked(actor: Actor, difference_id: int) -> Difference:
    """The difference, locked, for somebody who may act on it. Nobody decides about their own money."""
    require_staff(actor, "reconcile")
    row = Difference.objects.select_for_update().filter(pk=difference_id).first()
    if row is None:
        raise NotFound("difference")
    require(_whose(row) != actor.pk, "difference_own", "Nobody settles a difference about their own money: another member of staff does.")
    return row


def _whose(row: Difference) -> int | None:
    """Whose payment or payout it is about."""
    kind, _, pk = row.item.partition(":")
    tables: dict[str, tuple[Any, str]] = {
        "payment": (Payment, "payer_id"),
        "payout": (Payout, "payee_id"),
        "payment_refund": (PaymentRefund, "payment__payer_id"),
        "chargeback": (Chargeback, "payment__payer_id"),
    }
    if kind not in tables:
        return None
    table, column = tables[kind]
    found: int | None = table.objects.filter(pk=int(pk)).values_list(column, flat=True).first()
    return found


@unit_of_work
def difference_claim(*, actor: Actor, difference_id: int) -> Difference:
    """The actor takes care of it from now on; claiming one's own again changes nothing. Raises NotAllowed, NotFound, Conflict once closed, or
    when somebody else has it."""
    row = difference_locked(actor, difference_id)
    if row.owner_id == actor.pk:
        return row
    if row.live_key is None:
        raise Conflict("difference_closed", f"This difference is {row.state.replace('_', ' ')}: there is nothing left to do.")
    if row.owner_id is not None:
        raise Conflict("difference_claimed", "Somebody else takes care of it. Ask them to give it back first.")
    return _given_to(row, actor, actor.pk)


@unit_of_work
def difference_give_back(*, actor: Actor, difference_id: int) -> Difference:
    """Nobody takes care of it any more. Whoever may claim may also take it from somebody who is away."""
    row = difference_locked(actor, difference_id)
    return row if row.owner_id is None else _given_to(row, actor, None)


def _given_to(row: Difference, actor: Actor, owner_id: int | None) -> Difference:
    before = {"owner_id": row.owner_id}
    row.owner_id = owner_id
    row.save(update_fields=["owner"])
    events.record(aggregate=row, kind="difference.owner", actor_id=actor.pk, before=before, after={"owner_id": owner_id})
    audit.record(
        actor=actor,
        action="reconcile",
        obj=row,
        reason="claimed" if owner_id else "given back",
        before=before,
        after={"owner_id": owner_id},
    )
    return row


@unit_of_work
def difference_explain(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """Say why it is so. The money stays as it is: the difference lives on, explained, until the other side tells it or it is booked.

    Raises NotAllowed, NotFound, InvalidInput without a reason, Conflict unless it is open.
    """
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    before = row.state
    row.explanation, row.alarm_at = reason, None
    if row.effect_minor == 0:
        _close(row)
    move(
        row,
        DIFFERENCE,
        "explain",
        role="staff",
        actor_id=actor.pk,
        also=["explanation", "alarm_at", "live_key", "closed_at"],
        reason=reason,
    )
    return audited(actor, row, before, reason)


@unit_of_work
def difference_reopen(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """An explanation does not hold. Raises NotAllowed, NotFound, InvalidInput, Conflict unless it is explained and moves money."""
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    if row.state != "explained" or row.live_key is None:
        raise Conflict(
            "difference_reopen_impossible", f"This difference is {row.state.replace('_', ' ')}: only an explained one is opened again."
        )
    row.alarm_at = clock.now() + timedelta(days=settings.RECONCILE_ALARM_DAYS[0])
    move(row, DIFFERENCE, "reopen", role="staff", actor_id=actor.pk, also=["alarm_at"], reason=reason)
    return audited(actor, row, "explained", reason)


@unit_of_work
def difference_book(*, actor: Actor, difference_id: int, account: str, reason: str) -> Difference:
    """Bring our clearing account to what the gateway says, against suspense or write-off. Above the limit it waits for a second person.

    Raises NotAllowed, NotFound, InvalidInput, Conflict("difference_moves_nothing") for one that is only a matter of days, or when it is closed.
    """
    row = difference_locked(actor, difference_id)
    checks = Checks()
    account = checks.choice("account", account, Difference.Account.values)
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    if row.live_key is None or row.state == "waiting":
        raise Conflict("difference_book_impossible", f"This difference is {row.state.replace('_', ' ')}: it cannot be booked now.")
    if row.effect_minor == 0:
        raise Conflict("difference_moves_nothing", "Both sides have the same amount: explain it instead.")
    before = row.state
    row.explanation = reason
    if _needs_second(row):
        row.asked_by_id, row.asked_as = actor.pk, account
        move(row, DIFFERENCE, "ask", role="staff", actor_id=actor.pk, also=["asked_by", "asked_as", "explanation"], reason=reason)
    else:
        _book(row, actor, account, reason)
    return audited(actor, row, before, reason)


@unit_of_work
def difference_approve(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """A second person lets a booking happen. Raises NotAllowed("difference_second") for the person who asked, Conflict unless one waits."""
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    if row.state != "waiting":
        raise Conflict("difference_approve_impossible", f"This difference is {row.state.replace('_', ' ')}: no booking waits.")
    require(row.asked_by_id != actor.pk, "difference_second", "You asked for this booking: somebody else has to approve it.")
    _book(row, actor, row.asked_as, reason)
    return audited(actor, row, "waiting", reason)


@unit_of_work
def difference_refuse(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """A booking that waits does not happen; the difference is open again. Also whoever asked may take it back so. Raises as approve."""
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    row.asked_by, row.asked_as = None, ""
    move(row, DIFFERENCE, "refuse", role="staff", actor_id=actor.pk, also=["asked_by", "asked_as"], reason=reason)
    return audited(actor, row, "waiting", reason)


def _needs_second(row: Difference) -> bool:
    """Also what nobody can value does."""
    worth = selectors.worth(Money(abs(row.effect_minor), row.currency), "USD")
    return worth is None or worth.minor > settings.RECONCILE_SECOND_ABOVE_USD_MINOR


def _book(row: Difference, actor: Actor, account: str, reason: str) -> None:
    amount = Money(abs(row.effect_minor), row.currency)
    clearing = accounts.clearing(row.provider, row.currency)
    other = (accounts.suspense if account == Difference.Account.SUSPENSE else accounts.write_off)(row.provider, row.currency)
    line = Line("more", clearing, other, amount) if row.effect_minor > 0 else Line("less", other, clearing, amount)
    kind = "difference_book" if account == Difference.Account.SUSPENSE else "difference_write_off"
    subject = ("difference", row.pk)
    row.entry = post(
        kind, key=f"{kind}:{row.pk}", lines=[line], subject=subject, actor_id=actor.pk, rule="staff_reconciliation", reason=reason
    )
    _close(row)
    action = "book" if account == Difference.Account.SUSPENSE else "write_off"
    also = ["entry", "live_key", "closed_at", "alarm_at", "explanation"]
    move(row, DIFFERENCE, action, role="staff", actor_id=actor.pk, also=also, reason=reason, extra=about(row))


def reason_given(reason: str) -> str:
    checks = Checks()
    found = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return found


def audited(actor: Actor, row: Difference, before: str, reason: str) -> Difference:
    audit.record(actor=actor, action="reconcile", obj=row, reason=reason, before={"state": before}, after={"state": row.state})
    return row


def about(row: Difference) -> dict[str, Any]:
    return {"provider": row.provider, "item": row.item, "kind": row.kind, "effect_minor": row.effect_minor, "currency": row.currency}


# --- age


def alarms_due() -> list[int]:
    """Differences whose age is to be told, oldest first."""
    return list(Difference.objects.filter(alarm_at__lte=clock.now()).order_by("alarm_at", "pk").values_list("pk", flat=True)[:200])


@unit_of_work
def difference_alarm(*, difference_id: int) -> int:
    """Tell finance staff of a difference that is still open, once for each of RECONCILE_ALARM_DAYS and weekly from then on; 1 when it did."""
    row = Difference.objects.select_for_update().get(pk=difference_id)
    now = clock.now()
    if row.alarm_at is None or row.alarm_at > now:
        return 0
    row.alarms += 1
    steps = settings.RECONCILE_ALARM_DAYS
    later = steps[row.alarms] - steps[row.alarms - 1] if row.alarms < len(steps) else 7
    row.alarm_at = max(row.alarm_at + timedelta(days=later), now + timedelta(hours=1))
    row.save(update_fields=["alarms", "alarm_at"])
    days = (now - row.since).days
    events.record(aggregate=row, kind="difference.age", actor_id=None, after={**about(row), "days": days}, reason=f"{max(days, 0)} days")
    return 1
