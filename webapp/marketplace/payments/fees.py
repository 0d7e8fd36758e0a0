"""What the platform takes: versioned fee schedules and the exact split of a gross amount.

A contract keeps the version it was quoted, so a schedule is never changed: a new price is a new version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from django.conf import settings

from marketplace.core import clock
from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money, split_minor

from . import fee_tiers, taxes
from .ledger.templates import TEMPLATES
from .models import Entry, FeeSchedule
from .taxes import Levy

STANDARD = "standard-1"


@dataclass(frozen=True, slots=True)
class Split:
    """gross = fee + tax + withheld + net, exactly."""

    gross: Money
    fee: Money
    tax: Money
    net: Money
    withheld: Money


def split(gross: Money, schedule: FeeSchedule, levy: Levy | None = None, *, before: int = 0) -> Split:
    """Fee, tax on the fee, and what is left for the freelancer.

    With f the fee's and t the tax's hundredths of a per cent, the shares are f, f·t/10,000 and the rest; whole minor units are given
    out by largest remainder (ties: fee, tax, net), so that nothing is lost or made.

    With a levy the tax is that of its rate on the whole units of the fee, as the invoice states it, and what is withheld its share of the gross
    (half a unit rounded up); the rest is the freelancer's. A schedule with tiers or a minimum takes the fee by what the contract paid `before`
    (fee_tiers), and its tax in the same way. Raises InvalidInput for a gross that is not positive.
    """
    if gross.minor <= 0:
        raise InvalidInput("amount_not_positive", "The amount must be greater than zero.", {"amount_minor": ["Must be greater than zero."]})
    fee_weight = schedule.freelancer_fee_bps * 10_000
    tax_weight = schedule.freelancer_fee_bps * schedule.tax_bps
    withheld = 0
    if fee_tiers.cumulative(schedule, gross.currency):
        fee = fee_tiers.fee_on(schedule, gross.currency, before + gross.minor) - fee_tiers.fee_on(schedule, gross.currency, before)
        tax = min(taxes.share(fee, schedule.tax_bps if levy is None else levy.tax.rate_bps), gross.minor - fee)
        withheld = 0 if levy is None else min(taxes.share(gross.minor, levy.withheld_bps), gross.minor - fee - tax)
        net = gross.minor - fee - tax - withheld
    elif levy is None:
        fee, tax, net = split_minor(gross.minor, [fee_weight, tax_weight, 100_000_000 - fee_weight - tax_weight])
    else:
        fee, rest = split_minor(gross.minor, [fee_weight, 100_000_000 - fee_weight])
        tax = min(taxes.share(fee, levy.tax.rate_bps), rest)
        withheld = min(taxes.share(gross.minor, levy.withheld_bps), rest - tax)
        net = rest - tax - withheld
    return Split(gross, *(Money(part, gross.currency) for part in (fee, tax, net, withheld)))


def paid_before(contract_id: int) -> int:
    """The gross that the contract's payments have moved so far.

    The caller holds the contract's row, so nobody pays on it meanwhile; the read locks, so that at any isolation level it sees what was
    committed while that row was waited for.
    """
    kinds = [kind for kind, template in TEMPLATES.items() if template.priced]
    paid = Entry.objects.select_for_update().filter(contract_id=contract_id, kind__in=kinds)
    return sum(gross or 0 for gross in paid.values_list("gross_minor", flat=True))


def schedule(version: str | None = None) -> FeeSchedule:
    """The schedule of that version, or the newest that is active now. Raises InvalidInput for an unknown version."""
    if version is not None:
        return _version(version)
    found = FeeSchedule.objects.filter(active_from__lte=clock.now()).order_by("-active_from", "-id").first()
    if found is None:
        raise InvalidInput("fee_schedule_unknown", "No fee schedule is active.", {"fee_schedule": ["None is active."]})
    return found


@lru_cache(maxsize=64)
def _version(version: str) -> FeeSchedule:
    # published rows are append-only (ledger.triggers), so a version once read stays true in this process
    found = FeeSchedule.objects.filter(version=version).first()
    if found is None:
        raise InvalidInput("fee_schedule_unknown", f"There is no fee schedule {version!r}.", {"fee_schedule": ["Unknown version."]})
    return found


def lay_standard() -> None:
    """The first schedule, from settings, unless it is there."""
    FeeSchedule.objects.get_or_create(
        version=STANDARD,
        defaults={
            "freelancer_fee_bps": settings.FREELANCER_FEE_BPS,
            "tax_bps": settings.FEE_TAX_BPS,
            "active_from": datetime(2020, 1, 1, tzinfo=UTC),
        },
    )


def forget() -> None:
    """Drop what was read of the schedules: the tables may have been emptied."""
    _version.cache_clear()
