"""The part of the check that proves clients' fees: each hold and bonus of a contract whose schedule has such a fee took what the schedule says, and
gave back the share of what went back, lot by lot. Read in chunks of contracts; a ledger without such schedules costs two short reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db import connection

from marketplace.core.money import Money

from .. import client_fees, levies, taxes
from ..client_fees import GIVEN_BACK, TAKEN, Filled, Hold
from ..models import Account, Entry, FeeSchedule, Posting
from .accounts import Kind

CHUNK = 500

#: (invariant, rule, entry id, detail)
Found = tuple[int, str, int, str]


def violations() -> Iterator[Found]:
    """Clients' fees that are not what their schedule and their money say."""
    schedules = {s.version: s for s in FeeSchedule.objects.all() if client_fees.charges(s)}
    charging = _contracts(list(schedules))
    for pk, contract_id in Entry.objects.filter(kind__in=(TAKEN, GIVEN_BACK)).values_list("pk", "contract_id").iterator():
        if contract_id not in charging:
            yield 8, "client_fee_by_schedule", pk, f"contract {contract_id} has no client's fee"
    ids = sorted(charging)
    for start in range(0, len(ids), CHUNK):
        yield from _chunk({i: schedules[charging[i]] for i in ids[start : start + CHUNK]})


def _contracts(versions: list[str]) -> dict[int, str]:
    if not versions:
        return {}
    marks = ", ".join(["%s"] * len(versions))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, fee_schedule FROM contracts_contract WHERE fee_schedule IN ({marks})", versions)
        return dict(cursor.fetchall())


def _chunk(schedules: dict[int, FeeSchedule]) -> Iterator[Found]:
    entries = list(Entry.objects.filter(contract_id__in=schedules, kind__in=("hold", "roll", "bonus", TAKEN, GIVEN_BACK)))
    by_id = {e.pk: e for e in entries}
    moved: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for e in entries:
        if e.kind == GIVEN_BACK:
            for n, name in enumerate(("fee", "tax")):
                moved[int(e.quote["cause"])][n] += int(e.quote[name])
    fills = Posting.objects.filter(entry__in=[e.pk for e in entries if e.kind in ("hold", "roll")], credit_account__kind=Kind.HOLD)
    holds = client_fees.holds(Account.objects.filter(pk__in=fills.values("credit_account_id")))
    known = {(h.milestone_id, f.taken.pk) for h in holds for f in h.filled if f.taken is not None}
    taken = {e.idempotency_key: e for e in entries if e.kind == TAKEN}
    paid = {f"{TAKEN}:{e.pk}": e for e in entries if e.kind == "bonus"}
    for hold in holds:
        schedule = schedules.get(hold.contract_id or 0)
        if schedule is not None:
            yield from _hold(hold, schedule, by_id, moved)
    for key, bonus in paid.items():
        yield from _bonus(bonus, taken.get(key), schedules[bonus.contract_id or 0])
    for e in entries:
        if e.kind == TAKEN and (e.subject_id, e.pk) not in known and e.idempotency_key not in paid:
            yield 8, "client_fee_has_its_cause", e.pk, e.idempotency_key
        if e.kind == GIVEN_BACK and (e.subject_id, e.quote["of"]) not in known:
            yield 8, "client_fee_has_its_cause", e.pk, e.idempotency_key


def _hold(hold: Hold, schedule: FeeSchedule, entries: dict[int, Entry], moved: dict[int, list[int]]) -> Iterator[Found]:
    """What each lot took, and what went back of all of them."""
    for filled, due in zip(hold.filled, client_fees.due_back(hold.lots, hold.returned), strict=True):
        cause = entries[filled.cause_id]
        where = filled.cause_id if filled.taken is None else filled.taken.pk
        took = (filled.lot.fee, filled.lot.tax)
        if cause.kind == "roll" or "fee_from" in cause.quote:
            came = tuple(moved.get(cause.pk, (0, 0)))
            if took != came:
                yield 8, "client_fee_moved_whole", where, f"took {took}, {came} came along"
        else:
            yield from _taken(where, filled.taken, took, Money(filled.lot.base, _currency(filled, cause)), schedule)
        if filled.given != due:
            yield 8, "client_fee_goes_back_with_its_money", where, f"gave {filled.given} back, {due} is the share of what went back"


def _currency(filled: Filled, cause: Entry) -> str:
    if filled.taken is not None:
        return str(filled.taken.quote["currency"])
    return str(Posting.objects.filter(entry=cause).values_list("currency", flat=True)[:1].get())


def _bonus(bonus: Entry, taken: Entry | None, schedule: FeeSchedule) -> Iterator[Found]:
    legs = {p.leg: p.amount for p in Posting.objects.filter(entry=taken)} if taken is not None else {}
    took = (legs.get("fee", 0), legs.get("tax", 0))
    where = bonus.pk if taken is None else taken.pk
    yield from _taken(where, taken, took, Money(bonus.gross_minor or 0, str(bonus.quote["currency"])), schedule)


def _taken(where: int, taken: Entry | None, took: tuple[int, int], amount: Money, schedule: FeeSchedule) -> Iterator[Found]:
    levy = None
    if taken is not None and "levy" in taken.quote:
        wrong = levies.wrong_in(taken.quote["levy"], taken.occurred_at)
        if wrong:
            yield 8, "levy_by_table", where, wrong
            return
        levy = taxes.levy_stored(taken.quote["levy"])
    charge = client_fees.of(amount, schedule, levy)
    expected = (charge.fee.minor, charge.tax.minor if charge.fee else 0)
    if took != expected or (taken is not None and taken.quote["fee_schedule"] != schedule.version):
        yield 8, "client_fee_by_schedule", where, f"fee and tax are {took}, the schedule gives {expected} of {amount}"
