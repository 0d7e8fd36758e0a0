"""Which tax a service bears: VAT and GST by place of supply, reverse charge, and withholding. Pure: parties and a day in, a decision out.

Rates are in published tables of the package (tax_tables), each with its version. A decision names the table, so that it can be proved again
when newer tables are there. Special territories (such as the Canary Islands) and the small threshold of Art. 59c are not told apart; whether a
VAT id is alive at the authorities is not asked, only whether its form and check digits are right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from stdnum.ch import vat as ch_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as BadNumber
from stdnum.gb import vat as gb_vat
from stdnum.no import mva as no_vat

from marketplace.core.errors import InvalidInput

TABLES = Path(__file__).parent / "tax_tables"
#: in VAT ids Greece is written EL
_PREFIXES = {"EL": "GR"}
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Party:
    """Whoever supplies or buys, by what matters for tax. `vat_id` is empty for whoever is not registered; only a business has one."""

    country: str
    vat_id: str = ""
    #: other countries (or "EU", the One-Stop-Shop) where a supplier is registered too → the number there
    registrations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tax:
    """The decision: `category` as EN 16931 codes it (S standard, AE reverse charge, O outside), the place of supply and the rate.

    `reason` is one of domestic, oss, registered_abroad, reverse_charge, outside_scope, not_registered, no_rate.
    """

    table: str
    category: str
    country: str
    rate_bps: int
    reason: str


@dataclass(frozen=True, slots=True)
class Levy:
    """What a payment bears in all: tax on the platform's fee, and what is withheld of the gross. Kept in the entry's quote."""

    tax: Tax
    withheld_bps: int = 0
    withheld_for: str = ""

    def stored(self) -> dict[str, Any]:
        """As JSON; `levy_stored` reads it again."""
        return asdict(self)


def levy_stored(data: Mapping[str, Any]) -> Levy:
    """The levy that was kept as JSON."""
    return Levy(Tax(**data["tax"]), data["withheld_bps"], data["withheld_for"])


@dataclass(frozen=True, slots=True)
class Table:
    """One published table."""

    version: str
    eu: frozenset[str]
    same_as: Mapping[str, str]
    rates: Mapping[str, tuple[tuple[date, int], ...]]
    withholding: Mapping[str, tuple[tuple[date, int, int], ...]]

    def rate(self, country: str, on: date) -> int | None:
        """The standard rate of the country on that day in hundredths of a per cent; None where the table has none."""
        rows = [bps for since, bps in self.rates.get(country, ()) if since <= on]
        return rows[-1] if rows else None

    def withheld(self, country: str, on: date, *, tax_number: bool) -> int:
        """What has to be withheld of the gross in hundredths of a per cent."""
        rows = [(with_number, without) for since, with_number, without in self.withholding.get(country, ()) if since <= on]
        return 0 if not rows else rows[-1][0 if tax_number else 1]


@lru_cache(maxsize=16)
def table(version: str) -> Table:
    """The table of that version. Raises InvalidInput for an unknown one."""
    file = TABLES / f"{version}.toml"
    if not version.replace("-", "").isalnum() or not file.is_file():
        raise InvalidInput("tax_table_unknown", f"There is no tax table {version!r}.")
    raw = tomllib.loads(file.read_text())
    return Table(
        version,
        frozenset(raw["countries"]["eu"]),
        raw["same_as"],
        {c: tuple((date.fromisoformat(day), bps) for day, bps in rows) for c, rows in raw["rates"].items()},
        {c: tuple((date.fromisoformat(day), a, b) for day, a, b in rows) for c, rows in raw["withholding"].items()},
    )


def on_service(*, supplier: Party, customer: Party, on: date, rates: Table, electronic: bool) -> Tax:
    """The tax on a service that `supplier` renders to `customer` on that day.

    To a business it is supplied where the customer is (Art. 44); to anybody else where the supplier is (Art. 45), or, when it is rendered
    electronically, where the customer is (Art. 58). A business in another country than the supplier's owes the tax itself. A customer whose country
    is not known counts as the supplier's neighbour, so that no tax is lost.
    """

    def decided(category: str, country: str, reason: str) -> Tax:
        bps = rates.rate(country, on) if category == "S" else 0
        if bps is None:
            raise InvalidInput("tax_rate_unknown", f"The tax table {rates.version} has no rate of {country} for {on}.")
        return Tax(rates.version, category, country, bps, reason)

    home = rates.same_as.get(supplier.country, supplier.country)
    place = rates.same_as.get(customer.country, customer.country) or home
    if not supplier.vat_id and not supplier.registrations:
        return decided("O", home, "not_registered")
    if supplier.vat_id and place == home:
        return decided("S", home, "domestic")
    business = bool(customer.vat_id)
    if supplier.vat_id and not business and not electronic:
        return decided("S", home, "domestic")
    within_union = place in rates.eu and (home in rates.eu or "EU" in supplier.registrations)
    if within_union:
        return decided("AE", place, "reverse_charge") if business else decided("S", place, "oss")
    if place in supplier.registrations:
        return decided("AE", place, "reverse_charge") if business else decided("S", place, "registered_abroad")
    return decided("O", place, "outside_scope")


def share(base: int, bps: int) -> int:
    """`bps` hundredths of a per cent of `base` minor units, half a unit rounded up (away from zero)."""
    if base < 0:
        return -share(-base, bps)
    return (base * bps * 2 + BPS) // (2 * BPS)


def included(total: int, bps: int) -> int:
    """The tax that a total holds: total − total / (1 + rate), half a unit rounded up; net and tax sum to the total."""
    return total - (total * BPS * 2 + (BPS + bps)) // (2 * (BPS + bps))


def part_of(whole: int, taken: int, of: int) -> int:
    """What `taken` units of `of` are of `whole`, half a unit rounded up: all of them are the whole."""
    return (2 * whole * taken + of) // (2 * of)


def vat_id(text: str, country: str) -> str:
    """A VAT id as it is written down: checked by form and check digits, with its country's prefix. Empty stays empty.

    Raises InvalidInput when it is not one, or of another country than the person's.
    """
    plain = "".join(c for c in text.upper() if c.isalnum())
    if not plain:
        return ""
    wrong = {
        "vat_id": ["This is not a VAT number of your country: check the digits, and write it with the country's letters, as DE136695976."]
    }
    refused = InvalidInput("vat_id_invalid", "The VAT number is not right.", wrong)
    try:
        if country == "GB":
            return "GB" + str(gb_vat.validate(plain.removeprefix("GB")))
        if country == "CH":
            return str(ch_vat.validate(plain if plain.endswith(("MWST", "TVA", "IVA", "TPV")) else plain + "MWST"))
        if country == "NO":
            return str(no_vat.validate(plain if plain.endswith("MVA") else plain + "MVA"))
        if country in _eu():
            found = str(eu_vat.validate(plain))
            if _PREFIXES.get(found[:2], found[:2]) != country:
                raise refused
            return found
    except BadNumber as e:
        raise refused from e
    if not 4 <= len(plain) <= 20 or not plain.isascii():
        raise refused
    return plain


def _eu() -> frozenset[str]:
    newest = max(file.stem for file in TABLES.glob("*.toml"))
    return table(newest).eu
