"""Makes the two reference seeds of dbt_project from their sources; `python tests/dbt/reference_seeds.py` writes them.

currency_exponents.csv comes from CLDR through Babel; time_zones.csv from the IANA database: the standard (winter) offset in 2026.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from babel.numbers import get_currency_precision, list_currencies

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
NOT_PAYABLE = {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD", "XFO"}


def currency_exponents() -> dict[str, int]:
    """Decimal places of every payable currency that CLDR knows."""
    return {code: int(get_currency_precision(code)) for code in sorted(set(list_currencies("en")) - NOT_PAYABLE)}


def standard_offset_hours(zone: str) -> float:
    """Hours ahead of UTC without daylight saving, in 2026: the smaller of January's and July's offset."""
    offsets = [datetime(2026, month, 15, 12, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta() for month in (1, 7)]
    return min(offsets).total_seconds() / 3600


def time_zones() -> dict[str, float]:
    """Standard offset of every zone of the IANA database."""
    skipped = ("posix/", "right/", "SystemV/")
    names = sorted(z for z in available_timezones() if not z.startswith(skipped) and z not in {"localtime", "Factory", "posixrules"})
    return {zone: standard_offset_hours(zone) for zone in names}


def main() -> None:
    rows = "".join(f"{code},{places}\n" for code, places in currency_exponents().items())
    (SEEDS / "currency_exponents.csv").write_text("currency,exponent\n" + rows)
    rows = "".join(f"{zone},{hours}\n" for zone, hours in time_zones().items())
    (SEEDS / "time_zones.csv").write_text("time_zone,standard_offset_hours\n" + rows)


if __name__ == "__main__":
    main()
