"""Makes the reference seeds of dbt_project from their sources; `python tests/dbt/reference_seeds.py` writes them.

currency_exponents.csv, currency_names.csv and countries.csv come from CLDR through Babel; time_zones.csv from the IANA database: the
standard (winter) offset in 2026.
"""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.numbers import get_currency_precision, get_territory_currencies, list_currencies

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
DAY = date(2026, 1, 1)
#: two-letter codes of CLDR that are no country of ISO 3166-1: groups, test codes and parts of other countries
NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
NOT_PAYABLE = {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD", "XFO"}


def currency_exponents() -> dict[str, int]:
    """Decimal places of every payable currency that CLDR knows."""
    return {code: int(get_currency_precision(code)) for code in sorted(set(list_currencies("en")) - NOT_PAYABLE)}


def currency_names() -> dict[str, str]:
    """The English name of every payable currency."""
    names = Locale("en").currencies
    return {code: names[code] for code in currency_exponents()}


def countries() -> dict[str, tuple[str, str]]:
    """Every country with its English name and the code of its legal tender on DAY ("XXX" is ISO 4217's word for none)."""
    names = {code: name for code, name in Locale("en").territories.items() if len(code) == 2 and code not in NO_COUNTRY}
    return {code: (names[code], _tender(code)) for code in sorted(names)}


def _tender(country: str) -> str:
    """Of several legal tenders the country's own, which begins with its code: Namibia has its dollar and the rand."""
    found = get_territory_currencies(country, DAY, DAY)
    return next((code for code in found if code.startswith(country)), found[0] if found else "XXX")


def standard_offset_hours(zone: str) -> float:
    """Hours ahead of UTC without daylight saving, in 2026: the smaller of January's and July's offset."""
    offsets = [datetime(2026, month, 15, 12, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta() for month in (1, 7)]
    return min(offsets).total_seconds() / 3600


def time_zones() -> dict[str, float]:
    """Standard offset of every zone of the IANA database."""
    skipped = ("posix/", "right/", "SystemV/")
    names = sorted(z for z in available_timezones() if not z.startswith(skipped) and z not in {"localtime", "Factory", "posixrules"})
    return {zone: standard_offset_hours(zone) for zone in names}


def _write(name: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with (SEEDS / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main() -> None:
    _write("currency_names.csv", ("currency", "currency_name"), list(currency_names().items()))
    _write("countries.csv", ("country", "country_name", "currency"), [(code, *told) for code, told in countries().items()])
    rows = "".join(f"{code},{places}\n" for code, places in currency_exponents().items())
    (SEEDS / "currency_exponents.csv").write_text("currency,exponent\n" + rows)
    rows = "".join(f"{zone},{hours}\n" for zone, hours in time_zones().items())
    (SEEDS / "time_zones.csv").write_text("time_zone,standard_offset_hours\n" + rows)


if __name__ == "__main__":
    main()
