"""What gateways tell of their balance, stored line by line, and which object of ours each line is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from marketplace.core import clock, events
from marketplace.core.errors import Conflict
from marketplace.core.money import Money

from ..gateways import payment_key, require_no_transaction
from ..models import Chargeback, Payment, PaymentRefund, Payout, ProcessorFile, ProviderLine, WebhookEvent
from ..payouts import payout_key
from ..providers import gateways
from ..providers.base import Movement, own_ref, row_of
from ..refunds import refund_key

#: lines that are written with one statement
CHUNK = 500
_TRIES = 3
_ACCOUNT_NUMBER = re.compile(r"OL(\d{1,10})")


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway told just now: its balances (None: they did not stand still while it told them) and every movement since an instant."""

    balances: dict[str, Money] | None
    movements: list[Movement]


def tells(provider: str) -> bool:
    """Whether the gateway is set up here and lists its movements itself."""
    there = gateways().get(provider)
    return there is not None and there.capabilities().lists_movements


def ask(provider: str, *, since: datetime) -> Told:
    """Ask the gateway. The balance is read before and after the list, so that both speak of the same moment. Raises Unavailable.

    Not to be called inside a transaction.
    """
    require_no_transaction()
    asked = gateways()[provider]
    for _ in range(_TRIES):
        before = asked.balances()
        movements = list(asked.movements(since=since))
        if asked.balances() == before:
            return Told(before, movements)
    return Told(None, movements)


class Contradicted(Conflict):
    """A gateway's list takes back what that list told before: nobody can say which is right but the gateway."""

    def __init__(self, refs: Iterable[str]) -> None:
        super().__init__("movement_changed", f"The gateway told these movements with other amounts before: {_names(refs)}.")


def _names(refs: Iterable[str]) -> str:
    return ", ".join(sorted(set(refs))[:5])


def store(provider: str, movements: Iterable[Movement], *, file: ProcessorFile | None = None) -> tuple[int, list[Movement]]:
    """Write lines that nobody told before; returns how many, and those that were told before with other amounts. Runs in a transaction.

    Where no `file` tells them but the gateway's own list, the list takes the place of what a file told; the event `processor_file.overrule` keeps
    what that was, and what it makes of our books is for the comparison to find.
    """
    stored = 0
    contradicting: list[Movement] = []
    batch: list[Movement] = []
    for movement in movements:
        batch.append(movement)
        if len(batch) == CHUNK:
            new, other = _write(provider, batch, file)
            stored, contradicting, batch = stored + new, contradicting + other, []
    new, other = _write(provider, batch, file)
    return stored + new, contradicting + other


def _write(provider: str, movements: list[Movement], file: ProcessorFile | None) -> tuple[int, list[Movement]]:
    if not movements:
        return 0, []
    now, new = clock.now(), 0
    known = {(line.line_ref, line.currency): line for line in _lines(provider, [m.ref for m in movements])}
    contradicting, rows, overruled = [], [], []
    for movement in movements:
        line = known.get((movement.ref, movement.amount.currency))
        if line is not None:
            if (line.amount_minor, line.fee_minor) == (movement.amount.minor, movement.fee.minor):
                continue
            if file is None and line.file_id is not None:
                overruled.append((line, movement))
                # of two words of one list, the second is measured by the first
                known[line.line_ref, line.currency] = ProviderLine(provider=provider, line_ref=line.line_ref, **_words(movement))
            else:
                contradicting.append(movement)
            continue
        line = ProviderLine(provider=provider, line_ref=movement.ref, file=file, stored_at=now, **_words(movement))
        known[line.line_ref, line.currency] = line
        rows.append(line)
        new += 1
    _resolve(provider, rows)
    # a rival that stores the same list at the same time wins or loses line by line
    ProviderLine.objects.bulk_create(rows, ignore_conflicts=True)
    _overrule(provider, overruled)
    return new, contradicting


def _words(movement: Movement) -> dict[str, Any]:
    return {
        "kind": movement.kind,
        "currency": movement.amount.currency,
        "amount_minor": movement.amount.minor,
        "fee_minor": movement.fee.minor,
        "occurred_at": movement.at,
        "object_ref": movement.object_ref,
        "own_ref": movement.own_ref,
    }


def _overrule(provider: str, pairs: list[tuple[ProviderLine, Movement]]) -> None:
    """Let the gateway's own words take the place of a file's, whatever object of ours the file's were about, and tell of it once a file."""
    changes: dict[int | None, list[dict[str, Any]]] = {}
    for line, movement in pairs:
        change = {"line_ref": line.line_ref, "currency": line.currency, "file": [line.amount_minor, line.fee_minor]}
        changes.setdefault(line.file_id, []).append({**change, "list": [movement.amount.minor, movement.fee.minor]})
        for name, value in _words(movement).items():
            setattr(line, name, value)
        line.file, line.subject_type, line.subject_id = None, "", None
    lines = [line for line, _ in pairs]
    if not lines:
        return
    subject = ["subject_type", "subject_id"]
    ProviderLine.objects.bulk_update(lines, [*_words(pairs[0][1]), "file", *subject])
    _resolve(provider, lines)
    ProviderLine.objects.bulk_update(lines, subject)
    for file in ProcessorFile.objects.filter(pk__in=[pk for pk in changes if pk is not None]):
        told = changes[file.pk]
        after = {"provider": provider, "count": len(told), "lines": told[:20]}
        reason = _names(change["line_ref"] for change in told)
        events.record(aggregate=file, kind="processor_file.overrule", actor_id=None, after=after, reason=reason)


def _lines(provider: str, refs: list[str]) -> QuerySet[ProviderLine]:
    return ProviderLine.objects.filter(provider=provider, line_ref__in=refs)


def resolve_again(provider: str) -> None:
    """Find the objects of lines that were about nothing of ours when they were stored. Runs in a transaction."""
    after = 0
    while True:
        lines = list(
            ProviderLine.objects.filter(provider=provider, subject_type="", pk__gt=after).exclude(kind="bank").order_by("pk")[:CHUNK]
        )
        if not lines:
            return
        after = lines[-1].pk
        _resolve(provider, lines)
        ProviderLine.objects.bulk_update([x for x in lines if x.subject_type], ["subject_type", "subject_id"])


#: subject of an entry → its table, the key of the row's call, our word for it in an own_ref
_TABLES: dict[str, tuple[Any, Callable[[Any], str], str]] = {
    "payment": (Payment, payment_key, "payment"),
    "payout": (Payout, payout_key, "payout"),
    "payment_refund": (PaymentRefund, refund_key, "refund"),
}


def _resolve(provider: str, lines: list[ProviderLine]) -> None:
    """Say on each line which object of ours it is about: by our own name of it, else by the gateway's reference, else as an earlier line
    about the same object. A few queries for any number of lines."""
    for subject, (table, key, word) in _TABLES.items():
        named = {line.own_ref: row[1] for line in lines if (row := row_of(line.own_ref)) is not None and row[0] == word}
        rows = table.objects.filter(provider=provider, pk__in=set(named.values())) if named else ()
        own = {own_ref(key(row)): row.pk for row in rows}
        refs = {line.object_ref for line in lines if line.object_ref}
        by_ref = dict(table.objects.filter(provider=provider, provider_ref__in=refs).values_list("provider_ref", "pk")) if refs else {}
        for line in lines:
            found = own.get(line.own_ref) or by_ref.get(line.object_ref)
            if found is not None and not line.subject_type:
                line.subject_type, line.subject_id = subject, found
    _by_account_number(provider, lines)
    left = {line.object_ref for line in lines if line.object_ref and not line.subject_type}
    if left:
        disputes = dict(Chargeback.objects.filter(provider=provider, provider_ref__in=left).values_list("provider_ref", "pk"))
        earlier = ProviderLine.objects.filter(provider=provider, object_ref__in=left).exclude(subject_type="")
        known = {ref: (kind, pk) for ref, kind, pk in earlier.values_list("object_ref", "subject_type", "subject_id")}
        # what a file says of a fee names the movement that it was taken for
        by_line = ProviderLine.objects.filter(provider=provider, line_ref__in=left).exclude(subject_type="")
        known |= {ref: (kind, pk) for ref, kind, pk in by_line.values_list("line_ref", "subject_type", "subject_id")}
        known |= {ref: ("chargeback", pk) for ref, pk in disputes.items()}
        among = {line.line_ref: (line.subject_type, line.subject_id) for line in lines if line.subject_type}
        among |= {line.object_ref: (line.subject_type, line.subject_id) for line in lines if line.subject_type and line.object_ref}
        for line in lines:
            if not line.subject_type and line.object_ref in (known | among):
                line.subject_type, line.subject_id = (known | among)[line.object_ref]
    _to_their_disputes(lines)


def _by_account_number(provider: str, lines: list[ProviderLine]) -> None:
    """M-Pesa tells the account number that we gave a payment ("OL12"). Where the callback told a receipt, it has to be that of the line:
    several installations may share one number of a business."""
    asked = [(line, int(m[1])) for line in lines if not line.subject_type and (m := _ACCOUNT_NUMBER.fullmatch(line.own_ref)) is not None]
    refs = (
        dict(Payment.objects.filter(provider=provider, pk__in={pk for _, pk in asked}).values_list("pk", "provider_ref")) if asked else {}
    )
    told = WebhookEvent.objects.filter(provider=provider, kind="stk", object_ref__in=[r for r in refs.values() if r])
    receipts = {ref: _receipt(body) for ref, body in told.values_list("object_ref", "body")} if refs else {}
    for line, pk in asked:
        if pk in refs and receipts.get(refs[pk] or "") in (None, line.line_ref):
            line.subject_type, line.subject_id = "payment", pk


def _receipt(body: Any) -> str | None:
    """The receipt's number in a stored callback of an STK push."""
    try:
        items = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
        return next((str(item["Value"]) for item in items if item["Name"] == "MpesaReceiptNumber"), None)
    except (KeyError, TypeError):
        return None


def _to_their_disputes(lines: list[ProviderLine]) -> None:
    """A dispute of which only the payment is told is that payment's, when it has one alone."""
    told = {line.subject_id for line in lines if line.kind == "dispute" and line.subject_type == "payment"}
    of: dict[int, list[int]] = {}
    for payment, pk in Chargeback.objects.filter(payment__in=told).values_list("payment_id", "pk") if told else ():
        of.setdefault(payment, []).append(pk)
    for line in lines:
        if line.kind == "dispute" and line.subject_type == "payment" and len(of.get(line.subject_id or 0, ())) == 1:
            line.subject_type, line.subject_id = "chargeback", of[line.subject_id or 0][0]


def require_agreeing(contradicting: list[Movement]) -> None:
    """Raise Contradicted for a list that takes back what it told before."""
    if contradicting:
        raise Contradicted(m.ref for m in contradicting)
