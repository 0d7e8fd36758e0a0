"""The same request twice has one effect and one answer.

The key is scoped to the actor and bound to method, path and body. Its record is committed before the work begins and the answer is
stored afterwards, outside the work's own transaction: a crash in between leaves an unfinished record, which a later request with the
same key takes over. The services underneath must therefore be safe to run again (states, unique keys): this layer spares the client the
question of whether the first request arrived, it does not replace their own keys.

Belongs here: the protocol around a view. Not here: what makes a service itself safe to repeat.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.errors import Conflict, DomainError, IdempotencyConflict, InvalidInput
from marketplace.core.models import IdempotencyRecord

HEADER = "Idempotency-Key"
#: a request that has not answered after this long is taken for dead, and its key may be taken over
STALE_AFTER = timedelta(seconds=60)
_ACCEPTED = re.compile(r"[\x21-\x7e]{1,128}")


def key_of(request: Request, *, required: bool) -> str | None:
    """The request's key, or None when it has none and needs none. Raises InvalidInput for a missing or unusable key."""
    key = request.headers.get(HEADER)
    if key is None and not required:
        return None
    if key is None or not _ACCEPTED.fullmatch(key):
        raise InvalidInput(
            "idempotency_key_required",
            "Send the header Idempotency-Key: 1 to 128 printable characters without spaces, fresh for each new request and the same when you retry.",
            {HEADER: ["Required: 1 to 128 printable characters."]},
        )
    return key


def actor_key(request: Request) -> str:
    """Whose key it is: the user, or a keyed hash of the anonymous caller's session or address."""
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    session = getattr(request, "session", None)
    caller = (session.session_key if session is not None else None) or request.META.get("REMOTE_ADDR", "")
    return "anonymous:" + salted_hmac("core.idempotency", str(caller), algorithm="sha256").hexdigest()[:60]


def request_hash(request: Request) -> str:
    """A keyed hash over method, full path and raw body; of a form with files over what it carries, since its boundary differs each time.

    Keyed, because bodies may hold a password: whoever reads the table must not be able to try guesses against it.
    """
    digest = salted_hmac("core.idempotency.request", b"", algorithm="sha256")

    def add(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "big") + part)

    add((request.method or "").encode())
    add(request.get_full_path().encode())
    if not (request.content_type or "").startswith("multipart/"):
        add(request.body)
        return digest.hexdigest()
    form: Any = request.data
    for name in sorted(form):
        for value in form.getlist(name):
            add(name.encode())
            if not isinstance(value, UploadedFile):
                add(str(value).encode())
                continue
            add((value.name or "").encode() + b"\0" + (value.content_type or "").encode() + (value.size or 0).to_bytes(8, "big"))
            for chunk in value.chunks():
                digest.update(chunk)
            value.seek(0)
    return digest.hexdigest()


def claim(actor: str, key: str, fingerprint: str) -> IdempotencyRecord:
    """The record of this key: ours to work on (`response_status` is None), or one that already holds the answer.

    Raises IdempotencyConflict for a key used with another request, Conflict("request_in_progress") while the first one works.
    """
    now = timezone.now()
    for _ in range(2):
        try:
            with transaction.atomic():
                return IdempotencyRecord.objects.create(actor_key=actor, key=key, request_hash=fingerprint, claimed_at=now)
        except IntegrityError:
            seen = IdempotencyRecord.objects.filter(actor_key=actor, key=key).first()
        if seen is None:
            continue  # its owner was refused and gave the key back in this moment
        if seen.request_hash != fingerprint:
            raise IdempotencyConflict
        if seen.response_status is not None:
            return seen
        if seen.claimed_at <= now - STALE_AFTER:
            mine = IdempotencyRecord.objects.filter(pk=seen.pk, response_status=None, claimed_at=seen.claimed_at)
            if mine.update(claimed_at=now) == 1:
                seen.claimed_at = now
                return seen
        break
    raise Conflict("request_in_progress", "The same request is still being worked on. Ask again in a moment with the same Idempotency-Key.")


def _owned(record: IdempotencyRecord) -> Any:
    """The record while it is still ours: whoever was taken over from writes nothing more."""
    return IdempotencyRecord.objects.filter(pk=record.pk, response_status=None, claimed_at=record.claimed_at)


def store(record: IdempotencyRecord, response: Response, secrets: Collection[str] = ()) -> None:
    """Keep the answer for whoever repeats the request, with null for the `secrets`, which are told once."""
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    if secrets:
        body = {name: None if name in secrets else value for name, value in body.items()}
    _owned(record).update(response_status=response.status_code, response_body=body)


def give_back(record: IdempotencyRecord, status: int) -> None:
    """A refusal had no effect: the key is free again. After a fault nobody knows: the key stays bound to this very request, which may be repeated at once."""
    if status < 500:
        _owned(record).delete()
    else:
        _owned(record).update(claimed_at=record.claimed_at - STALE_AFTER)


class IdempotentMixin:
    """Mix into a DRF view, before the view class: every POST needs an Idempotency-Key; PUT, PATCH and DELETE may carry one.

    Same key and request → the stored answer with `Idempotent-Replayed: true`; another request → 409 idempotency_key_reused; the first one
    still at work → 409 request_in_progress. Only successes are stored: a refused request changed nothing and may be corrected and resent.
    """

    #: names in the answer that are never stored: a repetition shows null for them
    told_once: ClassVar[tuple[str, ...]] = ()

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        for method in ("post", "put", "patch", "delete"):
            work = getattr(self, method, None)
            if work is not None:
                setattr(self, method, functools.partial(self._once, work, method == "post"))

    def _once(self, work: Callable[..., Response], required: bool, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = key_of(request, required=required)
        if key is None:
            return work(request, *args, **kwargs)
        record = claim(actor_key(request), key, request_hash(request))
        if record.response_status is not None:
            return Response(record.response_body, status=record.response_status, headers={"Idempotent-Replayed": "true"})
        try:
            response = work(request, *args, **kwargs)
        except Exception as e:
            give_back(record, _status_of(e))
            raise
        if response.status_code < 400:
            store(record, response, self.told_once)
        else:
            give_back(record, response.status_code)
        return response


def _status_of(error: Exception) -> int:
    if isinstance(error, DomainError):
        return error.status
    if isinstance(error, APIException):
        return int(error.status_code)
    return 500
