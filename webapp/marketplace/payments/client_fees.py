"""The client's side of a fee schedule: a fee on what a milestone is funded with, and its tax, on top of the amount.

It is taken from the wallet in the transaction that puts the money into the hold. What goes back from the hold to the client gives the same share of
fee and tax back; what goes into another milestone's hold takes its share along. A contract whose schedule has no client's fee asks and writes
nothing here.

A hold is filled in lots (the funding, a rest of the milestone before). What went back is taken from the oldest lot first, and each lot has given back,
at any time, the share of its fee that its returned part has of it, half a unit rounded up. So parts never sum to more than was taken, and to
all of it once all is back. docs/payments.md tells it to readers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from marketplace.core import clock, events
from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money

from . import fees, levies, taxes
from .ledger import accounts
from .ledger.accounts import Kind
from .ledger.post import Line, post
from .models import Account, Entry, FeeSchedule, Posting
from .providers import gateway
from .taxes import Levy

TAKEN, GIVEN_BACK = "client_fee", "client_fee_refund"
#: an entry of either kind that only carries the fee from one hold to another
MOVED = "client_fee_move"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a client pays for `amount`: fee and tax are on top of it."""

    amount: Money
    fee: Money
    tax: Money

    @property
    def total(self) -> Money:
        return self.amount + self.fee + self.tax


@dataclass(frozen=True, slots=True)
class Lot:
    """A filling of a hold, in minor units: what it put in, and the fee and tax that were taken with it."""

    base: int
    fee: int
    tax: int


@dataclass(slots=True)
class Filled:
    """A lot in the ledger: the entry that filled the hold, the one that took its fee (none where that was nothing), what it gave back of it."""

    cause_id: int
    lot: Lot
    taken: Entry | None
    given: tuple[int, int]


@dataclass(slots=True)
class Hold:
    """A hold's lots, the oldest first, and how much of what they filled in went back to the client or on to another hold."""

    milestone_id: int
    contract_id: int | None
    filled: list[Filled]
    returned: int

    @property
    def lots(self) -> list[Lot]:
        return [f.lot for f in self.filled]


def charges(schedule: FeeSchedule) -> bool:
    """Whether clients bear a fee by this schedule at all."""
    return schedule.client_fee_bps > 0 or bool(schedule.client_minimum)


def of(amount: Money, schedule: FeeSchedule, levy: Levy | None = None) -> Charge:
    """The client's fee on the amount, half a unit rounded up and at least the schedule's minimum in its currency, and the tax on whole units of the
    fee: by the levy, without one by the schedule. Raises InvalidInput for an amount that is not positive.
    """
    if amount.minor <= 0:
        raise InvalidInput("amount_not_positive", "The amount must be greater than zero.", {"amount_minor": ["Must be greater than zero."]})
    least: Mapping[str, int] = schedule.client_minimum
    fee = max(taxes.share(amount.minor, schedule.client_fee_bps), least.get(amount.currency, 0))
    tax = taxes.share(fee, schedule.tax_bps if levy is None else levy.tax.rate_bps)
    return Charge(amount, Money(fee, amount.currency), Money(tax, amount.currency))


def due_back(lots: Sequence[Lot], returned: int) -> list[tuple[int, int]]:
    """(fee, tax) that each lot has to have given back once `returned` of what they hold went back to the client, the oldest first."""
    found = []
    for lot in lots:
        part = min(lot.base, returned)
        returned -= part
        fee = taxes.part_of(lot.fee, part, lot.base)
        found.append((fee, taxes.part_of(lot.tax, fee, lot.fee) if lot.fee else 0))
    return found


def holds(wanted: QuerySet[Account]) -> list[Hold]:
    """The state of these holds' fees, as their postings tell it; four queries."""
    milestones: dict[int, int] = {pk: int(m or 0) for pk, m in wanted.values_list("pk", "milestone_id")}
    fills = list(
        Posting.objects.filter(credit_account__in=milestones)
        .order_by("id")
        .values_list("credit_account_id", "entry_id", "amount", "entry__contract_id")
    )
    back = Posting.objects.filter(debit_account__in=milestones, credit_account__kind=Kind.WALLET)
    returned = {account: int(n) for account, n in back.values_list("debit_account_id").annotate(n=Sum("amount"))}
    of_fee = Posting.objects.filter(entry__subject_type="milestone", entry__subject_id__in=milestones.values())
    entries: dict[str, Entry] = {}
    amounts: dict[int, dict[str, int]] = defaultdict(lambda: {"fee": 0, "tax": 0})
    given: dict[int, dict[str, int]] = defaultdict(lambda: {"fee": 0, "tax": 0})
    for p in of_fee.filter(entry__kind__in=(TAKEN, GIVEN_BACK)).select_related("entry"):
        if p.entry.kind == TAKEN:
            entries[p.entry.idempotency_key] = p.entry
            amounts[p.entry_id][p.leg] += p.amount
        else:
            given[int(p.entry.quote.get("of", 0))][p.leg] += p.amount
    found: dict[int, Hold] = {}
    for account, entry_id, amount, contract_id in fills:
        hold = found.setdefault(account, Hold(milestones[account], contract_id, [], returned.get(account, 0)))
        taken = entries.get(f"{TAKEN}:{entry_id}")
        took, gave = (sums[taken.pk] if taken is not None else {"fee": 0, "tax": 0} for sums in (amounts, given))
        hold.filled.append(Filled(entry_id, Lot(amount, took["fee"], took["tax"]), taken, (gave["fee"], gave["tax"])))
    return list(found.values())


def quote(*, payer_id: int, amounts: Iterable[Money], fee_schedule: str) -> list[Charge]:
    """What the client would pay for each of the amounts now: the contract's schedule under the tax law of today. Raises InvalidInput."""
    schedule = fees.schedule(fee_schedule)
    if not charges(schedule):
        return [Charge(m, Money(0, m.currency), Money(0, m.currency)) for m in amounts]
    levy = _levy(payer_id)
    return [of(m, schedule, levy) for m in amounts]


def payable(charge: Charge, provider: str) -> Money:
    """What a gateway is asked for: the total, or the next amount that it can move exactly; the difference stays in the wallet. Without a fee the amount
    as it is. Raises InvalidInput for an unknown gateway."""
    return gateway(provider).payable(charge.total) if charge.fee or charge.tax else charge.total


def charging(fee_schedule: str | None) -> bool:
    """Whether clients of contracts under the schedule bear a fee; of none: no."""
    return _charging(fee_schedule) is not None


def take(cause: Entry, *, payer_id: int, amount: Money, fee_schedule: str | None) -> Entry | None:
    """Wallet → fees and tax, for what `cause` put into a hold or gave as a bonus; the entry, None where there is no fee. Safe to repeat on any day.

    Runs in the transaction of `cause`. Raises Conflict("insufficient_funds") when the wallet has less.
    """
    schedule = _charging(fee_schedule)
    if schedule is None:
        return None
    known = Entry.objects.filter(idempotency_key=f"{TAKEN}:{cause.pk}").first()
    if known is not None:
        return known
    levy = _levy(payer_id)
    charge = of(amount, schedule, levy)
    more = {} if levy is None else {"levy": levy.stored()}
    return _post_taken(cause, cause.subject_id, payer_id, charge, {"fee_schedule": schedule.version, **more}, told=TAKEN)


def give_back(cause: Entry, *, milestone_id: int, payer_id: int, currency: str, fee_schedule: str | None) -> list[Entry]:
    """Fees and tax → wallet: the share of what has gone back from the milestone's hold, by `cause` at last, as far as it was not given back before.

    Runs in the transaction of `cause`, after it. Safe to repeat.
    """
    return _give_back(cause, milestone_id, payer_id, currency, fee_schedule, told=GIVEN_BACK)


def _give_back(cause: Entry, milestone_id: int, payer_id: int, currency: str, fee_schedule: str | None, *, told: str) -> list[Entry]:
    if _charging(fee_schedule) is None:
        return []
    wallet = accounts.wallet(payer_id, currency)
    made = []
    for hold in holds(Account.objects.filter(key=accounts.hold(milestone_id, None, currency).key)):
        for filled, due in zip(hold.filled, due_back(hold.lots, hold.returned), strict=True):
            taken, fee, tax = filled.taken, due[0] - filled.given[0], due[1] - filled.given[1]
            if taken is None or not (fee or tax):
                continue
            kept = {name: taken.quote[name] for name in ("fee_schedule", "levy") if name in taken.quote}
            made.append(
                post(
                    GIVEN_BACK,
                    key=f"{GIVEN_BACK}:{taken.pk}:{cause.pk}",
                    lines=[
                        Line("fee", accounts.fees(currency), wallet, Money(fee, currency)),
                        Line("tax", accounts.tax(currency), wallet, Money(tax, currency)),
                    ],
                    subject=("milestone", milestone_id),
                    contract_id=cause.contract_id,
                    quote={"of": taken.pk, "cause": cause.pk, "currency": currency, "fee": fee, "tax": tax, **kept},
                    actor_id=cause.actor_id,
                    rule=cause.rule,
                    reason=cause.reason,
                )
            )
            _tell(made[-1], told)
    return made


def _tell(entry: Entry, told: str) -> None:
    """An event of the entry, by which its documents are made and the client hears of it."""
    fee, tax = entry.quote["fee"], entry.quote["tax"]
    after = {"amount_minor": fee + tax, "fee_minor": fee, "tax_minor": tax, "currency": entry.quote["currency"]}
    events.record(aggregate=entry, kind=f"entry.{told}", actor_id=entry.actor_id, after=after)


def take_along(
    cause: Entry, *, from_milestone_id: int, to_milestone_id: int, payer_id: int, amount: Money, fee_schedule: str | None
) -> Entry | None:
    """What `cause` moved from one milestone's hold into another's takes its share of the fee along: given back for the one, taken for the
    other, to the same unit, so that the wallet stays as it is. Runs in the transaction of `cause`, after it. Safe to repeat.
    """
    currency = amount.currency
    back = _give_back(cause, from_milestone_id, payer_id, currency, fee_schedule, told=MOVED)
    if not back:
        return None
    fee, tax = (Money(sum(entry.quote[name] for entry in back), currency) for name in ("fee", "tax"))
    kept = {name: back[-1].quote[name] for name in ("fee_schedule", "levy") if name in back[-1].quote}
    return _post_taken(cause, to_milestone_id, payer_id, Charge(amount, fee, tax), {"moved_from": from_milestone_id, **kept}, told=MOVED)


def _post_taken(cause: Entry, subject_id: int | None, payer_id: int, charge: Charge, more: Mapping[str, Any], *, told: str) -> Entry | None:
    if not (charge.fee or charge.tax):
        return None
    currency = charge.amount.currency
    wallet = accounts.wallet(payer_id, currency)
    assert subject_id is not None
    charged = {"currency": currency, "base": charge.amount.minor, "fee": charge.fee.minor, "tax": charge.tax.minor}
    entry = post(
        TAKEN,
        key=f"{TAKEN}:{cause.pk}",
        lines=[
            Line("fee", wallet, accounts.fees(currency), charge.fee),
            Line("tax", wallet, accounts.tax(currency), charge.tax),
        ],
        subject=(cause.subject_type, subject_id),
        contract_id=cause.contract_id,
        quote={**charged, **more},
        actor_id=cause.actor_id,
        rule=cause.rule,
        reason=cause.reason,
    )
    _tell(entry, told)
    return entry


def _charging(fee_schedule: str | None) -> FeeSchedule | None:
    schedule = None if fee_schedule is None else fees.schedule(fee_schedule)
    return schedule if schedule is not None and charges(schedule) else None


def _levy(payer_id: int) -> Levy | None:
    """The tax on our service to the client; nothing is withheld of what somebody pays."""
    levy = levies.levy_for(payer_id, clock.now().date())
    return None if levy is None else Levy(levy.tax)
