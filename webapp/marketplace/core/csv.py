"""CSV that leaves the house: what a person typed never runs as a formula in somebody's spreadsheet.

Belongs here: writing. Not here: reading imports, which have their own rules (jobs.importing).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

#: what spreadsheets take for the start of a formula
_STARTS = "=+-@|%\uff1d\uff0b\uff0d\uff20"
#: what they skip before they look: quotes, invisible marks and (see `_is_formula`) white space
_SKIPPED = "'\"`\u2018\u2019\u201c\u201d\ufeff\u200b"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list | tuple) else str(value)
    return "'" + text if _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether the first character that counts, after any mix of quotes and white space, starts a formula; a leading tab or return counts itself."""
    if text[:1] in ("\t", "\r"):
        return True
    for character in text:
        if not (character.isspace() or character in _SKIPPED):
            return character in _STARTS
    return False


def csv_line(values: Sequence[Any]) -> str:
    """One line of such a file, with its line end: for files that are too large to be made as one text. Cells as in csv_text."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return out.getvalue()


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Text of a CSV file (RFC 4180, CRLF, to be encoded as UTF-8) with one line for the header and one for each row.

    A text that a spreadsheet could take for a formula gets an apostrophe before it, also when quotes or white space hide its beginning. Numbers
    (int, float, Decimal) stay numbers, None is empty, times are ISO 8601, lists and mappings JSON.
    """
    return "".join(csv_line(line) for line in (header, *rows))
