"""Reading a gateway's own file: streamed, in batches of one transaction each, repeatable. Every row ends as stored, known, skipped or an error."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from marketplace.core import audit, clock
from marketplace.core.errors import InvalidInput, NotFound
from marketplace.core.policies import Actor, require_staff
from marketplace.core.transactions import run_in_transaction

from ..models import ProcessorFile, ProcessorFileError, ProviderLine
from ..providers.base import Movement
from . import formats, reading, runs
from .formats import Dates, Format, Order, RowRefused, RowSkipped

BATCH = 500
#: M-Pesa and PayPal write lines above their header
_HEADER_WITHIN = 30
_TEXT = 1000
#: a cell longer than this is no cell of such a file, but an unclosed quotation mark
_LONGEST_CELL = 20_000
#: a file of which more rows than this cannot be read is another kind of file, or a damaged one: nobody mends that row by row
MOST_PROBLEMS = 1_000
#: no gateway writes as many columns, or as many characters in a row
_MOST_CELLS = 500
_LONGEST_ROW = 1 << 20
_ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")


def files_for(actor: Actor) -> QuerySet[ProcessorFile]:
    """Every file that was read. Raises NotAllowed for who may not see payments."""
    require_staff(actor, "payments_see")
    return ProcessorFile.objects.select_related("uploaded_by")


def file_for(actor: Actor, file_id: int) -> ProcessorFile:
    """Raises NotAllowed, NotFound."""
    found = files_for(actor).filter(pk=file_id).first()
    if found is None:
        raise NotFound("file")
    return found


def file_import(*, actor: Actor, provider: str, name: str, content: IO[bytes], day_first: bool | None = None) -> ProcessorFile:
    """Read the whole file and let its days be compared again; returns what became of its rows.

    The same bytes again are the same file: one that was read is not read again, one whose reading broke off goes on where nothing is lost,
    since a movement is known by the gateway's own number. Rows that cannot be read are kept with their line and what to do; mend them in a copy
    of the file, or export it again: what was stored stays known. Not to be called inside a transaction.

    Raises NotAllowed, InvalidInput for another gateway's file, an unreadable encoding, dates whose order nobody knows, or more than
    MOST_PROBLEMS rows that cannot be read: what was read before those stays known.
    """
    require_staff(actor, "reconcile")
    if provider not in formats.PROVIDERS:
        known = ", ".join(formats.PROVIDERS)
        raise InvalidInput("provider_unknown", f"Files are read of: {known}.", {"provider": [f"Use one of {known}."]})
    digest, size = _digest(content)
    encoding = _encoding(content)
    layout = _layout(provider, content, encoding, day_first)
    file = run_in_transaction(lambda: _row(actor, provider, name, digest, size, layout))
    if file.read_at is not None:
        return file
    _read(file, layout, content, encoding)
    return ProcessorFile.objects.select_related("uploaded_by").get(pk=file.pk)


def _digest(content: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    content.seek(0)
    while chunk := content.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    if not size:
        raise InvalidInput("file_empty", "The file is empty.", {"file": ["Empty."]})
    return digest.hexdigest(), size


def _encoding(content: IO[bytes]) -> str:
    """The first encoding in which all of the file can be read."""
    content.seek(0)
    begins_utf16 = content.read(2) in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if begins_utf16 else (_ENCODINGS[0], _ENCODINGS[2]):
        try:
            with _text(content, encoding) as text:
                while text.read(1 << 20):
                    pass
        except UnicodeError:
            continue
        return encoding
    raise InvalidInput("file_encoding", "The file is no text. Export it as CSV.", {"file": ["Not a text file."]})


class _Open(io.TextIOWrapper):
    """A text view of an upload that leaves the upload open."""

    def __exit__(self, *_: Any) -> None:
        self.detach()


def _text(content: IO[bytes], encoding: str) -> _Open:
    content.seek(0)
    return _Open(content, encoding=encoding, newline="")


@dataclass(frozen=True, slots=True)
class _Layout:
    format: Format
    places: dict[str, int]
    header_line: int
    delimiter: str
    dates: Dates


class _Lines:
    """The lines of a text for csv, which keeps a row in memory until it ends: one that grows longer than _LONGEST_ROW raises csv.Error, and the
    next line begins another."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.number = 0
        self.row = 0  # characters of the row that is being read

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(_LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.row += len(line)
        if self.row <= _LONGEST_ROW:
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(_LONGEST_ROW)
        raise csv.Error(f"longer than {_LONGEST_ROW:,} characters")


def _rows(text: IO[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which the row begins, its cells). A row that csv cannot read comes as one cell of its own: nothing is lost."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        begins, lines.row = lines.number + 1, 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            cells = [f"\0{e}"]
        yield begins, cells


def _layout(provider: str, content: IO[bytes], encoding: str, day_first: bool | None) -> _Layout:
    """Find the header, and read all of the file once for the order of its dates. Raises InvalidInput."""
    for delimiter in (",", ";", "\t"):
        with _text(content, encoding) as text:
            above = list(islice(_rows(text, delimiter), _HEADER_WITHIN))
        for line, cells in above:
            found = formats.recognise(provider, cells[:_MOST_CELLS])
            if found is not None:
                known, places = found
                dates = _dates(known, places, content, encoding, delimiter, day_first) if known.ambiguous else Dates()
                return _Layout(known, places, line, delimiter, dates)
    message = f"This is no file of {provider} that we can read. Expected columns: {formats.expected(provider)}."
    raise InvalidInput("file_format", message, {"file": ["The header was not recognised in the first 30 lines."]})


def _dates(known: Format, places: dict[str, int], content: IO[bytes], encoding: str, delimiter: str, day_first: bool | None) -> Dates:
    order = Order()
    with _text(content, encoding) as text:
        for _, cells in _rows(text, delimiter):
            for name in known.ambiguous:
                if len(cells) > places[name]:
                    order.see(cells[places[name]])
    if not order.any:
        return Dates()
    if order.first_is_day and order.second_is_day:
        raise InvalidInput(
            "file_dates", "Some dates begin with the day and some with the month. Export the file again.", {"file": ["Mixed."]}
        )
    if order.first_is_day or order.second_is_day:
        if day_first is not None and day_first is not order.first_is_day:
            first = "day" if order.first_is_day else "month"
            raise InvalidInput("file_dates", f"The dates of this file begin with the {first}.", {"day_first": ["Not what the file says."]})
        return Dates(order.first_is_day)
    if day_first is None:
        raise InvalidInput(
            "file_dates_ambiguous",
            "All dates of this file could begin with the day or with the month. Say which: the account's own setting at PayPal tells.",
            {"day_first": ["Required for this file."]},
        )
    return Dates(day_first)


def _row(actor: Actor, provider: str, name: str, digest: str, size: int, layout: _Layout) -> ProcessorFile:
    seen = ProcessorFile.objects.filter(provider=provider, sha256=digest).first()
    if seen is not None:
        return seen
    values = {"name": name[:255], "format": layout.format.name, "size": size, "uploaded_by_id": actor.pk, "uploaded_at": clock.now()}
    try:
        with transaction.atomic():
            made = ProcessorFile.objects.create(provider=provider, sha256=digest, **values)
    except IntegrityError:
        return ProcessorFile.objects.get(provider=provider, sha256=digest)
    after = {"provider": provider, "sha256": digest}
    audit.record(actor=actor, action="reconcile", obj=made, reason=f"imported {made.name}"[:500], before={}, after=after)
    return made


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    stored: int = 0
    known: int = 0
    skipped: int = 0
    errors: int = 0


def _read(file: ProcessorFile, layout: _Layout, content: IO[bytes], encoding: str) -> None:
    counts = _Counts()
    spans: list[datetime | None] = [None, None]
    with _text(content, encoding) as text:
        rows = (
            (line, cells)
            for line, cells in _rows(text, layout.delimiter)
            if line > layout.header_line and any(cell.strip() for cell in cells)
        )
        while batch := list(islice(rows, BATCH)):
            part = run_in_transaction(lambda b=batch, left=MOST_PROBLEMS - counts.errors: _store(file, layout, b, spans, left))  # type: ignore[misc]
            for name in _Counts.__slots__:
                setattr(counts, name, getattr(counts, name) + getattr(part, name))
    run_in_transaction(lambda: _finish(file, counts, spans))


def _store(
    file: ProcessorFile, layout: _Layout, batch: list[tuple[int, list[str]]], spans: list[datetime | None], problems_left: int
) -> _Counts:
    """Store a batch. Raises InvalidInput, and keeps nothing of it, when it has more problems than are left."""
    counts = _Counts(rows=len(batch))
    movements: list[tuple[int, list[str], Movement]] = []
    problems: list[tuple[int, list[str], str]] = []
    for line, cells in batch:
        try:
            movements.append((line, cells, _movement(layout, cells)))
        except RowSkipped:
            counts.skipped += 1
        except RowRefused as e:
            problems.append((line, cells, str(e)))
    first_of: dict[tuple[str, str], int] = {}
    fresh: list[Movement] = []
    for line, cells, m in movements:
        key = (m.ref, m.amount.currency)
        if key in first_of:
            problems.append((line, cells, f"The movement {m.ref} stands in line {first_of[key]} already."))
        else:
            first_of[key] = line
            fresh.append(m)
    own = ProviderLine.objects.filter(file=file, line_ref__in=[m.ref for m in fresh]).values_list("line_ref", "currency")
    before = {key for key in own if key in first_of}
    new, contradicting = reading.store(file.provider, fresh, file=file)
    wrong = {(m.ref, m.amount.currency) for m in contradicting}
    cells_of = {line: cells for line, cells, _ in movements}
    problems += [
        (
            first_of[key],
            cells_of[first_of[key]],
            f"The movement {key[0]} was told with another amount before. Ask the gateway which is right.",
        )
        for key in wrong
    ]
    # what an earlier reading of this very file had stored when it broke off is stored, not known from elsewhere
    counts.stored = new + len(before - wrong)
    counts.known = len(fresh) - counts.stored - len(wrong)
    counts.errors = len(problems)
    if counts.errors > problems_left:
        line, _, why = min(problems, key=lambda problem: problem[0])
        message = f"More than {MOST_PROBLEMS:,} rows cannot be read, so the reading stopped. Line {line}: {why}"
        raise InvalidInput("file_unreadable", message, {"file": ["Export the file again, and do not change it in a spreadsheet."]})
    rows = [ProcessorFileError(file=file, line_no=line, message=why[:500], text=_shown(cells)) for line, cells, why in problems]
    ProcessorFileError.objects.bulk_create(rows, ignore_conflicts=True)
    for _, _, m in movements:
        spans[0] = m.at if spans[0] is None else min(spans[0], m.at)
        spans[1] = m.at if spans[1] is None else max(spans[1], m.at)
    return counts


def _movement(layout: _Layout, cells: list[str]) -> Movement:
    if cells and cells[0].startswith("\0"):
        raise RowRefused(f"The row cannot be taken apart ({cells[0][1:]}): look for an unclosed quotation mark.")
    if len(cells) > _MOST_CELLS:
        raise RowRefused(f"The row has {len(cells):,} fields, more than any gateway writes: look for line breaks that got lost.")
    if max(layout.places[name] for name in layout.format.needed) >= len(cells):
        raise RowRefused(f"The row has {len(cells)} fields, fewer than the header. Look for a line break or a missing delimiter.")
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        raise RowRefused("A field is far too long: look for an unclosed quotation mark.")
    given = {name: cells[place] if place < len(cells) else "" for name, place in layout.places.items()}
    return layout.format.row(given, layout.dates)


def _shown(cells: list[str]) -> str:
    return ",".join(cells).replace("\0", "").encode("utf-8", "replace").decode()[:_TEXT]


def _finish(file: ProcessorFile, counts: _Counts, spans: list[datetime | None]) -> None:
    row = ProcessorFile.objects.select_for_update().get(pk=file.pk)
    for name in _Counts.__slots__:
        setattr(row, name, getattr(counts, name))
    row.covers_from, row.covers_until = spans
    row.read_at = clock.now()
    row.save()
    runs.reopen(row.provider, runs.days_of(row, clock.now()))
