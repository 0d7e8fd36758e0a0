"""Files that people hand over: uploaded first, attached to an object afterwards, read by whoever sees the object.

An upload belongs to its owner alone. A service attaches it inside its own transaction (`attach`); a file is attached once and for all, so
what was handed in cannot be swapped. Content is stored under a name of our own and always leaves as a download: nothing uploaded is ever
rendered on our site.
"""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models, transaction

from . import clock, ports
from .checks import UNPRINTABLE
from .errors import Conflict, InvalidInput, NotFound
from .events import aggregate_name
from .models import StoredFile
from .policies import Actor
from .prepared import Statement

MAX_FILES = 20
_CHUNK = 1024 * 1024
#: what a form may add around a file
_FORM = 64 * 1024
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,40}/[a-z0-9][a-z0-9!#$&^_.+-]{0,50}")


def check_length(announced: int) -> None:
    """Raise InvalidInput when a form of this many bytes must hold more than a file may have."""
    if announced > settings.FILE_MAX_BYTES + _FORM:
        raise _too_large()


def _too_large() -> InvalidInput:
    message = f"A file may have at most {settings.FILE_MAX_BYTES // 1024**2} MiB."
    return InvalidInput("file_invalid", message, {"file": [message]})


def file_upload(*, actor: Actor, name: str, content_type: str, content: BinaryIO) -> StoredFile:
    """Store what `content` reads, up to FILE_MAX_BYTES. Raises InvalidInput for an empty, too large or nameless file, Conflict("files_waiting")
    while the actor's uploads that hang nowhere are FILE_MAX_WAITING or FILE_MAX_WAITING_BYTES.
    """
    plain = PurePosixPath(name.replace("\\", "/")).name.strip()
    if not plain or plain in (".", "..") or len(plain) > 255 or UNPRINTABLE.search(plain):
        message = "Give the file a name of 1 to 255 characters without control characters."
        raise InvalidInput("file_invalid", message, {"file": [message]})
    _check_waiting(actor)
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(_CHUNK):
        size += len(chunk)
        digest.update(chunk)
        if size > settings.FILE_MAX_BYTES:
            break
    if size > settings.FILE_MAX_BYTES:
        raise _too_large()
    if not size:
        raise InvalidInput("file_invalid", "The file is empty.", {"file": ["The file is empty."]})
    content.seek(0)
    now = clock.now()
    stored_as = default_storage.save(f"{now:%Y/%m}/{uuid.uuid4().hex}", File(content))
    kind = content_type.partition(";")[0].strip().lower()
    return StoredFile.objects.create(
        owner_id=actor.pk,
        name=plain,
        content_type=kind if _CONTENT_TYPE.fullmatch(kind) else "application/octet-stream",
        size=size,
        sha256=digest.hexdigest(),
        stored_as=stored_as,
        uploaded_at=now,
    )


def _waiting() -> models.QuerySet[StoredFile]:
    return StoredFile.objects.filter(attached_type="", attached_id=None)


def _check_waiting(actor: Actor) -> None:
    mine = _waiting().filter(owner_id=actor.pk).aggregate(n=models.Count("pk"), size=models.Sum("size"))
    if mine["n"] >= settings.FILE_MAX_WAITING or (mine["size"] or 0) >= settings.FILE_MAX_WAITING_BYTES:
        message = f"Uploads of yours that nothing was sent with wait already ({mine['n']}): send or delete some first."
        raise Conflict("files_waiting", message)


def forget_waiting(limit: int = 500) -> int:
    """Delete uploads that nothing was sent with for FILE_WAITING_HOURS, at most `limit`; returns how many. The content goes after the row."""
    old = _waiting().filter(uploaded_at__lte=clock.now() - timedelta(hours=settings.FILE_WAITING_HOURS)).order_by("pk")
    gone = 0
    for pk, stored_as in old.values_list("pk", "stored_as")[:limit]:
        if _waiting().filter(pk=pk).delete()[0]:
            default_storage.delete(stored_as)
            gone += 1
    return gone


def attach(*, actor: Actor, file_ids: Sequence[int], to: models.Model) -> list[StoredFile]:
    """Attach own, still unattached uploads to `to`, in the caller's transaction; the order given is kept. Attaching again what hangs there already
    is no error. Raises InvalidInput naming `files`: too many, or one that is absent, somebody else's or attached elsewhere (all look the same).
    """
    wanted = list(dict.fromkeys(file_ids))
    if len(wanted) > MAX_FILES:
        message = f"At most {MAX_FILES} files."
        raise InvalidInput("files_invalid", message, {"files": [message]})
    if not wanted:
        return []
    label = aggregate_name(to)
    found = {f.pk: f for f in StoredFile.objects.select_for_update().filter(pk__in=wanted, owner_id=actor.pk).order_by("pk")}
    wrong = [pk for pk in wanted if pk not in found or (found[pk].attached_type, found[pk].attached_id) not in (("", None), (label, to.pk))]
    if wrong:
        message = f"Not an upload of yours that is free to attach: {', '.join(map(str, wrong))}. Upload it again, or leave it out."
        raise InvalidInput("files_invalid", message, {"files": [message]})
    for stored in found.values():
        stored.attached_type, stored.attached_id = label, to.pk
        stored.save(update_fields=["attached_type", "attached_id"])
    return [found[pk] for pk in wanted]


def files_of(obj: models.Model) -> list[StoredFile]:
    """What is attached to the object, oldest first."""
    return files_of_many([obj])[obj.pk]


def files_of_many(objects: Iterable[models.Model]) -> dict[int, list[StoredFile]]:
    """The same for objects of one model, in one query: id → files."""
    rows = list(objects)
    found: dict[int, list[StoredFile]] = defaultdict(list)
    if rows:
        for stored in _ATTACHED(kind=aggregate_name(rows[0]), ids=[o.pk for o in rows]):
            found[stored.attached_id or 0].append(stored)
    return found


_ATTACHED: Statement[StoredFile] = Statement(
    lambda kind, ids: StoredFile.objects.filter(attached_type=kind, attached_id__in=ids).order_by("pk")
)


def file_for(actor: Actor, file_id: int) -> StoredFile:
    """The file, for its owner and for whoever sees the object it hangs on. Raises NotFound."""
    stored = StoredFile.objects.filter(pk=file_id).first()
    if stored is not None and actor.is_authenticated:
        if stored.owner_id == actor.pk:
            return stored
        if stored.attached_id is not None and ports.file_readers.first(
            actor=actor, attached_type=stored.attached_type, attached_id=stored.attached_id
        ):
            return stored
    raise NotFound("file")


def file_delete(*, actor: Actor, file_id: int) -> None:
    """The owner takes back an upload that hangs nowhere. Raises NotFound, InvalidInput when it is attached."""
    stored = file_for(actor, file_id)
    if stored.owner_id != actor.pk:
        raise NotFound("file")
    if StoredFile.objects.filter(pk=stored.pk, attached_id=None).delete()[0] != 1:
        raise InvalidInput("file_attached", "This file was handed over with something and stays with it.")
    default_storage.delete(stored.stored_as)


def drop_files(*, of: models.Model, keep: Collection[int] = ()) -> int:
    """Take the files off an object that its owner changes or deletes, but those in `keep`; returns how many went. For objects that are the owner's
    alone to change: what was handed over to somebody stays. The content goes when the caller's transaction has committed.
    """
    gone = [f for f in files_of(of) if f.pk not in set(keep)]
    _delete(gone)
    return len(gone)


def erase_files(*, owner_id: int, attached_types: Collection[str]) -> int:
    """Delete a person's files that hang nowhere or on objects of these types, rows and content; returns how many. Safe to run again."""
    mine = StoredFile.objects.filter(owner_id=owner_id, attached_type__in=["", *attached_types])
    gone = list(mine.order_by("pk"))
    _delete(gone)
    return len(gone)


def _delete(gone: Sequence[StoredFile]) -> None:
    StoredFile.objects.filter(pk__in=[f.pk for f in gone]).delete()
    for stored in gone:
        transaction.on_commit(functools.partial(default_storage.delete, stored.stored_as), robust=True)
