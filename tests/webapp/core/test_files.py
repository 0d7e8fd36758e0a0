"""Uploads: whose they are, what they may be, and who reads them once they hang on something."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from marketplace.core import clock, files, ports
from marketplace.core.errors import InvalidInput, NotFound
from marketplace.core.models import StoredFile
from marketplace.core.tasks import forget_uploads
from tests.webapp.people import Person

pytestmark = pytest.mark.parity


def upload(user: Any, name: str = "draft.pdf", content: bytes = b"first draft", key: str | None = None) -> Any:
    sent = {"file": SimpleUploadedFile(name, content, "application/pdf")}
    return Person(user).client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY=key or uuid.uuid4().hex)


def test_what_was_uploaded_comes_back_as_a_download_to_its_owner_alone(bob: Any, alice: Any) -> None:
    there = upload(bob, "Übersicht العربية 😀.pdf").json()
    answer = Person(bob).get(f"files/{there['id']}")
    assert b"".join(answer.streaming_content) == b"first draft"
    assert answer["Content-Disposition"].startswith("attachment;") and answer["X-Content-Type-Options"] == "nosniff"
    assert there["name"] == "Übersicht العربية 😀.pdf" and there["size"] == 11
    assert Person(alice).get(f"files/{there['id']}").status_code == 404


def test_the_same_upload_twice_is_one_file_and_another_file_under_its_key_a_conflict(bob: Any) -> None:
    first = upload(bob, key="k1").json()
    assert upload(bob, key="k1").json() == first
    assert upload(bob, content=b"second draft", key="k1").status_code == 409
    assert StoredFile.objects.count() == 1


@override_settings(FILE_MAX_BYTES=10)
@pytest.mark.parametrize(("name", "content", "said"), [("a.txt", b"x" * 11, "at most"), ("a.txt", b"", "empty")])
def test_too_large_or_empty_is_refused_with_words(bob: Any, name: str, content: bytes, said: str) -> None:
    answer = upload(bob, name, content)
    assert answer.status_code == 400 and said in answer.json()["fields"]["file"][0]
    assert not StoredFile.objects.exists()


def test_a_file_of_50_mib_is_taken_and_one_byte_more_is_not(bob: Any) -> None:
    assert upload(bob, content=b"\0" * (50 * 1024 * 1024)).status_code == 201
    assert upload(bob, content=b"\0" * (50 * 1024 * 1024 + 1)).status_code == 400


class Unread:
    """A body that tells whether anybody read of it."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, *_: Any) -> bytes:
        self.reads += 1
        return b""

    readline = read


TOKEN = "a" * 32
FORM = "multipart/form-data; boundary=x"


def send_unread(user: Any, length: str | None = "1000", token: str = TOKEN) -> tuple[int, str, int]:
    """A browser's form whose body nobody has seen: (status, code, how often the body was read)."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.cookies["csrftoken"] = TOKEN
    body = Unread()
    more = {} if length is None else {"CONTENT_LENGTH": length}
    sent = {"wsgi.input": body, "HTTP_X_CSRFTOKEN": token, "HTTP_IDEMPOTENCY_KEY": "k", **more}
    answer = client.generic("POST", "/api/v1/files", b"", FORM, **sent)
    return answer.status_code, answer.json()["code"], body.reads


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"token": ""}, 403, "permission_denied"),
        ({"length": None}, 411, "length_required"),
        ({"length": "-1"}, 411, "length_required"),
        ({"length": str(10**12)}, 400, "file_"),
    ],
    ids=["no_token", "no_length", "no_number", "too_large"],
)
def test_nothing_of_a_form_is_read_before_its_sender_is_let_in(bob: Any, more: Any, status: int, code: str) -> None:
    answered = send_unread(bob, **more)
    assert (answered[0], answered[2]) == (status, 0) and answered[1].startswith(code)


def test_nothing_of_a_form_is_read_of_who_asks_too_often(bob: Any, settings: Any) -> None:
    settings.API_PACE = {**settings.API_PACE, "upload": (0, 60)}
    assert send_unread(bob)[::2] == (429, 0)


def test_a_browser_sends_its_token_in_the_header_and_the_form_is_read(bob: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    client.cookies["csrftoken"] = TOKEN
    sent = {"file": SimpleUploadedFile("a.txt", b"abc"), "csrfmiddlewaretoken": TOKEN}
    assert client.post("/api/v1/files", sent, HTTP_IDEMPOTENCY_KEY="k").status_code == 403
    sent["file"].seek(0)
    assert client.post("/api/v1/files", sent, HTTP_IDEMPOTENCY_KEY="k", HTTP_X_CSRFTOKEN=TOKEN).status_code == 201


def test_a_form_that_announces_too_much_is_refused_before_it_is_read(bob: Any) -> None:
    sent = {"content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(10**12), "HTTP_IDEMPOTENCY_KEY": "k"}
    answer = Person(bob).client.generic("POST", "/api/v1/files", b"", **sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "file_invalid")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\boot.ini"])
def test_folders_in_a_name_are_dropped(bob: Any, name: str) -> None:
    stored = files.file_upload(actor=bob, name=name, content_type="text/html; x", content=io.BytesIO(b"a"))
    assert stored.name in ("passwd", "boot.ini") and stored.content_type == "text/html"


def test_only_own_free_uploads_can_be_attached_and_readers_of_the_object_read_them(bob: Any, alice: Any, charlie: Any) -> None:
    one, other = (files.file_upload(actor=bob, name=n, content_type="", content=io.BytesIO(b"a")) for n in "ab")
    profile = bob.freelancer_profile
    assert files.attach(actor=bob, file_ids=[one.pk], to=profile) == files.attach(actor=bob, file_ids=[one.pk], to=profile)
    with pytest.raises(InvalidInput):
        files.attach(actor=bob, file_ids=[one.pk], to=alice.client_profile)
    with pytest.raises(InvalidInput):
        files.attach(actor=alice, file_ids=[other.pk], to=alice.client_profile)
    readers = ports.file_readers._providers
    readers["test"] = lambda actor, attached_type, attached_id: actor == alice or None
    try:
        assert files.file_for(alice, one.pk) == one
        with pytest.raises(NotFound):
            files.file_for(charlie, one.pk)
        with pytest.raises(NotFound):
            files.file_for(alice, other.pk)
    finally:
        del readers["test"]


def test_what_was_handed_over_cannot_be_taken_back(bob: Any) -> None:
    one = upload(bob).json()["id"]
    files.attach(actor=bob, file_ids=[one], to=bob.freelancer_profile)
    assert Person(bob).client.delete(f"/api/v1/files/{one}").status_code == 400
    free = upload(bob).json()["id"]
    assert Person(bob).client.delete(f"/api/v1/files/{free}").status_code == 204
    assert Person(bob).get(f"files/{free}").status_code == 404


@override_settings(FILE_MAX_WAITING=2)
def test_uploads_that_nothing_was_sent_with_are_bounded_and_forgotten_at_their_hour(bob: Any, alice: Any) -> None:
    """Attached files neither count nor go; at 48 hours and not a second before the others do, content and all."""
    kept = upload(bob).json()["id"]
    files.attach(actor=bob, file_ids=[kept], to=alice)
    waiting = [upload(bob).json()["id"] for _ in range(2)]
    refused = upload(bob)
    assert (refused.status_code, refused.json()["code"]) == (409, "files_waiting") and upload(alice).status_code == 201
    paths = [StoredFile.objects.get(pk=pk).stored_as for pk in waiting]
    clock.advance(48 * 3600 - 60)
    assert forget_uploads() == 0
    clock.advance(60)
    assert forget_uploads() == 3 and forget_uploads() == 0
    assert list(StoredFile.objects.values_list("pk", flat=True)) == [kept]
    assert not any(default_storage.exists(path) for path in paths) and upload(bob).status_code == 201
