"""Everything the house knows about a person, in one file: asked for with one click, made by a task, kept for a few days.

A worker takes an export up under a lease that each step renews. A worker that dies leaves it to the sweep, which takes it up again from the
start; whoever was taken over from notices at its next step and stops. Services like those in services.py.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import IO, Any

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from marketplace.core import clock, events, ports
from marketplace.core.csv import csv_line
from marketplace.core.errors import Conflict
from marketplace.core.models import StoredFile
from marketplace.core.personal import Part
from marketplace.core.policies import one_of
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .models import DataExport, User
from .services import user_locked
from .states import EXPORT, LIVE_EXPORTS

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 5
DAY = timedelta(days=1)
_COPY = 1024 * 1024
ABOUT = """This is everything Openlance holds about your account.

Each list is there twice: as JSON, and as CSV for spreadsheets (a text that a spreadsheet could take for a formula has an apostrophe before it).
Your own files are under files/. Amounts are whole minor units of their currency, instants are UTC. Other people appear by their public name only.
reputation.json and reputation_inputs.json hold the formula and all that goes into it.
"""


class SupersededError(Exception):
    """Another worker has taken the export over, or it is no longer wanted."""


@unit_of_work
def export_start(*, actor: User) -> DataExport:
    """Ask for a new export; the worker is woken when this is committed.

    Raises Conflict("export_running") while one is made, Conflict("export_too_often") after DATA_EXPORTS_PER_DAY in 24 hours (failed ones do
    not count).
    """
    user_locked(actor.pk)
    mine, now = DataExport.objects.filter(user=actor), clock.now()
    if mine.filter(state__in=LIVE_EXPORTS).exists():
        raise Conflict("export_running", "Your data is being put together already. You are told when it is ready.")
    lately = mine.filter(requested_at__gt=now - DAY).exclude(state="failed").order_by("requested_at")
    if len(lately) >= settings.DATA_EXPORTS_PER_DAY:
        again = lately[len(lately) - settings.DATA_EXPORTS_PER_DAY].requested_at + DAY
        raise Conflict("export_too_often", f"You can ask again after {again:%Y-%m-%d %H:%M} UTC. Until then download the last one.")
    export = DataExport.objects.create(user=actor, live_key=actor.pk, requested_at=now, due_at=now)
    events.record(aggregate=export, kind="export.request", actor_id=actor.pk, after={"state": export.state})
    transaction.on_commit(functools.partial(_wake, export.pk), robust=True)
    return export


def _wake(export_id: int) -> None:
    from .tasks import make_export

    make_export.delay(export_id)


def export_for(actor: User, export_id: int) -> DataExport:
    """An own export. Raises NotFound."""
    return one_of(DataExport.objects.filter(user=actor), export_id, "export")


def export_open(*, actor: User, export_id: int) -> tuple[DataExport, IO[bytes]]:
    """An own export and its file. Raises NotFound, Conflict("export_not_ready") and Conflict("export_expired")."""
    export = export_for(actor, export_id)
    if export.state in LIVE_EXPORTS or export.state == "failed":
        raise Conflict("export_not_ready", "This export is not ready. Look at its state, or ask for a new one.")
    if export.state == "ready" and export.expires_at is not None and clock.now() < export.expires_at:
        try:
            return export, default_storage.open(export.stored_as)
        except FileNotFoundError:
            log.exception("export_file_missing", export=export.pk)
    raise Conflict("export_expired", "This export is gone: it was kept for some days only. Ask for a new one.")


def export_make(*, export_id: int) -> bool:
    """The worker's act: take the export up, make the file, hand it over. Returns whether it was finished here.

    Called twice, or by two workers, one of them does nothing. A fault is stored and tried again later, MAX_ATTEMPTS times in all.
    """
    attempt = _take(export_id=export_id)
    if attempt is None:
        return False
    user_id = DataExport.objects.values_list("user_id", flat=True).get(pk=export_id)
    try:
        _forget_earlier(export_id, attempt)
        with tempfile.TemporaryFile() as made:
            _write(made, user_id, functools.partial(_progress, export_id, attempt))
            digest, size = _digest(made)
            stored_as = default_storage.save(_name(export_id, attempt), File(made))
        return _finish(export_id=export_id, attempt=attempt, stored_as=stored_as, size=size, sha256=digest)
    except SupersededError:
        log.warning("export_superseded", export=export_id, attempt=attempt)
        return False
    except Exception as e:  # whatever a part raises is kept with the export and tried again; it must not stop the sweep
        log.exception("export_failed", export=export_id, attempt=attempt)
        _give_back(export_id=export_id, attempt=attempt, error=type(e).__name__)
        return False


@unit_of_work
def export_expire(*, export_id: int) -> bool:
    """The clock's act: delete the file when its days are over. Running it twice changes nothing more."""
    export = DataExport.objects.select_for_update().get(pk=export_id)
    if export.state != "ready" or export.expires_at is None or clock.now() < export.expires_at:
        return False
    _drop(export)
    return True


def exports_drop(*, user_id: int) -> int:
    """Take away every file of a person's exports, for closing, in the caller's transaction; returns how many. An export under way is failed."""
    dropped = 0
    for export in DataExport.objects.select_for_update().filter(user=user_id, state__in=("ready", *LIVE_EXPORTS)).order_by("pk"):
        if export.state == "ready":
            _drop(export)
        else:
            _fail(export, "closed")
        dropped += 1
    return dropped


def due_export_ids(now: datetime, limit: int = 50) -> list[int]:
    """Exports that wait, and those whose worker let its lease run out."""
    due = DataExport.objects.filter(state__in=LIVE_EXPORTS, due_at__lte=now)
    return list(due.order_by("due_at", "id").values_list("pk", flat=True)[:limit])


def expired_export_ids(now: datetime, limit: int = 500) -> list[int]:
    """Exports whose days are over."""
    over = DataExport.objects.filter(state="ready", expires_at__lte=now)
    return list(over.order_by("expires_at", "id").values_list("pk", flat=True)[:limit])


def _drop(export: DataExport) -> None:
    # first the file: a crash in between leaves a row that the next sweep meets again, not a file that nobody knows
    default_storage.delete(export.stored_as)
    export.stored_as, export.size = "", 0
    move(export, EXPORT, "expire", role="system", actor_id=None, also=["stored_as", "size"])


def _name(export_id: int, attempt: int) -> str:
    return f"exports/{export_id}/{attempt}.zip"


def _forget_earlier(export_id: int, attempt: int) -> None:
    """Delete what attempts that died may have left."""
    for n in range(1, attempt):
        default_storage.delete(_name(export_id, n))


@unit_of_work
def _take(*, export_id: int) -> int | None:
    """Claim the export until the lease ends; the number of this attempt, or None when there is nothing to do."""
    export = DataExport.objects.select_for_update().get(pk=export_id)
    now = clock.now()
    if export.state not in LIVE_EXPORTS or export.due_at > now:
        return None
    if export.attempts >= MAX_ATTEMPTS:
        _fail(export, export.last_error or "worker died")
        return None
    if export.state == "running":
        move(export, EXPORT, "retry", role="system", actor_id=None, reason="its worker did not finish in time")
    export.attempts += 1
    export.due_at, export.percent, export.step = now + LEASE, 0, ""
    move(export, EXPORT, "start", role="system", actor_id=None, also=["attempts", "due_at", "percent", "step"])
    return export.attempts


def _progress(export_id: int, attempt: int, percent: int, step: str) -> None:
    """Show how far it is and renew the lease. Raises SupersededError when the export is no longer this worker's."""
    mine = DataExport.objects.filter(pk=export_id, state="running", attempts=attempt)
    if mine.update(percent=percent, step=step[:64], due_at=clock.now() + LEASE) != 1:
        raise SupersededError


@unit_of_work
def _finish(*, export_id: int, attempt: int, stored_as: str, size: int, sha256: str) -> bool:
    export = DataExport.objects.select_for_update().get(pk=export_id)
    if export.state != "running" or export.attempts != attempt:
        default_storage.delete(stored_as)
        return False
    export.ready_at = clock.now()
    export.expires_at = export.ready_at + timedelta(days=settings.DATA_EXPORT_DAYS)
    export.live_key, export.percent, export.step = None, 100, ""
    export.stored_as, export.size, export.sha256, export.last_error = stored_as, size, sha256, ""
    also = ["ready_at", "expires_at", "live_key", "percent", "step", "stored_as", "size", "sha256", "last_error"]
    move(export, EXPORT, "finish", role="system", actor_id=None, also=also)
    return True


@unit_of_work
def _give_back(*, export_id: int, attempt: int, error: str) -> None:
    export = DataExport.objects.select_for_update().get(pk=export_id)
    if export.state != "running" or export.attempts != attempt:
        return
    if attempt >= MAX_ATTEMPTS:
        _fail(export, error)
        return
    export.last_error, export.due_at = error[:200], clock.now() + timedelta(seconds=30 * 2**attempt)
    move(export, EXPORT, "retry", role="system", actor_id=None, reason=error[:500], also=["last_error", "due_at"])


def _fail(export: DataExport, error: str) -> None:
    export.last_error, export.live_key = error[:200], None
    move(export, EXPORT, "fail", role="system", actor_id=None, reason=error[:500], also=["last_error", "live_key"])


def parts_of(user_id: int) -> list[tuple[str, Part]]:
    """Every list of a person's data: ("<app>/<name>", part), in the order of the apps' names."""
    answers = ports.personal_data.all(user_id=user_id)
    return [(f"{app}/{name}", part) for app, parts in sorted(answers.items()) for name, part in parts.items()]


def _write(made: IO[bytes], user_id: int, progress: Callable[[int, str], None]) -> None:
    parts, files = parts_of(user_id), list(StoredFile.objects.filter(owner_id=user_id).order_by("pk"))
    steps, counts = len(parts) + len(files), {}
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for done, (name, part) in enumerate(parts):
            progress(99 * done // max(steps, 1), name)
            counts[name] = _write_part(archive, name, part)
        missing = []
        for done, stored in enumerate(files, start=len(parts)):
            progress(99 * done // max(steps, 1), f"file {stored.pk}")
            if not _write_file(archive, stored):
                missing.append(stored.pk)
        told = {"made_at": clock.now(), "rows": counts, "files": len(files) - len(missing), "missing_file_ids": missing}
        archive.writestr("manifest.json", _json(told) + "\n")
        archive.writestr("README.txt", ABOUT)
    progress(99, "handing over")


def _write_part(archive: zipfile.ZipFile, name: str, part: Part) -> int:
    """The list as JSON and as CSV, read once; the CSV waits on disk, because an archive takes one file at a time."""
    n = 0
    with tempfile.TemporaryFile() as sheet:
        sheet.write(csv_line(part.columns).encode())
        with archive.open(f"{name}.json", "w", force_zip64=True) as out:
            out.write(b"[")
            for row in part.rows():
                out.write((b",\n" if n else b"\n") + _json(row).encode())
                sheet.write(csv_line([row[c] for c in part.columns]).encode())
                n += 1
            out.write(b"\n]\n")
        sheet.seek(0)
        with archive.open(f"{name}.csv", "w", force_zip64=True) as out:
            for chunk in _chunks(sheet):
                out.write(chunk)
    return n


def _write_file(archive: zipfile.ZipFile, stored: StoredFile) -> bool:
    try:
        content = default_storage.open(stored.stored_as)
    except FileNotFoundError:
        return False
    with content, archive.open(f"files/{stored.pk}-{stored.name}", "w", force_zip64=True) as out:
        for chunk in _chunks(content):
            out.write(chunk)
    return True


def _chunks(content: Any) -> Iterator[bytes]:
    while chunk := content.read(_COPY):
        yield chunk


def _digest(made: IO[bytes]) -> tuple[str, int]:
    made.seek(0)
    digest = hashlib.sha256()
    for chunk in _chunks(made):
        digest.update(chunk)
    size = made.seek(0, io.SEEK_END)
    made.seek(0)
    return digest.hexdigest(), size


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
