"""Checks of what comes from outside, collected so that one answer names every field that must be corrected.

Belongs here: checks of single values that several apps share. Not here: rules that need the database.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from .errors import InvalidInput
from .money import exponent

#: control characters other than tab, line feed and carriage return, lone surrogates, and U+FFFE and U+FFFF: no text of a person holds them,
#: and XML cannot
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_web_address = URLValidator(schemes=["http", "https"])
_GROUPINGS = {"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"}


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes of CLDR, without groupings and test codes."""
    return frozenset(c for c in map(str, Locale("en").territories) if len(c) == 2 and c.isalpha()) - _GROUPINGS


@lru_cache(maxsize=1)
def languages() -> frozenset[str]:
    """ISO 639 codes of CLDR, two or three letters."""
    return frozenset(c for c in map(str, Locale("en").languages) if len(c) in (2, 3) and c.isalpha())


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """IANA names."""
    return frozenset(zoneinfo.available_timezones())


class Checks:
    """Collects what is wrong with an input. Every check returns a usable value, so that all of them can run; `raise_if_any` ends it."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}

    def add(self, field: str, message: str) -> None:
        self.fields.setdefault(field, []).append(message)

    def raise_if_any(self) -> None:
        """Raise InvalidInput("invalid") with every field found so far."""
        if self.fields:
            raise InvalidInput("invalid", "Please correct the marked fields and send it again.", self.fields)

    def text(self, field: str, value: Any, *, longest: int, shortest: int = 0) -> str:
        """Trimmed text of `shortest` to `longest` characters without control characters."""
        if not isinstance(value, str):
            self.add(field, "Write text.")
            return ""
        value = value.strip()
        if UNPRINTABLE.search(value):
            self.add(field, "Remove the control characters.")
        if len(value) > longest:
            self.add(field, f"At most {longest} characters; this has {len(value)}.")
        if len(value) < shortest:
            self.add(field, "This is required." if not value else f"At least {shortest} characters.")
        return value

    def whole(self, field: str, value: Any, *, low: int, high: int) -> int:
        """A whole number in a closed range; floats, text and booleans are refused."""
        if type(value) is not int:
            self.add(field, "Use a whole number.")
            return low
        if not low <= value <= high:
            self.add(field, f"Use a whole number from {low} to {high}.")
        return value

    def amount(self, field: str, value: Any) -> int:
        """A positive amount in minor units, up to MAX_AMOUNT_MINOR."""
        return self.whole(field, value, low=1, high=settings.MAX_AMOUNT_MINOR)

    def choice(self, field: str, value: Any, choices: Collection[str]) -> str:
        if not isinstance(value, str) or value not in choices:
            self.add(field, f"Use one of: {', '.join(sorted(c for c in choices if c))}.")
            return ""
        return value

    def currency(self, field: str, value: Any) -> str:
        """An ISO 4217 code."""
        try:
            exponent(value)
        except (InvalidInput, TypeError):
            self.add(field, "Use a three-letter ISO 4217 code such as USD.")
            return "USD"
        return str(value)

    def country(self, field: str, value: Any) -> str:
        """An ISO 3166-1 alpha-2 code, or empty."""
        if value == "":
            return ""
        if not isinstance(value, str) or value not in countries():
            self.add(field, "Use a two-letter ISO 3166 country code such as KE.")
            return ""
        return value

    def language(self, field: str, value: Any) -> str:
        """An ISO 639 code that CLDR knows."""
        if not isinstance(value, str) or value not in languages():
            self.add(field, "Use a language code of ISO 639 such as sw.")
            return ""
        return value

    def link(self, field: str, value: Any, *, longest: int = 500) -> str:
        """An absolute http or https address without a password in it, or empty."""
        value = self.text(field, value, longest=longest)
        if not value:
            return ""
        try:
            _web_address(value)
            parts = urlsplit(value)
            wrong = bool(parts.username or parts.password)
        except (ValueError, ValidationError):
            wrong = True
        if wrong:
            self.add(field, "Use a whole web address such as https://example.org/work.")
        return value

    def day(self, field: str, value: Any, *, latest: date | None = None) -> date | None:
        """A calendar day from 1900 on, at most `latest`; None stays None."""
        if value is None:
            return None
        if type(value) is not date or value.year < 1900:
            self.add(field, "Use a day from 1900 on, written like 2024-05-31.")
            return None
        if latest is not None and value > latest:
            self.add(field, "This day has not come yet.")
        return value

    def time_zone(self, field: str, value: Any) -> str:
        """An IANA time zone name."""
        if not isinstance(value, str) or value not in time_zones():
            self.add(field, "Use an IANA time zone such as Europe/Berlin.")
            return "UTC"
        return value
