"""How a row of somebody else's CSV becomes the terms of a job post. Pure: no database.

Belongs here: the mapping, prices, dates, countries, texts. Not here: accounts, categories, skills and writing (importing).
"""

from __future__ import annotations

import codecs
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from django.conf import settings

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money, exponent

from .models import Job
from .taxonomy import clean, fold
from .taxonomy import source as taxonomy_source

COLUMNS = (
    "title",
    "published",
    "description",
    "skills",
    "category",
    "country",
    "budget",
    "hourly_min",
    "hourly_max",
    "pricing",
    "currency",
    "level",
)
_DEFAULT_COLUMNS = {
    "title": "title",
    "published": "published",
    "description": "description",
    "skills": "skills",
    "category": "category",
    "country": "country",
    "budget": "budget",
    "hourly_min": "hourly_range_min",
    "hourly_max": "hourly_range_max",
}
_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₽": "RUB",
    "₩": "KRW",
    "₺": "TRY",
    "₦": "NGN",
    "₱": "PHP",
    "₫": "VND",
    "₴": "UAH",
    "₪": "ILS",
}
_DOLLARS = frozenset(["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "JMD", "BSD", "BBD", "BZD", "FJD"])
_YEN = frozenset({"JPY", "CNY"})
_LABEL = re.compile(r"^[A-Za-z][A-Za-z ./]*:\s*")
_AMOUNT = re.compile(r"(?P<before>[^\d\s.,+-]{0,4}?)\s*(?P<digits>\d[\d.,' ]*|\.\d+)\s*(?P<after>[^\d\s.,+-]{0,4})")
_RANGE = re.compile(r"\s*(?:-|–|—|\bto\b)\s*")
_PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_COUNTRIES = {"turkey": "TR", "hongkong": "HK", "macau": "MO", "czechrepublic": "CZ", "bruneidarussalam": "BN", "uk": "GB", "greatbritain": "GB",
              "england": "GB", "scotland": "GB", "wales": "GB", "usa": "US", "unitedstatesofamerica": "US", "uae": "AE", "ivorycoast": "CI", "burma": "MM",
              "russianfederation": "RU", "republicofkorea": "KR", "korea": "KR", "vietnam": "VN", "macedonia": "MK", "palestine": "PS", "palestinianterritories": "PS",
              "moldovarepublicof": "MD", "laopdr": "LA", "swaziland": "SZ", "capeverde": "CV", "democraticrepublicofthecongo": "CD", "myanmar": "MM",
              "bosnia": "BA", "trinidadandtobago": "TT", "holland": "NL", "thenetherlands": "NL"}  # fmt: skip
# CLDR names more than countries: unions, exclaves, placeholders.
_NOT_ISO = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})
_LEVELS = {
    "entry": "entry",
    "entrylevel": "entry",
    "beginner": "entry",
    "intermediate": "intermediate",
    "expert": "expert",
    "expertlevel": "expert",
}


class RowRejected(Exception):
    """This row cannot become a post. `reason` is one of few sentences, so that they can be counted; `detail` quotes what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail[:80]}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FileMapping:
    """Where a file keeps what, and how it writes it. The defaults read the layout of job feeds with US dates and dollars."""

    columns: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_COLUMNS))
    categories: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    currency: str = "USD"
    decimal_mark: str = "."
    time_zone: str = "UTC"
    date_formats: tuple[str, ...] = (
        "%m/%d/%Y %I:%M%p",
        "%m/%d/%Y %H:%M",
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d",
        "%m/%d/%Y",
    )
    title_suffixes: tuple[str, ...] = (" - Upwork",)
    skills_separator: str = ","
    pricing_when_unknown: str = "hourly"

    @classmethod
    def read(cls, path: Path | None) -> FileMapping:
        """The mapping of a TOML file ([columns], [categories], [file]); the defaults without one.

        `[columns]` replaces the default columns whole. Raises InvalidInput naming the option that is wrong.
        """
        if path is None:
            return cls()
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
            raise InvalidInput("mapping_unreadable", f"The mapping {path} cannot be read: {e}") from e
        known = {f.name: f for f in fields(cls)}
        unknown = [
            f"[{name}]" for name, table in document.items() if name not in ("file", "columns", "categories") or not isinstance(table, dict)
        ]
        if not unknown:
            unknown += [f"file.{n}" for n in document.get("file", {}) if n not in known or n in ("columns", "categories")]
            unknown += [f"columns.{n}" for n in document.get("columns", {}) if n not in COLUMNS]
        if unknown:
            raise InvalidInput("mapping_option_unknown", f"The mapping has options that mean nothing: {', '.join(unknown)}.")
        options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.get("file", {}).items()}
        mapping = cls(**options, **{name: document[name] for name in ("columns", "categories") if name in document})
        mapping.check()
        return mapping

    def check(self) -> None:
        """Raises InvalidInput naming the first option that cannot be used."""
        if not self.columns.get("title"):
            raise InvalidInput("mapping_title", "columns.title is needed: a post without a title is no post.")
        lists = (self.date_formats, self.title_suffixes)
        texts = (
            self.encoding,
            self.delimiter,
            self.currency,
            self.decimal_mark,
            self.time_zone,
            self.skills_separator,
            self.pricing_when_unknown,
        )
        named = [*self.columns.values(), *self.categories.values()]
        if not all(isinstance(each, tuple) for each in lists) or not all(
            isinstance(t, str) for t in (*texts, *named, *lists[0], *lists[1])
        ):
            raise InvalidInput(
                "mapping_text", "Every value of the mapping is a text; file.date_formats and file.title_suffixes are lists of texts."
            )
        try:
            codecs.lookup(self.encoding)
            ZoneInfo(self.time_zone)
            exponent(self.currency)
        except LookupError as e:
            raise InvalidInput("mapping_encoding", f"file.encoding or file.time_zone is unknown: {e}") from e
        except (ValueError, OSError) as e:
            raise InvalidInput("mapping_time_zone", f"file.time_zone {self.time_zone!r} is not a time zone such as Europe/Berlin.") from e
        if len(self.delimiter) != 1 or len(self.decimal_mark) != 1 or self.decimal_mark not in ".,":
            raise InvalidInput("mapping_mark", "file.delimiter is one character, file.decimal_mark is “.” or “,”.")
        if self.pricing_when_unknown not in Job.Pricing.values:
            raise InvalidInput("mapping_pricing", f"file.pricing_when_unknown is one of {', '.join(Job.Pricing.values)}.")
        if unknown := sorted(set(self.categories.values()) - taxonomy_source().categories.keys()):
            raise InvalidInput("mapping_category", f"[categories] leads to categories that we do not have: {', '.join(unknown)}.")
        if not self.skills_separator:
            raise InvalidInput("mapping_separator", "file.skills_separator must not be empty.")

    def category(self, text: str) -> str:
        """What the mapping makes of a category's name: our slug, or the name as it is."""
        return {fold(name): slug for name, slug in self.categories.items()}.get(fold(text), text)


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """The terms that a row states. Amounts in minor units of `currency`, None when the row states none."""

    key: str
    title: str
    description: str
    published_at: datetime | None
    skills: tuple[str, ...]
    category: str
    country: str
    country_text: str
    pricing: str
    currency: str
    budget_min_minor: int | None
    budget_max_minor: int | None
    level: str


def post_of(row: Mapping[str, str], mapping: FileMapping, source: str) -> ImportedPost:
    """Read one row, whose keys are the names of COLUMNS. Raises RowRejected with the reason.

    `key` identifies the post across runs: a hash of source, title, publishing date and description as they are written. A price
    that changes at the source does not make it another post.
    """
    title = clean(row.get("title", ""))
    for suffix in mapping.title_suffixes:
        title = title.removesuffix(clean(suffix)).removesuffix(suffix.rstrip()).strip()
    if not title:
        raise RowRejected("the title is missing")
    if len(title) > 200:
        raise RowRejected("the title is longer than 200 characters")
    description = _paragraphs(row.get("description", ""))
    if len(description) > 20_000:
        raise RowRejected("the description is longer than 20,000 characters")
    currency = clean(row.get("currency", "")).upper() or mapping.currency
    try:
        exponent(currency)
    except InvalidInput as e:
        raise RowRejected("the currency is unknown", currency) from e
    pricing, low, high = _price(row, mapping, currency)
    country_text = clean(row.get("country", ""))
    identity = "\x1f".join([source, fold(title), clean(row.get("published", "")), fold(description)])
    return ImportedPost(
        key=hashlib.sha256(identity.encode()).hexdigest(),
        title=title,
        description=description,
        published_at=_instant(clean(row.get("published", "")), mapping),
        skills=tuple(dict.fromkeys(s for s in map(clean, _unescaped_split(row.get("skills", ""), mapping.skills_separator)) if s)),
        category=mapping.category(clean(row.get("category", ""))),
        country=country_code(country_text),
        country_text=country_text,
        pricing=pricing,
        currency=currency,
        budget_min_minor=low,
        budget_max_minor=high,
        level=_LEVELS.get(fold(row.get("level", "")), ""),
    )


def _unescaped_split(text: str, separator: str) -> list[str]:
    # The separator may be ";" while entities still end in one: entities go first.
    return clean(text).split(separator)


def _paragraphs(text: str) -> str:
    """`clean`, line by line: paragraphs stay, more than one empty line in a row does not."""
    lines = "\n".join(clean(line) for line in re.sub(r"<br\s*/?>", "\n", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def _price(row: Mapping[str, str], mapping: FileMapping, currency: str) -> tuple[str, int | None, int | None]:
    kind = clean(row.get("pricing", ""))
    stated = "hourly" if fold(kind).startswith("hourly") else "fixed" if fold(kind).startswith("fixed") else ""
    in_kind = _LABEL.sub("", kind) if ":" in kind else ""
    fixed = amounts(row.get("budget", ""), currency, mapping.decimal_mark)
    low = amounts(row.get("hourly_min", "") or in_kind, currency, mapping.decimal_mark)
    high = amounts(row.get("hourly_max", ""), currency, mapping.decimal_mark)
    if len(low) == 2 and high:
        raise RowRejected("the hourly rate has two upper ends")
    hourly = (*low, *high)
    if fixed and hourly:
        raise RowRejected("the row states a fixed price and an hourly rate")
    if high and not low:
        raise RowRejected("the hourly rate has an upper end but no lower end")
    if (fixed and stated == "hourly") or (hourly and stated == "fixed"):
        raise RowRejected("the price contradicts the kind of pricing")
    ends = fixed or hourly
    if len(ends) == 2 and ends[0] > ends[1]:
        raise RowRejected("the price's lower end is above its upper end")
    pricing = "fixed" if fixed else "hourly" if hourly else stated or mapping.pricing_when_unknown
    if fixed and len(fixed) == 1:
        ends = (fixed[0], fixed[0])
    low_end, high_end = (*ends, None, None)[:2]
    return pricing, low_end, high_end


def amounts(text: str, currency: str, decimal_mark: str = ".") -> tuple[int, ...]:
    """The one amount or the two ends of a range that `text` states, in minor units of `currency`; empty when it states nothing.

    A label in front ("Est. budget: $18.00") and a sign or code that agrees with the currency are understood. Raises RowRejected for
    anything else: another currency, a negative or zero amount, finer than the currency allows, too large, not a price.
    """
    text = _LABEL.sub("", clean(text)).strip()
    if not text or text in {"-", "–", "—"} or fold(text) in {"na", "none", "null", "unknown"}:
        return ()
    if text.startswith("-") or re.match(r"\(.*\)$|[^\d\s]{1,4}\s*-\s*\d", text):
        raise RowRejected("the price is negative", text)
    parts = _RANGE.split(text)
    if len(parts) > 2:
        raise RowRejected("the price cannot be read", text)
    return tuple(_amount(part, currency, decimal_mark, text) for part in parts)


def _amount(part: str, currency: str, decimal_mark: str, whole: str) -> int:
    found = _AMOUNT.fullmatch(part.strip())
    if found is None:
        raise RowRejected("the price cannot be read", whole)
    for sign in (found["before"], found["after"]):
        if sign and not _agrees(sign.upper(), currency):
            raise RowRejected(f"the price is not in {currency}", whole)
    digits = found["digits"].strip()
    if decimal_mark == ",":
        digits = digits.translate(str.maketrans(",.", ".,"))
    if not _PLAIN.fullmatch(digits) and not _GROUPED.fullmatch(digits):
        raise RowRejected("the price cannot be read", whole)
    try:
        minor = Money.parse(digits.replace(",", ""), currency).minor
    except (InvalidInput, OverflowError) as e:
        raise RowRejected(f"the price is not an amount of {currency}", whole) from e
    if minor == 0:
        raise RowRejected("the price is zero")
    if minor > settings.MAX_AMOUNT_MINOR:
        raise RowRejected("the price is larger than any that is allowed", whole)
    return minor


def _agrees(sign: str, currency: str) -> bool:
    if sign in (currency, f"{currency[:2]}$") or _SIGNS.get(sign) == currency:
        return True
    return (sign == "$" and currency in _DOLLARS) or (sign == "¥" and currency in _YEN)


def _instant(text: str, mapping: FileMapping) -> datetime | None:
    if not text:
        return None
    for layout in mapping.date_formats:
        try:
            found = datetime.strptime(text, layout)  # noqa: DTZ007  a layout without a zone takes the mapping's below
        except ValueError:
            continue
        if not 1990 <= found.year <= 2100:
            break
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(mapping.time_zone))).astimezone(UTC)
    raise RowRejected("the date cannot be read", text)


@lru_cache(maxsize=1)
def _territories() -> dict[str, str]:
    names = {str(code): str(name) for code, name in Locale("en").territories.items()}
    codes = {code for code in names if len(code) == 2 and code.isalpha()} - _NOT_ISO
    named = {fold(names[code]): code for code in codes}
    aliases = ((str(alias), list(to)) for alias, to in get_global("territory_aliases").items())
    three = {alias.casefold(): to[0] for alias, to in aliases if len(alias) == 3 and alias.isalpha() and len(to) == 1}
    return named | {c.casefold(): c for c in codes} | {a: c for a, c in three.items() if c in codes} | _COUNTRIES


def country_code(text: str) -> str:
    """ISO 3166-1 alpha-2 of an English name, an alpha-2 or an alpha-3 code; "" when it is none of them."""
    return _territories().get(fold(text), "")
