"""The layouts of gateways' own files, and how a row of each becomes a movement. A file is recognised by its header.

| gateway | file |
|---|---|
| Stripe | balance transactions as exported from the dashboard ("Balance history"), and the report "Balance change from activity, itemized" |
| PayPal | activity download, all transactions, comma separated |
| M-Pesa | organisation statement, CSV, with the lines above its header |

Belongs here: names of columns, words of types, dates and amounts. Not here: reading the file itself (importing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money

from ..providers.base import Movement, MovementKind

_NAIROBI = timezone(timedelta(hours=3))
#: what dates and their zones raise: also at the ends of the calendar, and for numbers of any length
_NO_DATE = (ValueError, OverflowError)
_OWN = re.compile(r"(?:payment|payout|refund)-\d{1,18}-[0-9a-f]{16}")


class RowRefused(Exception):
    """A row that cannot be read; the text says what is wrong and what to do."""


class RowSkipped(Exception):
    """A row that by its own words moves nothing."""


@dataclass(frozen=True, slots=True)
class Format:
    """How to read one layout: field → the names that its column may have, and what makes a movement of a row's fields."""

    name: str
    provider: str
    columns: Mapping[str, tuple[str, ...]]
    row: Callable[[Mapping[str, str], Dates], Movement]
    needed: frozenset[str]
    #: fields of which the order of day and month has to be found out for the file as a whole
    ambiguous: tuple[str, ...] = ()

    def places(self, header: Sequence[str]) -> dict[str, int] | None:
        """field → place of its column; None when this is not the header of such a file."""
        names = [_plain(cell) for cell in header]
        found = {}
        for name, known in self.columns.items():
            place = next((names.index(_plain(k)) for k in known if _plain(k) in names), None)
            if place is not None:
                found[name] = place
        return found if self.needed <= found.keys() else None


@dataclass(frozen=True, slots=True)
class Dates:
    """How the file writes days. None: no date of it tells day and month apart, and nobody said."""

    day_first: bool | None = None


@dataclass(slots=True)
class Order:
    """Finds out whether dates like 03/04/2026 begin with the day, from all of a file."""

    first_is_day: bool = False
    second_is_day: bool = False
    any: bool = field(default=False)

    def see(self, text: str) -> None:
        match = _SLASHED.match(text.strip())
        if match is None:
            return
        self.any = True
        self.first_is_day |= int(match[1]) > 12
        self.second_is_day |= int(match[2]) > 12


_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})$")


def _plain(name: str) -> str:
    """A column's name without case, marks and repeated spaces."""
    return re.sub(r"[^a-z0-9\[\]_]+", " ", name.replace("\ufeff", "").lower()).strip()


def recognise(provider: str, header: Sequence[str]) -> tuple[Format, dict[str, int]] | None:
    """The layout whose header this row is, with the places of its columns."""
    for known in FORMATS:
        if known.provider == provider:
            places = known.places(header)
            if places is not None:
                return known, places
    return None


def expected(provider: str) -> str:
    """What a file of the gateway has to have, for whoever sent another one."""
    return "; or ".join(
        f"{f.name}: {', '.join(f.columns[name][0] for name in sorted(f.needed))}" for f in FORMATS if f.provider == provider
    )


# --- cells


def amount(text: str, currency: str, column: str) -> Money:
    """The amount of a cell as people and programs write it: 1234.50, 1,234.50, 1.234,50, -5, (5.00). Raises RowRefused."""
    plain = text.strip().replace("\u00a0", "").replace(" ", "").replace("\u2212", "-").replace("'", "")
    signed = re.fullmatch(r"([-+]?)([\d.,]+)|\(([\d.,]+)\)", plain)
    negative = signed is not None and (signed[1] == "-" or signed[3] is not None)
    plain = "" if signed is None else signed[2] or signed[3]
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(\.\d{3})+,\d+", plain) or re.fullmatch(r"\d+,\d{1,2}", plain):
        plain = plain.replace(".", "").replace(",", ".")
    if not re.fullmatch(r"\d{1,16}(\.\d{1,8})?", plain):
        raise RowRefused(f"{column}: {text[:40]!r} is no amount. Export the file again without changing it in a spreadsheet.")
    try:
        found = Money.parse(plain if Decimal(plain) == 0 else plain.rstrip("0").rstrip(".") if "." in plain else plain, currency)
    except InvalidInput as e:
        raise RowRefused(f"{column}: {e.message}") from e
    return -found if negative else found


def _currency(text: str) -> str:
    code = text.strip().upper()
    try:
        Money(0, code)
    except InvalidInput as e:
        raise RowRefused(f"Currency: {text[:20]!r} is no currency that we know. Look whether the columns have slipped.") from e
    return code


def _instant(text: str, column: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip().removesuffix(" UTC").replace("Z", "+00:00"))
        at = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except _NO_DATE as e:
        raise RowRefused(f"{column}: {text[:40]!r} is no date and time. Export the file again without changing it in a spreadsheet.") from e
    return _within(at, column)


def _within(at: datetime, column: str) -> datetime:
    if not 2000 <= at.year <= 2200:
        raise RowRefused(f"{column}: the year {at.year} cannot be right.")
    return at


def _ref(text: str, column: str) -> str:
    ref = text.strip()
    if not 0 < len(ref) <= 120 or not ref.isprintable():
        raise RowRefused(f"{column}: every row needs the gateway's own number of the movement, of at most 120 characters.")
    return ref


def _own(*texts: str) -> str:
    return next((m[0] for text in texts if (m := _OWN.search(text)) is not None), "")


# --- Stripe

_STRIPE_KINDS: dict[str, MovementKind] = {
    **dict.fromkeys(("charge", "payment"), "payment"),
    **dict.fromkeys(("refund", "payment_refund", "partial_capture_reversal"), "refund"),
    **dict.fromkeys(("refund_failure", "payment_failure_refund"), "refund_return"),
    "transfer": "payout",
    **dict.fromkeys(("transfer_reversal", "transfer_refund", "transfer_cancel", "transfer_failure"), "payout_return"),
    **dict.fromkeys(("dispute", "dispute_reversal"), "dispute"),
    **dict.fromkeys(("payout", "payout_reversal", "payout_failure", "payout_cancel", "topup", "topup_reversal"), "bank"),
    **dict.fromkeys(("fee", "stripe_fee", "stripe_fx_fee", "tax_fee", "network_cost"), "fee"),
}


def _stripe(cells: Mapping[str, str], dates: Dates) -> Movement:
    currency = _currency(cells["currency"])
    gross, fee = amount(cells["amount"], currency, "Amount"), amount(cells["fee"] or "0", currency, "Fee")
    if cells.get("net", "").strip():
        net = amount(cells["net"], currency, "Net")
        if net != gross - fee:
            raise RowRefused(f"Net is {net}, but Amount less Fee is {gross - fee}. Export the file again without changing it.")
    kind = _STRIPE_KINDS.get(cells["type"].strip().lower(), "other")
    source = cells.get("source", "").strip()
    if source.startswith(("dp_", "du_")):
        kind = "dispute"
    about = (
        cells.get("payment_intent", "").strip()
        if kind == "payment"
        else cells.get("transfer", "").strip()
        if source.startswith("trr_")
        else ""
    )
    # the metadata of a transaction of a refund or dispute may be its payment's: our own name counts where it names what the row is about
    own = _own(cells.get("own", ""), cells.get("group", "")) if kind in ("payment", "payout") else _own(cells.get("own_refund", ""))
    if kind == "fee":
        gross, fee = Money(0, currency), fee - gross
    return Movement(_ref(cells["ref"], "id"), kind, gross, fee, _instant(cells["at"], "Created"), (about or source)[:128], own)


# --- PayPal

_PAYPAL_KINDS: tuple[tuple[str, MovementKind], ...] = (
    (r"chargeback|dispute|reversal|reversed", "dispute"),
    (r"refund", "refund"),
    (r"mass pay|payout", "payout"),
    (r"withdrawal|transfer to bank|bank deposit|general transfer|user initiated", "bank"),
    (r"fee", "fee"),
    (r"payment|checkout", "payment"),
)
_PAYPAL_ZONES = {
    "PST": -8,
    "PDT": -7,
    "MST": -7,
    "MDT": -6,
    "CST": -6,
    "CDT": -5,
    "EST": -5,
    "EDT": -4,
    "GMT": 0,
    "UTC": 0,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "EAT": 3,
    "IST": 5.5,
    "JST": 9,
}


def _paypal(cells: Mapping[str, str], dates: Dates) -> Movement:
    status, impact = cells.get("status", "Completed").strip().lower(), cells.get("impact", "").strip().lower()
    if status not in ("completed", "") or impact == "memo":
        raise RowSkipped
    currency, words = _currency(cells["currency"]), cells["type"].strip().lower()
    kind: MovementKind = next((k for pattern, k in _PAYPAL_KINDS if re.search(pattern, words)), "other")
    gross, fee = amount(cells["gross"], currency, "Gross"), -amount(cells["fee"] or "0", currency, "Fee")
    if cells.get("net", "").strip():
        net = amount(cells["net"], currency, "Net")
        if net != gross - fee:
            raise RowRefused(f"Net is {net}, but Gross and Fee make {gross - fee}. Export the file again without changing it.")
    if kind == "payout" and gross.minor > 0:
        kind = "payout_return"
    own = _own(cells.get("custom", ""), cells.get("invoice", ""))
    reference = cells.get("reference", "").strip()
    if kind in ("refund", "dispute") and own.startswith("payment-"):
        own = ""  # a refund of which only the payment's own name is told is found by its own number
    if kind == "fee" or (kind == "dispute" and "fee" in words):
        gross, fee = Money(0, currency), fee - gross
    ref = _ref(cells["ref"], "Transaction ID")
    about = reference if kind in ("fee", "dispute", "payout", "payout_return") and reference else ref
    return Movement(ref, kind, gross, fee, _paypal_at(cells, dates), about[:128], own)


def _paypal_at(cells: Mapping[str, str], dates: Dates) -> datetime:
    text, at = cells["date"].strip(), cells["time"].strip()
    slashed = _SLASHED.match(text)
    try:
        if slashed is None:
            day = datetime.fromisoformat(text)
        else:
            if dates.day_first is None:
                raise RowRefused("Date: day and month cannot be told apart. Say which comes first, and send the file again.")
            one, two, year = int(slashed[1]), int(slashed[2]), int(slashed[3])
            day = datetime(year, *((two, one) if dates.day_first else (one, two)), tzinfo=UTC)
        hours, minutes, seconds = (int(part) for part in (at + ":00" if at.count(":") == 1 else at).split(":"))
        at_utc = day.replace(hour=hours, minute=minutes, second=seconds, tzinfo=_zone(cells.get("zone", "").strip())).astimezone(UTC)
    except _NO_DATE as e:
        raise RowRefused(
            f"Date and Time: {text[:20]!r} {at[:20]!r} are no date and time. Export the file again without changing it."
        ) from e
    return _within(at_utc, "Date")


def _zone(text: str) -> timezone | ZoneInfo:
    shift = re.fullmatch(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})", text)
    if shift is not None:
        minutes = int(shift[2]) * 60 + int(shift[3])
        return timezone(timedelta(minutes=minutes if shift[1] == "+" else -minutes))
    if text.upper() in _PAYPAL_ZONES:
        return timezone(timedelta(hours=_PAYPAL_ZONES[text.upper()]))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise RowRefused(f"TimeZone: {text[:40]!r} is no time zone that we know. Set the account's zone to UTC and export again.") from e


# --- M-Pesa

_MPESA_FEE = re.compile(r"charge|fee|tariff", re.IGNORECASE)
_MPESA_REFERENCE = re.compile(r"OL(\d{1,10})")
_MPESA_KINDS: tuple[tuple[str, MovementKind], ...] = (
    (r"reversal", "dispute"),
    (r"charge|fee|tariff", "fee"),
    (r"business payment|b2c|promotion payment|salary payment", "payout"),
    (r"settlement|withdrawal|organization transfer|transfer of funds|real time", "bank"),
    (r"pay ?bill|pay utility|customer payment|customer merchant|paid in", "payment"),
)


def _mpesa(cells: Mapping[str, str], dates: Dates) -> Movement:
    if cells.get("status", "Completed").strip().lower() not in ("completed", ""):
        raise RowSkipped
    paid, taken = amount(cells["paid_in"] or "0", "KES", "Paid In"), amount(cells["withdrawn"] or "0", "KES", "Withdrawn")
    change = paid - (taken if taken.minor >= 0 else -taken)
    if paid and taken:
        raise RowRefused("Paid In and Withdrawn are both there. Export the file again without changing it.")
    words = f"{cells.get('reason', '')} {cells.get('details', '')}"
    kind: MovementKind = next((k for pattern, k in _MPESA_KINDS if re.search(pattern, words, re.IGNORECASE)), "other")
    ref, linked = _ref(cells["ref"], "Receipt No."), cells.get("linked", "").strip()
    if kind == "payout" and change.minor > 0:
        kind = "payout_return"
    nothing = Money(0, "KES")
    gross, fee = (nothing, -change) if kind == "fee" else (change, nothing)
    # a charge bears the receipt of what it was taken for, in many statements as its own
    line_ref = f"{ref}:fee" if kind == "fee" else ref
    about = linked or ref if kind in ("fee", "dispute") else ref
    account = _MPESA_REFERENCE.fullmatch(cells.get("account", "").strip())
    named = account if kind == "payment" else None
    own = _own(cells.get("details", "")) or (f"OL{named[1]}" if named is not None else "")
    return Movement(line_ref, kind, gross, fee, _mpesa_at(cells["at"]), about[:128], own)


def _mpesa_at(text: str) -> datetime:
    for pattern in ("%d-%m-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%Y-%m-%dT%H:%M:%S"):
        try:
            return _within(datetime.strptime(text.strip(), pattern).replace(tzinfo=_NAIROBI).astimezone(UTC), "Completion Time")
        except _NO_DATE:
            continue
    raise RowRefused(f"Completion Time: {text[:40]!r} is no date and time. Export the file again without changing it in a spreadsheet.")


FORMATS: tuple[Format, ...] = (
    Format(
        "stripe_activity_itemized",
        "stripe",
        {
            "ref": ("balance_transaction_id",),
            "at": ("created_utc", "created"),
            "currency": ("currency",),
            "amount": ("gross",),
            "fee": ("fee",),
            "net": ("net",),
            "type": ("reporting_category",),
            "source": ("source_id",),
            "payment_intent": ("payment_intent_id",),
            "transfer": ("transfer_id",),
            "own": ("payment_metadata[openlance]",),
            "own_refund": ("refund_metadata[openlance]",),
        },
        _stripe,
        frozenset({"ref", "at", "currency", "amount", "fee", "type", "source"}),
    ),
    Format(
        "stripe_balance_history",
        "stripe",
        {
            "ref": ("id",),
            "at": ("Created (UTC)", "Created date (UTC)"),
            "currency": ("Currency",),
            "amount": ("Amount",),
            "fee": ("Fee", "Fees"),
            "net": ("Net",),
            "type": ("Type",),
            "source": ("Source",),
            "transfer": ("Transfer",),
            "payment_intent": ("PaymentIntent ID",),
            "group": ("Transfer Group",),
            "own": ("openlance (metadata)",),
        },
        _stripe,
        frozenset({"ref", "at", "currency", "amount", "fee", "type", "source"}),
    ),
    Format(
        "paypal_activity",
        "paypal",
        {
            "date": ("Date",),
            "time": ("Time",),
            "zone": ("TimeZone", "Time Zone"),
            "type": ("Type", "Description"),
            "status": ("Status",),
            "currency": ("Currency",),
            "gross": ("Gross",),
            "fee": ("Fee", "Fees"),
            "net": ("Net",),
            "ref": ("Transaction ID",),
            "reference": ("Reference Txn ID", "Reference Transaction ID"),
            "invoice": ("Invoice Number", "Invoice ID"),
            "custom": ("Custom Number", "Custom Field"),
            "impact": ("Balance Impact",),
        },
        _paypal,
        frozenset({"date", "time", "zone", "type", "currency", "gross", "fee", "ref"}),
        ("date",),
    ),
    Format(
        "mpesa_organisation_statement",
        "mpesa",
        {
            "ref": ("Receipt No.", "Receipt No"),
            "at": ("Completion Time",),
            "details": ("Details",),
            "status": ("Transaction Status",),
            "paid_in": ("Paid In",),
            "withdrawn": ("Withdrawn",),
            "reason": ("Reason Type", "Transaction Type"),
            "linked": ("Linked Transaction ID",),
            "account": ("A/C No.", "A/C No"),
        },
        _mpesa,
        frozenset({"ref", "at", "details", "paid_in", "withdrawn"}),
    ),
)
PROVIDERS = tuple(sorted({f.provider for f in FORMATS}))
