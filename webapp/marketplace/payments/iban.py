"""International bank account numbers (ISO 13616)."""

from __future__ import annotations

from stdnum import iban
from stdnum.exceptions import ValidationError as BadNumber


def iban_of(text: object) -> str | None:
    """The number without spaces when its country, length, form and check digits are right, else None. A mistyped character, or two that
    changed places, are always found."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        return str(iban.validate(text))
    except BadNumber:
        return None
